"""Which step can break which invariant."""

from __future__ import annotations

from collections.abc import Callable

from tests.sim.checks import accountability as a
from tests.sim.checks import arriving, ending, more, voting
from tests.sim.checks import liveness as live
from tests.sim.checks import resources as b
from tests.sim.checks import safety as s

Row = tuple[tuple[str, Callable[..., str]], ...]
ON: dict[str, Row] = {
    "certificate": (
        ("S1 distinct groups reach the threshold", s.s1_distinct_groups_reach_the_threshold),
        ("S2 liars alone certify nothing", s.s2_liars_alone_certify_nothing),
        ("S3 no operator fed all honest signers", s.s3_no_operator_fed_all_honest),
        ("S7 nothing of another epoch", s.s7_nothing_of_another_epoch),
        ("S11 released never counts again", s.s11_released_never_counts_again),
    ),
    "own": (
        ("S4 one payload at one seq", s.s4_one_payload_at_one_seq),
        ("S4 one value at one place of the rounds", s.s4_one_value_at_one_place_of_the_rounds),
        ("S2 nobody attests beyond its own eyes", s.attests_beyond_its_eyes),
    ),
    "lever": (
        ("S5 nothing outlives its reasons", s.s5_nothing_outlives_its_reasons),
        ("S5 a lease once applied is kept", s.s5_a_lease_once_applied_is_kept),
        ("S7 no action acts twice", s.s7_no_action_acts_twice),
        ("S10 levers only restrict", s.s10_levers_only_restrict),
    ),
    "opened": (("A2 an action has its reason", a.a2_an_action_has_its_reason),),
    "proven": (
        ("A1 no honest member is proven", a.a1_no_honest_member_is_proven),
        ("A1 a proof proves", a.a1_a_proof_proves),
    ),
    "false": (("A3 only liars are named", a.a3_only_liars_are_named),),
    "tick": (("L7 blindness is said", live.l7_blindness_is_said),),
    "frame": (("S12 what is sent is canonical", s.s12_what_is_sent_is_canonical),),
    "healed": (
        ("L3 everybody may speak", live.l3_everybody_may_speak),
        ("L3 certificates are everywhere", live.l3_certificates_are_everywhere),
        ("L3 feeds are everywhere", live.l3_feeds_are_everywhere),
        ("A1 a proof is everywhere", a.a1_a_proof_is_everywhere),
    ),
    "fresh": (("L1 a fresh alarm is certified in two delays", live.l1_a_fresh_alarm_is_certified),),
    "ended": (
        ("S5 nothing stays past its lease", s.s5_nothing_stays_past_its_lease),
        ("S6 expiry needs nobody", s.s6_expiry_needs_nobody),
        ("B1 state is bounded", b.b1_state_is_bounded),
        ("B1 ended alarms are forgotten", b.b1_ended_alarms_are_forgotten),
    ),
}
for _what, _rows in (*more.MORE.items(), *arriving.ARRIVING.items(), *voting.VOTING.items(), *ending.ENDING.items()):
    ON[_what] = ON.get(_what, ()) + _rows
NAMES = tuple(sorted({name for row in ON.values() for name, _ in row}))
