"""What we hold at risk, read again and again: never typed, and a reading that fails is unknown, never 0."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import trio

from adapters.api import ExposureReader, ExposureReading
from adapters.policy import Policy
from node.events import Event, ExposuresRead
from node.loop import now
from node.plugins import reading_of, told

READ_EXPOSURES_S = 1.0
READ_S_MAX = 5.0


async def read_exposures(
    policy: Policy, instances: Mapping[str, ExposureReader], report: Callable[[Event], Awaitable[None]]
) -> None:
    """Until cancelled, or at once where nothing can be read. `instances`: `<target>:<read>` → its reader."""
    readers = {}
    for name, exposure in sorted(policy.exposures.items()):
        looked_at = policy.exposures[exposure.behind] if exposure.behind else exposure
        reader = instances.get(f"{looked_at.target or looked_at.name}:{exposure.read}")
        if reader is not None:
            readers[name] = reader
    while readers:
        readings: list[ExposureReading] = []
        for name, reader in readers.items():
            at_ms = now().wall_ms
            try:
                with trio.fail_after(READ_S_MAX):
                    readings.append(reading_of(await reader.read(name, at_ms), name, at_ms))
            except Exception as error:  # a reader is somebody's plug-in
                readings.append(ExposureReading(name, None, None, None, at_ms, told(error)))
        await report(ExposuresRead(tuple(readings)))
        await trio.sleep(READ_EXPOSURES_S)
