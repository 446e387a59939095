"""Members govern a network as the README says it: real processes on loopback, the command line, nothing else.

The tests are one story over one network and run in the order in which they stand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.network.forked import ForkedSite
from tests.integration.network.site import NAMES, SUBJECT, free_ports, wait_for

pytestmark = pytest.mark.network
JOINER = "lender-z"
EPOCH_S = 15.0
"""Generous: how long an epoch takes is the bench's affair."""


class Governed(ForkedSite):
    """Each member's governance key lies beside its node, but for lender-b's, which is on another machine."""

    def network(self, member: str) -> dict[str, Any]:
        return dict(json.loads(self.ok(member, "network", "show", "-o", "json")))

    def ok(self, member: str, *words: object) -> str:
        ran = self.at(member, *words)
        assert ran.code == 0, ran.err
        return ran.out

    def epochs(self, *members: str) -> set[tuple[int, str]]:
        told = [self.network(member)["epoch"] for member in members]
        return {(one["number"], one["hash"]) for one in told}

    def in_epoch(self, number: int, *members: str) -> str:
        """Its hash: the same at all of these."""
        wait_for(
            f"epoch {number} at {', '.join(members)}",
            lambda: {one for one, _ in self.epochs(*members)} == {number},
            EPOCH_S,
        )
        (found,) = self.epochs(*members)
        return found[1]

    def propose(self, member: str, *words: object) -> str:
        return str(json.loads(self.ok(member, "member", "propose", *words, "-o", "json"))["id"])

    def vote(self, proposal: str, word: str, *members: str) -> None:
        for member in members:
            wait_for("the proposal is there", lambda at=member: self.at(at, "vote", "show", proposal).code == 0)
            self.ok(member, "vote", "cast", proposal, word)

    def proposal(self, member: str, proposal: str) -> dict[str, Any]:
        return dict(json.loads(self.ok(member, "vote", "show", proposal, "-o", "json")))

    def alarm(self, threat: str, *members: str) -> None:
        for member in members:
            self.ok(member, "alert", "raise", SUBJECT, threat, "ISOLATE", "--person", "anna")

    def certified(self, threat: str, *members: str) -> set[str]:
        """Who signed the certificate that all of these hold."""
        for member in members:
            wait_for(f"{threat} certified at {member}", lambda at=member: self.level(at, threat) == "ISOLATE", EPOCH_S)
        found = next(one for one in self.alerts(members[0]) if one["threat"] == threat)
        return set(found["groups"])


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Governed]:
    site = Governed(tmp_path_factory.mktemp("governed"))
    site.found(NAMES, "--delay", "change=1s", "--delay", "loosen=1500ms")
    (site.folder / "cold").mkdir()
    (site.folder / "lender-b" / "governance.key").rename(site.folder / "cold" / "lender-b.key")
    try:
        site.up(*NAMES)
        site.meshed(*NAMES, hears=4)
        yield site
    finally:
        site.close()


def test_three_ballots_one_of_them_sealed_on_a_machine_without_a_network_make_an_epoch(net: Governed) -> None:
    proposal = net.propose("issuer", "parameters", "--lease", "isolate=2h", "--note", "shorter is safer")
    assert "no quorum" not in net.ok("lender-a", "vote", "list")
    net.vote(proposal, "yes", "issuer", "lender-a")
    told = net.proposal("lender-a", proposal)
    assert (told["needed"], told["state"], len(told["yes"])) == (3, "open", 2)
    ballot = net.folder / "cold" / "ballot.cbor"
    cold = ("--member", "lender-b", "--governance-key", net.folder / "cold" / "lender-b.key")
    ran = net.run("vote", "sign", proposal, "yes", *cold, "--charter", net.folder / "charter.toml", "--out", ballot)
    assert ran.code == 0, ran.err
    net.ok("venue", "vote", "cast", ballot)
    net.in_epoch(1, *NAMES)


def test_a_fifth_member_applies_is_voted_in_joins_and_is_needed_for_a_certificate(net: Governed) -> None:
    net.ok("issuer", "network", "export", net.folder / "network.cbor")
    (trust,) = {hash_ for _, hash_ in net.epochs("lender-a")}
    net.ports[JOINER] = free_ports(1)[0]
    home = net.folder / JOINER
    assert net.run("init", JOINER, "--dir", home, "--addr", f"/ip4/127.0.0.1/tcp/{net.ports[JOINER]}").code == 0
    application = net.folder / "application.toml"
    words = ("member", "apply", net.folder / "network.cbor", "--dir", home, "--trust", trust, "--out", application)
    ran = net.run(*words)
    assert ran.code == 0, ran.err
    proposal = net.propose("issuer", "admit", application)
    ran = net.run("join", net.folder / "network.cbor", "--dir", home, "--trust", trust, "--application", application)
    assert ran.code == 0, ran.err
    net.up(JOINER)
    wait_for("it answers without a seat", lambda: net.status(JOINER))
    net.vote(proposal, "yes", "issuer", "lender-a", "venue")
    net.in_epoch(2, *NAMES, JOINER)
    ran = net.at(JOINER, "alert", "raise", SUBJECT, "bridge-forgery", "ISOLATE", "--person", "anna")
    assert "no source that this member operates" in ran.err
    source = net.propose("issuer", "sources", "--add", f"{JOINER}-people={JOINER}=people")
    net.vote(source, "yes", "issuer", "lender-a", "venue", JOINER)
    net.in_epoch(3, *NAMES, JOINER)
    net.meshed(*NAMES, JOINER, hears=5)
    net.alarm("bridge-forgery", "issuer", "lender-a", "venue")
    assert net.at("issuer", "alert", "list").code == 0
    assert net.level("venue", "bridge-forgery") == "GUARD", "three of five groups are no quorum: four are"
    net.alarm("bridge-forgery", JOINER)
    assert net.certified("bridge-forgery", *NAMES, JOINER) == {"issuer", "lender-a", "venue", JOINER}
    net.ok("venue", "alert", "show", alarm_id(net, "bridge-forgery"), "--export", net.folder / "joined.cert")


def alarm_id(net: Governed, threat: str) -> str:
    return next(one["id"] for one in net.alerts("venue") if one["threat"] == threat)


def test_the_chain_is_printed_checked_and_checks_a_certificate(net: Governed) -> None:
    out = net.folder / "whole.cbor"
    net.ok("lender-b", "network", "export", out)
    hash_ = net.in_epoch(3, *NAMES)
    ran = net.run("verify", out, "--from", hash_)
    assert ran.code == 0, ran.err + ran.out
    assert "set lease_isolate_ms = 7200000, proposed by issuer; yes: issuer, lender-a, lender-b" in ran.out
    assert f"admit {JOINER} ({JOINER}), proposed by issuer; yes: issuer, lender-a, venue" in ran.out
    assert "Whole and current: 5 groups name epoch 3" in ran.out
    ran = net.run("verify", net.folder / "joined.cert", "--network", out, "--from", hash_)
    assert ran.code == 0, ran.err


def test_a_chain_that_was_tampered_with_or_cut_short_is_refused(net: Governed) -> None:
    from dataclasses import replace

    from governance.chain import pack_chain, parse_chain

    raw = (net.folder / "whole.cbor").read_bytes()
    (_, hash_), *_ = net.epochs("venue")
    for at in range(len(raw) // 2, len(raw), len(raw) // 9):
        flipped = bytearray(raw)
        flipped[at] ^= 1
        assert _verified(net, bytes(flipped), hash_) == 1
    assert _verified(net, raw[:-100], hash_) == 1
    chain = parse_chain(raw)
    assert _verified(net, pack_chain(replace(chain, certificates=chain.certificates[:1])), hash_) == 1
    one = json.loads(net.run("verify", net.folder / "whole.cbor", "--from", hash_, "-o", "json").out)["epochs"][1]
    cut = replace(chain, certificates=chain.certificates[:1], heartbeats=(), keysets=())
    (net.folder / "cut.cbor").write_bytes(pack_chain(cut))
    ran = net.run("verify", net.folder / "cut.cbor", "--from", one["hash"])
    assert ran.code == 1 and "not-current" in ran.out


def _verified(net: Governed, raw: bytes, trust: str) -> int:
    path = net.folder / "changed.cbor"
    path.write_bytes(raw)
    return net.run("verify", path, "--from", trust).code


def test_a_removed_member_counts_nowhere(net: Governed) -> None:
    for member in ("issuer", "lender-a", "venue", JOINER):
        net.ok(member, "alert", "release", alarm_id(net, "bridge-forgery"), "--person", "anna")
    wait_for("released", lambda: net.level("issuer", "bridge-forgery") == "NONE")
    proposal = net.propose("lender-a", "remove", "venue", "--note", "merged")
    assert net.proposal("lender-a", proposal)["loosens"]
    net.vote(proposal, "yes", "issuer", "lender-a", "venue", JOINER)
    left = [*(name for name in NAMES if name != "venue"), JOINER]
    net.in_epoch(4, *left)
    for name in left:
        assert venue_weighs(net, name) == ""
    net.meshed(*left, hears=4)
    ran = net.at("venue", "alert", "raise", SUBJECT, "oracle-manipulation", "ISOLATE", "--person", "anna")
    assert ran.code == 1, "who has no seat says nothing"
    net.alarm("oracle-manipulation", "issuer", "lender-a")
    assert net.level("lender-b", "oracle-manipulation") == "GUARD"
    net.alarm("oracle-manipulation", JOINER)
    assert net.certified("oracle-manipulation", *left) == {"issuer", "lender-a", JOINER}


def venue_weighs(net: Governed, at: str) -> str:
    seats = [one["name"] for one in net.network(at)["members"]]
    return "it has a seat" if "venue" in seats else ""


def test_who_joined_rotates_its_key_like_a_founder(net: Governed) -> None:
    told = json.loads(net.ok(JOINER, "key", "rotate", "-o", "json"))
    assert told == {"member": JOINER, "key_version": 2, "live": True}
    wait_for("version 2 at issuer", lambda: seat_of(net, "issuer", JOINER)["key_version"] == 2, 5)
    assert net.level("issuer", "oracle-manipulation") == "ISOLATE"


def seat_of(net: Governed, at: str, member: str) -> dict[str, Any]:
    return next(one for one in net.network(at)["members"] if one["name"] == member)


def test_a_restart_keeps_the_epoch(net: Governed) -> None:
    hash_ = net.in_epoch(4, "issuer", JOINER)
    for name in ("issuer", JOINER):
        assert net.end(name).code == 0
        net.up(name)
        net.meshed(name, hears=4)
        assert net.epochs(name) == {(4, hash_)}
        assert net.level(name, "oracle-manipulation") == "ISOLATE"
