"""Whose a grant is, who gave it, and what a person did meanwhile: exactly what is ours is put back."""

import contextlib
from collections.abc import Callable

import psycopg
import pytest
import trio
from psycopg import sql

from adapters.api import Outcome
from tests.integration.levers.postgres.shop import Shop, order, tell
from tests.integration.levers.scene import OTHER_KEY, pull


def during(shop: Shop, call: str, *statements: str) -> Outcome:
    """What an undo says where people did that while ours stood."""
    said: list[Outcome] = []

    async def story() -> None:
        lever, given = shop.lever(call), order()
        await pull(lever, given)
        for one in statements:
            shop.people(one)
        said.append(await lever.undo(given))

    tell(story)
    return said[0]


def refused(shop: Shop, call: str) -> str:
    """In what words a simulation and an apply refuse; nothing may have changed."""
    before, said = shop.grants(), []

    async def story() -> None:
        lever = shop.lever(call)
        plan = await lever.plan(order())
        for outcome in (await lever.simulate(plan), await lever.apply(plan)):
            assert not outcome.ok and not outcome.retryable
            said.append(outcome.says)

    tell(story)
    assert shop.grants() == before and said[0] == said[1]
    return str(said[0])


def test_what_a_person_revoked_before_us_is_not_given_back(shop: Shop):
    shop.usual("revoke")
    shop.people("REVOKE UPDATE ON app.orders FROM {app}")
    before = shop.grants()
    assert during(shop, "revoke").says == "put back: 1 change" and shop.grants() == before


def test_what_a_person_granted_again_meanwhile_is_left_alone_and_told(shop: Shop):
    shop.usual("revoke")
    undone = during(shop, "revoke", "GRANT INSERT ON app.orders TO {app} WITH GRANT OPTION")
    assert undone.ok and "left alone: somebody granted INSERT on app.orders" in undone.says
    assert ("app.orders", "INSERT", True) in {(name, right, option) for name, _, _, _, right, option in shop.grants()}


def test_what_a_person_granted_again_is_not_taken_again_under_the_same_key(shop: Shop):
    shop.usual("revoke")

    async def story() -> None:
        lever, given = shop.lever("revoke"), order()
        await pull(lever, given)
        shop.people("GRANT INSERT ON app.orders TO {app}")
        again = await lever.apply(await lever.plan(given))
        assert again.ok and "done before under this key" in again.says and shop.steal() == ""
        assert not (await lever.read_back(given)).ok
        other = order(key=OTHER_KEY)
        await pull(lever, other)
        assert "permission denied" in shop.steal()
        assert (await lever.undo(other)).ok and shop.steal() == ""

    tell(story)


def test_a_person_who_grants_other_things_meanwhile_keeps_them(shop: Shop):
    shop.usual("revoke")
    before = shop.grants()
    assert during(shop, "revoke", "GRANT DELETE ON app.orders TO {reader}").ok
    assert {(one[0], one[4]) for one in shop.grants() - before} == {("app.orders", "DELETE")}


def test_what_was_passed_on_goes_along_and_comes_back_by_who_gave_it(shop: Shop):
    shop.usual("revoke")
    shop.people("GRANT INSERT ON app.orders TO {app} WITH GRANT OPTION")
    shop.people("SET ROLE {app}; GRANT INSERT ON app.orders TO {other} WITH GRANT OPTION")
    shop.people("SET ROLE {other}; GRANT INSERT ON app.orders TO {reader}; GRANT INSERT (what) ON app.orders TO PUBLIC")
    before = shop.grants()

    async def story() -> None:
        lever, given = shop.lever("revoke"), order()
        await pull(lever, given)
        gone = {(name, right) for name, _, _, _, right, _ in before - shop.grants()}
        assert gone == {("app.orders", "INSERT"), ("app.orders", "UPDATE")} and len(before - shop.grants()) == 5
        undone = await lever.undo(given)
        assert undone.ok and undone.says == "put back: 5 changes"

    tell(story)
    assert shop.grants() == before


def test_a_grant_of_somebody_else_is_taken_and_given_as_them(shop: Shop):
    shop.usual("revoke")
    shop.people("GRANT INSERT ON app.orders TO {other} WITH GRANT OPTION")
    shop.people("SET ROLE {other}; GRANT INSERT ON app.orders TO {app} WITH GRANT OPTION")
    before = shop.grants()
    assert during(shop, "revoke").ok and shop.grants() == before


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("GRANT INSERT ON app.orders TO PUBLIC", "by PUBLIC, or as its owner"),
        ("GRANT INSERT (what) ON app.orders TO PUBLIC", "by PUBLIC, or as its owner"),
        ("GRANT {owner} TO {app}", "as a member of"),
        ("ALTER ROLE {app} NOINHERIT; GRANT {owner} TO {app}", "as a member of"),
        ("ALTER TABLE app.orders OWNER TO {app}", "as its owner"),
        ("GRANT pg_write_all_data TO {app}", "as a member of"),
        ("ALTER ROLE {app} CREATEROLE", "makes roles"),
        ("ALTER ROLE {app} SUPERUSER", "is a superuser"),
        ("DROP TABLE app.orders CASCADE", "table app.orders is not there"),
    ],
)
def test_a_way_that_would_stay_open_is_named_and_nothing_taken(shop: Shop, statement: str, why: str):
    shop.usual("revoke")
    shop.people(statement)
    assert why in refused(shop, "revoke")


def test_rights_on_schemas_sequences_and_columns_come_back_too(shop: Shop):
    things = ['table app."Odd; Name"', "sequence app.orders_id_seq", "schema app"]
    shop.mandate("revoke", roles=["app"], objects=things, privileges=["USAGE", "UPDATE", "SELECT"])
    before = shop.grants()

    async def story() -> None:
        lever, given = shop.lever("revoke"), order()
        await pull(lever, given)
        assert "permission denied for schema app" in shop.steal()
        assert (await lever.undo(given)).ok

    tell(story)
    assert shop.grants() == before


def test_a_schema_is_read_and_not_written_by_all_but_its_owner(shop: Shop):
    shop.usual("read_only")
    shop.people('GRANT UPDATE, INSERT (id) ON app."Odd; Name" TO PUBLIC')
    before = shop.grants()

    async def story() -> None:
        lever, given = shop.lever("read_only"), order()
        await pull(lever, given)
        rights = {
            one[4]
            for one in shop.grants()
            if one[3]
            != int(
                shop.people(
                    "SELECT {owner}::text::regrole::oid".replace("{owner}::text", "%s"),
                    '"' + shop.role("owner").replace('"', '""') + '"',
                )[0][0]
            )
        }
        assert rights == {"SELECT", "USAGE"}
        with shop.login() as app, shop.login("owner") as owner:
            app.execute("SELECT * FROM app.orders")
            owner.execute("INSERT INTO app.orders (what) VALUES ('kept')")
        assert (await lever.undo(given)).ok

    tell(story)
    assert shop.grants() == before


@pytest.mark.parametrize("first", ["revoke", "read_only"])
def test_of_two_levers_on_one_table_each_stays_closed_until_its_own_end(shop: Shop, first: str):
    second = {"revoke": "read_only", "read_only": "revoke"}[first]
    shop.usual(first), shop.usual(second)
    shop.people("GRANT INSERT ON app.orders TO {app} WITH GRANT OPTION")
    shop.people("SET ROLE {app}; GRANT INSERT ON app.orders TO {other}")
    before = shop.grants()

    async def story() -> None:
        one, two, a, b = shop.lever(first), shop.lever(second), order(), order(key=OTHER_KEY)
        await pull(one, a)
        await pull(two, b)
        undone = await one.undo(a)
        assert undone.ok and "stays closed by the mandate" in undone.says
        assert "permission denied" in shop.steal() and (await two.read_back(b)).ok
        assert (await two.undo(b)).ok and shop.steal() == ""

    tell(story)
    assert shop.grants() == before


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DROP TABLE app.orders CASCADE", "was dropped meanwhile"),
        ("DROP OWNED BY {app}; DROP ROLE {app}", "was dropped meanwhile"),
        ("ALTER TABLE app.orders OWNER TO {other}", "has another owner now"),
        ("ALTER TABLE app.orders RENAME TO bills", "put back: 2 changes"),
    ],
)
def test_what_is_no_more_as_it_was_is_told(shop: Shop, statement: str, told: str):
    shop.usual("revoke")
    undone = during(shop, "revoke", statement)
    assert undone.ok and told in undone.says
    assert shop.people("SELECT * FROM tocsin.stood_acl") == []


def test_a_role_that_a_person_let_in_again_is_left_alone(shop: Shop):
    shop.usual("nologin")
    undone = during(shop, "nologin", "ALTER ROLE {app} LOGIN")
    assert undone.ok and "let" in undone.says and "left alone" in undone.says and shop.steal() == ""


def test_a_role_that_somebody_changed_meanwhile_is_not_opened_and_people_are_asked(shop: Shop):
    shop.usual("nologin")
    undone = during(shop, "nologin", "ALTER ROLE {app} NOLOGIN")
    assert not undone.ok and not undone.retryable and "by hand" in undone.says
    assert "not permitted to log in" in shop.steal()
    shop.people("ALTER ROLE {app} LOGIN")
    shop.people("SELECT tocsin.forget('nologin')")
    assert shop.people("SELECT * FROM tocsin.stood_role") == []


def test_a_role_that_a_person_closed_before_us_stays_closed(shop: Shop):
    shop.usual("nologin")
    shop.people("ALTER ROLE {app} NOLOGIN")
    assert during(shop, "nologin").says == "nothing of ours stands here; nothing done"
    assert "not permitted to log in" in shop.steal()


def test_our_other_lever_on_the_role_is_no_somebody(shop: Shop):
    shop.usual("nologin"), shop.usual("credential")
    row = shop.role_row()

    async def story() -> None:
        close, rotate, a, b = shop.lever("nologin"), shop.lever("credential"), order(), order(key=OTHER_KEY)
        await pull(rotate, b)
        await pull(close, a)
        assert (await rotate.undo(b)).ok and (await close.undo(a)).ok

    tell(story)
    assert shop.steal() == "" and shop.role_row()[:2] == row[:2]


def test_a_password_that_a_person_set_meanwhile_is_kept(shop: Shop):
    shop.usual("credential")
    undone = during(shop, "credential", "ALTER ROLE {app} PASSWORD 'fresh' VALID UNTIL 'infinity'")
    assert undone.ok and "left alone" in undone.says
    assert shop.steal(password="fresh") == "" and shop.steal() != ""


def test_a_role_that_two_mandates_close_opens_with_the_last(shop: Shop):
    shop.mandate("nologin", "one", roles=["app"])
    shop.mandate("nologin", "two", roles=["app"])

    async def story() -> None:
        one, two, a, b = shop.lever("nologin", "one"), shop.lever("nologin", "two"), order(), order(key=OTHER_KEY)
        await pull(one, a)
        await pull(two, b)
        assert (await one.undo(a)).ok and shop.steal() != ""
        assert (await two.undo(b)).ok and shop.steal() == ""

    tell(story)


PEOPLE: dict[str, Callable[[Shop], str]] = {
    "lift": lambda shop: "SELECT tocsin.lift('revoke')",
    "lapse": lambda shop: "UPDATE tocsin.doing SET until_ms = 1; SELECT tocsin.lapse()",
}


@pytest.mark.parametrize("how", sorted(PEOPLE))
def test_people_end_it_without_the_node(shop: Shop, how: str):
    shop.usual("revoke")
    before = shop.grants()
    undone = during(shop, "revoke", PEOPLE[how](shop))
    assert undone.ok and "nothing of ours" in undone.says and shop.grants() == before


def test_what_is_not_overdue_does_not_lapse(shop: Shop):
    shop.usual("revoke")
    assert "put back" in during(shop, "revoke", "SELECT tocsin.lapse()").says


def test_an_attacker_who_is_passing_a_right_on_in_this_moment_neither_fails_the_lever_nor_keeps_it(shop: Shop):
    """Of two who change one row of a catalog at once, the second would fail."""
    shop.usual("revoke")
    shop.people("GRANT INSERT ON app.orders TO {app} WITH GRANT OPTION")
    passed_on = sql.SQL("GRANT INSERT (what), INSERT ON app.orders TO {}").format(sql.Identifier(shop.role("other")))

    async def story() -> None:
        lever, given = shop.lever("revoke"), order()
        with shop.login() as attacker:
            plan = await lever.plan(given)
            attacker.execute("BEGIN")
            attacker.execute(passed_on)
            said: list[Outcome] = []

            async def apply() -> None:
                said.append(await lever.apply(plan))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(apply)
                for _ in range(100):  # until it waits for the attacker
                    await trio.sleep(0.02)
                    if said or shop.people("SELECT 1 FROM pg_locks WHERE NOT granted"):
                        break
                attacker.execute("COMMIT")
        assert said[0].ok, said[0].says
        asked = "SELECT has_any_column_privilege(%s::name, 'app.orders', 'INSERT')"
        assert "permission denied" in shop.steal() and shop.people(asked, shop.role("other")) == [(False,)]
        assert (await lever.undo(given)).ok and shop.people(asked, shop.role("other")) == [(True,)]

    tell(story)


@pytest.mark.parametrize("call", ["revoke", "read_only", "nologin", "credential"])
def test_an_attacker_who_holds_what_is_to_be_changed_in_an_open_transaction_is_ended(shop: Shop, call: str):
    """Any role may set its own password, and who may pass a right on may begin to."""
    shop.usual(call)
    shop.people("GRANT INSERT ON app.orders TO {app} WITH GRANT OPTION")
    names = {who: sql.Identifier(shop.role(who)) for who in ("app", "other")}
    held = (
        "GRANT INSERT ON app.orders TO {other}" if call in ("revoke", "read_only") else "ALTER ROLE {app} PASSWORD 'm'"
    )
    before, row = shop.grants(), shop.role_row()

    async def story() -> None:
        lever, given = shop.lever(call), order()
        with contextlib.suppress(psycopg.OperationalError), shop.login() as attacker:
            attacker.execute("BEGIN")
            attacker.execute(sql.SQL(held).format(**names))
            plan = await lever.plan(given)
            if call == "nologin":  # it waits for as long as a lock may last
                simulated = await lever.simulate(plan)
                assert simulated.ok and "open transaction" in simulated.says
            assert (await lever.apply(plan)).ok and (await lever.read_back(given)).ok
            with pytest.raises(psycopg.OperationalError):
                attacker.execute("COMMIT")
        assert shop.steal() != "" and shop.steal(password="m") != ""
        assert (await lever.undo(given)).ok and shop.steal() == ""

    tell(story)
    assert (shop.grants(), shop.role_row()) == (before, row)


def test_an_owner_who_holds_it_is_waited_for_and_not_ended(shop: Shop):
    shop.usual("revoke")

    async def story() -> None:
        lever, given = shop.lever("revoke"), order()
        with shop.login("owner") as owner:
            owner.execute("BEGIN")
            owner.execute("ALTER TABLE app.orders ADD COLUMN later int")
            outcome = await lever.apply(await lever.plan(given))
            assert not outcome.ok and outcome.retryable
            owner.execute("COMMIT")
        await pull(lever, given)

    tell(story)
