"""What is looked at again and again: chains, and what we hold at risk, which is never typed; a reading that fails is
unknown, never 0."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

import trio

from adapters.api import ExposureReader, ExposureReading
from adapters.policy import Policy
from node.events import Event, ExposuresRead
from node.loop import now
from node.plugins import reading_of, told

log = logging.getLogger("tocsin.node")
READ_EXPOSURES_S = 1.0
READ_S_MAX = 5.0
PROBE_CHAINS_S = 5.0


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


async def watch_chain(connection: str, probe: Callable[[], Awaitable[str]], faults: dict[str, str]) -> None:
    """A chain that is down, slow or another one is no reason not to run; it is said, and said again when well.
    `faults`: connection → "" or what is wrong, as last asked."""
    while True:
        try:
            fault = await probe()
        except Exception as error:  # a connection is somebody's plug-in
            fault = told(error)
        if bool(fault) != bool(faults.get(connection, "")):
            log.warning("connection %s: %s", connection, fault or "well again")
        faults[connection] = fault
        await trio.sleep(PROBE_CHAINS_S)
