"""Several real nodes on one real chain, each stopped by SIGSTOP at a point of its own and continued after its lease."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.keys import Purpose
from node.transport.api import Channel
from protocol.crypto import Signer
from protocol.envelope import Verified, parse_entry, verify_entry
from protocol.frames import Frame, pack_frame
from protocol.messages import Attestation
from tests.integration.faults.peers import wall_ms
from tests.integration.kill9.child import LEFT, WORDS
from tests.integration.kill9.forks import Server
from tests.integration.kill9.scene import GUARDIANS, Scene, beside, build, secret

LEASE_S = 3
NEXT_MS = 800
"""Beyond the lease's end, so that the chain has had a block of a later second."""


@dataclass
class Pause:
    """One node. `sees`: the alarm of its sensor, -1 for none. `stopped_ms` .. `went_on_ms`: when it did not run."""

    point: str
    scene: Scene
    sees: int = 0
    stopped_ms: int = 0
    went_on_ms: int = 0
    told: dict[str, Any] = field(default_factory=dict)

    def launch(self) -> None:
        self.scene.launch(self.sees, "" if self.point == EFFECTIVE else self.point, "pause")

    def stops(self) -> bool:
        """Whether it stands by now. In the middle of a standing lease nothing of its own stops it: then we do."""
        process = self.scene.process
        assert process is not None and process.is_alive(), self.scene.said()
        if self.point == EFFECTIVE and not process.is_stopped():
            told = self.scene.told(0)
            if told is None or told["phase"] != "effective":
                return False
            self.stop()
        if process.is_stopped() and not self.stopped_ms:
            self.stopped_ms = wall_ms()
        return process.is_stopped()

    def stop(self) -> None:
        assert self.scene.process is not None
        os.kill(self.scene.process.pid, signal.SIGSTOP)
        until(self.scene.process.is_stopped, 5, self.scene.said)
        self.stopped_ms = wall_ms()

    def go_on(self) -> None:
        assert self.scene.process is not None
        self.went_on_ms = wall_ms()
        os.kill(self.scene.process.pid, signal.SIGCONT)

    def left(self) -> list[Verified[Any]]:
        """What ever left this node, in order."""
        log = self.scene.folder / LEFT
        assert self.scene.network is not None
        key = Signer(secret("m0", Purpose.ATTESTATION).reveal()).public
        lines = log.read_text().splitlines() if log.exists() else ()
        return [verify_entry(parse_entry(bytes.fromhex(line), self.scene.network), key) for line in lines]

    def opinions(self) -> list[tuple[int, Attestation]]:
        """(issued_ms, opinion) of its own that left."""
        return [(one.entry.issued_ms, one.body) for one in self.left() if isinstance(one.body, Attestation)]

    def transactions(self) -> int:
        """How many of this node's lever account are in blocks."""
        own = "0x" + GUARDIANS[self.scene.number].address.hex()
        return int(self.scene.rpc("eth_getTransactionCount", own, "latest"), 16)

    def hears(self, said: Sequence[tuple[str, Frame]]) -> None:
        """Peers say this, each under its peer id, in this order."""
        words = self.scene.folder / "words.new"
        words.write_text("".join(f"{peer} {Channel.SYNC.name} {pack_frame(frame).hex()}\n" for peer, frame in said))
        words.rename(self.scene.folder / WORDS)


EFFECTIVE = "effective"


def until(holds: Callable[[], bool], most_s: float, what: Callable[[], str]) -> None:
    end = time.monotonic() + most_s
    while not holds():
        assert time.monotonic() < end, what()
        time.sleep(0.02)


def stage(folder: Path, forks: Server, points: Sequence[tuple[str, int]]) -> list[Pause]:
    """One chain, a node for each (point, lease_s). Close the last first."""
    scenes: list[Scene] = []
    try:
        for number, (_, lease_s) in enumerate(points):
            home = folder / str(number)
            made = (
                beside(scenes[0], home, number, 1, lease_s=lease_s)
                if scenes
                else build(home, 1, lease_s=lease_s, forks=forks)
            )
            scenes.append(made)
    except BaseException:
        close(scenes)
        raise
    return [Pause(point, scene) for (point, _), scene in zip(points, scenes)]


def close(scenes: Sequence[Scene]) -> None:
    for scene in reversed(scenes):
        scene.close()


def stopped(pauses: Sequence[Pause]) -> None:
    """Each is asked every time: some are stopped by the asking."""
    until(lambda: sum(one.stops() for one in pauses) == len(pauses), 10, lambda: "one was never stopped")


def sleep_until(at_ms: int) -> None:
    time.sleep(max(0, at_ms - wall_ms()) / 1000)
