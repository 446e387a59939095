"""Bugs in acting: which action is opened, for how long, and what ends it."""

from __future__ import annotations

from typing import Any

from node.machine import actions, leases, stepping, views, watching
from node.machine.action import ENDED
from node.machine.state import State
from tests.sim.bugs.plant import Bug, edited, instead, together


def _follows_the_level(step: Any, *subjects: Any) -> None:
    """The lever goes back as soon as no certificate carries it."""
    _DECIDE(step, *subjects)
    for action in list(step.state.actions.values()):
        held = views.top_certificate(step, (action.subject, action.threat))
        if action.phase not in ENDED and action.certificate and held is None:
            actions.lift(step, action, "the network's level has fallen")


_DECIDE = actions.decide_topics


def _by_certificate(state: Any, lever: Any, decision: Any, claims: Any = None) -> Any:
    held = [one.digest for one in state.certificates.values() if one.certificate.subject == decision.subject]
    return _KEY(state, lever, decision, tuple(("certificate", bytes(one)) for one in sorted(held)) or claims)


_KEY = actions.action_key

BUGS = (
    Bug(
        "lease-plus-one",
        "a renewal adds a whole lease to what is left, with every certificate",
        lambda: together(
            edited(
                actions,
                "_advance",
                (
                    "until_ms = _until_ms(step, decision, new) if new else 0",
                    "until_ms = action.until_ms + decision.lease_ms",
                ),
            ),
        ),
    ),
    Bug(
        "lease-from-the-last-look",
        "a lease runs from when the node last looked: it is renewed for as long as the alarm runs",
        lambda: together(
            edited(
                actions, "_advance", ("_until_ms(step, decision, new) if new else 0", "step.now_ms + decision.lease_ms")
            ),
        ),
    ),
    Bug(
        "lease-by-the-wall-clock",
        "a lease ends by the clock that people and NTP set",
        lambda: instead(leases, "ended", lambda step, action, grace_ms=0: action.until_ms + grace_ms <= step.now_ms),
        needs=("clock_jump",),
        unseen="A clock must jump by hours while a restriction stands that the node itself ends",
    ),
    Bug(
        "undo-frees-a-shared-slot",
        "the end of one action frees the target though another still holds the same slot",
        lambda: instead(leases, "holder", lambda step, action: None),
        needs=("releases",),
    ),
    Bug(
        "undone-twice",
        "an action that has ended is undone again with every later release",
        lambda: together(
            edited(actions, "lift_released", ("or action.phase in ENDED", "")),
            edited(
                actions,
                "lift",
                ("if action.phase in ENDED or action.phase is Phase.LIFTING:", "if action.phase is Phase.LIFTING:"),
                ("action.phase in ON_TARGET", "True"),
            ),
        ),
        needs=("releases",),
        unseen="A second quorum must release what has just been lifted, with nothing said in between",
    ),
    Bug(
        "apply-overtakes-undo",
        "a restriction is sent while another's undo is under way, and is undone by it",
        lambda: instead(leases, "being_freed", lambda state, action: False),
        needs=("releases",),
        unseen="Two alarms on one slot must fall into the milliseconds of an undo",
    ),
    Bug(
        "renewal-opens-a-second-action",
        "a second certificate for the same lever, subject and rung opens an action of its own",
        lambda: instead(actions, "_standing", lambda step, decision: None),
    ),
    Bug(
        "renews-what-has-run-out",
        "an action whose lease has run out is renewed: one key restricts twice",
        lambda: edited(actions, "_standing", (" and not leases.ended(step, one)", "")),
        unseen="A claim must come within the tick in which a lease runs out",
    ),
    Bug(
        "action-key-from-the-certificate",
        "the action key is made of the certificate: each subset of signers is another action",
        lambda: together(
            instead(actions, "action_key", _by_certificate),
            instead(actions, "_is_new", lambda state, lever, decision, claims: True),
        ),
    ),
    Bug(
        "spent-claims-open-again",
        "what an earlier restriction rested on opens another, once the first has ended",
        lambda: instead(actions, "_is_new", lambda state, lever, decision, claims: True),
    ),
    Bug(
        "lever-follows-the-level",
        "a lever is lifted as soon as no certificate carries it: whoever is pivotal can flap it",
        lambda: instead(actions, "decide_topics", _follows_the_level),
    ),
    Bug(
        "withdrawal-lifts",
        "a lever is lifted when the own word behind it is withdrawn",
        lambda: instead(actions, "decide_topics", _and_lifts_what_is_withdrawn),
        needs=("people",),
    ),
    Bug(
        "blind-and-acts",
        "a node that hears fewer than Q groups acts on the network's word as ever",
        lambda: instead(State, "blind", lambda self: False),
    ),
    Bug(
        "waits-for-a-target-that-waits-for-it",
        "a restriction that the node must end is only read back, as if the target ended it",
        lambda: edited(
            stepping,
            "_expire",
            ("ends in (ExpiresBy.NODE, ExpiresBy.GUARD) or leases.inherited(step.state, action)", "False"),
        ),
    ),
    Bug(
        "failed-undo-is-done",
        "an undo that was not answered is taken for done",
        lambda: edited(
            stepping,
            "lever_stepped",
            ("if outcome.ok:", 'if outcome.ok or event.step == "undo":'),
        ),
        needs=("lever_fails", "releases"),
        unseen="Levers fail until the heal only, and leases end after it: their moods should outlast it",
    ),
    Bug(
        "a-lift-is-never-looked-at-again",
        "what was lifted is forgotten once it was read back: a reorganisation leaves it restricted for good",
        lambda: instead(watching, "due_again", lambda step, action: None),
        needs=("releases",),
    ),
    Bug(
        "apply-without-reading-back",
        "a restriction is called effective when it was sent, whatever the target says",
        lambda: edited(
            stepping,
            "lever_stepped",
            ("if outcome.ok:", 'if outcome.ok or event.step in ("apply", "read_back"):'),
        ),
        needs=("lever_fails",),
    ),
    Bug(
        "fresh-restart-forgets-what-runs",
        "after a restart nobody takes up what was under way",
        lambda: edited(
            stepping,
            "actions_due",
            (
                "if action.phase in ENDED:",
                "if action.phase in ENDED or action.opened_ms + step.at.mono_ms < "
                "step.now_ms + step.state.started_mono_ms:",
            ),
        ),
    ),
)


def _and_lifts_what_is_withdrawn(step: Any, *subjects: Any) -> None:
    _DECIDE(step, *subjects)
    state = step.state
    for action in list(state.actions.values()):
        mine = state.opinions.get((action.subject, action.threat), {}).get(state.me)
        if action.phase not in ENDED and mine is not None and not mine.body.level:
            actions.lift(step, action, "our own word was withdrawn")
