"""Two people at the doors of a real node process: tokens over TCP, names at the control socket; and what is written
down of who reads."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from typing import Any

import pytest

from node import cli, people
from node.control import Control, ControlError
from node.insiders import read
from node.records import ActionOpened, pack_record
from node.store import Batch, RecordRow, Store
from protocol.crypto import sha256
from protocol.messages import Level, Threat
from tests.integration.kill9.child import subject
from tests.integration.shell.console import House

pytestmark = pytest.mark.network
KEYS = [sha256(f"lever {number}".encode()) for number in range(3)]
ALARM = {"subject": str(subject(1)), "threat": "bridge-forgery", "level": "WATCH"}


def waiting(key: bytes) -> ActionOpened:
    """An action that waits for a person: nothing stands on its target yet, and a lift ends it."""
    now_ms = time.time_ns() // 1_000_000
    about = (subject(1), int(Threat.BRIDGE_FORGERY), Level.ISOLATE)
    return ActionOpened(
        key,
        "freeze",
        "pool:log.note",
        *about,
        3_600_000,
        now_ms + 3_600_000,
        "shut",
        "it is so",
        (),
        b"",
        "asked",
        now_ms,
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    class Two(House):
        def before(self) -> None:
            policy = self.folder / "policy.toml"
            first, *rest = policy.read_text().split("\n")
            policy.write_text("\n".join([first, 'release = { need = 2, socket = "holder" }', *rest]))
            store = Store.open(self.folder / "data" / "store.sqlite")
            store.commit(Batch(tuple(RecordRow(*pack_record(waiting(key))) for key in KEYS)))
            store.close()
            self.tokens |= {name: people.add(self.people, name, "releaser") for name in ("anna", "bob", "holder")}
            self.tokens["anna-2"] = people.add(self.people, "anna", "releaser", another=True)

    with Two(tmp_path_factory.mktemp("two")) as house:
        yield house


def said(house: House, path: str, who: str, **body: Any) -> tuple[int, dict[str, Any]]:
    answer = house.do(path, who, f"{path}-{who}-{time.monotonic_ns()}", **body)
    return answer.status_code, answer.json()


def action(house: House, number: int) -> dict[str, Any]:
    return dict(house.ask("GET", f"/v1/actions/{KEYS[number].hex()}").json())


def control(house: House) -> Control:
    return Control(house.folder / "data" / "c.sock")


def test_two_tokens_of_one_person_lift_nothing_and_another_persons_does(house: House) -> None:
    path = f"/v1/actions/{KEYS[0].hex()}/lift"
    status, first = said(house, path, "anna")
    assert status == 200 and first["done"] is False and first["waits_until_ms"] > time.time() * 1000
    status, again = said(house, path, "anna-2")
    assert status == 409 and "anna asked for it" in again["error"]["what"]
    told = action(house, 0)
    assert told["phase"] == "asked" and told["asked"]["person"] == "anna"
    assert house.ask("GET", "/v1/status").json()["asked"][0]["id"] == KEYS[0].hex()
    assert said(house, path, "bob")[1]["done"] is True
    told = action(house, 0)
    assert told["phase"] == "lifted" and told["asked"] is None and "anna and bob" in told["steps"][-1]["says"]


def test_the_control_socket_is_one_person_whatever_name_it_writes(house: House) -> None:
    key = KEYS[1].hex()
    with control(house) as socket:
        assert socket.decide(key, "lift", "anna")["done"] is False
        with pytest.raises(ControlError, match="holder asked for it"):
            socket.decide(key, "lift", "bob")
    assert said(house, f"/v1/actions/{key}/lift", "holder")[0] == 409
    assert action(house, 1)["phase"] == "asked"
    assert said(house, f"/v1/actions/{key}/lift", "bob")[1]["done"] is True
    assert action(house, 1)["phase"] == "lifted"


def test_what_was_asked_is_taken_back_by_the_command_line(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    key, config = KEYS[2].hex(), str(house.folder / "node.toml")
    assert cli.main(["action", "lift", key, "--config", config]) == 0
    assert "it needs a second person until" in capsys.readouterr().out
    assert cli.main(["action", "show", key, "--config", config]) == 0
    assert "NEEDS A SECOND PERSON: holder asks to lift it" in capsys.readouterr().out
    assert cli.main(["status", "--config", config]) == 0
    assert f"NEEDS A SECOND PERSON: holder asks: lift {key[:12]}" in capsys.readouterr().out
    assert cli.main(["action", "lift", key, "--take-back", "--config", config]) == 0
    assert action(house, 2)["asked"] is None and action(house, 2)["phase"] == "asked"


def test_a_release_is_said_by_two_and_an_alert_is_acknowledged_by_each(house: House) -> None:
    alert = said(house, "/v1/alerts", "operator", **ALARM)[1]["id"]
    assert said(house, f"/v1/alerts/{alert}/acknowledge", "anna")[0] == 200
    assert house.do(f"/v1/alerts/{alert}/acknowledge", "viewer").status_code == 403
    path = f"/v1/alerts/{alert}/release"
    assert said(house, path, "anna")[1]["done"] is False
    assert house.ask("GET", f"/v1/alerts/{alert}").json()["asked"]["what"] == "release"
    assert said(house, path, "bob")[1]["done"] is True
    told = house.ask("GET", f"/v1/alerts/{alert}").json()
    assert [one["person"] for one in told["seen_by"]] == ["anna"] and told["asked"] is None
    kinds = [one["kind"] for one in control(house).events(0)["events"]]
    assert {"asked", "asked-no-more", "acknowledged", "release"} <= set(kinds)


def test_who_read_what_is_a_list_to_hand_on(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.ask("GET", "/v1/actions", "viewer")
    house.ask("GET", "/v1/actions", "viewer")
    rows = read(house.folder / "data" / "insiders.jsonl")[0].values()
    assert KEYS[0].hex() in {row.id for row in rows if (row.who, row.role, row.door) == ("viewer-1", "viewer", "tcp")}
    assert ("owner", "socket") in {(row.who, row.door) for row in rows}
    assert cli.main(["insiders", "--config", str(house.folder / "node.toml"), "-o", "csv"]) == 0
    table = [*csv.DictReader(io.StringIO(capsys.readouterr().out))]
    assert {"viewer-1", "owner"} <= {row["who"] for row in table}
    assert all(row["first"] <= row["last"] and row["tlp"] in ("AMBER", "RED") for row in table)
    late = ["insiders", "--config", str(house.folder / "node.toml"), "--since", "2999-01-01T00:00:00Z"]
    assert cli.main(late) == 0 and "Nobody" in capsys.readouterr().out
