"""A member that we did not write: it founds a network with ours, and what it says counts.

One story over one network; the tests run in the order in which they stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from governance import charter as charters
from node.control import Control
from protocol.envelope import parse_entry
from protocol.quorum import parse_certificate
from tests.integration.js.foreign import GUARD, ISOLATE, OURS, THEIRS, Foreign, MixedSite
from tests.integration.js.node import needs_node
from tests.integration.network.site import SUBJECT, wait_for

pytestmark = [pytest.mark.network, pytest.mark.interop]
UP = OURS[:2]
"""Two of ours run; with the foreign member they are the three that a quorum of four needs."""
BRIDGE_FORGERY, GOVERNANCE_ATTACK, LIQUIDITY_RUN = 34, 38, 41


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MixedSite]:
    needs_node()
    site = MixedSite(tmp_path_factory.mktemp("js"))
    site.found_together()
    yield site
    site.close()


def alert(site: MixedSite, member: str, threat: str) -> dict[str, Any]:
    return next(one for one in site.alerts(member) if one["threat"] == threat)


def raises(site: MixedSite, member: str, threat: str, *words: str) -> Any:
    return site.at(member, "alert", "raise", SUBJECT, threat, "ISOLATE", "--person", "anna", *words)


def signers(site: MixedSite, member: str, threat: str) -> dict[str, str]:
    """Author → entry hash of the certificate that the member holds."""
    with Control(site.folder / member / "data" / "control.sock", timeout_s=5.0) as control:
        raw = control.certificate(alert(site, member, threat)["certificate"]["digest"])
    network = charters.parse((site.folder / "charter.toml").read_text()).network
    entries = [parse_entry(one, network) for one in parse_certificate(raw).entries]
    return {one.entry.author: one.hash.hex() for one in entries}


def foreign(site: MixedSite) -> Foreign:
    assert site.foreign is not None
    return site.foreign


def test_four_found_a_network_and_ours_accept_the_foreign_founder(site: MixedSite) -> None:
    ran = site.run("charter", "check", site.folder / "charter.toml")
    assert ran.code == 0, ran.err + ran.out
    assert "holds: network" in ran.out and "FAULT" not in ran.out


def test_it_joins_as_a_member(site: MixedSite) -> None:
    site.up(*UP)
    site.start_foreign()
    site.meshed(*UP, hears=3)
    foreign(site).reaches("both of ours are up", lambda told: told["up"] == list(UP))


def test_two_words_of_ours_are_no_quorum(site: MixedSite) -> None:
    assert raises(site, UP[0], "bridge-forgery").code == 0
    ran = raises(site, UP[1], "bridge-forgery", "--wait", "2s")
    assert ran.code == 4, ran.out + ran.err
    assert "2 of 3 groups say so" in ran.err
    foreign(site).reaches("it counts the same", lambda told: [one["level"] for one in told["levels"]] == [GUARD])


def test_its_vote_makes_the_quorum_and_stands_in_the_certificate(site: MixedSite) -> None:
    said = foreign(site).ask("raise", "said", subject=SUBJECT, threat=BRIDGE_FORGERY, level=ISOLATE)
    for name in UP:
        wait_for(f"isolated at {name}", lambda one=name: site.level(one, "bridge-forgery") == "ISOLATE", 5)
        held = signers(site, name, "bridge-forgery")
        assert sorted(held) == sorted([*UP, THEIRS])
        assert held[THEIRS] == said["hash"]


def test_it_holds_the_certificate_itself(site: MixedSite) -> None:
    told = foreign(site).until("certificate", level=ISOLATE)
    assert sorted(told["authors"]) == sorted([*UP, THEIRS])


def test_the_certificate_comes_by_gossip_too_while_a_member_is_out_of_reach(site: MixedSite) -> None:
    told = foreign(site).reaches("a frame by gossip", lambda told: told["frames"]["gossip"] > 0)
    assert told["gossips"] == 2 and told["refused"] == {}
    for name in UP:
        status = site.status(name)
        assert status is not None and status["wire_refusals"] == {}


def test_each_side_verifies_the_others_certificate_offline(site: MixedSite) -> None:
    exported = site.folder / "ours.cert"
    id_ = alert(site, UP[0], "bridge-forgery")["id"]
    assert site.at(UP[0], "alert", "show", id_, "--export", exported).code == 0
    charter = site.folder / "charter.toml"
    proven = json.loads(site.of_theirs("verify", "--charter", charter, "--certificate", exported))
    assert (proven["subject"], proven["level"], proven["groups"]) == (SUBJECT, ISOLATE, sorted([*UP, THEIRS]))
    theirs = site.folder / "theirs.cert"
    (held,) = [one for one in foreign(site).state()["certificates"] if one["level"] == ISOLATE]
    theirs.write_bytes(bytes.fromhex(held["raw"]))
    ran = site.run("verify", theirs, "--charter", charter)
    assert ran.code == 0, ran.err
    assert re.search(r"ISOLATE", ran.out)


def test_what_it_withdraws_no_longer_counts(site: MixedSite) -> None:
    about = {"subject": SUBJECT, "threat": GOVERNANCE_ATTACK}
    foreign(site).ask("raise", "said", **about, level=GUARD)
    for name in UP:
        wait_for(f"watched at {name}", lambda one=name: site.level(one, "governance-attack") == "WATCH", 5)
    foreign(site).ask("withdraw", "said", **about)
    for name in UP:
        wait_for(f"nothing at {name}", lambda one=name: site.level(one, "governance-attack") == "NONE", 5)


def test_a_node_of_ours_that_restarts_finds_it_again(site: MixedSite) -> None:
    for name in UP:  # of one the leader, of the other the follower
        site.end(name)
        foreign(site).until("down", member=name)
        site.up(name)
        site.meshed(name, hears=3)
    foreign(site).reaches("both of ours are up", lambda told: told["up"] == list(UP))


def test_killed_it_is_missed_and_without_it_there_is_no_quorum(site: MixedSite) -> None:
    foreign(site).kill()
    for name in UP:
        wait_for(f"{name} misses it", lambda one=name: THEIRS in (site.status(one) or {})["quorum"]["silent"], 30)
    assert raises(site, UP[0], "liquidity-run").code == 0
    ran = raises(site, UP[1], "liquidity-run", "--wait", "2s")
    assert ran.code == 4
    assert "2 of 3 groups say so" in ran.err


def site_feeds(site: MixedSite, member: str) -> list[dict[str, Any]]:
    with Control(site.folder / member / "data" / "control.sock", timeout_s=5.0) as control:
        return [dict(one) for one in control.feeds()]


def test_back_it_catches_up_from_nothing(site: MixedSite) -> None:
    again = site.start_foreign()
    feeds = {one["author"]: one for one in site_feeds(site, UP[0])}

    def whole(told: dict[str, Any]) -> bool:
        held = {one["author"]: (one["whole"] - 1, one["seq"], one["hash"]) for one in told["feeds"]}
        mine = {name: (one["whole"], one["seq"], one["hash"]) for name, one in feeds.items() if name != THEIRS}
        return len(held) == 3 and all(held[name] == one or held[name][0] > one[0] for name, one in mine.items())

    told = again.reaches("every feed is whole", whole)
    assert [one["level"] for one in told["certificates"] if THEIRS in one["groups"]] == [ISOLATE]
    assert (told["silent"], told["refused"]) == ("", {})
    assert sorted(one["level"] for one in told["levels"] if one["level"]) == [GUARD, ISOLATE]


def test_it_goes_on_where_it_was_and_is_needed_again(site: MixedSite) -> None:
    site.meshed(*UP, hears=3)
    foreign(site).ask("raise", "said", subject=SUBJECT, threat=LIQUIDITY_RUN, level=ISOLATE)
    for name in UP:
        wait_for(f"isolated at {name}", lambda one=name: site.level(one, "liquidity-run") == "ISOLATE", 5)
        assert THEIRS in signers(site, name, "liquidity-run")
        told = site.status(name)
        assert told is not None and told["equivocations"] == [], told


def test_a_node_of_ours_that_was_away_learns_its_words(site: MixedSite) -> None:
    site.up(OURS[2])
    site.meshed(OURS[2], hears=4)
    wait_for("isolated there too", lambda: site.level(OURS[2], "liquidity-run") == "ISOLATE", 10)
    assert THEIRS in signers(site, OURS[2], "bridge-forgery")


def test_its_release_counts_too(site: MixedSite) -> None:
    id_ = alert(site, UP[0], "liquidity-run")["id"]
    for name in UP:
        assert site.at(name, "alert", "release", id_, "--person", "anna").code == 0
    assert site.level(UP[0], "liquidity-run") == "ISOLATE"
    foreign(site).ask("release", "said", subject=SUBJECT, threat=LIQUIDITY_RUN)
    for name in (*OURS,):
        wait_for(f"released at {name}", lambda one=name: site.level(one, "liquidity-run") == "NONE", 5)
