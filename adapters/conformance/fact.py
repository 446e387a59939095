"""What a fact is, how it is tried, and how texts are looked through for secrets."""

from __future__ import annotations

import contextlib
import logging
import threading
import unittest
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, TypeVar

import trio

FACT_S_MAX = 120.0
"""A fact that takes longer does not hold: something hangs that the suite does not see."""
ABANDON_S = 5.0
"""After that what swallows its cancellation is left behind."""
TEXT_CHARS_MAX = 1_000
"""What a node keeps of a sentence."""
Case = TypeVar("Case")
Found = TypeVar("Found")


class Broken(AssertionError):
    """A fact does not hold; the text says what was seen instead."""


class NotTried(unittest.SkipTest):
    """The case has no hook for it; pytest shows the fact as skipped, with this reason."""


class Stand:
    """What a fact is tried on: made anew for each, within `async with`."""

    secrets: tuple[str, ...] = ()
    """What must never be said: keys as they might be written, passwords, tokens of addresses."""

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes down what it stands on."""


@dataclass(frozen=True)
class Fact:
    """`name` is stable: reports and waivers may name it. `says`: what must be true, in a sentence or two."""

    name: str
    says: str
    _try: Callable[[], Awaitable[None]] = field(repr=False)

    def __str__(self) -> str:
        return self.name

    def check(self) -> None:
        """Runs a trio loop of its own, on a case made for this fact alone. Broken, NotTried."""
        raised: list[BaseException] = []

        def run() -> None:
            try:
                trio.run(self._bounded)
            except BaseException as error:
                raised.append(error)

        # in a thread, since code that swallows its cancellation cannot be ended, and this suite is to end all the same
        thread = threading.Thread(target=run, name=self.name, daemon=True)
        thread.start()
        thread.join(FACT_S_MAX + ABANDON_S)
        if thread.is_alive():
            raise Broken(f"{self.name}: it does not end, not even when it is cancelled")
        if raised:
            raise _first(raised[0])

    async def _bounded(self) -> None:
        with trio.move_on_after(FACT_S_MAX) as scope:
            await self._try()
        if scope.cancelled_caught:
            raise Broken(f"{self.name}: not through after {FACT_S_MAX:g} s")


def _first(error: BaseException) -> BaseException:
    """What a nursery wrapped."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def faults(facts: Iterable[Fact]) -> dict[str, str]:
    """Name → why, of the facts that do not hold; those that the case has no hook for are left out."""
    found: dict[str, str] = {}
    for fact in facts:
        try:
            fact.check()
        except NotTried:
            continue
        except Broken as broken:
            found[fact.name] = str(broken)
    return found


class Book(Generic[Case]):
    """The facts of one kind, in the order in which they are written."""

    def __init__(self) -> None:
        self._checks: dict[str, Callable[[Case], Awaitable[None]]] = {}

    def fact(self, check: Callable[[Case], Awaitable[None]]) -> Callable[[Case], Awaitable[None]]:
        self._checks[check.__name__] = check
        return check

    def of(self, opened: Callable[[], AbstractAsyncContextManager[Case]]) -> tuple[Fact, ...]:
        return tuple(
            Fact(name, " ".join((check.__doc__ or name).split()), _on(opened, check))
            for name, check in self._checks.items()
        )


def _on(
    opened: Callable[[], AbstractAsyncContextManager[Case]], check: Callable[[Case], Awaitable[None]]
) -> Callable[[], Awaitable[None]]:
    async def tried() -> None:
        async with opened() as case:
            await check(case)

    return tried


async def answered(what: str, call: Awaitable[Found], kind: type[Found], most_s: float) -> Found:
    """What a step answers; Broken where it raises, takes longer than a node waits, or answers with something else."""
    try:
        with trio.fail_after(most_s):
            found = await call
    except trio.TooSlowError:
        raise Broken(f"{what} gave no answer within {most_s:g} s, which is as long as a node waits") from None
    except Exception as error:
        raise Broken(f"{what} raised {type(error).__name__}: it answers, whatever happens") from error
    if not isinstance(found, kind):
        raise Broken(f"{what} answered with a {type(found).__name__} and not with a {kind.__name__}")
    return found


def check_sentence(what: str, text: object, most: int = TEXT_CHARS_MAX) -> None:
    """One line that a person can read and a record can keep."""
    if not isinstance(text, str) or not text.strip():
        raise Broken(f"{what} says nothing")
    if len(text) > most:
        raise Broken(f"{what} is {len(text)} characters long; {most} are kept")
    if not text.isprintable():
        raise Broken(f"{what} is not one line of printable text: {text[:80]!r}")


def check_silent(secrets: Iterable[str], texts: Iterable[str]) -> None:
    """The secret itself is not repeated in the fault either."""
    wanted = [secret.lower() for secret in secrets]
    for text in texts:
        if any(secret in text.lower() for secret in wanted):
            raise Broken(f"a secret stands in a text of {len(text)} characters")


@contextlib.asynccontextmanager
async def listening(into: list[str]) -> AsyncIterator[None]:
    """Every line that is logged at a node's own level meanwhile."""

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            into.append(record.getMessage())

    root, heard = logging.getLogger(), Heard()
    level = root.level
    root.addHandler(heard)
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.removeHandler(heard)
        root.setLevel(level)
