"""The foreign member runs a later version: real nodes store, relay and prove what they do not know, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from governance import charter as charters
from node import records
from node.control import Control
from node.records import unpack_record
from node.store import Store
from protocol.quorum import check_certificate, parse_certificate
from tests.integration.js.foreign import ISOLATE, OURS, THEIRS, MixedSite
from tests.integration.js.node import needs_node
from tests.integration.network.site import SUBJECT, wait_for

pytestmark = [pytest.mark.network, pytest.mark.interop]
UP, AWAY = OURS[:2], OURS[2]
UNKNOWN_THREAT, BRIDGE_FORGERY = 200, 34


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MixedSite]:
    needs_node()
    site = MixedSite(tmp_path_factory.mktemp("later"))
    site.found_together()
    site.up(*UP)
    site.start_foreign()
    site.meshed(*UP, hears=3)
    yield site
    site.close()


@pytest.fixture(scope="module")
def said(site: MixedSite) -> dict[str, dict[str, Any]]:
    """In this order, one feed: an opinion with fields that may be ignored, one with a field that may not, a kind and a
    threat that nobody here knows."""
    foreign = site.foreign
    assert foreign is not None
    foreign.reaches("both of ours are up", lambda told: told["up"] == list(UP))
    about = {"subject": SUBJECT, "threat": BRIDGE_FORGERY, "level": ISOLATE}
    return {
        "optional": foreign.ask("optional", "said", **about),
        "kind": foreign.ask("kind", "said"),
        "threat": foreign.ask("raise", "said", **{**about, "threat": UNKNOWN_THREAT}),
        "critical": foreign.ask("critical", "said", **{**about, "threat": 41}),
        "after": foreign.ask("kind", "said"),
    }


def feed(site: MixedSite, member: str) -> dict[str, Any]:
    with Control(site.folder / member / "data" / "control.sock", timeout_s=5.0) as control:
        return next((dict(one) for one in control.feeds() if one["author"] == THEIRS), {})


def has(site: MixedSite, member: str, *hashes: str) -> bool:
    told = feed(site, member)
    return bool(told) and set(hashes) <= set(told["links"].values())


def test_nodes_chain_what_they_do_not_know_and_refuse_what_they_must_know(
    site: MixedSite, said: dict[str, dict[str, Any]]
) -> None:
    sound = [one["hash"] for what, one in said.items() if what != "critical"]
    for name in UP:
        wait_for(f"{name} holds them", lambda one=name: has(site, one, *sound), 10)
        assert not has(site, name, said["critical"]["hash"])
        told = site.status(name)
        assert told is not None and told["refusals_total"]["unknown-critical"] >= 1
        assert told["equivocations"] == []


def test_what_is_unknown_raises_nothing(site: MixedSite, said: dict[str, dict[str, Any]]) -> None:
    for name in UP:
        assert {one["threat"]: one["level"] for one in site.alerts(name) if one["level"] != "NONE"} == {
            "bridge-forgery": "WATCH"
        }


def test_a_certificate_holds_its_word_byte_for_byte(site: MixedSite, said: dict[str, dict[str, Any]]) -> None:
    for name in UP:
        words = ("alert", "raise", SUBJECT, "bridge-forgery", "ISOLATE", "--person", "anna")
        assert site.at(name, *words).code == 0
    for name in UP:
        wait_for(f"isolated at {name}", lambda one=name: site.level(one, "bridge-forgery") == "ISOLATE", 10)
        assert bytes.fromhex(said["optional"]["raw"]) in parse_certificate(certificate(site, name)).entries


def certificate(site: MixedSite, member: str) -> bytes:
    held = next(one for one in site.alerts(member) if one["threat"] == "bridge-forgery")["certificate"]
    with Control(site.folder / member / "data" / "control.sock", timeout_s=5.0) as control:
        return control.certificate(held["digest"])


def test_a_fork_of_its_feed_is_proven_by_all(site: MixedSite, said: dict[str, dict[str, Any]]) -> None:
    assert site.foreign is not None
    site.foreign.ask("fork", "said")
    for name in UP:
        wait_for(f"{name} names it", lambda one=name: (site.status(one) or {})["equivocations"] == [THEIRS], 15)
    site.foreign.until("equivocation", author=THEIRS)


def test_a_node_that_was_away_has_it_from_ours_alone(site: MixedSite, said: dict[str, dict[str, Any]]) -> None:
    assert site.foreign is not None
    site.foreign.kill()
    site.up(AWAY)
    site.meshed(AWAY, hears=3)
    relayed = [one["hash"] for what, one in said.items() if what != "critical"]
    wait_for("it holds them too", lambda: has(site, AWAY, *relayed), 15)
    wait_for("it is isolated there", lambda: site.level(AWAY, "bridge-forgery") == "ISOLATE", 10)
    raw = certificate(site, AWAY)
    assert bytes.fromhex(said["optional"]["raw"]) in parse_certificate(raw).entries
    epoch = charters.parse((site.folder / "charter.toml").read_text()).epoch0()
    assert check_certificate(parse_certificate(raw), raw, epoch, lambda member, version: None).groups


def test_their_stores_hold_the_very_bytes(site: MixedSite, said: dict[str, dict[str, Any]]) -> None:
    wanted = {one["raw"] for what, one in said.items() if what in ("optional", "kind", "after")}
    for name in OURS:
        assert site.end(name).code == 0
        store = Store.open(site.folder / name / "data" / "store.sqlite")
        try:
            journal = [unpack_record(row.kind, row.version, row.body) for _, row in store.records()]
            served = {raw.hex() for raw in store.entries(THEIRS, 1, 0, 100, 1 << 20)}
        finally:
            store.close()
        assert wanted <= {one.raw.hex() for one in journal if isinstance(one, records.EntryAccepted)}
        assert wanted <= served
