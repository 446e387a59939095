"""Levers on what is no chain, for the check: a PostgreSQL server of our own, and the example programs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import trio

from tests.integration.levers.acting import Act, Target, play
from tests.integration.levers.postgres import server
from tests.integration.levers.postgres.shop import Shop, open_shop, order
from tests.integration.levers.program.shop import APPS, App, missing
from tests.integration.levers.rpc import Refused

DATABASE = ("revoke", "nologin", "read_only", "credential")


def _refused_with(words: str) -> None:
    if words:
        raise Refused(words)


def _works(app: App) -> None:
    _refused_with("" if app.works() else "closed")


def _act_on(shop: Shop, call: str) -> Act:
    shop.usual(call)

    def stands() -> object:
        return shop.grants(), shop.role_row()[:2]

    return Act(shop.lever(call), order(), None, lambda: _refused_with(shop.steal()), stands)


async def _database(running: server.Server, folder: Path) -> Target:
    target = Target("postgresql")
    with open_shop(running, folder) as shop:
        for call in DATABASE:
            target.actions.append(await play(_act_on(shop, call)))
    return target


async def _program(name: str, folder: Path) -> Target:
    app = APPS[name](folder)
    act = Act(app.lever(), order(), None, lambda: _works(app), lambda: app.state)
    return Target(f"program {name}", [await play(act)])


def _in_folder(deed: Callable[[Path], Target]) -> Target:
    with tempfile.TemporaryDirectory(prefix="tocsin-check-") as folder:
        return deed(Path(folder))


def targets() -> tuple[list[Target], list[str]]:
    """What was played, and why the rest was not."""
    found, without = [], [why for why in [server.missing(), *map(missing, sorted(APPS))] if why]
    if not server.missing():
        with server.serving() as running:
            found.append(_in_folder(lambda folder: trio.run(_database, running, folder)))
    for name in sorted(APPS):
        if not missing(name):
            found.append(_in_folder(lambda folder, name=name: trio.run(_program, name, folder)))
    return found, without
