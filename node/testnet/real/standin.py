"""A contract that says what it is told to: it stands in for parts of others' systems that a test or a story does not
play (a price, a waiting period). Every other call is taken and answered with nothing."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.evm.abi import keccak256

WORD = 32


def says(call: str, *words: int, key: bytes = b"") -> tuple[bytes, bytes]:
    """`name(types)` → what is answered, in words; with `key` only where the arguments begin so (28 bytes at most)."""
    begins = keccak256(call.encode())[:4] + key[:28]
    return begins, b"".join(word.to_bytes(WORD) for word in words)


def stand_in(answers: Mapping[bytes, bytes]) -> bytes:
    """Creation bytecode. Keys are how the call data begins, longer ones first."""
    looks, replies = b"\x5f\x35", b""  # the first word of the call stays on the stack
    begins_at = len(looks) + sum(len(_look(begins, 0)) for begins in answers) + len(NOTHING)
    for begins in sorted(answers, key=len, reverse=True):
        looks += _look(begins, begins_at + len(replies))
        replies += _reply(answers[begins])
    runtime = looks + NOTHING + replies
    size = len(runtime).to_bytes(2)
    return b"\x61" + size + b"\x80\x60\x0a\x5f\x39\x5f\xf3" + runtime  # these ten bytes copy what follows them


NOTHING = b"\x5f\x5f\xf3"


def _look(begins: bytes, at: int) -> bytes:
    """Where the call begins so, go there."""
    shift = 8 * (WORD - len(begins))
    compare = b"\x80\x60" + bytes([shift]) + b"\x1c" + bytes([0x5F + len(begins)]) + begins + b"\x14"
    return compare + b"\x61" + at.to_bytes(2) + b"\x57"


def _reply(answer: bytes) -> bytes:
    kept = b"".join(
        b"\x7f" + answer[at : at + WORD] + b"\x61" + at.to_bytes(2) + b"\x52" for at in range(0, len(answer), WORD)
    )
    return b"\x5b" + kept + b"\x61" + len(answer).to_bytes(2) + b"\x5f\xf3"
