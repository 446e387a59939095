"""Levers on a real PostgreSQL server: an attacker with the application's password, before, during and after."""

import contextlib
import stat
import threading
import time
from pathlib import Path

import psycopg
import pytest
import trio
from psycopg import sql

from tests.integration.levers.postgres.shop import PASSWORD, Shop, order, tell
from tests.integration.levers.scene import OTHER_KEY, pull

ALL = ("revoke", "read_only", "nologin", "credential")


@pytest.mark.parametrize("call", ALL)
def test_an_attacker_succeeds_before_fails_during_and_succeeds_after(shop: Shop, call: str):
    shop.usual(call)
    before, role = shop.grants(), shop.role_row()

    async def story() -> None:
        lever, given = shop.lever(call), order()
        assert shop.steal() == ""
        await pull(lever, given)
        assert shop.steal() != ""
        undone = await lever.undo(given)
        assert undone.ok and "put back" in undone.says
        assert shop.steal() == ""
        assert not (await lever.read_back(given)).ok

    tell(story)
    assert shop.grants() == before
    assert shop.role_row()[:2] == role[:2]


@pytest.mark.parametrize("call", ALL)
def test_a_repeat_by_a_node_that_lost_its_disk_is_one_effect(shop: Shop, call: str):
    shop.usual(call)

    async def story() -> None:
        given = order()
        first = await pull(shop.lever(call), given)
        stood = shop.people("SELECT * FROM tocsin.stood_acl"), shop.role_row()
        plan = await shop.lever(call).plan(given)
        again = await shop.lever(call).apply(plan)
        assert plan.already and again.ok and again.reference == first.reference and "done before" in again.says
        assert (shop.people("SELECT * FROM tocsin.stood_acl"), shop.role_row()) == stood
        assert shop.journal() == [(given.action_key.hex(), given.until_ms, False, True)]
        assert (await shop.lever(call).undo(given)).ok and shop.steal() == ""

    tell(story)


@pytest.mark.parametrize("call", ALL)
def test_a_simulation_changes_nothing_and_ends_no_session(shop: Shop, call: str):
    shop.usual(call)
    before = shop.grants(), shop.role_row()

    async def story() -> None:
        with shop.login() as live:
            lever = shop.lever(call)
            outcome = await lever.simulate(await lever.plan(order()))
            assert outcome.ok and "would take it" in outcome.says
            assert shop.steal(live) == ""

    tell(story)
    assert (shop.grants(), shop.role_row()) == before and shop.journal() == []


@pytest.mark.parametrize("call", ALL)
def test_a_key_that_was_ended_never_acts_again_not_even_late(shop: Shop, call: str):
    shop.usual(call)

    async def story() -> None:
        lever, given, late = shop.lever(call), order(), order(key=OTHER_KEY)
        await pull(lever, given)
        await lever.undo(given)
        assert "nothing of ours" in (await lever.undo(late)).says
        for one in (given, late):
            outcome = await lever.apply(await lever.plan(one))
            assert not outcome.ok and "ended here before" in outcome.says
        assert shop.steal() == ""

    tell(story)


@pytest.mark.parametrize("call", ALL)
def test_a_lease_beyond_the_longest_or_over_already_is_not_taken(shop: Shop, call: str):
    shop.usual(call)

    async def story() -> None:
        lever = shop.lever(call)
        outcome = await lever.simulate(await lever.plan(order(seconds=2 * 3600)))
        assert not outcome.ok and "shorten it" in outcome.says
        assert "its end has come" in (await lever.apply(await lever.plan(order(seconds=-1)))).says
        assert shop.steal() == ""

    tell(story)


def test_a_renewal_moves_the_end_and_takes_nothing_more(shop: Shop):
    shop.usual("revoke")

    async def story() -> None:
        lever, first, later = shop.lever("revoke"), order(300), order(900)
        await pull(lever, first)
        shown = await lever.read_back(later)
        assert not shown.ok and "until" in shown.says
        await pull(lever, later)
        assert shop.journal() == [(later.action_key.hex(), later.until_ms, False, True)]
        assert (await lever.undo(later)).ok and shop.steal() == ""

    tell(story)


# --- sessions and passwords


def test_a_live_session_of_a_closed_role_is_ended(shop: Shop):
    shop.usual("nologin")

    async def story() -> None:
        live, innocent = shop.login(), shop.login("reader")
        assert shop.steal(live) == ""
        await pull(shop.lever("nologin"), order())
        assert "terminat" in shop.steal(live) or live.closed
        assert "not permitted to log in" in shop.steal()
        innocent.execute("SELECT 1")

    tell(story)


def test_a_live_session_loses_a_revoked_right_at_its_next_statement(shop: Shop):
    shop.usual("revoke")

    async def story() -> None:
        live = shop.login()
        await pull(shop.lever("revoke"), order())
        assert "permission denied" in shop.steal(live)
        live.execute("SELECT * FROM app.orders")

    tell(story)


def test_a_new_password_lies_in_a_file_of_its_owner_alone_until_the_old_one_is_back(shop: Shop, tmp_path: Path):
    shop.usual("credential")
    row, left = shop.role_row(), tmp_path / "app.pass"

    async def story() -> None:
        lever, given = shop.lever("credential", fresh=left), order()
        await pull(lever, given)
        assert stat.S_IMODE(left.stat().st_mode) == 0o600
        fresh = left.read_text().strip()
        assert "password authentication failed" in shop.steal()
        with shop.login(password=fresh) as honest:
            again = await lever.apply(await lever.plan(given))
            assert (await lever.read_back(given)).ok and shop.steal(honest) == ""
        assert again.ok and left.read_text().strip() == fresh
        assert (await lever.undo(given)).ok
        assert shop.steal() == "" and shop.steal(password=fresh) != ""

    tell(story)
    assert shop.role_row() == row
    assert sorted(one.name for one in tmp_path.iterdir()) == [shop.secret.name]


def test_a_password_that_the_database_refused_is_left_nowhere(shop: Shop, tmp_path: Path):
    shop.mandate("credential", roles=["app"], held_by="other")

    async def story() -> None:
        lever = shop.lever("credential", fresh=tmp_path / "app.pass")
        outcome = await lever.apply(await lever.plan(order()))
        assert not outcome.ok and "holds no mandate credential" in outcome.says

    tell(story)
    assert [one.name for one in tmp_path.iterdir()] == [shop.secret.name]


def test_a_role_without_a_password_is_not_said_to_be_closed_by_one(shop: Shop):
    shop.usual("credential")
    shop.people("ALTER ROLE {app} PASSWORD NULL")

    async def story() -> None:
        lever = shop.lever("credential")
        outcome = await lever.simulate(await lever.plan(order()))
        assert not outcome.ok and "has no password" in outcome.says

    tell(story)


# --- what the lever's own role may


def test_nothing_but_five_functions_is_open_to_the_levers_role(shop: Shop):
    shop.usual("revoke")
    with shop.login("node") as own:
        for statement in (
            "SELECT * FROM tocsin.stood_role",
            "SELECT * FROM tocsin.doing",
            "INSERT INTO tocsin.mandate VALUES ('x', 'nologin', session_user, '{postgres}', NULL, NULL, '1 hour')",
            "UPDATE tocsin.mandate SET longest = '24 hours'",
            "SELECT tocsin.lift('revoke')",
            "SELECT tocsin.forget('revoke')",
            "SELECT tocsin._as(10, 0, 'CREATE ROLE mine SUPERUSER')",
            "CREATE TABLE tocsin.mine ()",
            "SELECT * FROM app.orders",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                own.execute(statement)
    with shop.login("app") as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("SELECT tocsin.undo('revoke', '\\x00', false)")


def test_a_credential_with_no_other_right_is_said_to_have_none(shop: Shop):
    shop.usual("revoke")

    async def story() -> None:
        found = await shop.lever("revoke").beyond()
        assert found.tried == 12 and found.may == ()

    tell(story)


def test_what_a_credential_could_do_besides_is_named(shop: Shop):
    shop.people("ALTER ROLE {node} CREATEROLE BYPASSRLS")
    shop.people("GRANT {owner} TO {node}")
    shop.people("GRANT SELECT (what) ON app.orders TO PUBLIC")

    async def story() -> None:
        may = "; ".join((await shop.lever("revoke").beyond()).may)
        for word in ("make roles", "row level", "act as another", "change or drop", "read tables", "write tables"):
            assert word in may
        assert "superuser" not in may and "app.orders" in may

    tell(story)


def test_a_superusers_credential_is_called_one(shop: Shop):
    shop.people("ALTER ROLE {node} SUPERUSER")

    async def story() -> None:
        assert "do everything, as a superuser" in (await shop.lever("revoke").beyond()).may[0]

    tell(story)


def test_a_mandate_of_another_lever_is_refused(shop: Shop):
    shop.mandate("nologin", "one", roles=["app"])

    async def story() -> None:
        lever = shop.lever("revoke", "one")
        plan = await lever.plan(order())
        outcome = await lever.simulate(plan)
        assert "not read yet" in plan.says and not outcome.ok and "is for nologin, not revoke" in outcome.says

    tell(story)


@pytest.mark.parametrize("call", ["nologin", "credential"])
def test_an_attacker_who_sets_the_password_again_and_again_keeps_nothing(shop: Shop, tmp_path: Path, call: str):
    """Any role may set its own password, and a live session is ended a moment after the closing."""
    shop.usual(call)
    row, stop, tried = shop.role_row(), threading.Event(), []
    statement = sql.SQL("ALTER ROLE {} PASSWORD 'mine'").format(sql.Identifier(shop.role("app")))

    def attack() -> None:
        while not stop.is_set():
            for password in (PASSWORD, "mine"):
                with contextlib.suppress(psycopg.Error), shop.login(password=password) as own:
                    while not stop.is_set():
                        with contextlib.suppress(psycopg.errors.InternalError_):  # somebody else was quicker
                            own.execute(statement)
                            tried.append(1)

    attackers = [threading.Thread(target=attack) for _ in range(2)]

    async def story() -> None:
        left = tmp_path / "app.pass" if call == "credential" else None
        lever, given = shop.lever(call, fresh=left), order()
        await pull(lever, given)
        count = len(tried)
        await trio.sleep(0.2)
        assert count and len(tried) == count
        assert shop.steal(password="mine") != "" and shop.steal() != ""
        if left is not None:
            assert shop.steal(password=left.read_text().strip()) == ""
        stop.set()
        undone = await lever.undo(given)
        assert undone.ok, undone.says

    for one in attackers:
        one.start()
    try:
        while not tried:
            time.sleep(0.01)
        tell(story)
    finally:
        stop.set()
        for one in attackers:
            one.join()
    assert shop.role_row()[0] is row[0] is True
