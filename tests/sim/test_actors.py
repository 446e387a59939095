"""Liars write the wire format by themselves, really act, are really heard, and what honest nodes promise holds."""

from __future__ import annotations

import ast
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from governance.ballots import Ballot, Vote
from governance.ballots import cast as seal_ballot
from governance.proposals import Proposal, ProposalKind, Remove, seal_proposal
from governance.values import Suspect, Value, pack_value
from node.records import EntryAccepted
from protocol.crypto import sha256
from protocol.evidence import LogSeen, claim_of
from protocol.ids import EpochHash, MemberName
from protocol.messages import Level, value_hash
from protocol.quorum import certificate_id
from tests.sim import cast, voting
from tests.sim.actors import pen as ink
from tests.sim.actors.casting import CAST
from tests.sim.checks import Checker
from tests.sim.memo import shared_parsing
from tests.sim.options import SCRIPTS, VOTING_SCRIPTS, Options
from tests.sim.plot import Deed
from tests.sim.shell import Process
from tests.sim.world import World

VECTORS = Path(__file__).resolve().parents[2] / "protocol" / "vectors"
ALARM = 1
"""The claim that comes true while the liar is at it."""
SUBJECT = cast.subject_of_claim(ALARM)
ALL = (*SCRIPTS, *VOTING_SCRIPTS)


# the pen
def golden(pattern: str) -> list[Any]:
    return [json.loads(path.read_text("utf-8")) for path in sorted(VECTORS.glob(pattern))]


@pytest.mark.parametrize("vector", golden("entry-*.json"), ids=lambda one: one["domain_tag"])
def test_the_pen_seals_entries_as_the_golden_files_do(vector: dict[str, Any]) -> None:
    told = vector["entry"]
    pen = ink.Pen(told["author"], bytes.fromhex(vector["network"]), told["key_version"])
    pen.key = ink.SigningKey(bytes.fromhex(vector["seed"]))
    body = ink.read(bytes.fromhex(vector["payload"]))[7]
    sealed, named = pen.seal(told["kind"], body, told["issued_ms"], told["seq"], bytes.fromhex(told["prev"]))
    assert (sealed.hex(), named.hex()) == (vector["sealed"], vector["hash"])


def test_the_pen_lays_out_an_attestation_as_the_golden_file_does() -> None:
    (vector,) = golden("entry-attestation.json")
    told = vector["entry"]["body"]
    claims = [{1: one["type"], 2: bytes.fromhex(one["id"]), 3: bytes.fromhex(one["digest"])} for one in told["claims"]]
    topic = (bytes.fromhex(told["subject"]["raw"]), told["threat"])
    times = (told["since_ms"], told["expires_ms"])
    body = ink.attestation(
        bytes.fromhex(told["epoch"]), topic, told["level"], *times, claims, told["sources"], detector=told["detector"]
    )
    body[9] = told["incident"]
    assert ink.cbor(body) == ink.cbor(ink.read(bytes.fromhex(vector["payload"]))[7])


LISTS = {
    "entries": 2,
    "blobs": 3,
    "keysets": 5,
    "want-blobs": 8,
    "want-certificates": 9,
    "shown": 10,
    "epoch-certificates": 17,
}


def many(told: list[str]) -> list[bytes]:
    return [bytes.fromhex(one) for one in told]


def pen_frame(kind: str, told: dict[str, Any]) -> bytes:
    if kind == "hello":
        return ink.hello(bytes.fromhex(told["network"]), many(told["keysets"]), told["version"])
    if kind == "certificate":
        return ink.certified(bytes.fromhex(told["raw"]))
    if kind == "want-epochs":
        return ink.cbor([16, {1: bytes.fromhex(told["after"])}])
    if kind == "want-entries":
        return ink.want_entries(told["author"], told["key_version"], told["from_seq"], told["to_seq"])
    if kind == "heads":
        names = ("author", "key_version", "whole", "seq")
        rows = [(*(one[name] for name in names), bytes.fromhex(one["hash"])) for one in told["heads"]]
        return ink.heads(rows, many(told["shown"]))
    return ink.listed(LISTS[kind], many(next(iter(told.values()))))


@pytest.mark.parametrize("path", sorted(VECTORS.glob("frame-*.json")), ids=lambda one: one.stem)
def test_the_pen_packs_frames_as_the_golden_files_do(path: Path) -> None:
    vector = json.loads(path.read_text("utf-8"))
    assert pen_frame(path.stem.removeprefix("frame-"), vector["frame"]).hex() == vector["raw"]


def test_the_pen_names_claims_and_certificates_as_honest_nodes_do() -> None:
    honest = cast.claim(5)
    claim, blob = ink.shortfall(5)
    assert blob == honest.blob and claim == {1: honest.claim.type, 2: honest.claim.id, 3: honest.claim.digest}
    log = claim_of(LogSeen("eip155:1", bytes(32), 0, b"a" * 20, (), sha256(b""), 35))
    assert ink.log_seen(bytes(32), b"a" * 20, 35)[1] == log.blob
    epoch = EpochHash(sha256(b"an epoch"))
    named = certificate_id(epoch, (SUBJECT, 35), Level.ISOLATE)
    assert ink.certificate_id(epoch, (SUBJECT.raw, 35), 3) == named


def test_the_pen_delegates_keys_that_honest_nodes_accept() -> None:
    expires_ms = 1_790_000_000_000 + 8_000 * cast.HOUR_MS
    assert ink.keyset("m3", 2, cast.NETWORK, expires_ms, ["peer-of-m3"]) == cast.keyset("m3", 2)


def test_the_pen_proposes_and_votes_as_honest_members_do() -> None:
    parent, member = EpochHash(sha256(b"an epoch")), MemberName("m3")
    change = Remove(MemberName("m1"))
    made = Proposal(parent, member, 5, 9, ProposalKind.REMOVE, change)
    honest = seal_proposal(cast.NETWORK, cast.cold("m3"), made)
    assert ink.proposal("m3", cast.NETWORK, parent, 5, 9, ink.REMOVE, {1: "m1"}) == (honest.raw, honest.hash)
    ballot = seal_ballot(cast.NETWORK, cast.cold("m3"), Ballot(honest.hash, member, 2, Vote.YES, 7, "none"))
    assert ink.ballot("m3", cast.NETWORK, honest.hash, 2, 1, 7, "none") == ballot.raw
    value = pack_value(Value(parent, 3, (honest.hash,), (Suspect(member, 0),), 11))
    assert ink.value(parent, 3, [honest.hash], 11, [("m3", 0)]) == value
    assert ink.value_hash(value) == value_hash(value)


def test_liars_share_no_code_with_honest_nodes() -> None:
    """What only types need is not shared."""
    found = set()
    for path in (Path(__file__).parent / "actors").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found |= {name.partition(".")[0] for name in names}
    assert not found & {"protocol", "node", "adapters", "governance"}


def test_each_script_has_its_player() -> None:
    assert set(CAST) == set(ALL)


# the play
@pytest.fixture(scope="module", autouse=True)
def once() -> Iterator[None]:
    with shared_parsing():
        yield


def stage(scripts: tuple[str, ...], n: int) -> tuple[World, Checker]:
    numbers = {"skewed": 0, "rolled_back": 0, "vendors": 0, "lease_divisor": 360, "tick_ms": 300, "deeds": 0}
    votes = set(scripts) & set(VOTING_SCRIPTS)
    faults, delay_ms = (frozenset({"votes"}), 3_000) if votes else (frozenset[str](), 0)
    wires: dict[str, Any] = {"loss": 0.0, "jitter": 0.0, "regions": 2}
    options = Options(n=n, faults=faults, scripts=scripts, span_ms=0, change_delay_ms=delay_ms, **numbers, **wires)
    checker = Checker()
    return World(f"a stage for {scripts}", options, [checker]), checker


@functools.cache
def played(*scripts: str, n: int = 4) -> tuple[World, Checker]:
    """An alarm comes true two seconds in; the liars go on to the twenty-fifth."""
    world, checker = stage(scripts, n)
    world.begin()
    world.run(2_000)
    if world.people is not None:
        voting.play(world, Deed(0, "propose", 1, 100, "admit all"))
    world.truth.happens(ALARM, SUBJECT, Level.ISOLATE, world.time.now_ms)
    world.cause(SUBJECT)
    world.sense(world.honest()[0], ALARM, Level.ISOLATE)
    world.run(23_000)
    return world, checker


def refusals(world: World, code: str) -> int:
    return sum(one.state.refusals.get(code, 0) for one in world.honest())


def lies(world: World, node: int = 0, who: str = "m3") -> str:
    return "\n".join(world.honest()[node].state.false_statements.get(who, ()))


def words(process: Process, who: str = "m3") -> list[tuple[EntryAccepted, dict[int, Any]]]:
    """What this node has kept of an author's entries, in the order of their coming."""
    rows = [(row, ink.payload_of(row.raw)) for row in process.disk.rows if isinstance(row, EntryAccepted)]
    return [(row, told) for row, told in rows if told[1] == who]


@pytest.mark.parametrize("script", ALL)
def test_against_each_liar_the_alarm_is_certified_and_no_invariant_breaks(script: str) -> None:
    world, checker = played(script)
    assert [str(one) for one in checker.violations] == []
    for one in world.honest():
        held = [two.certificate for two in one.state.certificates.values()]
        assert any((two.subject, two.level) == (SUBJECT, Level.ISOLATE) for two in held), one.name
        assert one.state.may_sign() == ""


@pytest.mark.parametrize("script", ALL)
def test_each_liar_goes_on_after_the_heal_and_slows_down_when_hours_pass(script: str) -> None:
    world, _ = stage((script,), 4)
    world.begin()
    world.run(40_000)
    world.network.heal_all()
    before = world.history.told[script]
    world.run(15_000)
    assert world.history.told[script] > before
    for process in world.processes.values():
        process.tick_ms = 10_000
    fired = world.time.fired
    world.run(200_000)
    assert world.time.fired - fired < 6_000


def test_the_silent_one_is_heard_of_and_never_from() -> None:
    world, _ = played("silent")
    assert all(("m3", 0) not in one.state.feeds and one.state.heard_groups() == 4 for one in world.honest())


def test_the_equivocator_is_proven_everywhere() -> None:
    world, _ = played("equivocates")
    assert all("m3" in {author for author, _ in one.state.equivocations} for one in world.honest())


def test_the_withholders_words_come_long_after_they_were_sealed() -> None:
    world, _ = played("withholds")
    late = [row.at_ms - told[5] for one in world.honest() for row, told in words(one) if told[6] == ink.ATTESTATION]
    assert max(late) > 1_000


def test_the_replayers_foreign_words_are_refused() -> None:
    world, _ = played("replays")
    assert refusals(world, "foreign-network") and refusals(world, "bad-signature")
    assert any(told[7][1] == cast.FOREIGN or told[6] == ink.STATEMENT for _, told in words(world.honest()[0]))


def test_the_forger_is_named_and_nobody_agrees_with_it() -> None:
    world, _ = played("forges_claims")
    assert "it is not so" in lies(world)
    for one in world.honest():
        said = [claim for _, told in words(one, one.name) if told[6] == ink.ATTESTATION for claim in told[7][6]]
        assert {claim[3] for claim in said} == {cast.claim(ALARM).claim.digest}


def test_what_is_true_of_something_else_is_named_as_that() -> None:
    world, _ = played("irrelevant_claims")
    assert "does not bear on" in lies(world)


def test_what_means_less_than_is_said_is_named_as_that() -> None:
    world, _ = played("immaterial_claims")
    assert "supports at most" in lies(world)


def test_what_a_liar_tells_and_is_true_is_agreed_with_and_what_it_binds_to_it_is_not() -> None:
    world, _ = played("true_claim")
    said = {
        claim[3] for one in world.honest() for _, told in words(one, one.name) if told[6] == 1 for claim in told[7][6]
    }
    assert len(said) > 1 and all(world.truth.facts[digest].true for digest in said)  # type: ignore[index]


def test_unseen_sources_and_hearsay_make_no_halt() -> None:
    world, _ = played("spoofs_sources")
    said = {(told[7][4], told[7][5]) for _, told in words(world.honest()[0]) if told[6] == ink.ATTESTATION}
    assert (ink.HALT, ink.HEARSAY) in said or (ink.HALT, ink.OBSERVED) in said
    levels = {two.certificate.level for one in world.honest() for two in one.state.certificates.values()}
    assert Level.HALT not in levels


def test_times_beyond_their_bounds_are_refused() -> None:
    world, _ = played("stretches_leases")
    assert refusals(world, "lease-too-long") and refusals(world, "from-the-future")


def test_one_releaser_reaches_no_point() -> None:
    world, _ = played("races_releases")
    assert refusals(world, "bad-shape")
    for one in world.honest():
        assert any("m3" in told for told in one.state.releases.latest.values())
        assert one.state.releases.point_ms((SUBJECT, cast.THREAT)) == 0


def test_false_heads_mute_nobody() -> None:
    world, _ = played("lies_in_sync")
    assert (
        world.liars["m3"].acted["heads"] and refusals(world, "not-canonical") and refusals(world, "short-of-threshold")
    )
    for one in world.honest():
        assert {two.feeds[(two.me, 0)].whole for two in (one.state,)} == {one.state.own_head()[0]}


def test_junk_that_names_honest_authors_is_charged_to_its_sender() -> None:
    world, _ = played("burns_budgets")
    assert refusals(world, "bad-signature") > 40
    for one in world.honest():
        left = [bucket.left for author, bucket in one.state.budgets.authors.items() if author != "m3"]
        assert left and min(left) > 200


def test_as_many_colluders_as_may_lie_raise_nothing_alone() -> None:
    world, checker = played("colludes", "colludes", n=7)
    assert checker.violations == []
    for one in world.honest():
        told = {two.certificate.topic for two in one.state.certificates.values()}
        assert told == {(SUBJECT, cast.THREAT)}


def test_who_orders_falsely_is_proven_and_suspended_and_what_passed_is_in_force() -> None:
    world, checker = played("orders_falsely")
    assert checker.violations == []
    assert len(world.liars["m3"].acted) > 3
    for one in world.honest():
        assert cast.JOINER in one.state.epoch.by_name
        assert one.state.epoch.by_name[MemberName("m3")].suspended


def test_who_stuffs_ballots_passes_nothing_and_stops_nothing() -> None:
    world, checker = played("stuffs_ballots")
    assert checker.violations == []
    assert len(world.liars["m3"].acted) > 5
    for one in world.honest():
        seated = one.state.epoch.by_name
        assert {"m0", "m1", "m2", cast.JOINER} <= set(seated)
