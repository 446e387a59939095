"""Two readers of one text, in two languages: over every other form of every golden item, random small networks,
random certificates and random readings they give the same answers. The same cases in every run."""

from __future__ import annotations

import json
import random
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from governance.ballots import parse_ballot
from governance.charter import Charter, signed, write
from governance.epochs import parse_epoch_certificate
from governance.proposals import parse_proposal
from governance.values import parse_value
from protocol.codec import decode
from protocol.envelope import parse_entry
from protocol.evidence import TYPE_OF
from protocol.frames import parse_frame
from protocol.ids import EpochHash, NetworkId
from protocol.limits import EPOCH_OVERLAP_MS, FRAME_BYTES_MAX
from protocol.membership import Epoch
from protocol.messages import Level
from protocol.quorum import parse_certificate
from protocol.subjects import parse_subject
from tests.fuzz import judge
from tests.fuzz.targets import TARGETS
from tests.integration.js.node import needs_node, script
from tests.tidy.make_vectors import NETWORK, NOW, TOPIC, cold, keyset, plain
from tests.vectors import mangle, test_mangled, test_two_counters, test_two_governors, test_two_judges
from tests.vectors.alarms import level_of
from tests.vectors.counted import HOUR, certificate, shown_epoch
from tests.vectors.golden import founded
from tests.vectors.governed_epochs import entire, packed
from tests.vectors.test_mangled import DOORS, GOVERNANCE, ISSUER, code_of
from tests.vectors.verdicts import BRIDGE, ORACLE, judged, written

pytestmark = pytest.mark.interop
WORLDS, READINGS, CHANGES, CHAINS = 300, 600, 3, 30


def asked(cases: list[dict[str, Any]]) -> list[Any]:
    """The foreign implementation's answers."""
    needs_node()
    lines = "".join(json.dumps(one) + "\n" for one in cases)
    done = subprocess.run(script("answers.mjs"), input=lines, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def differ(cases: list[dict[str, Any]], ours: list[Any]) -> list[Any]:
    theirs = asked(cases)
    assert len(theirs) == len(ours) > 0
    return [(case, one, other) for case, one, other in zip(cases, ours, theirs) if one != other][:3]


def at_the_door(door: str, other: Any) -> dict[str, Any]:
    word = {"subject in an entry": "entry"}.get(door, door)
    case: dict[str, Any] = {"ask": "door", "door": word, "network": NETWORK.hex(), "member": "issuer"}
    if word == "claim":
        return case | {"claim": test_mangled.shown(other[0]), "raw": other[1].hex()}
    key = GOVERNANCE if word == "KeySet" else ISSUER
    return case | {"raw": other.hex(), "key": key.public.hex()}


def others(door: str) -> list[Any]:
    made = DOORS[door][0]
    found: list[Any] = []
    for name in mangle.STRANGE:
        found += made(lambda golden, name=name: mangle.mangled(golden, name))  # type: ignore[misc]
    found += made(test_mangled.negatives)
    return found + list(made(mangle.cut_and_lengthened))


@pytest.mark.parametrize("door", DOORS)
def test_both_refuse_every_other_form_by_the_same_code(door: str) -> None:
    tried = others(door)
    assert len(tried) > 100
    ours = [code_of(DOORS[door][1], other) for other in tried]
    assert differ([at_the_door(door, other) for other in tried], ours) == []


def followed(rng: random.Random, of: Epoch) -> Epoch:
    """The same as the successor of the epoch that some opinions name; what is said now is just in time, or not."""
    before_ms = rng.choice((0, EPOCH_OVERLAP_MS - 1, EPOCH_OVERLAP_MS, HOUR))
    return replace(of, parent=EpochHash(bytes(32)), activates_ms=NOW - before_ms)


def told(of: Epoch) -> dict[str, Any]:
    return shown_epoch(of) | {"parent": of.parent.hex() if of.parent else None, "activates_ms": of.activates_ms}


def test_both_count_the_same_level_and_groups() -> None:
    rng = random.Random(11)
    cases: list[dict[str, Any]] = []
    ours: list[Any] = []
    for _ in range(WORLDS):
        of = test_two_counters.network(rng)
        of = followed(rng, of) if rng.random() < 0.5 else of
        said, now_ms = test_two_counters.words(rng, of), NOW + rng.choice((0, 0, 1000, HOUR // 2, HOUR))
        level, groups = level_of(of, now_ms, said)
        ours.append([int(level), sorted(groups)])
        cases.append(
            {
                "ask": "alarm",
                "epoch": told(of),
                "entries": [one.raw.hex() for one in said],
                "subject": TOPIC[0].raw.hex(),
                "threat": TOPIC[1],
                "now_ms": now_ms,
            }
        )
    assert {level for level, _ in ours} == {int(level) for level in Level}
    assert differ(cases, ours) == []


@pytest.mark.parametrize("wild", [0.0, 0.02, 0.1])
def test_both_take_and_refuse_the_same_certificates(wild: float) -> None:
    rng = random.Random(f"alike {wild}")
    cases: list[dict[str, Any]] = []
    ours: list[Any] = []
    for _ in range(WORLDS // 2):
        of = test_two_counters.network(rng)
        of = followed(rng, of) if rng.random() < 0.5 else of
        level = rng.choice((Level.GUARD, Level.ISOLATE, Level.HALT))
        least = -(-len(of.members) * 2 // 3)
        names = rng.sample([one.name for one in of.members], rng.randint(least, len(of.members)))
        said = [test_two_counters.opinion(rng, name, 0, wild) for name in names]
        said = [test_two_counters.replace_level(rng, one, level) for one in said]
        if rng.random() < wild:
            said.append(rng.choice(said))
        raw = certificate(said, level)
        ours.append(test_two_counters.verdict(raw, of))
        cases.append({"ask": "proof", "epoch": told(of), "raw": raw.hex()})
    assert sum(isinstance(one, dict) for one in ours) >= 5
    assert len({one for one in ours if isinstance(one, str)}) >= 3
    assert differ(cases, ours) == []


def test_both_make_the_same_epochs_and_refuse_the_same() -> None:
    rng, cases, ours = random.Random(12), [], []
    for _ in range(CHAINS):
        world = test_two_governors.World(rng)
        for _ in range(8):
            raw = packed(world.certificate())
            verdict, made = test_two_governors.ours(bytes.fromhex(raw), world.epoch)
            cases.append({"ask": "next epoch", "epoch": entire(world.epoch), "raw": raw})
            ours.append(list(verdict))
            if made is not None:
                world.go_on(made)
    assert sum(isinstance(one[0], list) for one in ours) >= 40
    assert len({json.dumps(one) for one in ours if isinstance(one[0], str)}) >= 8
    assert differ(cases, ours) == []


@pytest.mark.parametrize("make", [test_two_judges.release, test_two_judges.backing, test_two_judges.deviation])
def test_both_rule_alike(make: Any) -> None:
    rng = random.Random(make.__name__)
    cases: list[dict[str, Any]] = []
    ours: list[Any] = []
    for _ in range(READINGS):
        inputs, read = make(rng)
        registered = rng.random() < 0.95
        said = judged(inputs, read, registered)
        told: dict[str, Any] = {"ruling": said.ruling.value}
        if said.subject is not None:
            told |= {"subject": said.subject.raw.hex(), "threat": int(said.threat), "level": int(said.level)}
        ours.append(told)
        row = ORACLE.subject if make is test_two_judges.deviation else BRIDGE.asset
        case = {"ask": "ruling", "type": TYPE_OF[type(inputs)], "registered": registered, "subject": row.raw.hex()}
        cases.append(case | {"inputs": written(plain(inputs)), "read": written(plain(read))})
    assert len(Counter(json.dumps(one) for one in ours)) >= 3
    assert differ(cases, ours) == []


def charters() -> list[Charter]:
    """The golden one, and others of other names, times, formulas, leases, with fewer members and without contracts."""
    base = founded()
    inside = base.parameters
    others = [
        replace(inside, name="Netz für Ämter 🜂", created_ms=1),
        replace(inside, bridges=(), oracles=()),
        replace(inside, sources=tuple(sorted(inside.sources, key=lambda one: one.id, reverse=True))),
        replace(inside, formulas={**inside.formulas, Level.GUARD: " min( n ,f+2)", Level.HALT: "n"}),
        replace(inside, lease_ms={**inside.lease_ms, Level.HALT: 61_001}, silence_ms=90_061_001),
    ]
    made = [base]
    for parameters in others:
        again = Charter(parameters=parameters, members=base.members)
        for member in base.members:
            again = signed(again, member.name, cold(member.name), keyset(member.name))
        made.append(again)
    return made


def test_both_read_the_same_network_out_of_a_charters_file() -> None:
    made = charters()
    ours = [
        {
            "network": one.network.hex(),
            "epoch": one.epoch0().hash.hex(),
            "needed": [one.epoch0().thresholds[level] for level in (Level.GUARD, Level.ISOLATE, Level.HALT)],
        }
        for one in made
    ]
    assert len({one["network"] for one in ours}) == len(made) - 1  # rows in another order are the same network
    assert differ([{"ask": "charter", "text": write(one)} for one in made], ours) == []


READERS: dict[str, Callable[[bytes], Any]] = {
    "codec": lambda raw: decode(raw, bytes_max=FRAME_BYTES_MAX),
    "frame": parse_frame,
    "entry, its seal unseen": lambda raw: parse_entry(raw, NetworkId(NETWORK)),
    "subject": parse_subject,
    "certificate": parse_certificate,
    "proposal": lambda raw: parse_proposal(raw, NetworkId(NETWORK)),
    "ballot": lambda raw: parse_ballot(raw, NetworkId(NETWORK)),
    "value": parse_value,
    "epoch certificate": parse_epoch_certificate,
}


def found_by_fuzzing() -> list[bytes]:
    """What fuzzing kept of every reader of bytes, and each of them with some bytes changed, left out or doubled."""
    binary = [name for name in sorted(TARGETS) if not TARGETS[name].text]
    kept = [path.read_bytes() for name in binary for path in sorted((judge.CORPUS / name).iterdir())]
    rng, changed = random.Random(7), []
    for raw in kept * CHANGES:
        other = bytearray(raw)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(other) + 1)
            other[at : at + rng.randint(0, 2)] = rng.choice((b"", rng.randbytes(1), other[at : at + 4]))
        changed.append(bytes(other))
    return kept + changed


@pytest.mark.parametrize("door", READERS)
def test_both_read_alike_what_fuzzing_found(door: str) -> None:
    raws = found_by_fuzzing()
    assert len(raws) > 2000
    ours = [code_of(READERS[door], raw) for raw in raws]
    cases = [{"ask": "door", "door": door, "network": NETWORK.hex(), "raw": raw.hex()} for raw in raws]
    assert differ(cases, ours) == []
    assert len(set(ours)) > 1
