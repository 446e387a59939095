"""Pure functions of bytes, computed once per run instead of once per node: parsing and signature checks are real, and
their values are frozen, so that sharing them between nodes changes nothing but the time it takes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from protocol import envelope, frames

ROOMS = ("protocol", "node", "adapters", "governance")


@contextmanager
def everywhere(original: Any, replacement: Any) -> Iterator[None]:
    """Puts `replacement` wherever shipped code has bound `original` by name."""
    with ExitStack() as stack:
        for name, module in sorted(sys.modules.items()):
            if module is None or name.partition(".")[0] not in ROOMS:
                continue
            for bound in [key for key, value in vars(module).items() if value is original]:
                stack.enter_context(mock.patch.object(module, bound, replacement))
        yield


def _remembered(pure: Callable[..., Any], most: int = 200_000) -> Callable[..., Any]:
    known: dict[Any, Any] = {}

    def asked(*args: Any) -> Any:
        found = known.get(args)
        if found is None:
            if len(known) > most:
                known.clear()
            found = known[args] = pure(*args)
        return found

    return asked


def _remembered_verification() -> Callable[..., Any]:
    """By the entry's own bytes and the key: a Parsed value is a key too large to hash again and again."""
    known: dict[tuple[bytes, bytes], Any] = {}
    pure = envelope.verify_entry

    def asked(parsed: Any, key: Any) -> Any:
        name = (parsed.raw, bytes(key))
        found = known.get(name)
        if found is None:
            if len(known) > 200_000:
                known.clear()
            found = known[name] = pure(parsed, key)
        return found

    return asked


@contextmanager
def shared_parsing() -> Iterator[None]:
    with ExitStack() as stack:
        for pure in (frames.parse_frame, envelope.parse_entry, envelope.open_keyset):
            stack.enter_context(everywhere(pure, _remembered(pure)))
        stack.enter_context(everywhere(envelope.verify_entry, _remembered_verification()))
        yield
