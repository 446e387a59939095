"""A whole node, thrown frames at: nothing escapes, and whatever it then writes or says can be read again."""

from __future__ import annotations

from typing import Any

from adapters.api import Outcome
from node.effects import Broadcast, RunStep, Send, VerifyClaim
from node.events import ClaimJudged, Clock, Event, FrameArrived, LeverStepped, Ticked
from node.machine import Decision, Machine
from node.records import pack_record, unpack_record
from protocol.codec import decode
from protocol.errors import ProtocolError
from protocol.evidence import Judgement, Ruling, refuted, undecided
from protocol.frames import parse_frame
from protocol.messages import Level
from tests.fuzz import stage
from tests.fuzz.finding import expect
from tests.unit.machine import cast

FRAMES_MOST = 8
INPUT_BYTES_MOST = 64 * 1024
PEERS = (*(cast.peer_of(cast.member(at)) for at in (1, 2, 3)), "a stranger")
VERDICTS = (
    Judgement(Ruling.SUPPORTS, "it is so", cast.COIN, cast.THREAT, Level.ISOLATE, 10),
    refuted("it is not so"),
    undecided("the chain is down"),
)


def script_of(raw: bytes) -> tuple[bool, list[tuple[int, int, bytes]]]:
    """`[alarmed, [peer, how, frame], …]`; anything else is one frame of the first peer."""
    try:
        value = decode(raw, bytes_max=INPUT_BYTES_MOST)
    except ProtocolError:
        value = None
    if type(value) is list and len(value) >= 2 and type(value[0]) is bool and all(map(_is_step, value[1:])):
        return value[0], [(one[0], one[1], one[2]) for one in value[1 : 1 + FRAMES_MOST]]
    return False, [(0, 0, raw)]


def _is_step(value: Any) -> bool:
    if type(value) is not list or [type(one) for one in value] != [int, int, bytes]:
        return False
    return value[0] >= 0 and value[1] >= 0


class _Run:
    def __init__(self, alarmed: bool) -> None:
        self.state, self.now_ms = stage.node_before(alarmed)
        self.machine = Machine(self.state.setup)
        self.machine.state = self.state

    def handle(self, event: Event) -> Decision:
        decision = self.machine.handle(event, Clock(self.now_ms, self.now_ms - cast.START_MS + 1_000_000))
        for record in decision.records:
            expect(unpack_record(*pack_record(record)) == record, f"a {type(record).__name__} is not what was written")
        for effect in decision.effects:
            if isinstance(effect, Send | Broadcast):
                parse_frame(effect.raw)
        return decision

    def shell(self, decision: Decision, verdict: Judgement) -> None:
        """Verifiers and levers answer once."""
        for effect in decision.effects[:16]:
            if isinstance(effect, VerifyClaim):
                self.handle(ClaimJudged(effect.claim, verdict))
            elif isinstance(effect, RunStep):
                self.handle(
                    LeverStepped(effect.key, effect.step, Outcome(True, "done", until_ms=effect.order.until_ms))
                )


def machine(raw: bytes) -> None:
    alarmed, steps = script_of(raw)
    run = _Run(alarmed)
    try:
        for peer, how, frame in steps:
            event = FrameArrived(PEERS[peer % 4], how & 1 == 0, how & 1 == 1, frame)
            run.shell(run.handle(event), VERDICTS[(how >> 1) % 3])
            if how & 8:
                run.now_ms += 600
                run.shell(run.handle(Ticked()), VERDICTS[0])
    except ProtocolError as error:
        expect(False, f"a refusal escaped from the machine: {error}")
