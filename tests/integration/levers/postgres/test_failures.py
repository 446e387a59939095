"""What goes wrong in between: servers that die, stand still or are somebody else, and a node that is killed."""

import contextlib
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from psycopg import sql

from adapters.api import Lever, LeverOrder, Outcome
from adapters.postgres.door import PostgresFault
from tests.integration.levers.postgres.shop import PASSWORD, Shop, order, tell
from tests.integration.levers.scene import pull

ROOT = Path(__file__).resolve().parents[4]
ALL = ("revoke", "read_only", "nologin", "credential")


async def every_step(lever: Lever, given: LeverOrder) -> list[Outcome]:
    plan = await lever.plan(given)
    assert "not read yet" in plan.says
    return [await lever.simulate(plan), await lever.apply(plan), await lever.read_back(given), await lever.undo(given)]


@pytest.mark.parametrize("call", ALL)
def test_a_server_killed_in_between_comes_back_closed_and_is_opened_again(shop: Shop, call: str):
    shop.usual(call)
    before = shop.grants()

    async def story() -> None:
        given = order()
        await pull(shop.lever(call), given)
        shop.server.kill()
        assert not (await shop.lever(call).read_back(given)).answered
        shop.server.start()
        assert shop.steal() != "" and (await shop.lever(call).read_back(given)).ok
        assert (await shop.lever(call).undo(given)).ok and shop.steal() == ""

    tell(story)
    assert shop.grants() == before


def test_a_server_that_is_down_is_said_by_every_step_and_nothing_is_raised(shop: Shop):
    shop.usual("revoke")

    async def story() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            lever = shop.lever("revoke", door=shop.door(port=taken.getsockname()[1]))
            for outcome in await every_step(lever, order()):
                assert (outcome.ok, outcome.retryable, outcome.answered, outcome.until_ms) == (False, True, False, 0)
                assert PASSWORD not in outcome.says and "refused" in outcome.says
            with pytest.raises(PostgresFault):
                await lever.beyond()

    tell(story)


def test_a_server_that_stands_still_holds_a_step_for_its_time_and_no_longer(shop: Shop):
    shop.usual("revoke")

    async def story() -> None:
        lever = shop.lever("revoke", door=shop.door(whole_s=0.3))
        given = order()
        shop.server.kill(signal.SIGSTOP)
        try:
            begun = time.monotonic()
            outcome = await lever.read_back(given)
            assert (outcome.ok, outcome.retryable, outcome.answered) == (False, True, False)
            assert "may yet be done" in outcome.says and time.monotonic() - begun < 3
        finally:
            shop.server.kill(signal.SIGCONT)
        await pull(shop.lever("revoke"), given)

    tell(story)


def test_a_question_that_was_given_up_keeps_no_thread(shop: Shop):
    async def story() -> None:
        door = shop.door(whole_s=1)
        with pytest.raises(PostgresFault, match="no answer within 1 s"):
            await door.rows(sql.SQL("SELECT pg_sleep(4)"))
        for _ in range(100):
            await trio.sleep(0.02)
            if not door._limiter.borrowed_tokens:
                return
        pytest.fail("its thread waits on")

    tell(story)


@pytest.mark.parametrize("call", ALL)
def test_a_node_killed_between_commit_and_answer_has_done_it_once_and_finds_it(shop: Shop, call: str, tmp_path: Path):
    shop.usual(call)
    before, given = shop.grants(), order()
    left = tmp_path / "app.pass" if call == "credential" else None
    words = (
        shop.server.port,
        shop.database,
        shop.role("node"),
        shop.secret,
        call,
        given.action_key.hex(),
        given.until_ms,
    )
    command = [sys.executable, "-m", "tests.integration.levers.postgres.dying", *map(str, words), str(left or "")]
    assert subprocess.run(command, cwd=ROOT, timeout=30, check=False).returncode == -signal.SIGKILL
    assert shop.steal() != "" and len(shop.journal()) == 1

    async def story() -> None:
        lever = shop.lever(call, fresh=left)
        again = await lever.apply(await lever.plan(given))
        assert again.ok and "done before under this key" in again.says and len(shop.journal()) == 1
        assert (await lever.read_back(given)).ok
        if left is not None:
            assert shop.steal(password=left.read_text().strip()) == ""
        assert (await lever.undo(given)).ok and shop.steal() == ""

    tell(story)
    assert shop.grants() == before


def test_a_wrong_password_is_said_without_the_password(shop: Shop):
    shop.usual("revoke")
    shop.secret.write_text("another s3cret\n")

    async def story() -> None:
        for outcome in await every_step(shop.lever("revoke"), order()):
            assert not outcome.ok and "password authentication failed" in outcome.says
            assert "s3cret" not in outcome.says

    tell(story)


def test_a_password_file_that_others_may_read_is_not_read(shop: Shop):
    shop.usual("revoke")
    shop.secret.chmod(0o640)

    async def story() -> None:
        for outcome in await every_step(shop.lever("revoke"), order()):
            assert not outcome.ok and "nobody else may read" in outcome.says and PASSWORD not in outcome.says

    tell(story)


@contextlib.contextmanager
def asking_for_the_password() -> Iterator[tuple[int, list[bytes]]]:
    """Somebody in the server's place who wants it in the clear."""
    heard: list[bytes] = []
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    one, _ = listening.accept()
                    with one:
                        one.settimeout(2)
                        first = one.recv(4096)
                        if first[4:8] == struct.pack("!I", 80877103):  # asks for TLS
                            one.sendall(b"N")
                            first = one.recv(4096)
                        one.sendall(b"R" + struct.pack("!II", 8, 3))
                        heard.append(first + one.recv(4096))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1], heard
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def test_somebody_in_the_servers_place_is_told_no_password(shop: Shop):
    with asking_for_the_password() as (port, heard):

        async def story() -> None:
            outcome = await shop.lever("revoke", door=shop.door(port=port)).read_back(order())
            assert not outcome.ok and not outcome.answered

        tell(story)
    assert heard and not any(PASSWORD.encode() in one for one in heard)


def test_a_table_that_the_attacker_holds_locked_is_closed_all_the_same(shop: Shop):
    shop.usual("revoke")

    async def story() -> None:
        with shop.login() as held:
            held.execute("BEGIN")
            held.execute("LOCK TABLE app.orders IN ACCESS EXCLUSIVE MODE")
            lever, given = shop.lever("revoke"), order()
            await pull(lever, given)
            held.execute("ROLLBACK")
            assert "permission denied" in shop.steal(held)
            assert (await lever.undo(given)).ok

    tell(story)


def test_a_database_that_is_not_set_up_says_what_to_run(shop: Shop):
    shop.usual("revoke")
    shop.people("DROP SCHEMA tocsin CASCADE")

    async def story() -> None:
        for outcome in await every_step(shop.lever("revoke"), order()):
            assert not outcome.ok and not outcome.retryable and "setup.sql" in outcome.says

    tell(story)


def test_a_schema_that_somebody_else_made_first_is_not_built_upon(shop: Shop):
    shop.people("DROP SCHEMA tocsin CASCADE")
    shop.people("GRANT CREATE ON DATABASE shopdb TO {other}".replace("shopdb", shop.database))
    shop.people("SET ROLE {other}; CREATE SCHEMA tocsin")
    with pytest.raises(RuntimeError, match="belongs to somebody else"):
        shop.server.run_setup(shop.database)
