"""What stands on the disk: asked in a thread, for a disk that hangs must not hold the loop."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field

import trio

from node.config import NodeConfig
from node.metrics import tested

LOOK_S_MAX = 1.0


@dataclass(frozen=True)
class Disk:
    """None: could not be had."""

    store_bytes: int | None = None
    free_bytes: int | None = None
    tested_ms: dict[str, int] = field(default_factory=dict)


def look(config: NodeConfig) -> Disk:
    store = free = None
    with suppress(OSError):
        store = sum(one.stat().st_size for one in config.data_dir.glob(config.store.name + "*") if one.is_file())
    with suppress(OSError):
        found = os.statvfs(config.data_dir)
        free = found.f_bavail * found.f_frsize
    return Disk(store, free, tested.read(config.data_dir))


class Looks:
    """One look at a time; the last one's answer where the disk does not answer in time."""

    def __init__(self, config: NodeConfig) -> None:
        self._config = config
        self._one = trio.CapacityLimiter(1)
        self._last = Disk()

    async def now(self) -> Disk:
        with trio.move_on_after(LOOK_S_MAX):
            self._last = await trio.to_thread.run_sync(look, self._config, limiter=self._one, abandon_on_cancel=True)  # type: ignore[call-arg]
        return self._last
