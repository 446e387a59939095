"""A person has evidence re-run: what is asked, what comes out, what a second verdict may change and what it may not."""

from __future__ import annotations

from dataclasses import replace

from node.effects import Reply
from node.events import ClaimJudged, Raise, Rerun
from node.machine import Phase, persons, views
from node.machine.claims import AT_ONCE_PER_AUTHOR
from node.machine.rerunning import AGAIN_MS, CLAIMS_AT_ONCE
from node.records import ClaimRuled, EvidenceRerun, FalseStatement, OperatorDid, pack_record, unpack_record
from protocol.evidence import Judgement, Ruling, refuted, undecided
from protocol.messages import Level
from tests.unit.machine.test_actions import alarmed
from tests.unit.machine.world import HOUR_MS, OTHER_COIN, THREAT, TOPIC, Node, World, claim, opinion

CLAIM = claim().claim
NO, CANNOT = refuted("the supply is backed"), undecided("no provider answers")


def asked(node: Node, person: str = "anna") -> Reply:
    return node.ask(Rerun(*TOPIC), person, token=True)


def rerun(world: World, node: Node, verdict: Judgement | None = None) -> EvidenceRerun:
    """Asked, and come out as `verdict`, or as it is."""
    if verdict is not None:
        node.verdicts[CLAIM.digest] = verdict
    reply = asked(node)
    assert reply.ok, reply.says
    world.run(100)
    return persons.reruns_of(node.state, TOPIC)[-1]


def answered(verdict: Judgement, i: int = 2) -> tuple[World, Node]:
    """A true alarm, of which one node's own check first found `verdict`."""
    world = World(4)
    world[i].verdicts[CLAIM.digest] = verdict
    return alarmed(world), world[i]


def test_evidence_is_re_run_once_more_and_the_person_is_told_of_how_much() -> None:
    world = alarmed(World(4))
    node = world[2]
    before = node.verified.count(CLAIM.digest)
    reply = asked(node)
    world.run(100)
    assert reply.ok and "1 of 1 claims" in reply.says and node.verified.count(CLAIM.digest) == before + 1


def test_who_asked_and_what_came_out_are_kept() -> None:
    world = alarmed(World(4))
    came = rerun(world, world[2])
    assert (came.person, came.ruling, came.before, came.same) == ("anna", "supports", "supports", True)
    assert came.asked_ms < came.at_ms and world[2].count(OperatorDid) == 1


def test_what_came_out_is_still_there_after_a_restart() -> None:
    world = alarmed(World(4))
    came = rerun(world, world[2], NO)
    kept = world[2].state.ruled[CLAIM].judgement
    world[2].restart()
    assert persons.reruns_of(world[2].state, TOPIC) == [came]
    assert world[2].state.ruled[CLAIM].judgement == kept


def test_a_record_of_it_comes_back_as_it_was_written() -> None:
    came = EvidenceRerun(CLAIM, *TOPIC, "anna", 1, "refuted", "no", Level.NONE, "supports", False, 2)
    assert unpack_record(*pack_record(came)) == came


def test_the_same_verdict_changes_nothing_and_calls_nobody() -> None:
    world = alarmed(World(4))
    node = world[2]
    told, ruled, said = len(node.told), node.count(ClaimRuled), node.own_seqs()
    rerun(world, node)
    assert (len(node.told), node.count(ClaimRuled), node.own_seqs()) == (told, ruled, said)


def test_a_provider_that_changes_its_mind_takes_no_word_of_ours_back() -> None:
    for verdict in (NO, CANNOT):
        world = alarmed(World(4))
        node = world[2]
        said = node.opinion("m2")
        assert not rerun(world, node, verdict).same
        assert node.opinion("m2") is said and node.action().phase is Phase.EFFECTIVE
        assert views.own_evidence(node.state, TOPIC, world.now_ms)


def test_people_are_told_that_it_changed_its_mind() -> None:
    for verdict, words in ((NO, "now it does not hold (the supply is backed)"), (CANNOT, "now it could not be told")):
        world = alarmed(World(4))
        rerun(world, world[2], verdict)
        told = world[2].told[-1]
        assert told.startswith("anna had evm-supply-above-backing") and words in told
        assert "our word and our levers stay as they are until a person ends them" in told


def test_a_provider_that_changes_its_mind_makes_liars_of_nobody() -> None:
    world = alarmed(World(4))
    rerun(world, world[2], NO)
    assert world[2].count(FalseStatement) == 0


def test_a_lower_level_lowers_nothing_and_is_told() -> None:
    world = alarmed(World(4))
    lower = replace(world.truth[CLAIM.digest], level=Level.GUARD)
    came = rerun(world, world[2], lower)
    assert not came.same and world[2].state.ruled[CLAIM].judgement.level is Level.ISOLATE
    assert "now it supports GUARD" in world[2].told[-1] and "not ISOLATE" in world[2].told[-1]


def test_what_could_not_be_told_and_holds_now_is_answered() -> None:
    world, node = answered(CANNOT)
    assert node.opinion("m2") is None
    assert rerun(world, node, world.truth[CLAIM.digest]).before == "undecided"
    word = node.opinion("m2")
    assert word is not None and word.body.level is Level.ISOLATE


def test_what_could_not_be_told_and_does_not_hold_is_kept_as_a_false_statement() -> None:
    world, node = answered(CANNOT)
    rerun(world, node, NO)
    assert node.opinion("m2") is None and node.count(FalseStatement) > 0


def test_what_did_not_hold_and_holds_now_counts_and_is_told() -> None:
    world, node = answered(NO)
    rerun(world, node, world.truth[CLAIM.digest])
    assert node.opinion("m2") is not None
    assert any("may have been no liar" in told for told in node.told)


def test_a_provider_that_is_down_makes_nothing_unsure_that_was_refuted() -> None:
    """Else rules for who cannot tell would open by pressing a button while providers are down."""
    world, node = answered(NO)
    assert rerun(world, node, CANNOT).ruling == "undecided"
    assert node.state.ruled[CLAIM].judgement.ruling is Ruling.REFUTED


def test_a_claim_is_re_run_once_in_ten_seconds_whoever_asks() -> None:
    world = alarmed(World(4))
    node = world[2]
    assert asked(node, "anna").ok
    world.run(AGAIN_MS - 1_000)
    refusal = asked(node, "bert")
    assert not refusal.ok and refusal.says.endswith("again in 1 s")
    world.run(1_000)
    assert asked(node, "bert").ok


def test_a_new_claim_need_not_wait_for_one_that_was_just_re_run() -> None:
    world = alarmed(World(4))
    asked(world[2])
    alarmed(world, 2)
    assert "1 of 2 claims" in asked(world[2]).says


def test_what_is_being_looked_at_is_not_asked_for_twice() -> None:
    world = World(4, liars=1)
    node = world[0]
    world.liars["m3"].say(opinion(Level.ISOLATE, (claim(),), now_ms=world.now_ms), world.true(claim()))
    world.until(lambda: CLAIM in node.state.judging, 100)
    asked(node)
    world.run(50)
    assert node.verified.count(CLAIM.digest) == 1 and persons.reruns_of(node.state, TOPIC)[0].before == ""


def test_a_flood_of_claims_is_re_run_a_few_at_once_and_our_own_first() -> None:
    world = World(4, liars=1)
    node = world[0]
    for number in range(10, 14):
        junk = [claim(number * 10 + one) for one in range(8)]
        world.liars["m3"].say(opinion(Level.ISOLATE, tuple(junk), now_ms=world.now_ms), *junk)
        world.run(200)
    alarmed(world)
    reply = asked(node)
    assert len(node.state.judging) <= AT_ONCE_PER_AUTHOR and CLAIM in node.state.judging
    world.run(1_000)
    came = persons.reruns_of(node.state, TOPIC)
    assert f"{len(came)} of" in reply.says and 1 < len(came) <= CLAIMS_AT_ONCE and not node.state.reruns.running


def test_where_nothing_can_be_re_run_it_says_why() -> None:
    world = World(4)
    node = world[2]
    assert node.ask(Rerun(OTHER_COIN, THREAT)).says == "no alert on it"
    node.ask(Raise(*TOPIC, Level.GUARD, HOUR_MS, "seen"))
    assert "names a claim" in asked(node).says
    assert node.count(EvidenceRerun) == 0


def test_a_verdict_that_comes_after_its_claim_was_forgotten_breaks_nothing() -> None:
    world = alarmed(World(4))
    node = world[2]
    asked(node)
    world.run(50)
    node.handle(ClaimJudged(CLAIM, NO))
    node.handle(ClaimJudged(claim(9).claim, NO))
    assert node.count(EvidenceRerun) == 1
