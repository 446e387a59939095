"""HTTP and JSON under /v1 on the control socket (0600): who can open it is the node's owner.

Reads look at the state; commands go through the loop's inbox like everything else and answer when they are durable.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import trio
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from node import explaining, present, present_governance, present_keys
from node.api_errors import ERRORS, answer_alike
from node.api_stream import OWNER, Asker, EventStream, last_event_id
from node.effects import Reply
from node.events import ActionCommand, Command, Event, OperatorAsked, Publish, Raise, ReleaseTopic, TakeKey, Withdraw
from node.loop import now
from node.machine.state import State
from node.machine.step import Step
from node.stream import Streams
from node.watch import Watch
from protocol.errors import ProtocolError
from protocol.limits import ENTRY_BYTES_MAX
from protocol.messages import Level, threat_from_word
from protocol.release import Topic
from protocol.subjects import from_text

log = logging.getLogger("tocsin.api")
ANSWER_S = 10.0
PERSON_CHARS_MAX = 64


class Refused(Exception):
    """Answered as {"error": {code, what, do}}."""

    def __init__(self, status: int, code: str, what: str, do: str = "") -> None:
        super().__init__(what)
        self.status, self.code, self.what, self.do = status, code, what, do


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    person: Annotated[str, Field(min_length=1, max_length=PERSON_CHARS_MAX)] = "operator"


def who(request: Request, body: _Body) -> str:
    """Who a command is recorded under: on TCP whose token it is, and nobody else."""
    asker: Asker = request.scope.get("asker", OWNER)
    if asker.person and "person" in body.model_fields_set and body.person != asker.person:
        raise Refused(403, "another-person", f"this token is {asker.person}'s", "leave out person")
    return asker.person or body.person


class RaiseBody(_Body):
    subject: Annotated[str, Field(max_length=400)]
    threat: Annotated[str, Field(max_length=40)]
    level: Annotated[str, Field(max_length=10)]
    lease_s: Annotated[float, Field(ge=0, le=86_400)] = 0
    incident: Annotated[str, Field(max_length=64)] = ""


class ReleaseBody(_Body):
    through_ms: Annotated[int, Field(ge=0, le=1 << 53)] = 0


class StatementBody(_Body):
    sealed: Annotated[str, Field(min_length=2, max_length=2 * ENTRY_BYTES_MAX, pattern="^([0-9a-fA-F]{2})+$")]
    """Hexadecimal."""


class KeyBody(StatementBody):
    """The KeySet of this node's own next key, which lies beside the one in use."""


class BackupBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    path: Annotated[str, Field(min_length=1, max_length=4096)]


@dataclass
class Surface:
    """What the routes need of a running node."""

    state: State
    watch: Watch
    streams: Streams
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
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def step(self) -> Step:
        """A throw-away step to read with: nothing is recorded through it."""
        return Step(self.state, now())

    def topic(self, id_: str) -> Topic:
        topic = present.find_topic(self.state, id_) if len(id_) >= 6 else None
        if topic is None:
            raise Refused(404, "unknown-alert", f"no alert {id_[:64]!r}, or several", "list them: tocsin alert list")
        return topic

    def action(self, id_: str) -> Any:
        action = present.find_action(self.state, id_) if len(id_) >= 6 else None
        if action is None:
            raise Refused(404, "unknown-action", f"no action {id_[:64]!r}, or several", "list them: tocsin action list")
        return action

    async def command(self, person: str, command: Command) -> dict[str, Any]:
        ticket = next(self.numbers)
        send, receive = trio.open_memory_channel[Reply](1)
        self.tickets[ticket] = send
        try:
            with trio.fail_after(ANSWER_S):
                await self.submit(OperatorAsked(ticket, person, command))
                reply = await receive.receive()
        except trio.TooSlowError:
            raise Refused(503, "busy", "the node did not answer in time", "look at: tocsin status") from None
        finally:
            self.tickets.pop(ticket, None)
        if not reply.ok:
            raise Refused(409, "refused", reply.says)
        return {"ok": True, "says": reply.says}


def make_app(surface: Surface) -> FastAPI:
    where = "/v1/openapi.json"
    app = FastAPI(title="Tocsin node", version="1", docs_url=None, redoc_url=None, openapi_url=where, responses=ERRORS)
    answer_alike(app)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        body = {"error": {"code": error.code, "what": error.what, "do": error.do}}
        return JSONResponse(body, status_code=error.status)

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        what = f"a fault of the node itself ({type(error).__name__})"
        return JSONResponse({"error": {"code": "fault", "what": what, "do": "look at its log"}}, status_code=500)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:10])
        return JSONResponse({"error": {"code": "bad-request", "what": faults, "do": ""}}, status_code=422)

    _people_routes(app, surface)
    _read_routes(app, surface)
    _alert_routes(app, surface)
    _action_routes(app, surface)
    _governance_routes(app, surface)
    _house_routes(app, surface)
    described = app.openapi

    def with_tokens() -> dict[str, Any]:
        told = described()
        told.setdefault("components", {})["securitySchemes"] = {"person": {"type": "http", "scheme": "bearer"}}
        told["security"] = [{"person": []}]
        return told

    app.openapi = with_tokens  # type: ignore[method-assign]
    return app


def _people_routes(app: FastAPI, surface: Surface) -> None:
    @app.get("/v1/me")
    async def me(request: Request) -> dict[str, Any]:
        asker: Asker = request.scope.get("asker", OWNER)
        return {"person": asker.person, "role": asker.role}

    @app.post("/v1/sign-in")
    async def sign_in(request: Request) -> dict[str, Any]:
        """Spends a token that is good for one sign-in, and gives one for this life of the node."""
        asker: Asker = request.scope.get("asker", OWNER)
        token = await asker.sign_in() if asker.sign_in is not None else None
        if token is None:
            raise Refused(409, "spent", "this token is not one that is good for one sign-in", "use it as it is")
        return {"token": token, "person": asker.person, "role": asker.role}


def _read_routes(app: FastAPI, surface: Surface) -> None:
    @app.get("/v1/status")
    async def status() -> dict[str, Any]:
        return surface.status()

    @app.get("/v1/exposures")
    async def exposures() -> list[dict[str, Any]]:
        return present.exposures(surface.state, now().wall_ms)

    @app.get("/v1/feeds")
    async def feeds(links: bool = True) -> list[dict[str, Any]]:
        return present.feeds(surface.state, links)

    @app.get("/v1/events", response_model=None, responses={200: {"content": {"text/event-stream": {}}}})
    async def events(
        request: Request,
        after: Annotated[int, Query(ge=0)] = 0,
        wait_s: Annotated[float, Query(ge=0, le=60)] = 0,
    ) -> dict[str, Any] | Response:
        """Server-sent events where they are accepted, else what the ring holds after a number (a long poll)."""
        if "text/event-stream" in request.headers.get("accept", ""):
            after_id = last_event_id(request.headers.get("last-event-id", ""))
            if after_id == -1:
                raise Refused(422, "bad-event-id", "Last-Event-ID is an event's id of this stream", "leave it out")
            return EventStream(surface.streams, after_id)
        found = await surface.watch.after(after, wait_s)
        return {"events": found, "next": found[-1]["n"] if found else after}

    @app.get("/v1/explain/{id_}")
    async def explain(id_: str) -> dict[str, Any]:
        told = explaining.explain(surface.step(), id_) if len(id_) >= 6 else None
        if told is None:
            raise Refused(404, "unknown-id", f"no alert or action {id_[:64]!r}", "list them: tocsin alert list")
        return told

    @app.get("/v1/certificates/{digest}")
    async def certificate(digest: str) -> dict[str, Any]:
        for held in surface.state.certificates.values():
            if len(digest) >= 6 and held.digest.hex().startswith(digest.lower()):
                return {"digest": held.digest.hex(), "hex": held.raw.hex()}
        raise Refused(404, "unknown-certificate", f"no certificate {digest[:64]!r}", "list them: tocsin alert list")


def _alert_routes(app: FastAPI, surface: Surface) -> None:
    @app.get("/v1/alerts")
    async def alerts() -> list[dict[str, Any]]:
        step = surface.step()
        return [present.alert(step, topic) for topic in present.topics(surface.state)]

    @app.get("/v1/alerts/{id_}")
    async def alert(id_: str) -> dict[str, Any]:
        return present.alert(surface.step(), surface.topic(id_))

    @app.post("/v1/alerts")
    async def raise_alert(request: Request, body: RaiseBody) -> dict[str, Any]:
        try:
            subject = from_text(body.subject)
        except ProtocolError as error:
            raise Refused(422, "bad-subject", error.detail) from None
        threat = threat_from_word(body.threat)
        if threat is None:
            raise Refused(422, "bad-threat", f"no threat {body.threat!r}", "see: tocsin alert raise --help")
        level = Level.__members__.get(body.level.upper())
        if level is None or level is Level.NONE:
            raise Refused(422, "bad-level", f"no level {body.level!r}", "one of WATCH, GUARD, ISOLATE, HALT")
        command = Raise(subject, int(threat), level, int(body.lease_s * 1000), body.incident)
        done = await surface.command(who(request, body), command)
        return {**done, "id": present.alert_id((subject, int(threat)))}

    @app.post("/v1/alerts/{id_}/withdraw")
    async def withdraw(request: Request, id_: str, body: _Body) -> dict[str, Any]:
        return await surface.command(who(request, body), Withdraw(*surface.topic(id_)))

    @app.post("/v1/alerts/{id_}/release")
    async def release(request: Request, id_: str, body: ReleaseBody) -> dict[str, Any]:
        return await surface.command(who(request, body), ReleaseTopic(*surface.topic(id_), body.through_ms))


def _action_routes(app: FastAPI, surface: Surface) -> None:
    @app.get("/v1/actions")
    async def actions() -> list[dict[str, Any]]:
        held = surface.state.actions.values()
        return [present.action(one) for one in sorted(held, key=lambda one: (one.opened_ms, one.key))]

    @app.get("/v1/actions/{id_}")
    async def action(id_: str) -> dict[str, Any]:
        return present.action(surface.action(id_))

    @app.post("/v1/actions/{id_}/{verb}")
    async def act(request: Request, id_: str, verb: str, body: _Body) -> dict[str, Any]:
        if verb not in ("approve", "refuse", "lift"):
            raise Refused(404, "unknown-verb", f"an action cannot be asked to {verb[:32]!r}", "approve, refuse or lift")
        return await surface.command(who(request, body), ActionCommand(surface.action(id_).key, verb))


def _governance_routes(app: FastAPI, surface: Surface) -> None:
    @app.get("/v1/network")
    async def network() -> dict[str, Any]:
        return present_governance.network(surface.state, now().wall_ms)

    @app.get("/v1/network/export")
    async def export() -> dict[str, Any]:
        return surface.export()

    @app.get("/v1/proposals")
    async def proposals() -> list[dict[str, Any]]:
        return present_governance.proposals(surface.state, now().wall_ms)

    @app.get("/v1/proposals/{id_}")
    async def proposal(id_: str) -> dict[str, Any]:
        told = present_governance.find(surface.state, id_, now().wall_ms) if len(id_) >= 6 else None
        if told is None:
            raise Refused(
                404, "unknown-proposal", f"no proposal {id_[:64]!r}, or several", "list them: tocsin vote list"
            )
        return told


def _house_routes(app: FastAPI, surface: Surface) -> None:
    @app.post("/v1/backup")
    async def backup(body: BackupBody) -> dict[str, Any]:
        if not body.path.startswith("/") or "\0" in body.path:
            raise Refused(422, "bad-path", "a relative path would mean the node's own directory", "give a whole path")
        done = await surface.backup(body.path)
        if not done["ok"]:
            raise Refused(409, "refused", done["says"])
        return done

    @app.post("/v1/statements")
    async def publish(request: Request, body: StatementBody) -> dict[str, Any]:
        return await surface.command(who(request, body), Publish(bytes.fromhex(body.sealed)))

    @app.get("/v1/keys")
    async def keys() -> dict[str, Any]:
        return present_keys.keys(surface.state)

    @app.post("/v1/keys")
    async def take_key(request: Request, body: KeyBody) -> dict[str, Any]:
        """The old key's last word carries the new one, where it may still speak; then the new one takes its place."""
        taking = surface.next_key(bytes.fromhex(body.sealed))
        if not surface.state.may_sign():
            await surface.command(who(request, body), Publish(taking.sealed.raw))
        return await surface.command(who(request, body), taking)

    @app.post("/v1/stop")
    async def stop() -> dict[str, Any]:
        stands = surface.stop()
        return {"ok": True, "says": "stopping; restrictions stand until their lease ends", "stands": stands}
