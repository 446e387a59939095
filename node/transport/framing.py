"""Frames on a member stream: a 4-byte big-endian length, then that many bytes.

The top bit of the length marks a control frame (ping, pong), so no frame of a user can be mistaken for one.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.transport.limits import CONTROL_MAX

_HEADER = 4
_CONTROL_BIT = 0x8000_0000

PING = 1
PONG = 2
_NONCE_BYTES = 8


class WireFaultError(Exception):
    """The peer broke the framing; its fault, and the connection's end."""


@dataclass(frozen=True, slots=True)
class Control:
    """A ping or a pong with its nonce."""

    kind: int
    nonce: bytes


def encode_frame(frame: bytes, frame_max: int) -> bytes:
    """Prefix one frame. Raises ValueError when it is empty or longer than `frame_max` (our own fault)."""
    if not 0 < len(frame) <= frame_max:
        raise ValueError(f"a frame must hold 1 to {frame_max} bytes, this one holds {len(frame)}")
    return len(frame).to_bytes(_HEADER, "big") + frame


def encode_control(kind: int, nonce: bytes) -> bytes:
    """Encode a ping or pong; `nonce` is 8 bytes."""
    body = bytes([kind]) + nonce
    return (_CONTROL_BIT | len(body)).to_bytes(_HEADER, "big") + body


class FrameReader:
    """Cut a byte stream into frames; never holds more than one partial frame.

    The announced length is compared with the bound before a byte of the body is kept.
    """

    def __init__(self, frame_max: int) -> None:
        self._frame_max = frame_max
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes | Control]:
        """Take what arrived; return the whole frames in order. Raises WireFaultError on a broken header."""
        if self._buffer:
            self._buffer += data
        source: bytes | bytearray = self._buffer or data
        done: list[bytes | Control] = []
        at, end = 0, len(source)
        while end - at >= _HEADER:
            announced = int.from_bytes(source[at : at + _HEADER], "big")
            size = self._checked_size(announced)
            body = at + _HEADER
            if end - body < size:
                break
            at = body + size
            frame = bytes(source[body:at])
            done.append(_control(frame) if announced & _CONTROL_BIT else frame)
        if source is not self._buffer:
            self._buffer += data[at:]
        elif at:
            del self._buffer[:at]
        return done

    def _checked_size(self, announced: int) -> int:
        size = announced & ~_CONTROL_BIT
        bound = CONTROL_MAX if announced & _CONTROL_BIT else self._frame_max
        if not 0 < size <= bound:
            raise WireFaultError(f"announced a frame of {size} bytes, 1 to {bound} are allowed")
        return size


def _control(body: bytes) -> Control:
    if body[0] not in (PING, PONG) or len(body) != 1 + _NONCE_BYTES:
        raise WireFaultError("sent a control frame of no known kind")
    return Control(body[0], body[1:])
