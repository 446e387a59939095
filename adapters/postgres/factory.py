"""From `[target.NAME] kind = "postgres"` to one lever. Targets of one server and role share a door."""

from __future__ import annotations

import re
from pathlib import Path

from adapters.api import Instances
from adapters.catalog import Shop
from adapters.declared import owned
from adapters.postgres.door import Door, Server
from adapters.postgres.levers import LEVERS, PostgresLever
from adapters.postgres.secret_file import FreshPassword, SecretFault, read_password
from adapters.section import Section

_MANDATE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")
_HOST = re.compile(r"(/[^\0,]{0,100}|[A-Za-z0-9._:-]{1,253})\Z")


def target(name: str, keys: Section, shop: Shop) -> Instances:
    keys.text("kind")
    lever, said = keys.word("lever", tuple(LEVERS)), owned(keys)
    mandate = keys.text("mandate")
    if mandate is not None and not _MANDATE.match(mandate):
        keys.fault("mandate", "must be a name of tocsin.mandate: 1 to 32 of a-z, 0-9, - and _")
        mandate = None
    server, fresh = _server(keys), _fresh(keys) if lever == "credential" else None
    if lever is None or said is None or mandate is None or server is None:
        return Instances()
    door: Door = shop.shared.setdefault(("postgres", server), Door(server))
    declared = said.declare(f"postgres.{lever}", f"{LEVERS[lever]}, which closes")
    return Instances(levers={f"{name}:{declared.call}": PostgresLever(name, mandate, declared, door, fresh)})


def _server(keys: Section) -> Server | None:
    host, port = keys.text("host"), keys.whole("port", 5432, 1, 65_535)
    database, user = keys.text("database"), keys.text("user")
    password, authority = _path(keys, "password_file"), _path(keys, "ca_file")
    if host is not None and not _HOST.match(host):
        keys.fault("host", "must be a name, an address, or the folder of a socket")
        return None
    if password is not None:
        try:
            read_password(password)
        except SecretFault as fault:
            keys.fault("password_file", str(fault))
    if host is None or database is None or user is None:
        return None
    return Server(host, port, database, user, password, authority)


def _fresh(keys: Section) -> FreshPassword | None:
    path = _path(keys, "new_password_file")
    if path is None:
        return None
    fresh = FreshPassword(path)
    fault = fresh.fault()
    if fault:
        keys.fault("new_password_file", fault)
    return fresh


def _path(keys: Section, key: str) -> Path | None:
    text = keys.text(key, needed=False, allowed="a path that starts with /")
    if text is None:
        return None
    if not text.startswith("/") or "\0" in text:
        keys.fault(key, "must be a path that starts with /")
        return None
    return Path(text)
