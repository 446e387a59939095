"""The engine's OpenAPI document, and the target that is written by it."""

from __future__ import annotations

import json
from typing import Any

REASON = {"type": "string", "maxLength": 300}
PAIR = {
    "type": "object",
    "properties": {
        "pair": {"type": "string"},
        "status": {"type": "string", "enum": ["trading", "reduce_only", "halted"]},
        "margin_bps": {"type": "integer", "minimum": 0, "maximum": 10_000},
        "reason": {"$ref": "#/components/schemas/Reason"},
        "until_ms": {"type": "integer"},
    },
}
SIDE = {
    "type": "object",
    "properties": {"state": {"type": "string"}, "reason": {"$ref": "#/components/schemas/Reason"}},
}


def _answers(schema: Any) -> dict[str, Any]:
    return {"200": {"description": "done", "content": {"application/json": {"schema": schema}}}}


def _of_pair(name: str, fields: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": fields, "required": required, "additionalProperties": False}
    return {
        "parameters": [{"$ref": "#/components/parameters/Pair"}],
        "post": {
            "operationId": name,
            "parameters": [{"$ref": "#/components/parameters/Idempotency"}],
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
            "responses": _answers({"$ref": "#/components/schemas/Pair"}),
        },
    }


def _plain(name: str, schema: Any, method: str = "post") -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    parameters = [{"$ref": "#/components/parameters/Idempotency"}]
    return {method: {"operationId": name, "parameters": parameters, "requestBody": body, "responses": _answers(True)}}


def document(version: str = "3.1.0") -> dict[str, Any]:
    reason, account = {"$ref": "#/components/schemas/Reason"}, {"properties": {"withdrawals": SIDE, "keys": SIDE}}
    key = {"name": "key", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"}}
    pair = {"name": "pair", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[A-Z]+-[A-Z]+$"}}
    idempotency = {"name": "Idempotency-Key", "in": "header", "required": True, "schema": {"type": "string"}}
    by = [{"$ref": "#/components/parameters/Pair"}]
    paths = {
        "/v1/pairs/{pair}": {
            "get": {"operationId": "getPair", "parameters": by, "responses": _answers({"properties": {"market": PAIR}})}
        },
        "/v1/pairs/{pair}/halt": _of_pair(
            "haltPair", {"until_ms": {"type": "integer", "minimum": 1}, "reason": reason}, ["reason"]
        ),
        "/v1/pairs/{pair}/reduce-only": _of_pair("reduceOnly", {"reason": reason}, ["reason"]),
        "/v1/pairs/{pair}/resume": _of_pair("resumePair", {"reason": reason}, ["reason"]),
        "/v1/pairs/{pair}/margin": _of_pair(
            "setMargin", {"margin_bps": PAIR["properties"]["margin_bps"], "reason": reason}, ["margin_bps", "reason"]
        ),
        "/v1/account": {"get": {"operationId": "getAccount", "responses": _answers(account)}},
        "/v1/key": {
            "get": {"operationId": "whoAmI", "responses": _answers({"properties": {"rights": {"type": "array"}}})}
        },
        "/v1/actions/{key}": {"get": {"operationId": "getAction", "parameters": [key], "responses": _answers(True)}},
        "/v1/withdrawals/lock": _plain("lockWithdrawals", {"properties": {"reason": reason}, "required": ["reason"]}),
        "/v1/withdrawals/open": _plain("openWithdrawals", {"properties": {"reason": reason}, "required": ["reason"]}),
        "/v1/keys": _plain(
            "setKeys", {"properties": {"state": {"enum": ["active", "suspended"]}, "reason": reason}}, "put"
        ),
    }
    parts = {
        "schemas": {"Reason": REASON, "Pair": PAIR},
        "parameters": {"Pair": pair, "Idempotency": idempotency},
    }
    return {"openapi": version, "info": {"title": "a venue", "version": "1"}, "paths": paths, "components": parts}


def raw(version: str = "3.1.0") -> bytes:
    return json.dumps(document(version)).encode()


SIGN = {
    "hmac-sha256": """
[target.exch.sign]
scheme = "hmac-sha256"
key_id = "node-1"
secret = "text"
digest = "hex"
over = ["timestamp", "nonce", "method", "path", "body_sha256"]
headers = { key = "X-Api-Key", timestamp = "X-Timestamp", nonce = "X-Nonce", signature = "X-Signature" }
""",
    "rfc9421": """
[target.exch.sign]
scheme = "rfc9421"
key_id = "node-1"
""",
}


def target(url: str, scheme: str, more: str = "") -> str:
    pair = 'path = { pair = "WETH-USD" }'
    return f"""[target.exch]
kind = "venue.http"
url = "{url}"
openapi = "venue.json"
key_file = "keys/venue.key"
{more}{SIGN[scheme]}
[target.exch.scopes]
op = "whoAmI"
rights = "/rights"
needs = ["trading:restrict"]
[target.exch.action.halt]
rung = "HALT"
closes = ["trade"]
max = "1h"
cooldown = "1h"
apply = {{ op = "haltPair", {pair}, body = {{ until_ms = "{{until_ms}}", reason = "{{note}}" }} }}
lift = {{ op = "resumePair", {pair}, body = {{ reason = "{{note}}" }} }}
read = {{ op = "getPair", {pair}, state = "/market/status", note = "/market/reason", until = "/market/until_ms", is = "halted", lifted = "trading" }}
seen = {{ op = "getAction", path = {{ key = "{{action_key}}" }} }}
[target.exch.action.reduce_only]
rung = "GUARD"
closes = ["open"]
max = "1h"
cooldown = "1h"
apply = {{ op = "reduceOnly", {pair}, body = {{ reason = "{{note}}" }} }}
lift = {{ op = "resumePair", {pair}, body = {{ reason = "{{note}}" }} }}
read = {{ op = "getPair", {pair}, state = "/market/status", note = "/market/reason", is = "reduce_only", lifted = "trading" }}
seen = {{ op = "getAction", path = {{ key = "{{action_key}}" }} }}
[target.exch.action.margin]
rung = "GUARD"
closes = ["leverage"]
max = "1h"
cooldown = "1h"
apply = {{ op = "setMargin", {pair}, body = {{ margin_bps = 5000, reason = "{{note}}" }} }}
lift = {{ op = "setMargin", {pair}, body = {{ margin_bps = "{{before}}", reason = "{{note}}" }} }}
read = {{ op = "getPair", {pair}, state = "/market/margin_bps", note = "/market/reason", at_least = 5000 }}
[target.exch.action.lock_withdrawals]
rung = "HALT"
closes = ["withdraw"]
max = "1h"
cooldown = "1h"
apply = {{ op = "lockWithdrawals", body = {{ reason = "{{note}}" }} }}
lift = {{ op = "openWithdrawals", body = {{ reason = "{{note}}" }} }}
read = {{ op = "getAccount", state = "/withdrawals/state", note = "/withdrawals/reason", is = "locked", lifted = "open" }}
[target.exch.action.suspend_keys]
rung = "ISOLATE"
closes = ["trade"]
max = "1h"
cooldown = "1h"
apply = {{ op = "setKeys", body = {{ state = "suspended", reason = "{{note}}" }} }}
lift = {{ op = "setKeys", body = {{ state = "{{before}}", reason = "{{note}}" }} }}
read = {{ op = "getAccount", state = "/keys/state", note = "/keys/reason", is = "suspended" }}
"""  # noqa: E501
