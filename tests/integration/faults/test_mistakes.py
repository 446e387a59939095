"""What operators get wrong with the files of a node that has signed. README.md has the table of all twelve mistakes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node import keys, mark
from node.backup import backup, restore
from node.keys import Purpose
from protocol.frames import Entries
from tests.integration.faults.flips import MARK, STORE, Copies, start
from tests.integration.faults.paused import Pause, until
from tests.integration.faults.peers import Peers
from tests.integration.kill9.child import LEFT, subject
from tests.integration.kill9.forks import Server
from tests.integration.kill9.scene import NAMES, Scene, bare, secret, write_files


@pytest.fixture
def folder(copies: Copies, tmp_path: Path) -> Path:
    return Path(shutil.copytree(copies.closed, tmp_path / "m0"))


def stranger(folder: Path) -> Path:
    """The directory of a member of another network."""
    other = folder.parent / "other"
    (other / "data").mkdir(parents=True, mode=0o700)
    write_files(other, "http://127.0.0.1:9", (), b"")
    return other


def old_backup(folder: Path) -> None:
    """One that was made before the last words, by the way that `tocsin restore` takes."""
    data = folder / "data"
    backup(data / STORE, folder / "backup")
    say_more(folder)
    restore(folder / "backup", data, move_aside=True)


def old_store(folder: Path) -> None:
    """A copy of the file, put back by hand beside the mark of today."""
    data = folder / "data"
    shutil.copyfile(data / STORE, folder / "copy")
    say_more(folder)
    shutil.copyfile(folder / "copy", data / STORE)


def say_more(folder: Path) -> None:
    """Two batches later: the mark alone knows of them."""
    path = folder / "data" / MARK
    found = mark.read(path)
    assert found is not None
    mark.write(path, mark.Mark(found.attestation, found.key_version, found.seq + 2, b"\x07" * 32, ()))


def no_mark(folder: Path) -> None:
    (folder / "data" / MARK).unlink()


def no_store(folder: Path) -> None:
    (folder / "data" / STORE).unlink()


def others_mark(folder: Path) -> None:
    """Member m1's, which has signed nothing."""
    found = mark.read(folder / "data" / MARK)
    assert found is not None
    public = keys.public_of(Purpose.ATTESTATION, secret("m1", Purpose.ATTESTATION))
    mark.write(folder / "data" / MARK, mark.nothing_signed(type(found.attestation)(public), found.key_version))


def others_key(folder: Path) -> None:
    (folder / "data" / "keys" / "attestation.key").unlink()
    keys.make_directory(folder / "elsewhere")
    keys.write_key(folder / "elsewhere", Purpose.ATTESTATION, secret("m1", Purpose.ATTESTATION))
    shutil.copy(folder / "elsewhere" / "keys" / "attestation.key", folder / "data" / "keys")


def others_charter(folder: Path) -> None:
    shutil.copy(stranger(folder) / "charter.toml", folder)


def open_key(folder: Path) -> None:
    (folder / "data" / "keys" / "attestation.key").chmod(0o640)


SILENT = {
    "an old backup was restored": (old_backup, "it was rolled back or lost"),
    "an older store beside the mark of today": (old_store, "it was rolled back or lost"),
    "the mark was deleted": (no_mark, "no mark stands beside a store that is not empty"),
    "the store was deleted": (no_store, "the store has nothing of this key"),
    "the mark was copied from another member": (others_mark, "the mark is of another key"),
}
REFUSED = {
    "the key file of another member": (others_key, "attestation.key is delegated by no KeySet of m0", "tocsin restore"),
    "the charter of another network": (
        others_charter,
        "this store belongs to another network",
        "its own data directory",
    ),
    "a key that others can read": (open_key, "others than its owner can read or write this key", "chmod"),
}
Change = Callable[[Path], None]


@pytest.mark.parametrize("mistake", SILENT)
def test_it_starts_observes_and_signs_nothing(folder: Path, mistake: str) -> None:
    change, says = SILENT[mistake]
    change(folder)
    look = start(folder)
    assert says in look.silent and "`tocsin restore`" in look.silent, look


@pytest.mark.parametrize("mistake", REFUSED)
def test_it_does_not_start_and_says_what_to_do(folder: Path, mistake: str) -> None:
    change, says, cure = REFUSED[mistake]
    change(folder)
    look = start(folder)
    assert says in look.refused and cure in look.refused, look


# -- one key on two machines


@pytest.fixture
def machines(tmp_path: Path, forks: Server) -> Iterator[tuple[Scene, Scene]]:
    """A machine and a copy of it that was made while it stood still: keys, store and mark agree on both."""
    first = bare(tmp_path / "first", forks)
    second = Scene(tmp_path / "second", forks, network=first.network, lent=(forks,))
    try:
        first.begin(-1, "")
        first.wait(first.signing, 20, "it never signs")
        first.stop()
        shutil.copytree(first.folder, second.folder, ignore=shutil.ignore_patterns("*.sock"), dirs_exist_ok=True)
        yield first, second
    finally:
        first.close()
        second.close()


def raise_alert(scene: Scene, number: int) -> None:
    scene.control(lambda c: c.raise_alert(str(subject(number)), "bridge-forgery", "WATCH", "ann"))


def why(scene: Scene) -> str:
    return str((scene.control(lambda c: c.status()) or {"signing": {}})["signing"].get("why"))


def tell_of(one: Scene, other: Scene) -> None:
    """The members pass on what left the other machine."""
    told = Pause("", other).left()
    peers = Peers(one.folder)
    Pause("", one).hears([(peers.peer(NAMES[1]), Entries((told[-1].raw,)))])


@pytest.mark.network
def test_the_second_machine_is_silenced_by_what_the_first_has_said(machines: tuple[Scene, Scene]) -> None:
    first, second = machines
    first.begin(-1, "")
    first.wait(first.signing, 20, "it never signs")
    raise_alert(first, 1)
    first.wait(lambda: len(Pause("", first).left()) > 1, 5, "it said nothing")
    (second.folder / LEFT).write_text((first.folder / LEFT).read_text())
    before = len((second.folder / LEFT).read_text().splitlines())
    second.begin(-1, "")
    tell_of(second, first)
    until(lambda: "a peer holds our own entry" in why(second), 5, lambda: why(second))
    raise_alert(second, 2)
    assert "tocsin restore" in why(second)
    assert len((second.folder / LEFT).read_text().splitlines()) == before


@pytest.mark.network
def _twins(first: Scene, second: Scene) -> list[int]:
    """Numbers under which the two said different things; a Heartbeat may come between, in either."""
    one, other = ({told.entry.seq: told.raw for told in Pause("", scene).left()} for scene in (first, second))
    return [seq for seq in sorted(one) if seq in other and one[seq] != other[seq]]


def test_two_that_both_sign_are_evidence_and_the_one_that_hears_of_it_is_silent(
    machines: tuple[Scene, Scene],
) -> None:
    for number, one in enumerate(machines):
        one.begin(-1, "")
        one.wait(one.signing, 20, "it never signs")
        raise_alert(one, number)
    first, second = machines
    until(lambda: _twins(first, second), 5, second.said)
    tell_of(second, first)
    until(lambda: "the key is used elsewhere" in why(second), 5, lambda: why(second))
    status = second.control(lambda c: c.status())
    assert status["equivocations"] == ["m0"] and not status["signing"]["may"]
