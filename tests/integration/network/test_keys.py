"""A key is rotated in the middle of an alarm, another is stolen, used and revoked: real processes on loopback.

The tests are one story over one network and run in the order in which they stand.
"""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node import mark
from node.control import Control
from tests.integration.network.forked import ForkedSite
from tests.integration.network.site import NAMES, SUBJECT, Ran, wait_for

pytestmark = pytest.mark.network
SILENCE_S_MAX = 3.0


class Keyed(ForkedSite):
    @property
    def cold(self) -> Path:
        """Another machine: the governance keys and the charter, nothing else."""
        return self.folder / "cold"

    def at(self, member: str, *words: object) -> Ran:
        return self.run(*words, "--config", self.config(member))

    def control(self, member: str) -> Control:
        return Control(self.folder / member / "data" / "control.sock")

    def versions(self, at: str, of: str) -> list[int]:
        with self.control(at) as control:
            return [row["version"] for row in control.keys()["keysets"] if row["member"] == of]

    def events(self, member: str) -> list[dict[str, Any]]:
        with self.control(member) as control:
            return list(control.events(0)["events"])

    def alert(self, member: str) -> dict[str, Any]:
        return next((one for one in self.alerts(member) if one["threat"] == "bridge-forgery"), {})


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    site = Keyed(tmp_path_factory.mktemp("keys"))
    charter = site.found()
    site.cold.mkdir()
    shutil.copy(charter, site.cold / "charter.toml")
    for name in NAMES:
        (site.folder / name / "governance.key").rename(site.cold / f"{name}.key")
    try:
        site.up(*NAMES)
        site.meshed(*NAMES, hears=4)
        yield site
    finally:
        site.close()


def test_a_key_rotated_in_the_middle_of_an_alarm_costs_no_moment(four: Keyed) -> None:
    for name, person in zip(NAMES[:3], ("anna", "bert", "cleo")):
        assert four.at(name, "alert", "raise", SUBJECT, "bridge-forgery", "ISOLATE", "--person", person).code == 0
    wait_for("a certificate at venue", lambda: four.alert("venue").get("certificate"))
    before = max(one["n"] for one in four.events("venue"))
    ran = four.at("issuer", "key", "rotate", "--governance-key", four.cold / "issuer.key", "-o", "json")
    assert json.loads(ran.out) == {"member": "issuer", "key_version": 2, "live": True}, ran.err

    def said() -> list[dict[str, Any]]:
        news = [one for one in four.events("venue") if one["n"] > before and one.get("author") == "issuer"]
        return news if any(one["kind"] == "attestation" for one in news) else []

    news = wait_for("the old word under the new key", said)
    last_ms = next(one["at_ms"] for one in news if one["kind"] == "statement")
    first_ms = next(one["at_ms"] for one in news if one["kind"] == "attestation")
    print(f"silence of issuer as venue heard it: {first_ms - last_ms:.1f} ms")
    assert 0 <= first_ms - last_ms < SILENCE_S_MAX * 1000
    found = four.alert("venue")
    assert found["level"] == "ISOLATE" and found["certificate"] and len(found["groups"]) == 3


def test_the_new_feed_goes_on_and_a_restart_keeps_it(four: Keyed) -> None:
    found = mark.read(four.folder / "issuer" / "data" / "mark.cbor")
    assert found is not None and found.key_version == 2
    assert list((four.folder / "issuer" / "data" / "keys").glob("attestation.key.retired*"))
    assert four.end("issuer").code == 0
    four.up("issuer")
    four.meshed("issuer", hears=4)
    with four.control("issuer") as control:
        assert control.keys()["in_use"] == 2
    assert "2" in four.at("issuer", "key", "show").out


def test_a_key_is_sealed_on_a_machine_without_a_network_and_the_transport_key_moves_at_a_start(four: Keyed) -> None:
    request = four.cold / "new.toml"
    assert four.at("lender-a", "key", "rotate", "--request", request, "--transport").code == 0
    assert four.versions("venue", "lender-a") == [1]
    ran = four.run("key", "sign", request, "--governance-key", four.cold / "issuer.key")
    assert ran.code == 1 and "not the governance key" in ran.err
    cold = ("--governance-key", four.cold / "lender-a.key", "--charter", four.cold / "charter.toml")
    assert four.run("key", "sign", request, *cold).code == 0
    ran = four.at("lender-a", "key", "rotate", "--sealed", four.cold / "new.cbor")
    assert ran.code == 0, ran.err
    wait_for("version 2 at venue", lambda: four.versions("venue", "lender-a") == [1, 2])
    four.end("lender-a")
    four.up("lender-a")
    four.meshed("lender-a", "venue", hears=4)
    with four.control("venue") as control:
        mine = [row for row in control.keys()["keysets"] if row["member"] == "lender-a"][-1]
        up = {peer["peer_id"] for peer in control.status()["peers"] if peer["up"]}
    assert mine["transport"][0] in up and mine["transport"][1] not in up


def test_a_stolen_key_dies_by_its_owners_word_carried_by_another_member(four: Keyed) -> None:
    """The thief has everything of the node, and a program that does not obey its own revocation."""
    four.end("lender-b")
    theirs, stolen = four.folder / "lender-b", four.folder / "stolen"
    shutil.copytree(theirs, stolen, ignore=shutil.ignore_patterns("*.sock"))
    out = four.cold / "revoked.cbor"
    cold = ("--governance-key", four.cold / "lender-b.key", "--charter", four.cold / "charter.toml")
    key = ("--key-out", four.cold / "next.key")
    ran = four.run("key", "revoke", "lender-b", *cold, *key, "--out", out)
    assert ran.code == 0, ran.err
    assert four.at("venue", "key", "publish", out).code == 0
    for name in ("issuer", "lender-a", "venue"):
        wait_for(f"version 2 at {name}", lambda at=name: four.versions(at, "lender-b") == [1, 2], 5)
    authors = {one["author"] for one in four.alert("venue")["opinions"]}
    assert authors == {"issuer", "lender-a"}, "what it said before the theft counts no more"

    def deaf() -> None:
        from node.machine.state import State

        State.may_sign = lambda self: ""  # type: ignore[method-assign]

    four.up_as("stolen", deaf)
    wait_for("the thief is heard", lambda: (four.status("stolen") or {}).get("quorum", {}).get("hears") == 4)
    ran = four.at("stolen", "alert", "raise", SUBJECT, "halt-observed", "HALT", "--person", "thief")
    assert ran.code == 0, ran.err

    def arrived() -> bool:
        with four.control("venue") as control:
            feeds = control.feeds(links=False)
        told = [one for one in four.events("venue") if one.get("author") == "lender-b" and one["kind"] == "attestation"]
        return len(told) > 1 and any(one["author"] == "lender-b" and one["key_version"] == 1 for one in feeds)

    wait_for("its word reaches venue", arrived, 10)
    time.sleep(0.5)
    for name in ("issuer", "lender-a", "venue"):
        assert not any(one["threat"] == "halt-observed" for one in four.alerts(name)), "nothing of it counts"
        with four.control(name) as control:
            assert control.status()["equivocations"] == []
    four.end("stolen", signal.SIGKILL)


def test_the_owner_goes_on_under_the_key_made_beside_the_governance_key(four: Keyed) -> None:
    words = ("--sealed", four.cold / "revoked.cbor", "--key", four.cold / "next.key", "-o", "json")
    ran = four.at("lender-b", "key", "rotate", *words)
    assert json.loads(ran.out) == {"member": "lender-b", "key_version": 2, "live": False}, ran.err
    four.up("lender-b")
    four.meshed("lender-b", hears=4)
    wait_for("it is counted again", lambda: len(four.alert("venue").get("groups", ())) == 3, 10)


def test_what_would_change_nothing_is_refused_in_words_and_seals_nothing(four: Keyed) -> None:
    ran = four.at("venue", "key", "publish", four.cold / "revoked.cbor")
    assert ran.code == 0, "said again: the first time may have been lost"
    ran = four.at("venue", "key", "rotate", "--sealed", four.cold / "revoked.cbor")
    assert ran.code == 1 and "no KeySet of venue" in ran.err
    ran = four.at("issuer", "key", "rotate", "--sealed", four.cold / "new.cbor")
    assert ran.code == 1 and "no KeySet of issuer" in ran.err
    ran = four.at("lender-b", "key", "rotate", "--sealed", four.cold / "revoked.cbor")
    assert ran.code == 1 and "version 2 is in use here already" in ran.err


def test_a_start_finishes_what_a_crash_cut_after_the_delegation_was_on_the_disk(four: Keyed) -> None:
    request = four.cold / "venue.toml"
    assert four.at("venue", "key", "rotate", "--request", request).code == 0
    assert four.run("key", "sign", request, "--governance-key", four.cold / "venue.key").code == 0
    four.end("venue", signal.SIGKILL)
    shutil.copy(four.cold / "venue.cbor", four.folder / "venue" / "data" / "keyset-2.cbor")
    four.up("venue")
    four.meshed("venue", hears=4)
    with four.control("venue") as control:
        assert control.keys()["in_use"] == 2
    wait_for("version 2 at issuer", lambda: four.versions("issuer", "venue") == [1, 2], 10)
    assert four.at("venue", "alert", "raise", SUBJECT, "halt-observed", "GUARD", "--person", "dora").code == 0


def test_a_key_that_ends_while_its_node_runs_falls_silent_and_says_so(four: Keyed) -> None:
    words = ("--governance-key", four.cold / "venue.key", "--term", "2s")
    assert four.at("venue", "key", "rotate", *words).code == 0
    ran = four.at("venue", "status")
    assert "NOTE: the KeySet of this node expires in 0 hours" in ran.out or "SIGNS NOTHING" in ran.out
    wait_for("silence", lambda: "has expired" in (four.status("venue") or {})["signing"]["why"], 10)
    ran = four.at("venue", "alert", "raise", SUBJECT, "halt-observed", "HALT", "--person", "dora")
    assert ran.code == 1 and "has expired" in ran.err
    wait_for("a line of its log", lambda: "has expired" in (four.folder / "venue" / "node.log").read_text(), 10)
    assert four.at("venue", "key", "rotate", "--governance-key", four.cold / "venue.key").code == 0
    four.meshed("venue", hears=4)
