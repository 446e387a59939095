"""A member that we did not write follows epochs: it proposes and votes, takes the certificate of what ours ordered,
says its live opinions again, is needed afterwards, and hands the epoch on to whoever lacks it.

One story over one network; the tests run in the order in which they stand. All three of ours are up while the epoch is
ordered: it says nothing in rounds, and is the one of four that may be missing there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from governance import charter as charters
from node.control import Control
from protocol.envelope import parse_entry
from protocol.messages import Attestation
from protocol.quorum import parse_certificate
from tests.integration.js.foreign import ISOLATE, OURS, THEIRS, Foreign, MixedSite
from tests.integration.js.node import needs_node
from tests.integration.network.site import SUBJECT, Ran, free_ports, wait_for

pytestmark = [pytest.mark.network, pytest.mark.interop]
STAY, GOES, JOINER = OURS[:2], OURS[2], "lender-z"
BRIDGE_FORGERY, GOVERNANCE_ATTACK, FRONTEND_HIJACK, LIQUIDITY_RUN, SUSPEND = 34, 38, 39, 41, 7
HEARD_S = 90.0
"""Whoever missed the answer to its want asks again when it hears a Heartbeat of an epoch that it does not know."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MixedSite]:
    needs_node()
    site = MixedSite(tmp_path_factory.mktemp("epochs"))
    site.found_together("--delay", "change=1s")
    site.up(*OURS)
    site.start_foreign()
    site.meshed(*OURS, hears=4)
    yield site
    site.close()


def foreign(site: MixedSite) -> Foreign:
    assert site.foreign is not None
    return site.foreign


def number(site: MixedSite, member: str) -> int:
    told = site.status(member)
    return -1 if told is None else int(told["epoch"]["number"])


def raises(site: MixedSite, member: str, threat: str, *words: str) -> Any:
    return site.at(member, "alert", "raise", SUBJECT, threat, "ISOLATE", "--person", "anna", *words)


def ok(ran: Ran) -> str:
    assert ran.code == 0, ran.err + ran.out
    return ran.out


def decide(site: MixedSite, *words: object) -> None:
    """A proposal of ours, voted by two of ours, by the suspended one, whose cold key still has its say, and by it."""
    made = json.loads(ok(site.at(STAY[0], "member", "propose", *words, "-o", "json")))["id"]
    for name in (STAY[1], STAY[0], GOES):
        wait_for(f"{name} has it", lambda one=name: site.at(one, "vote", "show", made).code == 0, 10)
        ok(site.at(name, "vote", "cast", made, "yes"))
    foreign(site).ask("vote", "said", proposal=made, yes=True)


def signers(site: MixedSite, member: str, threat: str) -> dict[str, Attestation]:
    """Author → opinion in the certificate that the member holds."""
    held = next(one for one in site.alerts(member) if one["threat"] == threat)["certificate"]["digest"]
    with Control(site.folder / member / "data" / "control.sock", timeout_s=5.0) as control:
        raw = control.certificate(held)
    network = charters.parse((site.folder / "charter.toml").read_text()).network
    entries = [parse_entry(one, network).entry for one in parse_certificate(raw).entries]
    return {one.author: one.body for one in entries if isinstance(one.body, Attestation)}


@pytest.fixture(scope="module")
def said(site: MixedSite) -> dict[str, Any]:
    """Its opinion in epoch 0, which nobody shares yet."""
    foreign(site).reaches("all of ours are up", lambda told: told["up"] == sorted(OURS))
    return foreign(site).ask("raise", "said", subject=SUBJECT, threat=BRIDGE_FORGERY, level=ISOLATE)


def test_a_certificate_of_the_first_epoch_stands(site: MixedSite, said: dict[str, Any]) -> None:
    foreign(site).ask("raise", "said", subject=SUBJECT, threat=GOVERNANCE_ATTACK, level=ISOLATE)
    for name in STAY:
        assert raises(site, name, "governance-attack").code == 0
    foreign(site).until("certificate", level=ISOLATE)
    for name in OURS:
        wait_for(f"isolated at {name}", lambda one=name: site.level(one, "governance-attack") == "ISOLATE", 10)


def test_its_proposal_and_its_ballot_pass_with_two_of_ours(site: MixedSite, said: dict[str, Any]) -> None:
    made = foreign(site).ask("propose", "said", kind=SUSPEND, change={"member": GOES})["hash"]
    for name in STAY:
        wait_for(f"{name} has it", lambda one=name: site.at(one, "vote", "show", made[:16]).code == 0, 10)
        ran = site.at(name, "vote", "cast", made[:16], "yes")
        assert ran.code == 0, ran.out + ran.err
    assert [number(site, name) for name in OURS] == [0, 0, 0]
    foreign(site).ask("vote", "said", proposal=made, yes=True)
    for name in OURS:
        wait_for(f"epoch 1 at {name}", lambda one=name: number(site, one) == 1, 30)
        assert list((site.status(name) or {})["suspended"]) == [GOES]


def test_it_takes_the_certificate_and_enters_the_same_epoch(site: MixedSite) -> None:
    assert foreign(site).until("epoch", number=1)["committed"] == sorted(OURS)
    told = foreign(site).reaches("epoch 1", lambda told: told["epoch"]["number"] == 1)
    status = site.status(STAY[0])
    assert status is not None and told["epoch"]["hash"] == status["epoch"]["hash"]
    assert told["epoch"]["suspended"] == [GOES]
    assert (told["silent"], told["refused"]) == ("", {})


def test_it_said_its_live_opinion_again_and_that_counts(site: MixedSite, said: dict[str, Any]) -> None:
    status = site.status(STAY[0])
    assert status is not None
    for name in STAY:
        assert raises(site, name, "bridge-forgery").code == 0
    for name in STAY:
        wait_for(f"isolated at {name}", lambda one=name: site.level(one, "bridge-forgery") == "ISOLATE", 10)
        held = signers(site, name, "bridge-forgery")
        assert sorted(held) == sorted([*STAY, THEIRS])
        again = held[THEIRS]
        assert again.epoch.hex() == status["epoch"]["hash"]
        first = foreign(site).opinion(said["hash"])
        assert (again.since_ms, again.expires_ms) == (first["since_ms"], first["expires_ms"])


def test_the_suspended_weigh_nothing_and_its_new_word_makes_the_quorum(site: MixedSite) -> None:
    for name in (STAY[0], GOES):
        raises(site, name, "liquidity-run")
    ran = raises(site, STAY[1], "liquidity-run", "--wait", "2s")
    assert ran.code == 4, ran.out + ran.err
    assert "2 of 3 groups say so" in ran.err
    foreign(site).ask("raise", "said", subject=SUBJECT, threat=LIQUIDITY_RUN, level=ISOLATE)
    for name in OURS:
        wait_for(f"isolated at {name}", lambda one=name: site.level(one, "liquidity-run") == "ISOLATE", 10)
        assert sorted(signers(site, name, "liquidity-run")) == sorted([*STAY, THEIRS])


def test_who_joins_later_and_it_need_each_other(site: MixedSite) -> None:
    """Four of five are a quorum: with one suspended, all the others."""
    home, application, chain = (site.folder / one for one in (JOINER, "application.toml", "network.cbor"))
    site.ports[JOINER] = free_ports(1)[0]
    trust = foreign(site).state()["epoch"]["hash"]
    whole = (chain, "--dir", home, "--trust", trust)
    ok(site.at(STAY[0], "network", "export", chain))
    ok(site.run("init", JOINER, "--dir", home, "--addr", site.address(JOINER)))
    ok(site.run("member", "apply", *whole, "--out", application))
    decide(site, "admit", application)
    ok(site.run("join", *whole, "--application", application))
    site.up(JOINER)
    foreign(site).until("epoch", number=2)
    wait_for("the joiner is in epoch 2", lambda: number(site, JOINER) == 2, HEARD_S)
    decide(site, "sources", "--add", f"{JOINER}-people={JOINER}=people")
    told = foreign(site).until("epoch", within_s=40, number=3)
    assert told["committed"] == sorted([*OURS, JOINER])
    foreign(site).reaches("the joiner is up", lambda told: told["up"] == sorted([*OURS, JOINER]))
    site.meshed(JOINER, hears=5)
    for name in (*STAY, JOINER):
        raises(site, name, "frontend-hijack")
    assert site.level(JOINER, "frontend-hijack") == "GUARD"
    foreign(site).ask("raise", "said", subject=SUBJECT, threat=FRONTEND_HIJACK, level=ISOLATE)
    for name in (*STAY, JOINER):
        wait_for(f"isolated at {name}", lambda one=name: site.level(one, "frontend-hijack") == "ISOLATE", 10)
        assert sorted(signers(site, name, "frontend-hijack")) == sorted([*STAY, JOINER, THEIRS])


def test_back_from_nothing_it_asks_its_way_from_the_charter_into_the_epoch(site: MixedSite) -> None:
    foreign(site).kill()
    again = site.start_foreign()
    again.until("epoch", number=3)

    def caught_up(told: dict[str, Any]) -> bool:
        held = [one["epoch"] for one in told["certificates"] if THEIRS in one["groups"] and one["level"] == ISOLATE]
        return {*held} == {0, 1, 3} and told["up"] == sorted([*OURS, JOINER])

    told = again.reaches("certificates of the epochs before too", caught_up)
    assert told["silent"] == ""
    for name in STAY:
        status = site.status(name)
        assert status is not None and status["equivocations"] == []


def test_a_node_of_ours_that_lost_its_store_has_the_epoch_from_it_alone(site: MixedSite) -> None:
    for name in (*OURS, JOINER):
        assert site.end(name).code == 0
    for path in (site.folder / GOES / "data").glob("store.sqlite*"):
        path.unlink()
    site.up(GOES)
    wait_for("it is in epoch 3", lambda: number(site, GOES) == 3, HEARD_S)
    assert list((site.status(GOES) or {})["suspended"]) == [GOES]
