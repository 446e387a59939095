"""Words as recorded, counted by the protocol's rules and decided by the policy's own."""

from collections.abc import Sequence
from dataclasses import replace

from adapters.policy import Mode, Own, Policy, Verdict
from governance.packs import Recording, Word, played
from node.replay.network import supposed
from node.replay.played import Owner, Played, play
from protocol.messages import Basis, Level, Threat
from tests.unit.policy.stage import DECLARED, HOUR_MS, MINUTE_MS, RSETH, example, reading

BLOCK_MS = 12_000
TOPIC = (RSETH, int(Threat.BRIDGE_FORGERY))
LENDER = example("Lender, acting")


def words(count: int, *, basis: Basis = Basis.VERIFIED, level: Level = Level.ISOLATE) -> list[Word]:
    """One seat each 100 ms."""
    return [Word(seat, TOPIC, level, basis, 100 * seat) for seat in range(count)]


def run(said: Sequence[Word], policy: Policy = LENDER, own: Own = Own.VERIFIED, usd: float = 5e7) -> Played:
    epoch, sources = supposed(7)
    levers = {name: DECLARED[one.call] for name, one in policy.levers.items()}
    readings = {name: reading(name, usd=usd) for name in policy.exposures}
    rows = played(Recording("x", 7, tuple(said)), epoch, epoch, sources, BLOCK_MS)
    return play(rows, epoch, Owner(policy, levers, readings, (RSETH,), own))


def times(found: Played, *verdicts: Verdict) -> dict[str | None, int | None]:
    wanted = verdicts or (Verdict.ACT,)
    return {one.decision.lever: one.at_ms for one in found.answers if one.decision.verdict in wanted}


def test_levels_form_where_the_protocol_counts_them() -> None:
    found = run(words(7))
    assert [(one.level, one.from_ms, one.groups) for one in found.formed] == [
        (Level.GUARD, BLOCK_MS + 200, 3),
        (Level.ISOLATE, BLOCK_MS + 400, 5),
    ]


def test_a_policy_acts_once_its_own_check_is_done_as_the_slowest_was() -> None:
    found = run(words(7))
    assert found.own_ms == BLOCK_MS + 600
    assert times(found) == {"ltv0": BLOCK_MS + 600, "freeze": BLOCK_MS + 600}


def test_two_words_form_nothing_and_move_nothing_but_what_rests_on_own_evidence() -> None:
    alone = run(words(2))
    assert alone.formed == ()
    assert set(times(alone)) == {"ltv0"}


def test_hearsay_forms_nothing_and_is_no_check_of_ones_own() -> None:
    found = run(words(7, basis=Basis.HEARSAY))
    assert (found.formed, found.own_ms, times(found)) == ((), None, {})


def test_a_hold_runs_out() -> None:
    found = run(words(7), own=Own.UNABLE)
    assert times(found)["freeze"] == BLOCK_MS + 4 * MINUTE_MS
    assert (times(found)["ltv0"] or 0) < BLOCK_MS + MINUTE_MS


def test_a_check_that_says_otherwise_moves_nothing() -> None:
    assert times(run(words(7), own=Own.CONTRADICTED)) == {}


def test_a_policy_that_observes_is_played_as_if_it_acted() -> None:
    assert times(run(words(7), replace(LENDER, mode=Mode.OBSERVE))) == times(run(words(7)))


def test_a_policy_that_asks_asks() -> None:
    found = run(words(7), example("Lender, asking"))
    assert times(found) == {}
    assert set(times(found, Verdict.ASK)) == {"ltv0", "freeze"}


def test_what_is_below_the_policys_floor_holds_and_says_so() -> None:
    found = run(words(7), usd=1_000)
    assert times(found) == {}
    assert all("below 250,000" in one.decision.why and one.at_ms is None for one in found.answers)


def test_a_word_taken_back_ends_the_level() -> None:
    back = [Word(seat, TOPIC, Level.NONE, Basis.VERIFIED, HOUR_MS) for seat in range(7)]
    found = run([*words(7), *back])
    assert len(found.formed) == 2
