"""The cut between bytes and frames."""

from __future__ import annotations

import random

import pytest

from node.transport.framing import (
    PING,
    PONG,
    Control,
    FrameReader,
    WireFaultError,
    encode_control,
    encode_frame,
)


def test_frames_come_out_whole_however_the_bytes_arrive() -> None:
    rng = random.Random(1)
    frames = [rng.randbytes(rng.randint(1, 300)) for _ in range(50)]
    wire = b"".join(encode_frame(frame, 1000) for frame in frames)
    reader, out = FrameReader(1000), []
    while wire:
        step = rng.randint(1, 40)
        out += reader.feed(wire[:step])
        wire = wire[step:]
    assert out == frames


def test_a_user_frame_is_never_taken_for_a_ping() -> None:
    looks_like_one = encode_control(PING, bytes(8))
    assert FrameReader(1000).feed(encode_frame(looks_like_one, 1000)) == [looks_like_one]


def test_control_frames_keep_their_kind_and_nonce() -> None:
    wire = encode_control(PING, b"12345678") + encode_control(PONG, b"abcdefgh")
    assert FrameReader(10).feed(wire) == [Control(PING, b"12345678"), Control(PONG, b"abcdefgh")]


@pytest.mark.parametrize(
    "wire",
    [
        (0).to_bytes(4, "big"),
        (101).to_bytes(4, "big"),
        (0x7FFF_FFFF).to_bytes(4, "big"),
        (0x8000_0000).to_bytes(4, "big"),
        (0x8000_0011).to_bytes(4, "big"),
        (0xFFFF_FFFF).to_bytes(4, "big"),
        (0x8000_0009).to_bytes(4, "big") + b"\x07" + bytes(8),
        (0x8000_0002).to_bytes(4, "big") + b"\x01\x00",
    ],
)
def test_a_broken_header_is_refused_before_its_body(wire: bytes) -> None:
    with pytest.raises(WireFaultError):
        FrameReader(100).feed(wire)


def test_any_bytes_at_all_give_frames_or_a_wire_fault() -> None:
    rng = random.Random(2)
    for _ in range(2000):
        reader = FrameReader(64)
        try:
            for _ in range(3):
                for frame in reader.feed(rng.randbytes(rng.randint(0, 20)) if rng.random() < 0.5 else b"\0\0\0\x02"):
                    assert isinstance(frame, Control) or 0 < len(frame) <= 64
        except WireFaultError:
            pass


@pytest.mark.parametrize("frame", [b"", b"x" * 11])
def test_our_own_frame_out_of_bounds_is_our_own_error(frame: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 10 bytes"):
        encode_frame(frame, 10)
