"""decide(state, event) → records + effects. Pure: time and keys are inputs, the state has one owner.

`handle` is the live path; `recover` replays records through the same `evolve` and then asks what must go on.
"""

from __future__ import annotations

from collections.abc import Iterable

from node.effects import Tell
from node.events import (
    ClaimJudged,
    Clock,
    Event,
    ExposuresRead,
    FrameArrived,
    LeverStepped,
    LookedUp,
    ObserversListed,
    OperatorAsked,
    PeerCameUp,
    PeerWentDown,
    SensorReported,
    Ticked,
)
from node.machine import (
    actions,
    alarms,
    asking,
    claims,
    ending,
    expiry,
    governing,
    heads,
    observers,
    past,
    rerunning,
    stepping,
    views,
)
from node.machine.action import ENDED
from node.machine.evolve import evolve
from node.machine.incoming import frame_arrived, looked_up
from node.machine.operators import operator_asked
from node.machine.state import Setup, State
from node.machine.step import Decision, Step
from node.records import Record
from protocol.frames import Entries
from protocol.limits import HEARTBEAT_MS
from protocol.messages import Heartbeat, Manifest

SETTLING_MS = 5_000
"""After a start the first connections are still being made: no reason to call anybody."""


HEARTBEAT_AGAIN_MS = 5_000
PROOFS_SHOWN_MAX = 64
DECIDE_AGAIN_MS = 500
"""What changed is decided at once; only holds that run out and readings that age wait for this."""


class Machine:
    """One node's mind. Not thread-safe; one task owns it."""

    def __init__(self, setup: Setup) -> None:
        self.state = State(setup)

    def recover(self, records: Iterable[Record]) -> None:
        """The past as it was written. Nothing is decided anew."""
        for record in records:
            evolve(self.state, record)

    def start(self, at: Clock, keysets: Iterable[bytes]) -> Decision:
        """Once, after `recover`: learns the charter's KeySets and takes up what was under way."""
        step = Step(self.state, at)
        self.state.started_mono_ms = at.mono_ms
        self.state.brought = tuple(keysets)
        governing.learn_brought(step)
        heads.judge_readiness(step)
        self._first_words(step)
        alarms.review_all(step)
        governing.begin(step)
        governing.due(step)
        for action in sorted(self.state.actions.values(), key=lambda one: one.key):
            if action.phase not in ENDED:
                stepping.run_next(step, action)
        return step.done()

    def handle(self, event: Event, at: Clock) -> Decision:
        step = Step(self.state, at)
        heads.note_sleep(self.state, at.mono_ms)
        if isinstance(event, FrameArrived):
            frame_arrived(step, event)
        elif isinstance(event, Ticked):
            self._tick(step)
        elif isinstance(event, ClaimJudged):
            rerunning.claim_judged(step, event.claim, event.judgement)
        elif isinstance(event, SensorReported):
            alarms.observed(step, event.observation)
        elif isinstance(event, LeverStepped):
            stepping.lever_stepped(step, event)
        elif isinstance(event, ExposuresRead):
            for reading in event.readings:
                self.state.exposures[reading.name] = reading
            actions.decide_topics(step)
        elif isinstance(event, PeerCameUp):
            heads.peer_came_up(step, event.peer_id)
            observers.came_up(step, event.peer_id)
            _show_proofs(step, event.peer_id)
            governing.ask_epochs(step, self.state.links[event.peer_id])
            self._heartbeat_soon(at)
        elif isinstance(event, PeerWentDown):
            gone = self.state.links.pop(event.peer_id, None)
            for digest in gone.pushed if gone is not None else ():
                self.state.pushed_blobs.pop(digest, None)
            self.state.budgets.forget(event.peer_id)
            asking.peer_went(self.state, event.peer_id, at.mono_ms)
        elif isinstance(event, LookedUp):
            looked_up(step, event)
        elif isinstance(event, ObserversListed):
            observers.listed(step, event.observers)
        elif isinstance(event, OperatorAsked):
            operator_asked(step, event)
        return step.done()

    def _first_words(self, step: Step) -> None:
        """What we run, and that we are here: as soon as we may speak, and under each new key: who meets us later takes
        no Manifest of an older one."""
        state = step.state
        if state.may_sign() or state.said_manifest:
            return
        wanted = frozenset(state.setup.manifest)
        under = state.manifest_versions.get(state.me) == state.setup.key_version
        if (under and state.manifests.get(state.me) == wanted) or step.say(Manifest(tuple(sorted(wanted)))) is not None:
            state.said_manifest = True

    def _heartbeat_soon(self, at: Clock) -> None:
        """Who has just come up learns our clock soon; no more than one Heartbeat in five seconds is said for it."""
        state = self.state
        soon_ms = max(at.mono_ms + 500, state.heartbeat_said_ms + HEARTBEAT_AGAIN_MS)
        state.heartbeat_at_ms = min(state.heartbeat_at_ms, soon_ms)

    def _tick(self, step: Step) -> None:
        state = step.state
        heads.judge_readiness(step)
        self._first_words(step)
        if not state.may_sign() and step.at.mono_ms >= state.heartbeat_at_ms:
            state.heartbeat_at_ms = step.at.mono_ms + HEARTBEAT_MS
            state.heartbeat_said_ms = step.at.mono_ms
            step.say(Heartbeat(state.epoch.hash))
        governing.due(step)
        sound = state.clock_is_sound()
        if sound and not state.clock_was_sound:  # what it took for past or to come while it was off is looked at now
            alarms.review_all(step)
        state.clock_was_sound = sound
        alive = views.any_running(state, step.now_ms)
        alarms.show_due(step)
        alarms.push_due(step)
        alarms.review_due(step)
        asking.ask_due(step)
        claims.ask_missing(step)
        claims.retry_undecided(step)
        alarms.retry_answers(step)
        alarms.forget_expired(step)
        heads.heads_due(step, alive)
        observers.tell_due(step)
        past.tell_due(step)
        stepping.actions_due(step)
        ending.expire_due(step)
        if step.at.mono_ms >= state.decide_at_ms and (alive or state.opinions or state.ruled or state.exposures):
            state.decide_at_ms = step.at.mono_ms + DECIDE_AGAIN_MS
            actions.decide_topics(step)
        _say_margin(step)
        expiry.tell_due(step)


def _show_proofs(step: Step, peer_id: str) -> None:
    """To a member that comes up: who was away when a fork was proven cannot see it in heads, for of two entries of one
    seq everybody shows the same, and a range asked for ends at it."""
    state = step.state
    if state.links[peer_id].member is None:
        return
    for _, pair in sorted(state.equivocations.items())[:PROOFS_SHOWN_MAX]:
        step.send(peer_id, Entries(pair), sync=True)


def _say_margin(step: Step) -> None:
    """Every node says when few more silences would make it blind, and when it is."""
    state = step.state
    if step.at.mono_ms - state.started_mono_ms < SETTLING_MS:
        return
    word = views.margin_word(state)
    if word == state.margin_said:
        return
    state.margin_said = word
    up = {*state.up_members(), state.me}
    silent = ", ".join(sorted(one.name for one in state.epoch.members if one.name not in up))
    heard = f"hears {state.heard_groups()} of {state.epoch.n} groups, needs {state.epoch.q}"
    heard += f"; silent: {silent}" if silent else ""
    says = {
        "blind": f"blind: {heard}; until more are heard only own evidence and GUARD move levers",
        "thin": f"thin: {heard}",
        "": f"well again: {heard}",
    }
    step.do(Tell(says[word]))
