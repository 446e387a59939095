"""What we hold at risk, read each second: amounts are read, never typed; a reading that fails is unknown, never 0."""

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


async def follow(
    policy: Policy, readers: Mapping[str, ExposureReader], send: Callable[[Event], Awaitable[None]]
) -> None:
    """For ever; at once done where the policy names nothing that can be read."""
    wanted = {}
    for name, exposure in sorted(policy.exposures.items()):
        looked_at = policy.exposures[exposure.behind] if exposure.behind else exposure
        reader = readers.get(f"{looked_at.target or looked_at.name}:{exposure.read}")
        if reader is not None:
            wanted[name] = reader
    while wanted:
        readings = [await _read(name, reader) for name, reader in wanted.items()]
        await send(ExposuresRead(tuple(readings)))
        await trio.sleep(READ_EXPOSURES_S)


async def _read(name: str, reader: ExposureReader) -> ExposureReading:
    at_ms = now().wall_ms
    try:
        with trio.fail_after(READ_S_MAX):
            return reading_of(await reader.read(name, at_ms), name, at_ms)
    except Exception as error:  # a reader is somebody's plug-in
        return ExposureReading(name, None, None, None, at_ms, told(error))
