"""`python -m tests.integration.versions.make RELEASE`: keeps what today's code writes. Run once when a release is made;
a folder that is there is refused, and what it holds never changes.

    wire.cbor      [[ms, from, sync, frame], ...]: what a silent member of five hears of an alarm, a fork, a member that
                   comes back, a release, a new key
    frames.cbor    [frame, ...]: some of every type, from all wires of that story
    records.cbor   [[kind, version, body], ...]: the journal of another member, whole
    spare.cbor     the same: a record of each kind that the journal has none of
    told.json      who they are, and what a node must make of both
    node/          a real node's files after a life: store, mark, charter, card, configuration, policy, a certificate
    manifest.sha256
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from node import records
from node.events import ReleaseTopic
from node.machine import State
from protocol.codec import encode
from protocol.crypto import sha256
from protocol.frames import Entries, KeySets, parse_frame
from protocol.ids import MemberName
from protocol.messages import Level, Notice, Release, Tlp
from tests.integration.network.forked import ForkedSite
from tests.integration.network.site import NAMES, SUBJECT
from tests.unit.machine.world import COIN, HOUR_MS, NETWORK, THREAT, TOPIC, World, claim, keyset, opinion

HERE = Path(__file__).parent
LISTENER, KEEPER = MemberName("m4"), MemberName("m2")
OF_EACH_TYPE = 3


class Taped(World):
    """Notes what the silent member hears; what m3 says to m0 it hears too."""

    def __init__(self, *args: Any, **more: Any) -> None:
        self.tape: list[list[Any]] = []
        super().__init__(*args, **more)

    def carry(self, a: str, peer_id: str, raw: bytes, sync: bool) -> None:
        if peer_id == f"peer-of-{LISTENER}" or (a, peer_id) == ("m3", "peer-of-m0"):
            self.tape.append([self.now_ms, a, sync, raw])
        super().carry(a, peer_id, raw, sync)


def story() -> Taped:
    """m0 to m2 are nodes, m3 says what we like, m4 listens. A quorum is four."""
    world = Taped(5, liars=2)
    liar = world.liars[MemberName("m3")]
    liar.say(Notice("a word of the first release", Tlp.CLEAR))
    world[1].stop()
    one = world.true(claim(1))
    world[0].sense(one)
    liar.say(opinion(Level.ISOLATE, (one,), now_ms=world.now_ms, epoch=world.epoch.hash, sources=("m3-node",)), one)
    world.run(2_000)
    world[1].restart()
    world.replug("m1")
    world.until(lambda: all(node.certificate() is not None for node in world))
    world.run(2_000)
    forks = [liar.seal(opinion(Level.GUARD, (claim(n),), now_ms=world.now_ms), seq=2, prev=liar.prev) for n in (5, 6)]
    for fork in forks:
        liar.send(Entries((fork.raw,)))
    liar.seq, liar.prev = 2, min(fork.hash for fork in forks)
    world.run(1_000)
    world[1].stop()
    world.run(1_000)
    world[1].restart()
    world.replug("m1")
    world.run(3_000)
    for node in world:
        node.ask(ReleaseTopic(*TOPIC, 0))
    liar.say(Release(world.epoch.hash, COIN, THREAT, world.now_ms, ()))
    world.run(1_000)
    liar.send(KeySets((keyset("m3", 1),)))
    world.run(3_000)
    return world


def frames_of(world: World) -> list[bytes]:
    kept: list[bytes] = []
    seen: Counter[str] = Counter()
    for _, _, raw in world.wiretap:
        word = type(parse_frame(raw)).__name__
        if seen[word] < OF_EACH_TYPE and raw not in kept:
            seen[word] += 1
            kept.append(raw)
    return kept


def spare(world: World) -> list[records.Record]:
    """One by hand of each kind that the story gave no occasion for, and optional fields that it left out."""
    now, key = world.now_ms, sha256(b"action")
    said = next(one for one in world[2].records() if isinstance(one, records.EntryAccepted))
    stepped = next(one for one in world[2].records() if isinstance(one, records.ActionStepped))
    return [
        records.FalseStatement(said.raw, "refuted here", now),
        records.DecisionMade("hold", "isolate", "freeze", None, THREAT, "too little", now),
        records.ActionRenewed(key, now + HOUR_MS, (claim().claim,), "it still runs", now, THREAT),
        replace(stepped, fires=True),
        records.OperatorDid("ann", "lift", now),
        records.EndingAsked(b"", *TOPIC, "ann", now + HOUR_MS, now, (claim().claim,), now),
        records.EndingClosed(key, *TOPIC, "taken back", "ben", now),
        records.AlertSeen(*TOPIC, Level.ISOLATE, "ann", now),
        records.EvidenceRerun(
            claim().claim, *TOPIC, "ann", now - 1, "refuted", "not so", Level.NONE, "supports", False, now
        ),
        records.SigningStopped(0, "another machine speaks with this key", now),
    ]


def made_of(state: State) -> dict[str, Any]:
    """What must come out again, whoever reads the bytes."""
    return {
        "certificates": sorted([one.certificate.level.name, key.hex()] for key, one in state.certificates.items()),
        "opinions": sorted([author, one.hash.hex()] for author, one in state.opinions.get(TOPIC, {}).items()),
        "feeds": {f"{a}/{v}": [one.top, one.top_hash.hex()] for (a, v), one in sorted(state.feeds.items())},
        "keysets": {name: sorted(held) for name, held in sorted(state.keysets.items())},
        "equivocations": sorted(author for author, _ in state.equivocations),
        "point_ms": state.releases.points.get(TOPIC, 0),
        "actions": sorted([one.phase.value, one.until_ms] for one in state.actions.values()),
    }


def machine_files(folder: Path) -> None:
    world = story()
    node = world.nodes[KEEPER]
    (folder / "wire.cbor").write_bytes(encode(world.tape))
    (folder / "frames.cbor").write_bytes(encode(frames_of(world)))
    (folder / "records.cbor").write_bytes(encode([list(row) for row in node.disk]))
    (folder / "spare.cbor").write_bytes(encode([list(records.pack_record(one)) for one in spare(world)]))
    epoch = world.epoch
    told = {
        "network": NETWORK.hex(),
        "epoch": epoch.hash.hex(),
        "activates_ms": epoch.activates_ms,
        "members": [[one.name, one.group, one.governance_key.hex()] for one in epoch.members],
        "sources": [[one.id, one.operator, one.scope] for one in epoch.sources],
        "hot_seeds": {name: sha256(f"hot {name} 0".encode()).hex() for name in (LISTENER, KEEPER)},
        "keysets": [raw.hex() for raw in world.keysets()],
        "subject": str(COIN),
        "threat": THREAT,
        "ends_ms": world.now_ms,
        "kept": made_of(node.state),
    }
    (folder / "told.json").write_text(json.dumps(told, indent=1) + "\n")


def node_files(folder: Path) -> None:
    """A founded network's third member, after an alarm and a release; its log is folded into the store, so that one
    file is all of it."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as place, contextlib.closing(ForkedSite(Path(place))) as site:
        site.found()
        three = NAMES[:3]
        site.up(*three)
        site.meshed(*three, hears=3)
        words = ("alert", "raise", SUBJECT, "bridge-forgery", "ISOLATE", "--person", "anna")
        for name in three:
            assert site.at(name, *words, *(("--wait", "20s") if name == three[-1] else ())).code == 0
        (alert,) = site.alerts(three[-1])
        assert site.at(three[-1], "alert", "show", alert["id"], "--export", folder / "isolate.cert").code == 0
        assert site.at(three[-1], "alert", "release", alert["id"], "--person", "anna").code == 0
        assert site.end(three[-1]).code == 0
        home = site.folder / three[-1]
        with contextlib.closing(sqlite3.connect(home / "data" / "store.sqlite")) as file:
            for line in ("PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA journal_mode=DELETE", "VACUUM"):
                file.execute(line)
        for name in ("card.toml", "charter.toml", "node.toml", "policy.toml", "data/store.sqlite", "data/mark.cbor"):
            shutil.copy(home / name, folder)


def manifest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.sha256")
    return "".join(f"{sha256(path.read_bytes()).hex()}  {path.relative_to(folder).as_posix()}\n" for path in files)


def main(release: str) -> int:
    folder = HERE / release
    folder.mkdir()
    machine_files(folder)
    node_files(folder / "node")
    (folder / "manifest.sha256").write_text(manifest(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
