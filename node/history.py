"""The log in pages, as happenings: what a timeline is drawn from. Reads the store and decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import trio

from node.machine.state import State
from node.records import unpack_record
from node.store_rows import RecordRow
from node.watch import Happening, happening_of

RECORDS_MAX = 512
PART = 32
"""Records made into happenings between two turns of the loop: some 2 ms."""
QUIET = frozenset({"heartbeat", "manifest"})
"""Said all the time and of no interest in a timeline."""
Page = Callable[[int, int], Sequence[tuple[int, RecordRow]]]


async def page(read: Page, state: State, before: int, limit: int) -> dict[str, Any]:
    """Of the records from `before` - `limit` up to `before` - 1. `read` may block and is called in a thread."""
    first = max(0, before - 1 - limit)
    found: list[Happening] = []
    at = first
    while at < before - 1:
        rows = await trio.to_thread.run_sync(read, at, min(PART, before - 1 - at))
        if not rows:
            break
        at = rows[-1][0]
        found.extend(one for position, row in rows if (one := _happening(position, row, state)) is not None)
    return {"from": first + 1 if first else 0, "happenings": found}


def _happening(position: int, row: RecordRow, state: State) -> Happening | None:
    record = unpack_record(row.kind, row.version, row.body)
    told = happening_of(record, state, float(getattr(record, "at_ms", 0)))
    if told is None or told["kind"] in QUIET:
        return None
    # a record without a time of its own has its entry's, by its author's clock
    return {**told, "at_ms": told["at_ms"] or told.get("issued_ms", 0), "position": position}
