"""The word for what must not be."""

from __future__ import annotations


class Finding(Exception):
    """Bytes were taken and a promise about them does not hold."""


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise Finding(what)
