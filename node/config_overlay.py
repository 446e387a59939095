"""The environment over node.toml: TOCSIN_<KEY> and TOCSIN_<SECTION>__<KEY>, for what should not stand in a file.

`TOCSIN_LISTEN`, `TOCSIN_CLOCK__SKEW_MAX_MS`, `TOCSIN_CONNECTION__LENDER_A_HOME__URL` (by id), `TOCSIN_RELAY__1__URL`
(the file's first), `TOCSIN_TARGET__LENDING__ADDRESS`, `TOCSIN_SENSOR__…`. A variable with our prefix that fits nothing
is a fault: a misspelt one would silently not apply.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from governance.faults import FileFault, nearest
from node.config_model import (
    CanaryConfig,
    ClockConfig,
    ConnectionConfig,
    ConsoleConfig,
    NodeFile,
    RelayConfig,
    TracingConfig,
)

PREFIX = "TOCSIN_"
NOT_OURS = frozenset({"TOCSIN_DATA", "TOCSIN_ANVIL", "TOCSIN_PASSPHRASE_FILE"})
"""Read by tests, the local network and whoever opens a sealed key; they stand for no key of node.toml."""
_SCALARS = ("node", "member", "charter", "data_dir", "policy", "listen", "control", "log")
_FREE = ("target", "sensor")


def overlay(document: dict[str, Any], environ: Mapping[str, str]) -> list[FileFault]:
    """Writes the variables into `document` (fresh from TOML); a fault for each that fits nothing."""
    faults = []
    for variable in sorted(name for name in environ if name.startswith(PREFIX) and name not in NOT_OURS):
        path = variable.removeprefix(PREFIX).lower().split("__")
        cure = _apply(document, path, environ[variable])
        if cure:
            faults.append(FileFault("is an environment variable that fits no key", variable, cure))
    return faults


def _apply(document: dict[str, Any], path: list[str], value: str) -> str:
    """ "" where it was applied, else what to do."""
    if len(path) == 1 and path[0] in _SCALARS:
        document[path[0]] = _typed(value) if path[0] == "node" else value
        return ""
    for name, model in (("clock", ClockConfig), ("canary", CanaryConfig)):
        if path[0] == name and len(path) == 2 and path[1] in model.model_fields:
            return _set(document.setdefault(name, {}), path[1], _typed(value))
    if path[0] == "tracing" and len(path) == 2 and path[1] in TracingConfig.model_fields:
        return _set(document.setdefault("tracing", {}), path[1], value)
    if path[0] == "console" and len(path) == 2 and path[1] in ConsoleConfig.model_fields:
        return _set(document.setdefault("console", {}), path[1], _typed(value) if path[1] == "hosts" else value)
    if path[0] == "connection" and len(path) == 3 and path[2] in ConnectionConfig.model_fields:
        return _set(_connection(document, path[1]), path[2], value)
    if path[0] == "relay" and len(path) == 3 and path[2] in RelayConfig.model_fields:
        return _set(_relay(document, path[1]), path[2], value if path[2] in ("chain", "url") else _typed(value))
    if path[0] in _FREE and len(path) == 3:
        return _set(_named(document.get(path[0]), path[1]), path[2], _typed(value))
    known = [*_SCALARS, *(name for name in NodeFile.model_fields if name not in _SCALARS)]
    return nearest(path[0], known) if path[0] not in known else "write it like TOCSIN_CLOCK__SKEW_MAX_MS"


def _set(table: Any, key: str, value: Any) -> str:
    if type(table) is not dict:
        return "name a table that stands in the file"
    table[key] = value
    return ""


def _connection(document: dict[str, Any], slug: str) -> Any:
    rows = document.get("connection")
    found = [row for row in rows if type(row) is dict and _slug(row.get("id")) == slug] if type(rows) is list else []
    return found[0] if len(found) == 1 else None


def _relay(document: dict[str, Any], place: str) -> Any:
    rows = document.get("relay")
    return {str(at): row for at, row in enumerate(rows, 1)}.get(place) if type(rows) is list else None


def _named(tables: Any, slug: str) -> Any:
    found = [table for name, table in tables.items() if _slug(name) == slug] if type(tables) is dict else []
    return found[0] if len(found) == 1 else None


def _slug(name: Any) -> str:
    return str(name).lower().replace("-", "_")


def _typed(value: str) -> Any:
    """As TOML where it is some (integers, booleans, lists), else the text itself."""
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except (ValueError, KeyError, RecursionError):
        return value
