"""When `tocsin lever test` last found that a lever would move: a small file beside the store, for whoever asks whether
this node is ready. It proves nothing, moves nothing, and a node without it runs the same."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

NAME = "levers-tested.json"
BYTES_MAX = 64 * 1024
LEVERS_MAX = 256


def read(data_dir: Path) -> dict[str, int]:
    """Lever as the policy calls it → ms of the wall clock. What cannot be read is as if nothing was tested."""
    with suppress(OSError, ValueError, RecursionError):
        with (data_dir / NAME).open("rb") as file:
            found = json.loads(file.read(BYTES_MAX))
        if type(found) is dict:
            rows = list(found.items())[:LEVERS_MAX]
            return {name: at_ms for name, at_ms in rows if type(at_ms) is int and 0 < at_ms < 1 << 53}
    return {}


def note(data_dir: Path, found: Iterable[tuple[str, bool]], now_ms: int) -> bool:
    """(lever, would move). What would not move is forgotten. False where it could not be written."""
    known = read(data_dir)
    for name, ok in found:
        known.pop(name, None)
        if ok:
            known[name] = now_ms
    path = data_dir / NAME
    beside = path.with_name(f"{NAME}.{os.getpid()}.new")
    try:
        beside.write_text(json.dumps(known, sort_keys=True), "utf-8")
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        return False
    return True
