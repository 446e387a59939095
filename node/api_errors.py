"""What the API answers where it does not do what was asked: one form for everybody, and as OpenAPI describes it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException


class Fault(BaseModel):
    """`code` is stable; `what` and `do` are for people."""

    code: str
    what: str
    do: str


class Answer(BaseModel):
    error: Fault


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Answer, "description": says}
    for status, says in {
        400: "no JSON, or a request that cannot be read",
        401: "no token, or nobody's (over TCP)",
        403: "this person's role does not reach so far, or the page is another's (over TCP)",
        404: "nothing has this id, or several do",
        405: "not with this method",
        409: "refused, as things stand",
        413: "the body is too long",
        415: "no application/json",
        421: "this node does not go by that host name (over TCP)",
        422: "a value is not what is described here",
        429: "too often; come again after Retry-After (over TCP)",
        500: "a fault of the node itself",
        503: "too many at once, or no answer in time",
    }.items()
}


def answer_alike(app: FastAPI) -> None:
    """What the framework itself refuses takes the same form."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "unknown-route", 405: "bad-method"}.get(error.status_code, "bad-request")
        body = {"error": {"code": code, "what": str(error.detail)[:400], "do": "GET /v1/openapi.json has all of it"}}
        return JSONResponse(body, status_code=error.status_code, headers=error.headers)
