"""What a rule may do to a shell and read of it, and the simulator's model behind that. A node's own is `real_shell`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from adapters.api import ExpiresBy, Outcome
from adapters.policy import Mode
from node.effects import Effect, Reply, RunStep, Tell, VerifyClaim
from node.events import ClaimJudged, Clock, Event, FrameArrived, LeverStepped, PeerCameUp
from node.machine import Decision, Machine, Setup
from node.machine.step import Step
from node.mark import Mark
from node.records import EntryAccepted, Record, SigningStopped
from protocol.envelope import parse_entry
from protocol.evidence import refuted
from protocol.frames import Entries, Frame, pack_frame, parse_frame
from protocol.ids import MemberName
from protocol.messages import Notice, Tlp
from tests.sim import cast
from tests.sim.disk import Disk, DiskError
from tests.sim.ports import Ports
from tests.sim.scheduler import Scheduler
from tests.sim.shell import Process

ME = MemberName("m0")
OTHERS = ("m1", "m2", "m3")
SEATS = cast.seats_of(4, False, 0)
EPOCH = cast.epoch_of(SEATS, 0, 1, frozenset())
KEYSETS = [cast.keyset(seat.name) for seat in SEATS]
SETUP = Setup(
    member=ME,
    epoch=EPOCH,
    signer=cast.hot(ME),
    key_version=0,
    policy=cast.policy_of(Mode.ACT, cast.HOUR_MS, False, ExpiresBy.TARGET),
    instances=cast.INSTANCE,
    declarations=cast.declarations(ExpiresBy.TARGET),
    own_sources=SEATS[0].eyes,
    manifest=tuple(sorted(cast.SUBJECTS)),
    fresh=True,
)
TICK_MS = 100
QUIET = ("Hello", "Heads", "Shown", "KeySets")
"""What goes to and fro all the time and is nobody's word."""


class DiedHere(Exception):
    """The process ends at this step; nothing after it happens."""


class NotedMachine(Machine):
    """A real machine that notes what it was asked; `words`: so many Notices for each operator's question."""

    words = 0
    handled: list[str]

    def handle(self, event: Event, at: Clock) -> Decision:
        self.handled = [*getattr(self, "handled", []), type(event).__name__]
        if not self.words or type(event).__name__ != "OperatorAsked":
            return super().handle(event, at)
        step = Step(self.state, at)
        for number in range(self.words):
            step.say(Notice(f"word {number}", Tlp.GREEN))
        return step.done()


class Shell:
    """What a rule may do to a shell and read of it. `fails`: "", mark, store, full, said_no; `dies_at`: as the model's
    DEATHS; both hold for the next commit with own words. `slow_ms`: what one write takes."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.told: list[str] = []
        self.says: list[str] = []
        self.fails = self.dies_at = ""
        self.slow_ms = 0
        self.peers: tuple[str, ...] = OTHERS

    # done to it
    async def start(self) -> None: ...
    async def run(self, ms: int) -> None: ...
    async def push(self, *events: Event) -> None: ...
    async def hear(self, peer: str, frame: Frame, sync: bool = False) -> None: ...
    async def kill(self) -> None: ...
    def lose_mark(self) -> None: ...
    def lose_store(self) -> None: ...
    def copy_store(self) -> None: ...
    def put_back_store(self) -> None: ...

    # read of it
    machine: NotedMachine
    alive = False

    def mark(self) -> Mark | None: ...
    def records(self) -> list[Record]: ...

    def own(self) -> list[bytes]:
        """Own entries that are durable, as they were written down."""
        return [one.raw for one in self.records() if isinstance(one, EntryAccepted) and one.own]

    def stops(self) -> int:
        return sum(isinstance(one, SigningStopped) for one in self.records())

    def seqs(self) -> list[int]:
        return [parse_entry(raw, cast.NETWORK).entry.seq for raw in self.own()]

    def head(self) -> int:
        return max(self.seqs(), default=-1)

    def marked(self) -> int:
        found = self.mark()
        return found.seq if found is not None else -2

    def silent(self) -> bool:
        return self.alive and bool(self.machine.state.may_sign())

    # noted of it
    def left(self, to: str, raw: bytes) -> None:
        frame = parse_frame(raw)
        kind = type(frame).__name__
        if isinstance(frame, Entries):
            kind = " ".join(["Entries", *(str(parse_entry(one, cast.NETWORK).entry.seq) for one in frame.raws)])
        if kind not in QUIET:
            self.log.append(f"{to}: {kind}")

    def wrote_mark(self, written: Mark) -> None:
        self.log.append(f"mark {written.seq}")

    def wrote_store(self, records: Sequence[Record]) -> None:
        own = [parse_entry(one.raw, cast.NETWORK).entry.seq for one in records
               if isinstance(one, EntryAccepted) and one.own]  # fmt: skip
        if own:
            self.log.append(f"store {own[0]}..{own[-1]}" if len(own) > 1 else f"store {own[0]}")
        elif records:
            self.log.append("store " + " ".join(sorted({type(one).__name__ for one in records})))


class NotedDisk(Disk):
    shell: ModelShell

    def write_mark(self, mark: Mark) -> None:
        if self.shell.fails == "mark":
            raise DiskError("no")
        super().write_mark(mark)
        self.shell.wrote_mark(mark)

    def commit(self, records: Sequence[Record]) -> None:
        own = any(isinstance(one, EntryAccepted) and one.own for one in records)
        if self.shell.fails == "store" and own:
            raise DiskError("no")
        super().commit(records)
        self.shell.wrote_store(records)
        if self.shell.fails == "said_no" and own:
            raise DiskError("it was written and said that it was not")


class ModelShell(Shell, Ports):
    """tests/sim/shell.Process, alone among peers that say what the rule has them say."""

    def __init__(self) -> None:
        super().__init__()
        self.time = Scheduler(1)
        self.process = Process(self.time, self, SETUP, lambda: KEYSETS)
        self.process.tick_ms = TICK_MS
        self._fresh_disk()
        self.copied = 0

    def _fresh_disk(self) -> None:
        before = self.process.disk.mark
        self.process.disk = NotedDisk(cast.NETWORK, before)
        self.process.disk.shell = self

    @property
    def machine(self) -> NotedMachine:  # type: ignore[override]
        self.process.machine.__class__ = NotedMachine
        return self.process.machine  # type: ignore[return-value]

    @property
    def alive(self) -> bool:  # type: ignore[override]
        return self.process.up

    async def start(self) -> None:
        self._arm()
        self.process.start()
        assert self.machine
        for peer in self.peers if self.process.up else ():
            self.time.after(1, self.process.push, PeerCameUp(cast.peer_of(peer)))
        await self.run(10)

    def _arm(self) -> None:
        self.process.dies_at, self.process.disk.full = self.dies_at, self.fails == "full"
        self.process.sync_ms = self.slow_ms // 2

    async def run(self, ms: int) -> None:
        self._arm()
        self.time.run_until(self.time.now_ms + ms)
        self.dies_at = self.process.dies_at

    async def push(self, *events: Event) -> None:
        for event in events:
            self.process.push(event)

    async def hear(self, peer: str, frame: Frame, sync: bool = False) -> None:
        self.process.push(FrameArrived(cast.peer_of(peer), not sync, sync, pack_frame(frame)))

    async def kill(self) -> None:
        self.process.die("is killed")

    def lose_mark(self) -> None:
        self.process.disk.mark = None

    def lose_store(self) -> None:
        self._fresh_disk()

    def copy_store(self) -> None:
        self.copied = len(self.process.disk.rows)

    def put_back_store(self) -> None:
        self.process.disk.roll_back(self.copied)

    def mark(self) -> Mark | None:
        return self.process.disk.mark

    def records(self) -> list[Record]:
        return list(self.process.disk.rows)

    # what the process does to its world
    def send(self, name: str, peer_id: str, raw: bytes, sync: bool) -> None:
        self.left(cast.member_of(peer_id), raw)

    def broadcast(self, name: str, raw: bytes) -> None:
        self.left("all", raw)

    def gossip(self, name: str, raw: bytes) -> None:
        self.left("gossip", raw)

    def verify(self, process: Process, effect: VerifyClaim) -> None:
        self.log.append("look")
        self.time.after(5, process.push, ClaimJudged(effect.claim, refuted("untrue")))

    def lever(self, process: Process, effect: RunStep) -> None:
        process.push(LeverStepped(effect.key, effect.step, Outcome(False, "no lever here")))

    def tell(self, process: Process, effect: Effect) -> None:
        if isinstance(effect, Tell):
            self.told.append(effect.text)
        elif isinstance(effect, Reply):
            self.log.append(f"reply {effect.ticket}")
            self.says.append(effect.says)


Drive = Callable[[Shell], Awaitable[Any]]


def on_model(drive: Drive, path: Path) -> Any:
    """The model waits for nobody: its coroutines end at once."""
    try:
        drive(ModelShell()).__await__().__next__()
    except StopIteration as ended:
        return ended.value
    raise RuntimeError("a rule waited for something that is not the shell")
