"""What one frame of heads cannot hold the next ones do: who was away asks only for what it is shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from node.machine.heads import HEADS_LIVE_MS, our_heads
from protocol.crypto import sha256
from protocol.frames import CERTIFICATES_SHOWN_MAX
from protocol.ids import Digest

NOW_MS = 1_790_000_000_123


def holding(running: int) -> Any:
    """A node's state, as far as heads look at it, with so many certificates that run for an hour."""
    ids = [Digest(sha256(number.to_bytes(4, "big"))) for number in range(running)]
    held = SimpleNamespace(ends_ms=NOW_MS + 3_600_000)
    return SimpleNamespace(feeds={}, certificates=dict.fromkeys(ids, held))


def shown(state: Any, periods: int) -> set[Digest]:
    return {id_ for period in range(periods) for id_ in our_heads(state, NOW_MS + period * HEADS_LIVE_MS).shown}


def test_every_running_certificate_is_shown_in_turn_where_one_frame_cannot_hold_them() -> None:
    state = holding(2 * CERTIFICATES_SHOWN_MAX + 1)
    assert len(our_heads(state, NOW_MS).shown) <= CERTIFICATES_SHOWN_MAX
    assert shown(state, 3) == set(state.certificates)


def test_what_one_frame_holds_is_shown_every_time() -> None:
    state = holding(CERTIFICATES_SHOWN_MAX)
    assert set(our_heads(state, NOW_MS).shown) == set(state.certificates)
    assert our_heads(state, NOW_MS) == our_heads(state, NOW_MS + HEADS_LIVE_MS)
