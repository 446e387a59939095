"""A shop in a database of its own: its owner, its application (whose password was stolen), and a node's lever."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import trio
from psycopg import sql

from adapters.api import LeverOrder
from adapters.declared import Owned
from adapters.postgres.door import WHOLE_S, Door
from adapters.postgres.door import Server as Where
from adapters.postgres.levers import LEVERS, PostgresLever
from adapters.postgres.secret_file import FreshPassword
from protocol.ids import ActionKey
from protocol.messages import Level
from protocol.subjects import Kind, subject_of
from tests.integration.levers.postgres.server import BASE, Server
from tests.integration.levers.scene import KEY

HOUR_MS = 3_600_000
PASSWORD = "stolen, 'quoted' and \\ all"
_numbers = itertools.count(1)
MADE = """
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.orders (id bigserial PRIMARY KEY, what text NOT NULL, paid bigint NOT NULL DEFAULT 0);
CREATE TABLE app."Odd; Name" (id int, secret text);
CREATE VIEW app.totals AS SELECT count(*) FROM app.orders;
GRANT USAGE ON SCHEMA app TO {app}, {reader}, {other};
GRANT SELECT, INSERT, UPDATE ON app.orders TO {app};
GRANT UPDATE (secret), SELECT ON app."Odd; Name" TO {app};
GRANT USAGE, SELECT ON SEQUENCE app.orders_id_seq TO {app};
GRANT SELECT ON ALL TABLES IN SCHEMA app TO {reader};
RESET ROLE;
"""


@dataclass
class Shop:
    server: Server
    folder: Path
    number: int = field(default_factory=lambda: next(_numbers))

    def role(self, who: str) -> str:
        """Roles are the whole server's, so each shop has its own."""
        return f"{who} \"{self.number}'; --"

    @property
    def database(self) -> str:
        return f"shop{self.number}"

    def build(self) -> None:
        names = {who: sql.Identifier(self.role(who)) for who in ("owner", "app", "reader", "node", "other")}
        with self.server.people() as people:
            people.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(self.database), sql.Identifier(BASE))
            )
            for role in names.values():
                made = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(PASSWORD))
                people.execute(made)
            people.execute(sql.SQL("GRANT tocsin_lever TO {}").format(names["node"]))
        with self.server.people(self.database) as people:
            people.execute(sql.SQL(MADE).format(**names))
        self.folder.chmod(0o700)
        self.secret.write_text(PASSWORD + "\n")
        self.secret.chmod(0o600)

    @property
    def secret(self) -> Path:
        return self.folder / f"node{self.number}.pass"

    def people(self, statement: str, *values: Any) -> list[Any]:
        """As the superuser; {app} and the like stand for this shop's roles."""
        names = {who: sql.Identifier(self.role(who)) for who in ("owner", "app", "reader", "node", "other")}
        with self.server.people(self.database) as people:
            done = people.execute(sql.SQL(statement).format(**names), values or None)
            return done.fetchall() if done.description else []

    def login(self, who: str = "app", password: str = PASSWORD) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.server.port,
            dbname=self.database,
            user=self.role(who),
            password=password,
            autocommit=True,
            connect_timeout=5,
        )

    def steal(self, connection: psycopg.Connection[Any] | None = None, password: str = PASSWORD) -> str:
        """What an attacker does with the application's password: "" where it works, else in what words it fails."""
        try:
            if connection is not None:
                connection.execute("INSERT INTO app.orders (what, paid) VALUES ('gold', -1)")
            else:
                with self.login(password=password) as own:
                    own.execute("INSERT INTO app.orders (what, paid) VALUES ('gold', -1)")
        except psycopg.Error as refused:
            return str(refused).splitlines()[0]
        return ""

    def mandate(
        self,
        lever: str,
        name: str = "",
        *,
        roles: list[str] | None = None,
        objects: list[str] | None = None,
        privileges: list[str] | None = None,
        held_by: str = "node",
    ) -> str:
        name = name or lever.replace("_", "-")
        named = (
            None
            if roles is None
            else [one if one == "public" else '"' + self.role(one).replace('"', '""') + '"' for one in roles]
        )
        self.people(
            "INSERT INTO tocsin.mandate VALUES (%s, %s, %s, %s, %s, %s, '1 hour')",
            name,
            lever,
            self.role(held_by),
            named,
            objects,
            privileges,
        )
        return name

    def usual(self, lever: str) -> str:
        """The mandate that most stories are about."""
        if lever == "revoke":
            return self.mandate("revoke", roles=["app"], objects=["table app.orders"], privileges=["INSERT", "UPDATE"])
        if lever == "read_only":
            return self.mandate("read_only", objects=["schema app"])
        return self.mandate(lever, roles=["app"])

    def door(self, whole_s: float = WHOLE_S, port: int = 0, user: str = "node") -> Door:
        where = Where("127.0.0.1", port or self.server.port, self.database, self.role(user), self.secret)
        return Door(where, whole_s)

    def lever(
        self, lever: str, mandate: str = "", *, fresh: Path | None = None, door: Door | None = None
    ) -> PostgresLever:
        said = Owned(Level.ISOLATE, ("orders",), False, HOUR_MS, HOUR_MS).declare(
            f"postgres.{lever}", f"{LEVERS[lever]}, which closes"
        )
        left = None if fresh is None else FreshPassword(fresh)
        return PostgresLever("shop", mandate or lever.replace("_", "-"), said, door or self.door(), left)

    def grants(self) -> set[tuple[Any, ...]]:
        """Every grant in the schema, with who gave it and whether it may be passed on."""
        found = self.people(
            """
            SELECT c.oid::regclass::text, '', g.grantor::regrole::text, g.grantee, g.privilege_type, g.is_grantable
              FROM pg_class c, aclexplode(c.relacl) g WHERE c.relnamespace = 'app'::regnamespace
            UNION ALL SELECT attrelid::regclass::text, attname, g.grantor::regrole::text, g.grantee, g.privilege_type,
                g.is_grantable
              FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid, aclexplode(a.attacl) g
             WHERE c.relnamespace = 'app'::regnamespace
            UNION ALL SELECT nspname, '', g.grantor::regrole::text, g.grantee, g.privilege_type, g.is_grantable
              FROM pg_namespace, aclexplode(nspacl) g WHERE nspname = 'app'""".replace("{", "{{").replace("}", "}}")
        )
        return set(found)

    def role_row(self, who: str = "app") -> tuple[Any, ...]:
        asked = "SELECT rolcanlogin, rolpassword, rolvaliduntil::text FROM pg_authid WHERE rolname = %s"
        return tuple(self.people(asked, self.role(who))[0])

    def journal(self) -> list[Any]:
        return self.people("SELECT encode(action_key, 'hex'), until_ms, by_human, ended IS NULL FROM tocsin.doing")


def order(seconds: float = 600, key: ActionKey = KEY, by_human: bool = False) -> LeverOrder:
    until_ms = int((time.time() + seconds) * 1000)
    return LeverOrder(key, "shop", subject_of(Kind.DOMAIN, "shop.example"), Level.ISOLATE, until_ms, by_human)


@contextlib.contextmanager
def open_shop(server: Server, folder: Path) -> Iterator[Shop]:
    shop = Shop(server, folder)
    shop.build()
    try:
        yield shop
    finally:
        if server.process is not None:
            with server.people() as people:
                people.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(shop.database)))


def tell(story: Callable[[], Awaitable[None]]) -> None:
    trio.run(story)
