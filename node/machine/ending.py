"""What ends a restriction on people's word: a lift of an own lever, a release. Where the policy wants two people, the
first word is kept and another person's carries it out, whichever door either came by. A lease ends without anybody."""

from __future__ import annotations

from node.effects import Reply
from node.events import ActionCommand, OperatorAsked, ReleaseTopic
from node.machine import actions, alarms
from node.machine.action import ENDED
from node.machine.persons import first_word
from node.machine.state import State
from node.machine.step import Step
from node.records import EndingAsked, EndingClosed, OperatorDid, Wish
from protocol.ids import ActionKey
from protocol.limits import CLAIMS_MAX
from protocol.messages import Claim, Release
from protocol.release import ClaimName, Topic

ASKED_MAX = 256
"""Words that wait for a second person, of all kinds."""
DONE, TAKEN_BACK, EXPIRED = "done", "taken back", "expired"
PERSON_CHARS_MAX = 64
Ask = ReleaseTopic | ActionCommand


def ending_asked(step: Step, event: OperatorAsked, command: Ask) -> None:
    """Answers it: done, asked and waiting, or why not."""
    state = step.state
    first = first_word(state, _wish(command), step.now_ms)
    fault = _fault(step, command)
    if command.back:
        _take_back(step, event, first)
    elif fault:
        step.do(Reply(event.ticket, False, fault))
    elif state.setup.policy.ending.need < 2:
        _carry_out(step, event, _word(step, command, event.person), event.person)
    else:
        _by_two(step, event, command, first)


def _who_asks(state: State, event: OperatorAsked) -> str:
    """A name that stands for one person: the token's, or whose the policy says the control socket is; "" for nobody.
    The name that a command on the socket bears is anybody's to write."""
    return (event.person if event.proven else state.setup.policy.ending.socket)[:PERSON_CHARS_MAX]


def _same_person(one: str, other: str) -> bool:
    """Two tokens of one person, two doors, two spellings are one."""
    return one.casefold() == other.casefold()


def _by_two(step: Step, event: OperatorAsked, command: Ask, first: EndingAsked | None) -> None:
    state, person = step.state, _who_asks(step.state, event)
    fault = ""
    if not person:
        fault = (
            "this policy wants two people (release.need = 2), and the control socket is nobody's: use your own token "
            'over the console, or have the policy say whose it is: release = { need = 2, socket = "NAME" }'
        )
    elif first is not None and _same_person(first.person, person):
        fault = (
            f"{first.person} asked for it at {clock(first.at_ms)} already; now another person must, "
            f"until {clock(first.until_ms)}"
        )
    elif first is not None and isinstance(command, ReleaseTopic) and 0 < command.through_ms < first.through_ms:
        fault = (
            f"{first.person} asked to release through {clock(first.through_ms)}, which is later; leave the moment out "
            "to say the same, or take it back and ask anew"
        )
    elif first is None and len(state.asked) >= ASKED_MAX:
        fault = f"{ASKED_MAX} other words wait for a second person; take some back"
    if fault:
        step.do(Reply(event.ticket, False, fault))
    elif first is None:
        _ask(step, event, _word(step, command, person))
    else:
        _carry_out(step, event, first, person)


def _fault(step: Step, command: Ask) -> str:
    state = step.state
    if isinstance(command, ReleaseTopic):
        fault = state.may_sign()
        if fault:
            return f"this node must not sign: {fault}"
        if command.through_ms > step.now_ms:
            return "a release dated in the future would blind the network to what comes until then"
        return ""
    action = state.actions.get(command.key)
    if action is None:
        return "no action of this key"
    return f"it has ended already ({action.phase.value})" if action.phase in ENDED else ""


def _wish(command: Ask) -> Wish:
    return (command.subject, command.threat) if isinstance(command, ReleaseTopic) else command.key


def _word(step: Step, command: Ask, person: str) -> EndingAsked:
    """What would be carried out, as of now: who says the same later says this and no more."""
    state = step.state
    until_ms = step.now_ms + state.setup.policy.ending.within_ms
    if isinstance(command, ReleaseTopic):
        topic = (command.subject, command.threat)
        through_ms, claims = command.through_ms or step.now_ms, _claims_to_release(state, topic)
        return EndingAsked(b"", *topic, person, until_ms, through_ms, claims, step.now_ms)
    action = state.actions[command.key]
    return EndingAsked(action.key, action.subject, action.threat, person, until_ms, 0, (), step.now_ms)


def _ask(step: Step, event: OperatorAsked, word: EndingAsked) -> None:
    step.record(word)
    until = clock(word.until_ms)
    step.tell(
        word.subject, word.threat, f"{word.person} asks to {_deed(step, word)}: needs a second person until {until}"
    )
    says = f"asked; it needs a second person until {until}"
    step.do(Reply(event.ticket, True, says, waits_until_ms=word.until_ms))


def _carry_out(step: Step, event: OperatorAsked, word: EndingAsked, person: str) -> None:
    state = step.state
    second = "" if _same_person(word.person, person) else person
    if word.wish in state.asked:
        step.record(_closed(step, word, DONE, person))
    if word.key:
        whose = f"{word.person} and {second}, two people's" if second else f"{word.person}, the owner's own"
        actions.lift(step, state.actions[ActionKey(word.key)], f"lifted by {whose} word")
    else:
        _say_release(step, word)
    step.record(OperatorDid(event.person[:PERSON_CHARS_MAX], type(event.command).__name__, step.now_ms))
    step.do(Reply(event.ticket, True, f"done, with {word.person}" if second else "done"))


def _say_release(step: Step, word: EndingAsked) -> None:
    """Counts with Q of them; frees nobody's lever alone."""
    topic = (word.subject, word.threat)
    step.say(Release(step.state.epoch.hash, *topic, word.through_ms, word.claims))
    alarms.release_arrived(step, topic)


def _take_back(step: Step, event: OperatorAsked, first: EndingAsked | None) -> None:
    """By the asker or by anybody else who may release: what stands goes on standing."""
    if first is None:
        step.do(Reply(event.ticket, False, "nobody's word waits for a second person here"))
        return
    person = _who_asks(step.state, event) or event.person[:PERSON_CHARS_MAX]
    step.record(_closed(step, first, TAKEN_BACK, person))
    step.tell(first.subject, first.threat, f"{person} took back what {first.person} asked: to {_deed(step, first)}")
    step.do(Reply(event.ticket, True, f"taken back: what {first.person} asked at {clock(first.at_ms)}"))


def expire_due(step: Step) -> None:
    """On a tick: what nobody seconded in time is asked no more."""
    for word in [one for one in step.state.asked.values() if one.until_ms <= step.now_ms]:
        step.record(_closed(step, word, EXPIRED, ""))
        told = f"nobody seconded {word.person} in time: to {_deed(step, word)}"
        step.tell(word.subject, word.threat, told)


def _closed(step: Step, word: EndingAsked, how: str, person: str) -> EndingClosed:
    return EndingClosed(word.key, word.subject, word.threat, how, person[:PERSON_CHARS_MAX], step.now_ms)


def _deed(step: Step, word: EndingAsked) -> str:
    action = step.state.actions.get(ActionKey(word.key))
    if action is None:
        return f"say that it is over on {word.subject}"
    return f"lift {action.lever} ({action.key.hex()[:12]}) on {word.subject}"


def clock(at_ms: int) -> str:
    minutes = at_ms // 60_000
    return f"{minutes // 60 % 24:02}:{minutes % 60:02} UTC"


def _claims_to_release(state: State, topic: Topic) -> tuple[Claim, ...]:
    """What our own check supports first, then what most say: a liar's claims crowd none of these out."""
    names: dict[ClaimName, Claim] = {}
    told: dict[ClaimName, int] = {}
    supported: set[ClaimName] = set()
    for _, held in sorted(state.opinions.get(topic, {}).items()):
        for claim in held.body.claims:
            name = (claim.type, claim.id)
            names.setdefault(name, claim)
            told[name] = told.get(name, 0) + 1
            ruled = state.ruled.get(claim)
            if ruled is not None and ruled.judgement.supports(*topic):
                supported.add(name)
    ranked = sorted(names, key=lambda name: (name not in supported, -told[name], name))
    return tuple(sorted(names[name] for name in ranked[:CLAIMS_MAX]))
