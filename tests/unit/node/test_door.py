"""The door on TCP in its pure parts: the list of people, the routes, the buckets, slow ends of a wire."""

from __future__ import annotations

import json
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

import node.console
from node import guarded, people
from node.api import make_app
from node.buckets import BUCKETS_MAX, Bucket, Buckets
from node.config_model import ConsoleConfig
from node.door import FILES, REFUSED_S, Door, role_of
from node.guarded import REQUEST_S, WRITE_S, Guarded
from node.known_people import KnownPeople, Slow
from node.once import KEPT_OF_ONE, Once
from node.pages import BYTES_MAX, Pages, console_files
from node.people import PeopleFault
from node.serving import names_of
from protocol.crypto import sha256

OWNERS = {("POST", "/v1/stop"), ("POST", "/v1/backup"), ("POST", "/v1/keys"), ("POST", "/v1/statements")}


def alone(body: Callable[..., Awaitable[None]], *args: Any) -> None:
    trio.run(body, *args, clock=trio.testing.MockClock(autojump_threshold=0.05))


# --- people -------------------------------------------------------------------------------------------------------


def test_a_token_is_shown_once_and_its_hash_alone_is_kept_for_nobody_else_to_read(tmp_path: Path) -> None:
    path = tmp_path / "people.json"
    token = people.add(path, "anna", "operator")
    id_, secret = people.split_token(token) or ("", "")
    (anna,) = people.read(path)
    assert anna.id == id_ and anna.fits(secret) and not anna.fits(secret[:-1] + "x")
    assert secret not in path.read_text() and stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_tokens_of_one_secret_have_two_hashes() -> None:
    assert people.hash_of("x", bytes(16)) != people.hash_of("x", b"\x01" * 16)


@pytest.mark.parametrize("name", ["", "a" * 65, "a b", "-x", "<b>", "a\n", "ü"])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PeopleFault):
        people.add(tmp_path / "people.json", name, "viewer")


def test_a_name_stands_once_and_goes_once(tmp_path: Path) -> None:
    path = tmp_path / "people.json"
    people.add(path, "anna", "viewer")
    with pytest.raises(PeopleFault, match="already"):
        people.add(path, "anna", "releaser")
    assert people.remove(path, "anna") and not people.remove(path, "anna") and people.read(path) == ()


def test_a_second_token_is_another_of_the_same_person_and_goes_with_the_first(tmp_path: Path) -> None:
    path = tmp_path / "people.json"
    people.add(path, "anna", "releaser")
    with pytest.raises(PeopleFault, match="anna is listed already"):
        people.add(path, "Anna", "releaser")
    with pytest.raises(PeopleFault, match="nobody called Anna"):
        people.add(path, "Anna", "releaser", another=True)
    people.add(path, "anna", "viewer", another=True)
    assert [one.name for one in people.read(path)] == ["anna", "anna"]
    assert people.remove(path, "ANNA") and people.read(path) == ()


@pytest.mark.parametrize(
    "raw",
    ["", "[]", "{}", '{"people": {}}', '{"people": [{"name": "x"}]}', "[" * 9_000, "x" * 70_000, '{"people": [1]}'],
)
def test_a_list_that_is_none_is_a_fault_and_lists_nobody(tmp_path: Path, raw: str) -> None:
    path = tmp_path / "people.json"
    path.write_text(raw)
    path.chmod(0o600)
    with pytest.raises(PeopleFault):
        people.read(path)
    assert KnownPeople(path).listed("0" * 10) is None


def test_a_role_that_is_none_and_a_list_that_others_can_write_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.json"
    people.add(path, "anna", "viewer")
    path.write_text(path.read_text().replace("viewer", "owner"))
    with pytest.raises(PeopleFault):
        people.read(path)
    path.chmod(0o620)
    with pytest.raises(PeopleFault, match="chmod 600"):
        people.read(path)


def test_a_wrong_secret_is_slow_and_a_removed_person_is_a_stranger(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "people.json"
        token = people.add(path, "anna", "viewer")
        known = KnownPeople(path)
        anna = await known.person_of(token, "here")
        assert anna is not None and known.still(anna)
        began = trio.current_time()
        assert await known.person_of(token[:-1] + ("x" if token[-1] != "x" else "y"), "there") is None
        assert trio.current_time() - began >= 0.5
        people.remove(path, "anna")
        assert not known.still(anna) and await known.person_of(token, "here") is None

    trio.run(story)


def test_tries_of_one_address_end_and_those_of_another_do_not(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "people.json"
        token = people.add(path, "anna", "viewer")
        known = KnownPeople(path)
        with pytest.raises(Slow):
            for _ in range(40):
                await known.person_of("tocsin_0000000000_" + "x" * 43, "there")
        assert await known.person_of(token, "here") is not None

    alone(story)


# --- routes -------------------------------------------------------------------------------------------------------


def test_every_route_has_a_role_or_is_the_owners_alone() -> None:
    app = make_app(SimpleNamespace())  # type: ignore[arg-type]
    for path, verbs in app.openapi()["paths"].items():
        sample = path.replace("{id_}", "abcdef").replace("{digest}", "abcdef").replace("{verb}", "approve")
        for verb in verbs:
            known = role_of(verb.upper(), sample) is not None
            assert known != ((verb.upper(), sample) in OWNERS), (verb, path)


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/v1/status", "viewer"),
        ("DELETE", "/v1/status", None),
        ("GET", "/v1/status/", None),
        ("GET", "/v1/status\n", None),
        ("POST", "/v1/actions/abcdef/lift", "releaser"),
        ("POST", "/v1/actions/abcdef/extend", "operator"),
        ("POST", "/v1/alerts/abcdef/rerun", "operator"),
        ("POST", "/v1/actions/abcdef/Lift", None),
        ("POST", "/v1/actions/../stop", None),
        ("POST", "/v1/alerts/abcdef/release", "releaser"),
        ("POST", "/v1//alerts", None),
    ],
)
def test_a_route_is_named_exactly_or_is_none(method: str, path: str, role: str | None) -> None:
    assert role_of(method, path) == role


def test_it_goes_by_its_address_and_by_the_names_that_were_given() -> None:
    hosts, origins = names_of(ConsoleConfig(listen="127.0.0.1:8443"))
    assert hosts == {"127.0.0.1:8443", "localhost:8443"}
    assert origins == {"http://127.0.0.1:8443", "http://localhost:8443"}
    hosts, origins = names_of(ConsoleConfig(listen="0.0.0.0:443", cert="c", key="k", hosts=["t.example"]))
    assert hosts == {"t.example", "t.example:443"}
    assert origins == {"https://t.example", "https://t.example:443"}


@pytest.mark.parametrize("listen", ["8443", "localhost:8443", "127.0.0.1", "127.0.0.1:0", "::1:8443", "[127.0.0.1]:1"])
def test_where_it_listens_is_an_address_and_a_port(listen: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        ConsoleConfig(listen=listen)


# --- commands once ------------------------------------------------------------------------------------------------


def test_a_command_under_way_is_not_begun_again_and_one_that_failed_may_be() -> None:
    async def story() -> None:
        begun, going, status = [], trio.Event(), [500]

        async def app(scope: Any, receive: Any, send: Any) -> None:
            begun.append((await receive())["body"])
            await going.wait()
            await send({"type": "http.response.start", "status": status[0], "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})

        once, said = Once(app), []

        async def ask(key: str = "a-key-of-it") -> None:
            scope = {"method": "POST", "path": "/v1/alerts", "headers": [(b"idempotency-key", key.encode())]}

            async def receive() -> Any:
                return {"type": "http.request", "body": b"{}", "more_body": False}

            async def send(message: Any) -> None:
                if message["type"] == "http.response.start":
                    said.append(message["status"])

            await once(scope, receive, send)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            await ask()
            assert said == [409] and len(begun) == 1
            going.set()
        assert said == [409, 500]
        status[0] = 200
        await ask()
        await ask()
        assert said == [409, 500, 200, 200] and len(begun) == 2
        for number in range(KEPT_OF_ONE + 10):
            await ask(f"other-key-{number}")
        assert sum(map(len, once._deeds.values())) <= KEPT_OF_ONE

    alone(story)


# --- buckets and wires --------------------------------------------------------------------------------------------


def test_a_bucket_fills_with_time_and_names_are_few() -> None:
    async def story() -> None:
        bucket = Bucket(2, 0.5)
        assert bucket.take() and bucket.take() and not bucket.take() and bucket.wait_s() == pytest.approx(2)
        await trio.sleep(2)
        assert bucket.take()
        names = Buckets(1, 1)
        for number in range(3 * BUCKETS_MAX):
            names.take(str(number))
        assert len(names._held) == BUCKETS_MAX

    alone(story)


def on_a_wire(stream: Any) -> Guarded:
    """One end in memory, with the socket that the server wants to look at."""
    stream.socket = SimpleNamespace()
    return Guarded(stream)


def test_a_request_that_comes_byte_by_byte_is_cut_off() -> None:
    async def story() -> None:
        here, there = trio.testing.memory_stream_pair()
        one = on_a_wire(there)

        async def drip() -> None:
            while True:
                await here.send_all(b"x")
                await trio.sleep(1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drip)
            began, got = trio.current_time(), 0
            while part := await one.receive_some():
                got += len(part)
            nursery.cancel_scope.cancel()
        assert trio.current_time() - began == pytest.approx(REQUEST_S, abs=1.1) and got <= REQUEST_S + 2
        assert one.gone.is_set()

    alone(story)


def test_an_answer_gives_time_anew_and_one_that_nobody_takes_ends_the_connection() -> None:
    async def story() -> None:
        here, there = trio.testing.lockstep_stream_pair()
        one = on_a_wire(there)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.receive_some, 1)
            await trio.sleep(REQUEST_S - 1)
            await one.send_all(b"x")
        assert one._until_s - trio.current_time() == pytest.approx(REQUEST_S)
        began = trio.current_time()
        with pytest.raises(trio.BrokenResourceError):
            await one.send_all(b"y")
        assert trio.current_time() - began == pytest.approx(WRITE_S)

    alone(story)


def test_one_more_connection_than_there_is_room_for_is_closed_and_room_comes_back() -> None:
    async def story() -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]

        async def handle(stream: Any) -> None:
            while await stream.receive_some():
                pass

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guarded.serve_guarded, [listener], None, handle, nursery)
            held = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(3)]
            with trio.fail_after(5):
                assert await held[2].receive_some() == b""
            await held[0].aclose()
            await trio.sleep(0.2)
            again = await trio.open_tcp_stream("127.0.0.1", port)
            with trio.move_on_after(0.3) as waits:
                await again.receive_some()
            assert waits.cancelled_caught
            nursery.cancel_scope.cancel()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guarded, "CONNECTIONS_MAX", 2)
        trio.run(story)


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_is_small_and_asks_nobody_else() -> None:
    held = console_files()
    assert sum(len(content) for content, _ in held.values()) <= BYTES_MAX
    for path, (content, kind) in held.items():
        if path.endswith("/cytoscape.js"):
            continue
        text = content.decode()
        for word in ("http://", "https://", "innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write"):
            assert word not in text.replace("http://www.w3.org/", ""), (path, word)
        if b"html" in kind:
            assert " style=" not in text and "<style" not in text and " onclick" not in text
            assert all('src="/' in part for part in text.split("<script")[1:]), path
    assert json.dumps(sorted(held)).count("__init__") == 0


def test_what_others_wrote_for_the_page_is_as_they_published_it() -> None:
    """cytoscape 3.35.0, dist/cytoscape.esm.min.mjs and its licence; it makes no markup and runs no text."""
    folder = Path(node.console.__file__).parent
    told = {name: sha256((folder / name).read_bytes()).hex() for name in ("cytoscape.js", "cytoscape.LICENSE")}
    assert told == {
        "cytoscape.js": "aa33b0103bbdb721aeb1506000cb6e056692400baba7264c552d000b09da01f2",
        "cytoscape.LICENSE": "eb319c6e6f233607f71e8e2f450391751883cfc0eeb3ca7ef574c13d1d9c2203",
    }
    text = (folder / "cytoscape.js").read_text("utf-8")
    assert not [word for word in ("innerHTML", "eval(", "new Function", "document.write", "fetch(") if word in text]


def test_what_the_page_is_made_of_lies_under_a_name_that_changes_with_it() -> None:
    held = console_files()
    page = held["/"][0].decode()
    named = {part.partition('"')[0] for part in page.split('="/')[1:]}
    assert "bell.svg" in named and named <= {path[1:] for path in held}
    assert all(one in page for one in held if one.endswith(".js") and "cytoscape" not in one)
    headers: list[dict[str, Any]] = []

    async def asked() -> None:
        async def send(message: dict[str, Any]) -> None:
            headers.append(message)

        for path in ("/", next(one for one in held if one.endswith("/main.js"))):
            await Pages(held)({"path": path, "method": "GET", "headers": []}, None, send)

    trio.run(asked)
    kept = [dict(one["headers"])[b"cache-control"] for one in headers if "headers" in one]
    assert kept[0] == b"no-cache" and b"immutable" in kept[1]


def test_no_rung_of_the_ladder_bears_the_name_of_what_is_hidden() -> None:
    """The line that tells what a command did is hidden by its class until then; a rung of that class once was too."""
    held = {path.rpartition("/")[2]: content.decode() for path, (content, _) in console_files().items()}
    hidden = [line.split("{")[0].strip() for line in held["style.css"].splitlines() if "visibility: hidden" in line]
    assert hidden == [".said"] and '" said"' not in held["ladder.js"]


def test_who_comes_too_often_waits_for_each_no() -> None:
    """A connection that floods gets one answer a second, and not a thousand."""
    told: list[tuple[float, int]] = []

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            told.append((trio.current_time(), message["status"]))

    async def page(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def flood() -> None:
        door = Door(None, page, None, frozenset({"here"}), frozenset())  # type: ignore[arg-type]
        scope = {"type": "http", "path": "/", "method": "GET", "headers": [(b"host", b"here")], "client": ("x", 1)}
        began = trio.current_time()
        for _ in range(FILES + 1):
            await door(scope, None, send)  # type: ignore[arg-type]
        assert [status for _, status in told] == [200] * FILES + [429]
        assert trio.current_time() - began == REFUSED_S

    alone(flood)
