"""Files that people write and bodies that their tools send."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from fastapi import Request
from fastapi.exceptions import HTTPException
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from adapters.policy import check as check_policy
from adapters.policy import parse_text, say
from governance import charter as charters
from governance.card import parse_card, write_card
from governance.faults import CardFaults
from governance.keyset_request import RequestFaults, faults_of, parse_request, write_request
from node.api import BackupBody, ExtendBody, RaiseBody, ReleaseBody, StatementBody, make_app
from node.api_surface import Refused, Who
from node.events import Raise
from node.records import OperatorDid, pack_record
from protocol.envelope import seal_entry
from protocol.ids import ZERO_HASH
from protocol.membership import LEASE_MS_MOST
from protocol.messages import Notice, Tlp
from tests.fuzz import stage
from tests.fuzz.finding import expect
from tests.unit.governance.world import NOW_MS
from tests.unit.machine import cast
from tests.unit.policy.stage import DECLARED

API_REFUSALS = (Refused, ValidationError, HTTPException)


def _text(raw: bytes) -> str | None:
    """None where the file is not UTF-8: the reader of files refuses it before any parser sees it."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def charter(raw: bytes) -> None:
    """As a member card, as a request for a KeySet, then as a charter, which is judged and written again."""
    text = _text(raw)
    if text is None:
        return
    try:
        card = parse_card(text)
        expect(parse_card(write_card(card)) == card, "written again, a card says something else")
    except CardFaults as faults:
        expect(all(fault.what for fault in faults.faults), "a fault without a word")
    _request(text)
    read = charters.parse(text)
    found = charters.check(read, NOW_MS)
    expect(all(fault.what and fault.cure for fault in found.faults), "a fault without a cure")
    again = charters.parse(charters.write(read))
    expect(again == read, "written again, a charter says something else")
    expect(again.network == read.network, "written again, a charter is another network")


def _request(text: str) -> None:
    """What is to be sealed, read on the machine where the governance key lies, and held against the rules there."""
    try:
        request = parse_request(text)
    except RequestFaults as faults:
        expect(all(fault.what and fault.cure for fault in faults.faults), "a fault without a cure")
        return
    expect(parse_request(write_request(request)) == request, "written again, a request says something else")
    expect(all(fault.what and fault.cure for fault in faults_of(request, NOW_MS)), "a fault without a cure")


def policy(raw: bytes) -> None:
    text = _text(raw)
    if text is None:
        return
    read = parse_text(text)
    faults = check_policy(read, DECLARED, LEASE_MS_MOST, 7, 2)
    expect(all(fault.what and fault.cure for fault in faults), "a fault without a cure")
    expect(bool(say(read, DECLARED, LEASE_MS_MOST, 7, 2)), "a policy of which nothing can be said")


async def _submitted(who: Who, command: Any) -> dict[str, Any]:
    """What the node does with it: written down and said, so it must be writable and sayable."""
    pack_record(OperatorDid(who.person[:64], type(command).__name__, 1))
    if isinstance(command, Raise):
        expect(0 <= command.lease_ms <= 86_400_000, "a lease out of bounds")
        notice = Notice(command.incident[:64], Tlp.GREEN)
        me, key = cast.member(0), stage.hot_key("m0", 0)
        seal_entry(cast.NETWORK, key, author=me, key_version=0, seq=0, prev=ZERO_HASH, issued_ms=1, body=notice)
    return {"ok": True}


async def _seen(request: Request, things: Any) -> None:
    """Who reads what is written down before the answer."""


async def _saved(path: str) -> dict[str, Any]:
    return {"ok": bool(path.encode())}


def _routes() -> dict[str, Callable[..., Awaitable[Any]]]:
    topic = (cast.COIN, cast.THREAT)
    surface: Any = SimpleNamespace(
        command=_submitted,
        topic=lambda id_: topic,
        action=lambda id_: SimpleNamespace(key=bytes(32)),
        backup=_saved,
        saw=_seen,
    )
    return {route.endpoint.__name__: route.endpoint for route in make_app(surface).routes if hasattr(route, "endpoint")}


ROUTES = _routes()
BODIES: tuple[tuple[str, Any], ...] = (
    ("raise_alert", RaiseBody),
    ("release", ReleaseBody),
    ("acknowledge", RaiseBody.__base__),
    ("withdraw", RaiseBody.__base__),
    ("rerun", RaiseBody.__base__),
    ("extend", ExtendBody),
    ("publish", StatementBody),
    ("backup", BackupBody),
)


def api(raw: bytes) -> None:
    """A body as the server reads it, for every command that takes one; the last refusal counts."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return
    refused: Exception | None = None
    for name, model in BODIES:
        try:
            body = model.model_validate(value)
            expect(JSONResponse(_now(name, body)).status_code == 200, "an answer that is none")
        except Refused as error:
            JSONResponse({"error": {"code": error.code, "what": error.what, "do": error.do}})
            refused = error
        except ValidationError as error:
            refused = error
            JSONResponse(
                {"what": "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())}
            )
    if refused is not None:
        raise refused


def _now(name: str, body: Any) -> Any:
    """The route's own code, run to its end: nothing in it waits here."""
    given = {"body": body, "id_": "abcdef", "request": Request({"type": "http"})}
    wanted = inspect.signature(ROUTES[name]).parameters
    call = ROUTES[name](**{one: given[one] for one in wanted})
    try:
        call.send(None)  # type: ignore[attr-defined]
    except StopIteration as done:
        return done.value
    raise RuntimeError("a route waits for something that is not there")
