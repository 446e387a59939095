"""A lever's process that is killed by SIGKILL right after the server committed, before it hears of it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psycopg
import trio

from adapters.api import LeverOrder
from adapters.declared import Owned
from adapters.postgres.door import Door, Server
from adapters.postgres.levers import LEVERS, PostgresLever
from adapters.postgres.secret_file import FreshPassword
from protocol.ids import ActionKey
from protocol.messages import Level
from protocol.subjects import Kind, subject_of


def main() -> None:
    port, database, user, secret, call, key, until_ms, fresh = sys.argv[1:]
    commit = psycopg.Connection.commit

    def commit_and_die(self: psycopg.Connection) -> None:
        commit(self)
        os.kill(os.getpid(), signal.SIGKILL)

    psycopg.Connection.commit = commit_and_die  # type: ignore[method-assign]
    declared = Owned(Level.ISOLATE, ("orders",), False, 3_600_000, 3_600_000).declare(
        f"postgres.{call}", f"{LEVERS[call]}, which closes"
    )
    door = Door(Server("127.0.0.1", int(port), database, user, Path(secret)))
    left = FreshPassword(Path(fresh)) if fresh else None
    lever = PostgresLever("shop", call.replace("_", "-"), declared, door, left)
    subject = subject_of(Kind.DOMAIN, "shop.example")
    given = LeverOrder(ActionKey(bytes.fromhex(key)), "shop", subject, Level.ISOLATE, int(until_ms), False)

    async def run() -> None:
        await lever.apply(await lever.plan(given))

    trio.run(run)


if __name__ == "__main__":
    main()
