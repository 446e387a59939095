"""HTTP and JSON under /v1 on the control socket (0600): who can open it is the node's owner.

Reads look at the state; commands go through the loop's inbox like everything else and answer when they are durable.
"""

from __future__ import annotations

import logging
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from node import explaining, inside, present, present_governance, present_keys
from node.api_errors import ERRORS, answer_alike
from node.api_pages import page_routes
from node.api_stream import OWNER, Asker, EventStream, last_event_id
from node.api_surface import Refused, Surface, Who
from node.api_taxii import taxii_routes
from node.events import (
    Acknowledge,
    ActionCommand,
    Extend,
    Publish,
    Raise,
    ReleaseTopic,
    Rerun,
    Withdraw,
)
from node.loop import now
from protocol.errors import ProtocolError
from protocol.limits import ENTRY_BYTES_MAX
from protocol.messages import Level, threat_from_word
from protocol.subjects import from_text

log = logging.getLogger("tocsin.api")
PERSON_CHARS_MAX = 64


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    person: Annotated[str, Field(min_length=1, max_length=PERSON_CHARS_MAX)] = "operator"


def who(request: Request, body: _Body) -> Who:
    """Who a command is recorded under: on TCP whose token it is, and nobody else; on the socket whoever is named."""
    asker: Asker = request.scope.get("asker", OWNER)
    if asker.person and "person" in body.model_fields_set and body.person != asker.person:
        raise Refused(403, "another-person", f"this token is {asker.person}'s", "leave out person")
    return Who(asker.person or body.person, bool(asker.person))


class RaiseBody(_Body):
    subject: Annotated[str, Field(max_length=400)]
    threat: Annotated[str, Field(max_length=40)]
    level: Annotated[str, Field(max_length=10)]
    lease_s: Annotated[float, Field(ge=0, le=86_400)] = 0
    incident: Annotated[str, Field(max_length=64)] = ""


class EndBody(_Body):
    """`take_back`: what one person asked, where the policy wants two."""

    take_back: bool = False


class ExtendBody(_Body):
    """Seconds beyond the end that it has."""

    by_s: Annotated[int, Field(ge=60, le=86_400)]


class ReleaseBody(EndBody):
    through_ms: Annotated[int, Field(ge=0, le=1 << 53)] = 0


class StatementBody(_Body):
    sealed: Annotated[str, Field(min_length=2, max_length=2 * ENTRY_BYTES_MAX, pattern="^([0-9a-fA-F]{2})+$")]
    """Hexadecimal."""


class KeyBody(StatementBody):
    """The KeySet of this node's own next key, which lies beside the one in use."""


class BackupBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    path: Annotated[str, Field(min_length=1, max_length=4096)]


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
    page_routes(app, surface)
    _alert_routes(app, surface)
    _action_routes(app, surface)
    _governance_routes(app, surface)
    _house_routes(app, surface)
    taxii_routes(app, surface)
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
    async def status(request: Request) -> dict[str, Any]:
        status = surface.status()
        named = {one["key"] for one in status["escalated"]} | {one["id"] for one in status["asked"]}
        await surface.saw(request, inside.named(surface.state, named))
        return status

    @app.get("/v1/exposures")
    async def exposures(request: Request) -> list[dict[str, Any]]:
        told = present.exposures(surface.state, now().wall_ms)
        await surface.saw(request, inside.exposures(surface.state))
        return told

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
        await surface.saw(request, [inside.EVENTS])
        if "text/event-stream" in request.headers.get("accept", ""):
            after_id = last_event_id(request.headers.get("last-event-id", ""))
            if after_id == -1:
                raise Refused(422, "bad-event-id", "Last-Event-ID is an event's id of this stream", "leave it out")
            return EventStream(surface.streams, after_id, lambda: surface.still_reads(request, [inside.EVENTS]))
        found = await surface.watch.after(after, wait_s)
        return {"events": found, "next": found[-1]["n"] if found else after}

    @app.get("/v1/explain/{id_}")
    async def explain(request: Request, id_: str) -> dict[str, Any]:
        told = explaining.explain(surface.step(), id_) if len(id_) >= 6 else None
        if told is None:
            raise Refused(404, "unknown-id", f"no alert or action {id_[:64]!r}", "list them: tocsin alert list")
        await surface.saw(request, inside.explained(surface.state, told["id"]))
        return told

    @app.get("/v1/certificates/{digest}")
    async def certificate(request: Request, digest: str) -> dict[str, Any]:
        for held in surface.state.certificates.values():
            if len(digest) >= 6 and held.digest.hex().startswith(digest.lower()):
                await surface.saw(request, inside.alerts(surface.state, [held.certificate.topic], "certificate"))
                return {"digest": held.digest.hex(), "hex": held.raw.hex()}
        raise Refused(404, "unknown-certificate", f"no certificate {digest[:64]!r}", "list them: tocsin alert list")


def _alert_routes(app: FastAPI, surface: Surface) -> None:
    @app.get("/v1/alerts")
    async def alerts(request: Request) -> list[dict[str, Any]]:
        step, topics = surface.step(), present.topics(surface.state)
        told = [present.alert(step, topic) for topic in topics]
        await surface.saw(request, inside.alerts(surface.state, topics))
        return told

    @app.get("/v1/alerts/{id_}")
    async def alert(request: Request, id_: str) -> dict[str, Any]:
        topic = surface.topic(id_)
        told = present.alert(surface.step(), topic)
        await surface.saw(request, inside.alerts(surface.state, [topic]))
        return told

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
        return await surface.command(
            who(request, body), ReleaseTopic(*surface.topic(id_), body.through_ms, body.take_back)
        )

    @app.post("/v1/alerts/{id_}/acknowledge")
    async def acknowledge(request: Request, id_: str, body: _Body) -> dict[str, Any]:
        """A person has seen it: told with the alert, once for each level."""
        return await surface.command(who(request, body), Acknowledge(*surface.topic(id_)))

    @app.post("/v1/alerts/{id_}/rerun")
    async def rerun(request: Request, id_: str, body: _Body) -> dict[str, Any]:
        """Its evidence is re-run now; what comes out is told with the alert (`reruns`) as it comes."""
        return await surface.command(who(request, body), Rerun(*surface.topic(id_)))


def _action_routes(app: FastAPI, surface: Surface) -> None:
    @app.get("/v1/actions")
    async def actions(request: Request) -> list[dict[str, Any]]:
        held = sorted(surface.state.actions.values(), key=lambda one: (one.opened_ms, one.key))
        step = surface.step()
        told = [present.action(step, one) for one in held]
        await surface.saw(request, inside.actions(held))
        return told

    @app.get("/v1/actions/{id_}")
    async def action(request: Request, id_: str) -> dict[str, Any]:
        action = surface.action(id_)
        told = present.action(surface.step(), action)
        await surface.saw(request, inside.actions([action]))
        return told

    @app.post("/v1/actions/{id_}/extend")
    async def extend(request: Request, id_: str, body: ExtendBody) -> dict[str, Any]:
        """Within what lever, policy and charter bound (`extendable_until_ms` of an action)."""
        command = Extend(surface.action(id_).key, body.by_s * 1000)
        return await surface.command(who(request, body), command)

    @app.post("/v1/actions/{id_}/{verb}")
    async def act(request: Request, id_: str, verb: str, body: EndBody) -> dict[str, Any]:
        if verb not in ("approve", "refuse", "lift"):
            raise Refused(404, "unknown-verb", f"an action cannot be asked to {verb[:32]!r}", "approve, refuse or lift")
        if body.take_back and verb != "lift":
            raise Refused(
                422, "bad-request", "only what was asked to be lifted can be taken back", "leave out take_back"
            )
        command = ActionCommand(surface.action(id_).key, verb, body.take_back)
        return await surface.command(who(request, body), command)


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
                404, "unknown-proposal", f"no proposal {id_[:64]!r}, or several begin so", "list them: tocsin vote list"
            )
        return told


def _house_routes(app: FastAPI, surface: Surface) -> None:
    @app.post("/v1/backup")
    async def backup(request: Request, body: BackupBody) -> dict[str, Any]:
        if not body.path.startswith("/") or "\0" in body.path:
            raise Refused(422, "bad-path", "a relative path would mean the node's own directory", "give a whole path")
        done = await surface.backup(body.path)
        if not done["ok"]:
            raise Refused(409, "refused", done["says"])
        await surface.saw(request, [inside.COPY])
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
