"""The door on TCP of a real node process: who may, from where, how often; what a hostile end of a wire costs."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from node import people
from node.control import Control
from tests.integration.kill9.child import subject
from tests.integration.shell.console import House
from tests.integration.shell.stage import written

pytestmark = pytest.mark.network
ALARM = {"subject": str(subject(1)), "threat": "bridge-forgery", "level": "WATCH"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("console")) as house:
        yield house


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_stranger_gets_the_page_and_nothing_else(house: House) -> None:
    page = house.bare("GET", "/")
    assert page.status_code == 200 and "text/html" in page.headers["content-type"]
    rules = page.headers["content-security-policy"]
    assert "default-src 'none'" in rules and "unsafe" not in rules and "frame-ancestors 'none'" in rules
    for path in ("/v1/status", "/v1/events", "/v1/openapi.json", "/v1/nothing"):
        assert code(house.bare("GET", path)) == (401, "no-token")
    for path in ("/../people.json", "/%2e%2e/people.json", "/people.json", "/__init__.py", "//"):
        assert house.bare("GET", path).status_code == 404


def test_each_role_may_what_it_may_and_the_owners_is_nobodys(house: House) -> None:
    assert house.ask("GET", "/v1/me").json() == {"person": "viewer-1", "role": "viewer"}
    assert house.ask("GET", "/v1/exposures").json() == []
    assert code(house.do("/v1/alerts", "viewer", **ALARM)) == (403, "role")
    assert house.do("/v1/alerts", "operator", **ALARM).json()["ok"]
    (alert,) = house.ask("GET", "/v1/alerts").json()
    assert code(house.do(f"/v1/alerts/{alert['id']}/release", "operator")) == (403, "role")
    assert house.do(f"/v1/alerts/{alert['id']}/release", "releaser").status_code == 200
    for path in ("/v1/stop", "/v1/backup", "/v1/keys", "/v1/statements"):
        assert code(house.do(path, "releaser")) == (404, "unknown-route")


def test_the_pages_are_read_by_a_viewer_and_bounded(house: House) -> None:
    told = house.ask("GET", "/v1/now").json()
    assert set(told) == {"status", "alerts", "actions", "exposures"} and told["status"]["member"] == "m0"
    assert house.ask("GET", "/v1/levers").status_code == 200
    assert house.ask("GET", "/v1/policy").json()["incidents"]
    assert "no such asset" in house.ask("GET", "/v1/policy/try?asset=x").json()["fault"]
    first = house.ask("GET", "/v1/history?limit=1").json()
    assert len(first["happenings"]) <= 1
    for path in ("history?limit=100000", "history?before=-1", "policy/try?asset=x&groups=9999", "policy/try"):
        assert house.ask("GET", f"/v1/{path}").status_code == 422, path


def test_what_a_person_does_is_recorded_under_the_name_of_the_token(house: House) -> None:
    assert house.do("/v1/alerts", "operator", "named-key-1", **ALARM).json()["ok"]
    assert code(house.do("/v1/alerts", "operator", "named-key-2", **ALARM, person="carol")) == (403, "another-person")
    with Control(house.folder / "data" / "c.sock") as control:
        assert control.status()["alerts"] == 1
    log = [json.loads(line) for line in (house.folder / "node.log").read_text().splitlines()]
    done = [one["person"] for one in log if one.get("kind") == "operator"]
    assert done and set(done) <= {"operator-1", "releaser-1"}


def test_a_command_is_done_once_for_each_key(house: House) -> None:
    def deeds() -> int:
        return (house.folder / "node.log").read_text().count('"kind":"operator"')

    first, before = house.do("/v1/alerts", "operator", "once-and-again", **ALARM), deeds()
    again = house.do("/v1/alerts", "operator", "once-and-again", **ALARM)
    assert again.json() == first.json() and again.headers["idempotent-replayed"] == "true" and deeds() == before
    assert code(house.do("/v1/alerts", "operator", "once-and-again", **{**ALARM, "level": "HALT"}))[0] == 422
    answer = house.ask("POST", "/v1/alerts", "operator", json=ALARM)
    assert code(answer) == (400, "no-idempotency-key")
    assert not house.do("/v1/alerts", "releaser", "once-and-again", **ALARM).headers.get("idempotent-replayed")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"x-padding": "x" * 9_000}, 431),
        ({"authorization": "Basic eDp5"}, 401),
    ],
)
def test_a_foreign_name_a_foreign_page_and_a_trick_are_refused(
    house: House, headers: dict[str, str], status: int
) -> None:
    answer = house.ask("GET", "/v1/status", headers=headers)
    assert answer.status_code == status, answer.text
    assert "access-control-allow-origin" not in answer.headers


def test_a_form_of_another_page_is_no_command(house: House) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        headers = {"content-type": kind, "idempotency-key": "forged-form"}
        answer = house.ask("POST", "/v1/alerts", "operator", content=json.dumps(ALARM), headers=headers)
        assert answer.status_code == 415


def test_a_token_in_an_address_opens_nothing_and_is_in_no_log(house: House) -> None:
    token = house.tokens["releaser"]
    assert code(house.bare("GET", f"/v1/status?token={token}&access_token={token}")) == (401, "no-token")
    assert house.ask("GET", "/v1/status", "releaser").status_code == 200
    written = (house.folder / "node.log").read_text() + house.node.said + house.people.read_text()
    assert not [one for one in house.tokens.values() if one in written or one.split("_", 2)[2] in written]


def test_a_large_body_is_refused(house: House) -> None:
    headers = {"content-type": "application/json", "idempotency-key": "large-body"}
    assert house.ask("POST", "/v1/alerts", "operator", content=b"x" * 200_000, headers=headers).status_code == 413


def test_events_come_over_tcp_and_end_with_the_person(house: House) -> None:
    token = people.add(house.people, "guest", "viewer")
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {token}"}
    with httpx.stream("GET", f"{house.url}/v1/events", headers=headers, timeout=20) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("id: ") and answer.status_code == 200
        people.remove(house.people, "guest")
        house.do("/v1/alerts", "operator", "after-guest", **ALARM)
        assert not [line for line in lines if "operator-1" in line]
    assert code(house.bare("GET", "/v1/status", token)) == (401, "bad-token")


def test_a_token_for_one_sign_in_is_spent_by_it(house: House) -> None:
    once = people.add(house.people, "visitor", "viewer", once=True)
    assert code(house.bare("GET", "/v1/status", once)) == (403, "sign-in-first")
    answer = house.bare("POST", "/v1/sign-in", once, json={})
    assert answer.json()["role"] == "viewer"
    assert house.bare("GET", "/v1/me", answer.json()["token"]).json()["person"] == "visitor"
    assert house.bare("POST", "/v1/sign-in", once, json={}).status_code == 401
    assert "visitor" not in house.people.read_text()


def test_guesses_are_slow_and_few_and_who_is_in_stays_in(house: House) -> None:
    id_ = house.tokens["viewer"].split("_")[1]
    began = time.monotonic()
    guess = f"tocsin_{id_}_{'x' * 43}"
    with ThreadPoolExecutor(14) as guessers:
        answers = list(guessers.map(lambda _: house.bare("GET", "/v1/status", guess).status_code, range(14)))
    assert 401 in answers and 429 in answers and time.monotonic() - began > 1
    assert house.ask("GET", "/v1/status").status_code == 200
    with Control(house.folder / "data" / "c.sock") as control:
        assert control.status()["member"] == "m0"


def test_one_person_asks_only_so_often(house: House) -> None:
    with httpx.Client(base_url=house.url, headers={"authorization": f"Bearer {house.tokens['viewer']}"}) as client:
        seen = (client.get("/v1/me").status_code for _ in range(400))
        answers = list(itertools.takewhile(lambda status: status == 200, seen))
    assert 60 <= len(answers) < 400
    assert house.ask("GET", "/v1/me", "operator").status_code == 200


def slow(port: int, said: bytes) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(said)
    return one


def test_connections_that_never_ask_are_few_and_the_control_socket_does_not_know_of_them(house: House) -> None:
    held: list[Any] = []
    try:
        held = [slow(house.port, b"GET / HTTP/1.1\r\nHost: ") for _ in range(200)]
        time.sleep(0.5)
        refused = [one for one in held if _ended(one)]
        assert len(refused) >= 60
        with Control(house.folder / "data" / "c.sock", 2.0) as control:
            assert control.status()["member"] == "m0"
    finally:
        for one in held:
            one.close()
    time.sleep(1.5)
    assert house.ask("GET", "/v1/me", "operator").status_code == 200


def test_a_reader_that_takes_nothing_is_let_go_and_the_node_stops_in_order(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        asked = f"GET /v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\n"
        asked += f"Authorization: Bearer {house.tokens['viewer']}\r\n\r\n"
        with slow(house.port, asked.encode() * 50) as stuck:
            time.sleep(0.5)
            assert house.ask("GET", "/v1/me", "operator").status_code == 200
            stuck.setblocking(False)


def test_beyond_loopback_there_is_no_listening_without_a_certificate(tmp_path: Path) -> None:
    from node.config import ConfigFaults, load

    written(tmp_path)
    with (tmp_path / "node.toml").open("a") as file:
        file.write('\n[console]\nlisten = "0.0.0.0:8443"\n')
    with pytest.raises(ConfigFaults) as seen:
        load(tmp_path / "node.toml")
    assert "in the clear" in str(seen.value) and "console.hosts" in str(seen.value)


def _ended(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        return one.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
