"""Pure functions of bytes, computed once per run instead of once per node: parsing and signature checks are real, and
their values are frozen, so that sharing them between nodes changes nothing but the time it takes."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from protocol import crypto, envelope, frames
from protocol.errors import ProtocolError

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


MOST = 20_000
"""More than one run of the largest network needs: what earlier ones left only fills the memory."""


def _remembered(pure: Callable[..., Any], name_of: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Refusals are remembered like values: a liar's junk is told to everybody. `name_of`: by what, where the arguments
    are dear to hash."""
    refused: dict[Any, ProtocolError] = {}

    def asked(*args: Any) -> Any:
        name = args if name_of is None else name_of(*args)
        error = refused.get(name)
        if error is None:
            try:
                return pure(*args)
            except ProtocolError as first:
                error = first
            if len(refused) > MOST:
                refused.clear()
            refused[name] = error
        raise ProtocolError(error.code, error.detail)

    if name_of is None:
        return functools.lru_cache(maxsize=MOST)(asked)
    known: dict[Any, Any] = {}

    def named(*args: Any) -> Any:
        name = name_of(*args)
        found = known.get(name)
        if found is None:
            if len(known) > MOST:
                known.clear()
            found = known[name] = asked(*args)
        return found

    return named


def _by_bytes(parsed: Any, key: Any) -> Any:
    """The entry's own bytes and the key: a Parsed value is a key too large to hash again and again."""
    return parsed.raw, key


@contextmanager
def shared_parsing() -> Iterator[None]:
    with ExitStack() as stack:
        for pure in (frames.parse_frame, envelope.parse_entry, envelope.open_keyset, crypto.sha256):
            stack.enter_context(everywhere(pure, _remembered(pure)))
        stack.enter_context(everywhere(envelope.verify_entry, _remembered(envelope.verify_entry, _by_bytes)))
        yield
