"""Under fire nodes stay up, alarms are certified everywhere, and whoever misbehaves is named, counted and put out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.integration.hostile.attacker import Attacker
from tests.integration.hostile.conftest import Attackers
from tests.integration.hostile.lab import Lab
from tests.integration.hostile.table import ATTACKS, STRANGER
from tests.integration.network.site import wait_for

pytestmark = pytest.mark.network

ALARMS, EVERY_S, CERTIFIED_S = 4, 0.2, 40.0


def refused(lab: Lab, name: str = "m0") -> Counter[tuple[str, str]]:
    """(peer id or `strangers`, code) → how often."""
    rows = lab.status(name)["refusals"]
    assert len(rows) <= 64
    return Counter({(row["peer"], row["code"]): row["count"] for row in rows})


def at_work(*attackers: Attacker) -> None:
    """Each of them has done something."""
    for one in attackers:
        wait_for(f"{one.attack.name} is at work", lambda one=one: sum(one.did().values()), CERTIFIED_S)


def alarms_certify(lab: Lab) -> None:
    lab.until_certified(lab.alarms(ALARMS, EVERY_S), CERTIFIED_S)


def honest_blamed(lab: Lab, before: Counter[tuple[str, str]], *codes: str) -> list[tuple[str, str]]:
    honest = {seat.peer_id for seat in lab.honest}
    after = refused(lab)
    return [row for row in after if row[0] in honest and row[1] in codes and after[row] > before[row]]


def test_strangers_of_every_kind_at_once_keep_no_alarm_from_being_certified(lab: Lab, attackers: Attackers) -> None:
    strangers = attackers(*(name for name, one in ATTACKS.items() if one.who == STRANGER))
    at_work(*strangers)
    alarms_certify(lab)
    assert refused(lab)["strangers", "at-the-door"] > 0
    assert refused(lab)["strangers", "no-handshake"] > 0
    did = {one.attack.name: one.end() for one in strangers}
    assert did["plaintext-offers"].get("spoken", 0) == 0
    assert {peer["peer_id"] for peer in lab.status("m0")["peers"]} <= lab.allowed


def test_who_breaks_the_wire_is_named_and_put_out_and_nobody_is_dialled(lab: Lab, attackers: Attackers) -> None:
    breakers = attackers("protobuf-garbage", "oversized-frames", "stream-flood", "prune-and-dial")
    garbage, frames, streams, _ = breakers
    at_work(*breakers)
    alarms_certify(lab)
    codes = ((garbage, "bad-gossip"), (frames, "frame-size"), (streams, "stream-flood"))
    for one, code in codes:
        wait_for(f"{code} of {one.attack.name}", lambda one=one, code=code: refused(lab)[one.peer_id, code])
    assert {row["member"] for row in lab.status("m0")["refusals"] if row["peer"] == frames.peer_id} == {"m3"}
    did = [one.end() for one in breakers]
    # banned for a second, then for two: what it said meanwhile was a handshake, and no
    assert did[1]["refused"] > 0
    assert did[3]["prunes"] > 0
    assert did[3].get("dialled us", 0) == 0


def test_who_talks_without_an_end_is_named_wherever_it_does_so(lab: Lab, attackers: Attackers) -> None:
    inside, on_streams = attackers("talk-inside", "talk-on-streams")
    at_work(inside, on_streams)
    alarms_certify(lab)
    for one in (inside, on_streams):
        wait_for(f"{one.attack.name} is named", lambda one=one: refused(lab)[one.peer_id, "endless-talk"])
        one.end()


def test_who_lies_in_words_delays_no_alarm_and_smears_nobody(lab: Lab, attackers: Attackers) -> None:
    before = refused(lab)
    liars = attackers("bad-signatures", "names-honest", "moving-heads", "member-flood")
    at_work(*liars)
    alarms_certify(lab)
    spoiler = liars[0].peer_id
    wait_for("the spoiler is cut off", lambda: refused(lab)[spoiler, "cut-off"])
    wait_for("it came back, and was cut off again", lambda: refused(lab)[spoiler, "cut-off"] > 1)
    assert refused(lab)[spoiler, "bad-signature"] > 0
    assert refused(lab)[liars[1].peer_id, "bad-signature"] > 0
    # a budget that holds back a burst of an honest peer blames nobody: what it refused is asked for
    assert honest_blamed(lab, before, "bad-signature", "not-canonical", "bad-shape", "cut-off") == []
    for one in liars:
        one.end()


@pytest.mark.long
def test_a_member_whose_neighbours_only_lie_says_that_it_is_blind_and_believes_nothing(
    lab: Lab, attackers: Attackers
) -> None:
    liars = attackers("moving-heads", "invented-shown", "silent", "replays")
    at_work(*liars[:2])
    for name in ("m1", "m2"):
        lab.freeze(name)
    try:
        wait_for("m0 is blind", lambda: lab.status("m0")["quorum"]["blind"])
        (alarm,) = lab.alarms(1, EVERY_S)
        wait_for("m0 has said its own word", lambda: lab.said("m0", alarm))
        assert not lab.held("m0", alarm)
    finally:
        for name in ("m1", "m2"):
            lab.thaw(name)
    lab.meshed()
    alarms_certify(lab)


@pytest.mark.long
@pytest.mark.parametrize("name", ATTACKS)
def test_each_attack_alone(lab: Lab, attackers: Attackers, name: str) -> None:
    (one,) = attackers(name)
    if name != "silent":
        at_work(one)
    alarms_certify(lab)
    assert one.end().get("dialled us", 0) == 0


def test_no_node_died_and_no_host_was_rebuilt(lab: Lab) -> None:
    lab.standing()
    lab.catch_up()
    rebuilt = [one for told in lab.told.values() for one in told.happenings if "rebuilt" in str(one.get("says"))]
    assert rebuilt == []
    assert not [path for path in lab.folder.glob("fork-*.err") if "Traceback" in Path(path).read_text()]
