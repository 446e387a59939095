"""The example programs as an operator installs them, each between an application and its attacker."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from adapters.api import LeverOrder
from tests.integration.levers.postgres.shop import order
from tests.integration.levers.program.shop import APPS, App, missing
from tests.integration.levers.scene import OTHER_KEY, pull


@pytest.fixture(params=sorted(APPS))
def app(request: pytest.FixtureRequest, tmp_path: Path) -> App:
    why = missing(request.param)
    if why:
        pytest.skip(why)
    tmp_path.chmod(0o755)
    return APPS[request.param](tmp_path)


def tell(story: Callable[[], Awaitable[None]]) -> None:
    trio.run(story)


def renewed(given: LeverOrder, by_ms: int = 60_000) -> LeverOrder:
    return LeverOrder(given.action_key, given.lever, given.subject, given.rung, given.until_ms + by_ms, False)


def test_an_attacker_succeeds_before_fails_during_and_succeeds_after(app: App):
    before = app.state

    async def story() -> None:
        lever, given = app.lever(), order()
        assert app.works()
        await pull(lever, given)
        assert not app.works() and (await lever.plan(given)).already
        assert (await lever.undo(given)).ok and app.works()
        assert not (await lever.read_back(given)).ok

    tell(story)
    assert app.state == before


def test_a_key_acts_once_also_where_a_person_opened_it_since(app: App):
    async def story() -> None:
        given = order()
        await pull(app.lever(), given)
        assert "not asked again" in (await app.lever().apply(await app.lever().plan(given))).says
        app.person(False)
        again = await app.lever().apply(await app.lever().plan(given))
        assert not again.ok and "done before under this key" in again.says and app.works()
        await pull(app.lever(), order(key=OTHER_KEY))
        assert not app.works()

    tell(story)


def test_a_key_that_was_ended_never_acts_again_not_even_late(app: App):
    async def story() -> None:
        lever, given = app.lever(), order()
        assert (await lever.undo(given)).ok
        assert not (await lever.apply(await lever.plan(given))).ok and app.works()

    tell(story)


def test_a_renewal_is_taken_and_the_end_is_one(app: App):
    async def story() -> None:
        lever, given = app.lever(), order()
        await pull(lever, given)
        await pull(lever, renewed(given))
        assert (await lever.undo(renewed(given))).ok and app.works()

    tell(story)


def test_what_a_person_closed_before_us_stays_closed(app: App):
    async def story() -> None:
        lever, given = app.lever(), order()
        app.person(True)
        closed = app.state
        await pull(lever, given)
        undone = await lever.undo(given)
        assert undone.ok and "nothing of ours" in undone.says and app.state == closed

    tell(story)


def test_what_a_person_opened_meanwhile_is_left_alone(app: App):
    async def story() -> None:
        lever, given = app.lever(), order()
        await pull(lever, given)
        app.person(False)
        opened = app.state
        assert (await lever.undo(given)).ok and app.state == opened

    tell(story)
