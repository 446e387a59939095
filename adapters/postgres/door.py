"""The only importer of psycopg: one question, one connection, one transaction, in a thread, within bounds.

psycopg's own async speaks asyncio, and SQLAlchemy would add nothing: a lever calls five functions by name. Statements
are put together by `psycopg.sql`, values travel apart from them."""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import trio
from psycopg import sql

from adapters.postgres.secret_file import Password, SecretFault, read_password

SCHEMA = "tocsin"
CONNECT_S, STATEMENT_S, LOCK_S, WHOLE_S = 3, 5, 2, 9.0
"""A step of a node ends after 20 s, and may ask twice."""
AT_ONCE = 4
ANSWER_CHARS_MAX = 100_000
SAYS_CHARS_MAX = 400
OURS = "TOC01"
"""What our own functions refuse, in a sentence for people."""
NOT_SET_UP = ("42501", "42883", "3F000", "42P01")
"""No right, no such function, schema or table."""
LOCKED = "55P03"
PASSING = ("08", "40", "53", "55", "57", "XX")
"""Classes of trouble that may pass by itself: connection, conflict, resources, locks, a shutdown, a race of grants."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")

GIVEN_UP: dict[str, Any] = {"abandon_on_cancel": True}
"""A thread that waits for a server is left to its cut socket."""

T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Server:
    """`host` is a name, an address, or the folder of a socket. `password_file` None: the server knows us otherwise."""

    host: str
    port: int
    database: str
    user: str
    password_file: Path | None = None
    ca_file: Path | None = None

    @property
    def where(self) -> str:
        return f"{self.database} on {self.host}:{self.port}"


class PostgresFault(Exception):
    """What the server refuses, or that it does not answer. Holds no password."""

    def __init__(self, says: str, retryable: bool = False, locked: bool = False) -> None:
        """`locked`: somebody's open transaction holds it."""
        super().__init__(says)
        self.says, self.retryable, self.locked = says, retryable, locked


@dataclass
class _Held:
    """The connection of a question that is under way, so that its deadline can cut it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    connection: Connection | None = None
    given_up: bool = False

    def take(self, connection: Connection) -> None:
        with self.lock:
            self.connection = connection
            if self.given_up:
                raise PostgresFault("given up", retryable=True)

    def let_go(self) -> None:
        with self.lock:
            if self.connection is not None:
                self.connection.close()
            self.connection = None

    def cut(self) -> None:
        """A server that stands still keeps a thread waiting for as long as its socket lives."""
        with self.lock, contextlib.suppress(OSError, psycopg.Error):
            self.given_up = True
            if self.connection is not None:
                with socket.socket(fileno=os.dup(self.connection.fileno())) as same:
                    same.shutdown(socket.SHUT_RDWR)


class Door:
    def __init__(self, server: Server, whole_s: float = WHOLE_S) -> None:
        self.server = server
        self._whole_s = whole_s
        self._limiter = trio.CapacityLimiter(AT_ONCE)

    async def call(self, function: str, *values: Any, keep: bool = True) -> Any:
        """One of our functions, and its JSON; rolled back unless `keep`. PostgresFault."""
        holes = sql.SQL(", ").join(sql.Placeholder() * len(values))
        asked = sql.SQL("SELECT {}({})::text").format(sql.Identifier(SCHEMA, function), holes)
        rows = await self.rows(asked, values, keep=keep)
        return _json(rows[0][0] if rows and rows[0] else None)

    async def rows(self, asked: sql.Composed | sql.SQL, values: Sequence[Any] = (), *, keep: bool = False) -> list[Any]:
        """PostgresFault."""

        def question(connection: Connection) -> list[Any]:
            found: list[Any] = connection.execute(asked, values).fetchmany(1_000)
            if keep:
                connection.commit()
            else:
                connection.rollback()
            return found

        return await self._run(question)

    async def verifier(self, password: Password) -> str:
        """What a server keeps of it: the password itself is not sent. PostgresFault."""

        def question(connection: Connection) -> str:
            made = connection.pgconn.encrypt_password(password.reveal().encode(), b"", b"scram-sha-256")
            return made.decode("ascii")

        return await self._run(question)

    async def _run(self, question: Callable[[Connection], T]) -> T:
        held = _Held()
        with trio.move_on_after(self._whole_s):
            try:
                work = self._asking(held, question)
                return await trio.to_thread.run_sync(work, limiter=self._limiter, **GIVEN_UP)
            finally:
                held.cut()
        says = f"{self.server.where} gave no answer within {self._whole_s:g} s; what was asked may yet be done"
        raise PostgresFault(says, retryable=True)

    def _asking(self, held: _Held, question: Callable[[Connection], T]) -> Callable[[], T]:
        def work() -> T:
            try:
                held.take(self._connect())
                return question(_there(held.connection))
            except psycopg.Error as broken:
                raise _fault(broken, self.server) from None
            except SecretFault as broken:
                raise PostgresFault(str(broken)) from None
            finally:
                held.let_go()

        return work

    def _connect(self) -> Connection:
        server, file = self.server, self.server.password_file
        password = read_password(file) if file is not None else None
        near = server.host.startswith("/") or server.host in LOOPBACK
        settings = {
            "statement_timeout": STATEMENT_S * 1_000,
            "lock_timeout": LOCK_S * 1_000,
            "idle_in_transaction_session_timeout": STATEMENT_S * 1_000,
            "jit": "off",  # compiling costs a look ten times what it reads
        }
        return psycopg.connect(
            host=server.host,
            port=server.port,
            dbname=server.database,
            user=server.user,
            password=password.reveal() if password is not None else None,
            # a server in whose place somebody else answers is told no password
            require_auth="scram-sha-256" if password is not None else None,
            passfile="/dev/null",
            sslmode="prefer" if near and server.ca_file is None else "verify-full",
            sslrootcert=str(server.ca_file or "system") if not near or server.ca_file else None,
            gssencmode="disable",
            connect_timeout=CONNECT_S,
            tcp_user_timeout=CONNECT_S * 1_000,
            client_encoding="UTF8",
            application_name="tocsin lever",
            options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
        )


def _there(connection: Connection | None) -> Connection:
    if connection is None:
        raise PostgresFault("given up", retryable=True)
    return connection


def _fault(broken: psycopg.Error, server: Server) -> PostgresFault:
    state = broken.sqlstate or ""
    said = broken.diag.message_primary or next(iter(str(broken).splitlines()), "") or type(broken).__name__
    said = " ".join(said.split())[:SAYS_CHARS_MAX]
    if state == OURS:
        return PostgresFault(said)
    if state in NOT_SET_UP:
        cure = f"run adapters/postgres/setup.sql there, and GRANT tocsin_lever TO {server.user}"
        return PostgresFault(f"{server.where} is not set up for {server.user} ({said}): {cure}")
    lost = not state and isinstance(broken, psycopg.OperationalError)
    passing = lost or state.startswith(PASSING)
    return PostgresFault(f"{server.where}: {said}", retryable=passing, locked=state == LOCKED)


def _no_number(text: str) -> float:
    raise ValueError(text)


def _json(text: Any) -> Any:
    """What our functions say; bounded, with finite numbers. PostgresFault."""
    try:
        if type(text) is not str or len(text) > ANSWER_CHARS_MAX:
            raise ValueError
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        found = math.nan
    if type(found) not in (dict, int):
        raise PostgresFault("the schema tocsin answers in a form of no version known here: run setup.sql again")
    return found
