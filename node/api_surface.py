"""What the routes need of a running node, and how they refuse."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import trio
from fastapi import Request

from node import inside, present
from node.api_stream import OWNER
from node.effects import Reply
from node.events import Command, Event, OperatorAsked, TakeKey
from node.insiders import Insiders, Thing
from node.loop import now
from node.machine.state import State
from node.machine.step import Step
from node.metrics.disk import Looks
from node.stream import Page, Streams
from node.watch import Watch
from protocol.release import Topic

ANSWER_S = 10.0


class Refused(Exception):
    """Answered as {"error": {code, what, do}}."""

    def __init__(self, status: int, code: str, what: str, do: str = "") -> None:
        super().__init__(what)
        self.status, self.code, self.what, self.do = status, code, what, do


@dataclass(frozen=True)
class Who:
    """`proven`: by a token of that person's."""

    person: str
    proven: bool


@dataclass
class Surface:
    """What the routes need of a running node."""

    state: State
    watch: Watch
    streams: Streams
    insiders: Insiders
    submit: Callable[[Event], Awaitable[None]]
    tickets: dict[int, trio.MemorySendChannel[Reply]]
    status: Callable[[], dict[str, Any]]
    backup: Callable[[str], Awaitable[dict[str, Any]]]
    next_key: Callable[[bytes], TakeKey]
    """Opens a KeySet of our own and finds the key that it delegates; Refused where they cannot be had."""
    export: Callable[[], dict[str, Any]]
    """The chain of epochs, for whoever verifies or joins."""
    stop: Callable[[], list[str]]
    """Begins the stop; says what stands."""
    looks: Looks
    page: Page
    """Reads the store and may block."""
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def step(self) -> Step:
        """A throw-away step to read with: nothing is recorded through it."""
        return Step(self.state, now())

    def still_reads(self, request: Request, things: Iterable[Thing]) -> None:
        reader = inside.reader_of(request.scope.get("asker", OWNER))
        self.insiders.knew(reader, things, now().wall_ms, times=0)

    async def saw(self, request: Request, things: Iterable[Thing]) -> None:
        """Who reads what is not for everybody is written down before the answer leaves."""
        reader = inside.reader_of(request.scope.get("asker", OWNER))
        await self.insiders.saw(reader, things, now().wall_ms)

    def topic(self, id_: str) -> Topic:
        topic = present.find_topic(self.state, id_) if len(id_) >= 6 else None
        if topic is None:
            raise Refused(
                404, "unknown-alert", f"no alert {id_[:64]!r}, or several begin so", "list them: tocsin alert list"
            )
        return topic

    def action(self, id_: str) -> Any:
        action = present.find_action(self.state, id_) if len(id_) >= 6 else None
        if action is None:
            raise Refused(
                404, "unknown-action", f"no action {id_[:64]!r}, or several begin so", "list them: tocsin action list"
            )
        return action

    async def command(self, who: Who, command: Command) -> dict[str, Any]:
        """`done` false: it waits for a second person, until `waits_until_ms`."""
        ticket = next(self.numbers)
        send, receive = trio.open_memory_channel[Reply](1)
        self.tickets[ticket] = send
        try:
            with trio.fail_after(ANSWER_S):
                await self.submit(OperatorAsked(ticket, who.person, command, who.proven))
                reply = await receive.receive()
        except trio.TooSlowError:
            raise Refused(503, "busy", "the node did not answer in time", "look at: tocsin status") from None
        finally:
            self.tickets.pop(ticket, None)
        if not reply.ok:
            raise Refused(409, "refused", reply.says)
        waits = {"waits_until_ms": reply.waits_until_ms} if reply.waits_until_ms else {}
        return {"ok": True, "done": not waits, "says": reply.says, **waits}
