"""Targets that mean ill, written as the bytes that run: whatever they are called with, they do one thing."""

from __future__ import annotations

_DEPLOY = bytes.fromhex("600b380380600b5f395ff3")
"""Returns what follows it."""
REFUSES = _DEPLOY + bytes.fromhex("5f5ffd")
BURNS = _DEPLOY + b"\xfe"
"""All the gas that it is given."""
FLOODS = _DEPLOY + bytes.fromhex("620186a05ff3")
"""Answers with 100,000 bytes."""
SHORT = _DEPLOY + bytes.fromhex("60015f5260205ff3").replace(bytes.fromhex("6020"), bytes.fromhex("601f"))
"""Answers with a byte less than a word."""
TAKES = _DEPLOY + b"\x00"


def answers(word: int) -> bytes:
    return _DEPLOY + b"\x7f" + word.to_bytes(32, "big") + bytes.fromhex("5f5260205ff3")


def calls_back(to: bytes, data: bytes) -> bytes:
    """Calls `to` and keeps in slot 0 how that went: 1 refused, 2 done."""
    head = 44
    copied = b"\x61" + len(data).to_bytes(2, "big") + b"\x61" + head.to_bytes(2, "big") + b"\x5f\x39"
    called = b"\x5f\x5f\x61" + len(data).to_bytes(2, "big") + b"\x5f\x5f\x73" + to + b"\x5a\xf1"
    kept = bytes.fromhex("6001015f5500")
    runs = copied + called + kept
    if len(runs) != head:
        raise ValueError(f"the code before the data is {len(runs)} bytes")
    return _DEPLOY + runs + data
