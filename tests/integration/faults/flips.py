"""`python -m tests.integration.faults.flips [--flips 2000] [--seed 1]`: one byte of a real node's files is changed, and
the node is started on them: it must refuse, or sign nothing, or find every row as it was written. Exit 1 else."""

from __future__ import annotations

import argparse
import random
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.config import load
from node.parts import StartFault, load_parts
from node.records import unpack_record
from node.store import Store, StoreError
from protocol.frames import Blobs, Entries, Frame
from tests.integration.faults.paused import Pause
from tests.integration.faults.peers import Peers, wall_ms
from tests.integration.kill9.child import claim, subject
from tests.integration.kill9.forks import Server
from tests.integration.kill9.scene import NAMES, Scene, bare

TABLES = ("meta", "records", "entries", "blobs", "certificates")
STORE, LOG, MARK = "store.sqlite", "store.sqlite-wal", "mark.cbor"
WORDS_OF_A_PERSON = 6
Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Look:
    """What a start makes of the files. `broke`: by a fault of the program; `refused`: why it does not start; `silent`:
    why it signs nothing."""

    broke: str = ""
    refused: str = ""
    silent: str = ""
    adopted: int = 0
    rows: Rows | None = None


def lived(folder: Path, forks: Server) -> Scene:
    """A node that said and heard something for every table, killed: all of it lies in the log."""
    scene = bare(folder, forks)
    scene.begin(0, "")
    scene.wait(scene.signing, 20, "it never signs")
    peers = Peers(folder)
    scene.go()
    said: list[tuple[str, Frame]] = [(peers.peer(NAMES[1]), Blobs((claim(0).blob,)))]
    said += [(peers.peer(name), Entries((peers.opines(name, wall_ms(), 600_000).raw,))) for name in NAMES[1:]]
    Pause("", scene).hears(said)
    scene.wait(lambda: bool((scene.control(lambda c: c.status()) or {}).get("certificates")), 10, "no certificate")
    for number in range(WORDS_OF_A_PERSON):
        topic = str(subject(100 + number))
        scene.control(lambda c, topic=topic: c.raise_alert(topic, "bridge-forgery", "WATCH", "ann"))  # type: ignore[misc]
    scene.kill()
    (folder / "data" / "c.sock").unlink(missing_ok=True)
    return scene


def start(folder: Path) -> Look:
    """As `tocsin up` reads the files; a traceback of any kind is a fault of this program."""
    try:
        parts = load_parts(load(folder / "node.toml"))
    except (StartFault, StoreError) as fault:
        return Look(refused=str(fault))
    except Exception as fault:  # what would be a traceback
        return Look(broke=repr(fault))
    try:
        for _, row in parts.store.records():
            unpack_record(row.kind, row.version, row.body)
        return Look(silent=parts.stopped_why, adopted=len(parts.adopted), rows=rows_of(parts.store))
    finally:
        parts.store.close()


def rows_of(store: Store) -> Rows:
    with store._transaction(reads=True) as connection:
        return {name: sorted(map(tuple, connection.exec_driver_sql(f"SELECT * FROM {name}").all())) for name in TABLES}


class Copies:
    """The files of a node, twice: as the kill left them, and with all of the log taken into the store."""

    def __init__(self, scene: Scene, work: Path) -> None:
        self.killed, self.closed, self.work = scene.folder, work / "closed", work / "now"
        shutil.copytree(self.killed, self.closed)
        self.truth = start(self.closed).rows
        assert self.truth is not None and all(self.truth[name] for name in TABLES)
        shutil.copytree(self.killed, self.work)

    def pages(self) -> dict[str, tuple[int, int]]:
        """Table or index → where its first page lies in the closed store."""
        with closing(sqlite3.connect(self.closed / "data" / STORE)) as file:
            size = file.execute("PRAGMA page_size").fetchone()[0]
            found = file.execute("SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0").fetchall()
        return {name: ((page - 1) * size, page * size) for name, page in found}

    def flipped(self, source: Path, name: str, at: int, bit: int) -> Look:
        data = self.work / "data"
        for end in ("", "-wal", "-shm"):
            (data / f"{STORE}{end}").unlink(missing_ok=True)
        for path in (source / "data").iterdir():
            if path.name in (STORE, LOG, MARK):
                shutil.copyfile(path, data / path.name)
        raw = bytearray((data / name).read_bytes())
        raw[at] ^= 1 << bit
        (data / name).write_bytes(raw)
        return start(self.work)


def verdict(copies: Copies, look: Look, *, last_may_go: bool) -> str:
    """One word; "ALTERED" is the one that may not be. `last_may_go`: of a log, the last commit is what a power cut may
    take as well: its own words come back from the mark."""
    if look.broke:
        return f"ALTERED: {look.broke}"
    if look.refused:
        told = "tocsin" in look.refused and (STORE in look.refused or MARK in look.refused)
        return "refused" if told else f"ALTERED: refused without a place or a cure: {look.refused}"
    if look.silent:
        return "silent"
    assert look.rows is not None and copies.truth is not None
    if look.rows == copies.truth:
        return "as written"
    own = sum(1 for row in copies.truth["entries"] if row[0] == NAMES[0])
    kept = sum(1 for row in look.rows["entries"] if row[0] == NAMES[0])
    begun = all(set(look.rows[name]) <= set(copies.truth[name]) for name in TABLES)
    if last_may_go and begun and kept + look.adopted == own:
        return "last commit lost, own words adopted"
    return "ALTERED"


def sweep(copies: Copies, flips: int, chance: random.Random) -> Counter[str]:
    """A third each: any byte of the log; what is written in the first page of each table and index, in turn; the mark
    and any byte of the store."""
    seen: Counter[str] = Counter()
    raw = (copies.closed / "data" / STORE).read_bytes()
    pages = sorted(copies.pages().items())
    for number in range(flips):
        source, name, last_may_go = copies.closed, STORE, False
        if number % 3 == 0:
            source, name, last_may_go = copies.killed, LOG, True
            at = chance.randrange((source / "data" / LOG).stat().st_size)
        elif number % 3 == 1:
            first, end = pages[number // 3 % len(pages)][1]
            at = chance.choice([place for place in range(first, end) if raw[place]])
        elif number % 2:
            name, at = MARK, chance.randrange((source / "data" / MARK).stat().st_size)
        else:
            at = chance.randrange(len(raw))
        look = copies.flipped(source, name, at, chance.randrange(8))
        word = verdict(copies, look, last_may_go=last_may_go)
        seen[f"{name}: {word}" + (f" at byte {at}" if word.startswith("ALTERED") else "")] += 1
    return seen


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.integration.faults.flips", description=__doc__)
    asked.add_argument("--flips", type=int, default=2_000)
    asked.add_argument("--seed", type=int, default=1)
    told = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="flips-") as folder:
        forks = Server(Path(folder))
        try:
            scene = lived(Path(folder) / "m0", forks)
        finally:
            forks.close()
        seen = sweep(Copies(scene, Path(folder) / "work"), told.flips, random.Random(told.seed))
    for word, times in sorted(seen.items()):
        print(f"{times:6} {word}")
    return 1 if any("ALTERED" in word for word in seen) else 0


if __name__ == "__main__":
    sys.exit(main())
