"""Disks that fail a node in the middle of a commit: it stops and says why, nothing has left that is not durable, and
the next start goes on and signs no number twice. Real processes, real files; the faults are put under its ports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from node.keys import FIRST_KEY_VERSION
from protocol.frames import WantEntries
from protocol.messages import Attestation
from tests.integration.faults.paused import Pause, until
from tests.integration.faults.peers import Peers
from tests.integration.kill9.forks import Server
from tests.integration.kill9.scene import NAMES, Scene, bare

pytestmark = pytest.mark.network

FAULTS = {
    "mark_has_no_space": ("mark.before", "the mark cannot be written", "free space"),
    "mark_stops_half_way": ("mark.before", "the mark cannot be written", "mend the disk"),
    "mark_is_named_and_not_synced": ("mark.before", "the mark cannot be written", "mend the disk"),
    "store_has_no_space": ("store.before", "the database says", "Free space"),
    "store_cannot_write": ("store.before", "the database says", "check it"),
    "store_is_not_synced": ("store.before", "the database says", "check it"),
    "store_says_no_late": ("store.after", "after it has kept all of it", "Check the disk"),
}
"""Deed → (where in the commit, what is said, what to do)."""
HARMLESS = "mark_trickles"


@dataclass
class Lives:
    """All on one store. `ended`: exit code and last words by deed; `left_then`: whether the word of the failed commit
    had left when the node ended."""

    scene: Scene
    ended: dict[str, tuple[int, str]] = field(default_factory=dict)
    left_then: dict[str, bool] = field(default_factory=dict)


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory, forks: Server) -> Iterator[Lives]:
    scene = bare(tmp_path_factory.mktemp("disk"), forks)
    told = Lives(scene)
    try:
        for number, deed in enumerate([*FAULTS, HARMLESS]):
            live(told, number, deed)
        scene.begin(-1, "")
        scene.wait(scene.signing, 20, "it never signs again")
        peers = Peers(scene.folder)
        Pause("", scene).hears([(peers.peer(NAMES[1]), WantEntries(NAMES[0], FIRST_KEY_VERSION, 0, 255))])
        until(lambda: len(words(scene)) > len(FAULTS), 5, scene.said)
        scene.stop()
        yield told
    finally:
        scene.close()


def live(told: Lives, number: int, deed: str) -> None:
    scene = told.scene
    errors = scene.folder / "stderr.log"
    errors.write_bytes(b"")
    scene.begin(number, FAULTS.get(deed, ("mark.before",))[0], deed)
    scene.wait(scene.signing, 20, f"before {deed} it never signs")
    scene.go()
    assert scene.process is not None
    if deed == HARMLESS:
        until(lambda: number in words(scene), 5, scene.said)
        scene.kill()
    else:
        code = scene.process.join(8)
        assert code is not None, f"it runs on after {deed}: {scene.said()}"
        told.ended[deed] = (code, errors.read_text())
        told.left_then[deed] = number in words(scene)
    scene.seen = (*scene.seen, number)


def words(scene: Scene) -> set[int]:
    """The numbers of the alarms on which an opinion of the node ever left."""
    return {int(body.incident.removeprefix("incident-")) for _, body in Pause("", scene).opinions() if body.incident}


@pytest.mark.parametrize("deed", FAULTS)
def test_the_node_stops_says_why_and_what_to_do(lives: Lives, deed: str) -> None:
    code, said = lives.ended[deed]
    _, what, cure = FAULTS[deed]
    last = said.strip().splitlines()[-1]
    assert code == 1 and last.startswith("tocsin: ") and what in last and cure in last, said
    assert "Traceback" not in said


@pytest.mark.parametrize("deed", FAULTS)
def test_nothing_left_that_its_disk_had_not_acknowledged(lives: Lives, deed: str) -> None:
    assert not lives.left_then[deed]


def test_short_writes_are_finished_and_no_fault(lives: Lives) -> None:
    assert list(FAULTS).index("store_says_no_late") + 1 in words(lives.scene)


def test_every_word_came_out_in_a_later_life_and_no_number_is_signed_twice(lives: Lives) -> None:
    assert words(lives.scene) == set(range(len(FAULTS) + 1))
    assert lives.scene.signed_once() >= len(FAULTS) + 1


def test_what_was_kept_and_had_not_left_is_said_by_its_own_number_and_not_anew(lives: Lives) -> None:
    said = {one.raw: one.body.incident for one in Pause("", lives.scene).left() if isinstance(one.body, Attestation)}
    assert len(said) == len(FAULTS) + 1
