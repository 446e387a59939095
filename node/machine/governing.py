"""How members decide: statements go to the ledger, votes to the rounds, a certificate makes the next epoch.

Hot keys order, only cold keys decide; what is decided is proven by its certificate, whoever brings it.
"""

from __future__ import annotations

from collections.abc import Iterable

from governance.epochs import check, pack_epoch_certificate, parse_epoch_certificate
from governance.heard import AHEAD_ROUNDS
from governance.lock import pack_lock
from governance.ordering import Decided, Output, Say
from governance.values import parse_value
from node.effects import Broadcast, Tell
from node.machine import alarms, deciding, heads, views
from node.machine.links import Link
from node.machine.state import State
from node.machine.statements import keyset_arrived
from node.machine.step import Step
from node.records import EpochCertified, EpochEntered, VoteLocked
from protocol.envelope import keyset_owner
from protocol.errors import Code, ProtocolError
from protocol.frames import EpochCertificates, WantEpochs, pack_frame
from protocol.ids import EpochHash
from protocol.limits import SKEW_AHEAD_MS_MAX
from protocol.messages import Level

ASK_EPOCHS_AGAIN_MS = 1_000
EPOCHS_SERVED_MAX = 64
"""To one want; who lacks more asks again from where they end."""
PAST_PATIENCE_MS = 30_000
SETTLES_MAX = 64
"""Words of our own that one step of the rounds may bring about; what is left is for the next tick."""


def begin(step: Step) -> None:
    """At a start, after the past was replayed."""
    step.state.restricted = _restricted(step.state, step.now_ms)
    deciding.take_votes_again(step.state, -1)
    _perform(step, step.state.rounds.start(step.at.mono_ms))


def learn_brought(step: Step) -> None:
    """What the owner put beside the store, of whoever has a seat by now. A governance key may move: what was sealed by
    another than the one in force is passed over, for it is of an epoch before or after this one."""
    for raw in step.state.brought:
        if keyset_owner(raw) in step.state.epoch.by_name:
            try:
                keyset_arrived(step, "", raw)
            except ProtocolError as error:
                if error.code is not Code.BAD_SIGNATURE:
                    raise


def due(step: Step) -> None:
    """On a tick, and whenever something came that the rounds wait for."""
    state = step.state
    enter_due(step)
    if not state.rounds.started or state.certified is not None:
        return
    if state.rounds.decided is not None:
        _certify(step, state.rounds.decided)
        if state.certified is not None:
            return
    if state.ledger.held or state.ledger.proofs or state.rounds.awake or state.rounds.log.rounds:
        state.restricted = _restricted(state, step.now_ms)
        _perform(step, _ticked(step))


def _perform(step: Step, outputs: list[Output]) -> None:
    """What the rounds say is said with what it binds us to, and heard by ourselves, until nothing follows from it."""
    for _ in range(SETTLES_MAX):
        for one in outputs:
            if isinstance(one, Decided):
                _certify(step, one)
            else:
                _say(step, one)
        if not outputs or step.state.certified is not None:
            return
        outputs = _ticked(step)


def _ticked(step: Step) -> list[Output]:
    """Where a round begins, what was said of rounds that were too far ahead of the one before is heard now."""
    rounds, outputs = step.state.rounds, []
    for _ in range(SETTLES_MAX):
        before = rounds.round
        outputs += rounds.tick(step.at.mono_ms)
        if rounds.round == before:
            break
        deciding.take_votes_again(step.state, before + AHEAD_ROUNDS)
    return outputs


def _say(step: Step, one: Say) -> None:
    """While we must not speak nothing is recorded: what was to be said is said again by and by."""
    if step.state.may_sign() or not _past_is_back(step):
        return
    step.record(VoteLocked(pack_lock(one.lock)))
    step.say(one.body)


def _past_is_back(step: Step) -> bool:
    """What we said under keys before this one may be lost here with a store, and binds us: a vote waits until a quorum,
    ourselves among it, has nothing of that which is not here. Who had the key can make that impossible, and still does
    not take our vote for good."""
    state = step.state
    waited_ms = step.at.mono_ms - state.started_mono_ms
    if state.past_back or state.setup.key_version == 0 or waited_ms >= PAST_PATIENCE_MS:
        return True
    shown = {member for link in state.links.values() if link.past_seen for member in link.members}
    groups = {state.epoch.group_of(one) for one in (state.me, *shown) if one in state.epoch.by_name}
    state.past_back = len(groups) >= state.epoch.q
    return state.past_back


def _certify(step: Step, decided: Decided) -> None:
    """Whole only where every proposal, ballot and proof has come here; else another's certificate is as good."""
    state = step.state
    made = state.ledger.certificate(parse_value(decided.value), decided.commits, state.keyset)
    try:
        if made is None:
            return
        check(made, state.epoch)
    except ProtocolError:  # a KeySet was replaced since its holder said what stands in it
        return
    _certified(step, pack_epoch_certificate(made))


def _certified(step: Step, raw: bytes) -> None:
    step.record(EpochCertified(raw, step.now_ms))
    step.do(Broadcast(pack_frame(EpochCertificates((raw,)))))
    enter_due(step)


def enter_due(step: Step) -> None:
    """At once: a quorum found that its time has come, whatever a clock that lags says here. Were it waited for, this
    node would count for a while what the others no longer say."""
    state = step.state
    if state.certified is None:
        return
    before = state.epoch
    step.record(EpochEntered(before.number + 1, step.now_ms))
    step.do(Tell(_says(before.by_name.keys(), state)))
    learn_brought(step)
    for peer_id, link in sorted(state.links.items()):
        if link.member is not None:  # who has KeySets of who joined, and sees that we lack them, sends them
            step.send(peer_id, heads.our_hello(state), sync=True)
    state.heartbeat_at_ms = state.heads_at_ms = 0
    alarms.review_all(step)
    alarms.review_due(step)  # fewer groups may need fewer words, which are all here
    begin(step)


def _says(before: Iterable[str], state: State) -> str:
    names = {one.name for one in state.epoch.members}
    joined, left = sorted(names - set(before)), sorted(set(before) - names)
    words = [f"epoch {state.epoch.number} is in force: {state.epoch.n} groups, {state.epoch.q} are a quorum"]
    words += [f"{', '.join(joined)} joined"] if joined else []
    words += [f"{', '.join(left)} left"] if left else []
    suspended = sorted(one.name for one in state.epoch.members if one.suspended)
    words += [f"suspended: {', '.join(suspended)}"] if suspended else []
    return "; ".join(words)


def _restricted(state: State, now_ms: int) -> bool:
    """What loosens waits while one stands (PROTOCOL 5)."""
    for held in state.certificates.values():
        if held.certificate.level < Level.ISOLATE or not views.stands(state, held, now_ms):
            continue
        runs = {member for member, subjects in state.manifests.items() if held.certificate.subject in subjects}
        groups = {state.epoch.group_of(member) for member in runs if member in state.epoch.by_name}
        if len(groups) > state.epoch.f:
            return True
    return False


# --- staying on one chain


def ask_epochs(step: Step, link: Link) -> None:
    """Somebody speaks of an epoch that we do not know, or has just come up."""
    if link.member is not None and step.at.mono_ms >= link.epochs_asked_ms + ASK_EPOCHS_AGAIN_MS:
        link.epochs_asked_ms = step.at.mono_ms
        step.send(link.peer_id, WantEpochs(step.state.epoch.hash), sync=True)


def heard_of(step: Step, link: Link | None, named: EpochHash) -> None:
    if link is not None and step.state.epoch_of(named) is None:
        ask_epochs(step, link)


def serve_epochs(step: Step, link: Link, after: EpochHash) -> None:
    state = step.state
    parents = [parent for parent, _ in state.chain]
    if after not in parents:
        if after != state.epoch.hash:
            ask_epochs(step, link)
        return
    for _, raw in state.chain[parents.index(after) :][:EPOCHS_SERVED_MAX]:
        if not link.serving.take(1, step.at.mono_ms):
            raise ProtocolError(Code.OVER_BUDGET, "the peer asks for more epochs than its share")
        step.send(link.peer_id, EpochCertificates((raw,)), sync=True)


def certificates_arrived(step: Step, link: Link, raws: tuple[bytes, ...]) -> None:
    """Each against the epoch that is in force here when its turn comes. ProtocolError for what proves nothing."""
    for raw in raws:
        _certificate_arrived(step, link, raw)


def _certificate_arrived(step: Step, link: Link, raw: bytes) -> None:
    state = step.state
    certificate = parse_epoch_certificate(raw)
    value = parse_value(certificate.value)
    if state.certified is not None or value.parent != state.epoch.hash:
        if value.number > state.epoch.number + 1:
            ask_epochs(step, link)
        return
    cost = len(certificate.ballots) + len(certificate.commits) + len(certificate.keysets)
    if not state.budgets.connection_may(link.peer_id, step.at.mono_ms, cost):
        raise ProtocolError(Code.OVER_BUDGET, "the connection carries more epoch certificates than its budget")
    if value.activates_ms > step.now_ms + SKEW_AHEAD_MS_MAX:
        raise ProtocolError(Code.FROM_THE_FUTURE, "the epoch begins ahead of now")
    check(certificate, state.epoch)
    _certified(step, raw)
