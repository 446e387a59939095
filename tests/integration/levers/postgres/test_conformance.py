"""The levers on a database and those of the example programs pass the suite that is offered to authors of levers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from adapters.api import Lever, LeverOrder
from adapters.conformance import LeverCase, lever_facts
from tests.integration.levers.postgres.shop import PASSWORD, Shop, order
from tests.integration.levers.program.shop import APPS, App, missing

FACTS = [fact.name for fact in lever_facts(LeverCase)]
RESTRICTS = {
    # a revoke of what is revoked leaves no trace: people say so by a word of its own
    "revoke": "REVOKE INSERT, UPDATE ON app.orders FROM {app}; SELECT tocsin.forget('revoke')",
    "read_only": 'REVOKE INSERT, UPDATE ON app.orders, app."Odd; Name" FROM {app};'
    " REVOKE USAGE ON SEQUENCE app.orders_id_seq FROM {app}; SELECT tocsin.forget('read-only')",
    "nologin": "ALTER ROLE {app} NOLOGIN",
    "credential": "ALTER ROLE {app} PASSWORD 'a person''s'",
}
LIFTS = {
    "revoke": "GRANT INSERT ON app.orders TO {app}",
    "read_only": "GRANT INSERT ON app.orders TO {app}",
    "nologin": "ALTER ROLE {app} LOGIN",
    "credential": "ALTER ROLE {app} PASSWORD '%s' VALID UNTIL 'infinity'",
}


class DatabaseCase(LeverCase):
    def __init__(self, shop: Shop, call: str) -> None:
        self.shop, self.call = shop, call
        self.before = shop.role_row()[1]
        self.secrets = (PASSWORD, self.before)
        shop.usual(call)

    def lever(self) -> Lever:
        return self.shop.lever(self.call)

    def order(self) -> LeverOrder:
        return order()

    async def shows(self) -> object:
        return self.shop.grants(), self.shop.role_row()

    async def sent(self) -> int:
        """What was taken, and what was ended of it."""
        asked = "SELECT count(*), count(ended) FROM tocsin.doing WHERE took > 0"
        return sum(map(int, self.shop.people(asked)[0]))

    async def person_restricts(self) -> None:
        self.shop.people(RESTRICTS[self.call])

    async def person_lifts(self) -> None:
        self.shop.people(LIFTS[self.call].replace("%s", self.before))

    async def persons_stands(self) -> bool:
        return self.shop.steal() != ""

    async def cut(self) -> None:
        self.shop.server.kill()

    async def mend(self) -> None:
        self.shop.server.start()


class ProgramCase(LeverCase):
    def __init__(self, app: App) -> None:
        self.app = app

    def lever(self) -> Lever:
        return self.app.lever()

    def order(self) -> LeverOrder:
        return order()

    async def shows(self) -> object:
        return self.app.state

    async def person_restricts(self) -> None:
        self.app.person(True)

    async def person_lifts(self) -> None:
        self.app.person(False)

    async def persons_stands(self) -> bool:
        return not self.app.works()

    async def sent(self) -> int:
        """How often the file that the application reads was written."""
        files = [one for one in (self.app.folder / "closed", self.app.folder / "settings.json") if one.exists()]
        return sum(one.stat().st_mtime_ns for one in files)


def check(case: Any, fact: str) -> None:
    (found,) = [one for one in lever_facts(lambda: case) if one.name == fact]
    found.check()


WHOLE = ("revoke", "closed_flag.sh")
LONG = ("credential", "feature_switch.mjs")
"""Of the others it is played what depends on the lever alone; of these, the rest too where there is time for it."""
BY_LEVER = ("read_back_is_the_targets_word", "undo_puts_back_what_stood", "undo_leaves_what_a_person_set_since")


def played(names: Iterable[str]) -> list[Any]:
    each = [(name, fact) for name in sorted(names) for fact in FACTS]
    now = [one for one in each if one[0] in WHOLE or one[1] in BY_LEVER]
    late = [one for one in each if one[0] in LONG and one not in now]
    return [*now, *(pytest.param(*one, marks=pytest.mark.long) for one in late)]


@pytest.mark.parametrize(("call", "fact"), played(RESTRICTS))
def test_a_lever_on_a_database(shop: Shop, call: str, fact: str):
    check(DatabaseCase(shop, call), fact)


@pytest.mark.parametrize(("name", "fact"), played(APPS))
def test_an_example_program(name: str, fact: str, tmp_path: Path):
    why = missing(name)
    if why:
        pytest.skip(why)
    if fact == "cut_short_it_is_finished_later":
        pytest.skip("how often a file was written cannot be told of it afterwards")
    tmp_path.chmod(0o755)
    check(ProgramCase(APPS[name](tmp_path)), fact)
