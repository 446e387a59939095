"""What stands is extended, and evidence re-run, at the doors of a real node process; over a restart it holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from node import cli
from node.records import ActionOpened, ActionStepped, Record, pack_record
from node.store import Batch, RecordRow, Store
from protocol.crypto import sha256
from protocol.messages import Level, Threat
from tests.integration.kill9.child import subject
from tests.integration.shell.console import House

pytestmark = pytest.mark.network
KEY, HOUR_MS = sha256(b"note"), 3_600_000
ALARM = {"subject": str(subject(1)), "threat": "bridge-forgery", "level": "WATCH"}
POLICY = f"""policy = 1
mode = "act"
asset.a = ["{subject(1)}"]
exposure.pool = {{ asset = "a", read = "log.read", max_age = "5m", ways_out = ["supply"] }}
lever.note = {{ on = "pool", call = "log.note", closes = [], expires_by = "target", max = "3h", cooldown = "1m" }}
rule.r = {{ asset = "a", level = "none", own = "verified", do = ["note"], for = "1h" }}
rule.other = {{ asset = "any", level = "any", own = "any", do = [], page = true }}
"""


def under_way() -> list[Record]:
    """What a node had sent when it ended: it notes it again, and it stands."""
    at_ms = time.time_ns() // 1_000_000
    about = (subject(1), int(Threat.BRIDGE_FORGERY), Level.WATCH, HOUR_MS, at_ms + HOUR_MS)
    opened = ActionOpened(KEY, "note", "pool:log.note", *about, "r", "it is so", (), b"", "ordered", at_ms)
    return [opened, ActionStepped(KEY, "sending", "to be sent", "", 0, at_ms)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    class Desk(House):
        def before(self) -> None:
            (self.folder / "policy.toml").write_text(POLICY)
            with (self.folder / "node.toml").open("a") as file:
                file.write('[target.pool]\nkind = "log"\n')
            store = Store.open(self.folder / "data" / "store.sqlite")
            store.commit(Batch(tuple(RecordRow(*pack_record(one)) for one in under_way())))
            store.close()

    with Desk(tmp_path_factory.mktemp("desk")) as house:
        yield house


def action(house: House) -> dict[str, Any]:
    return dict(house.ask("GET", f"/v1/actions/{KEY.hex()}").json())


def stands(house: House) -> dict[str, Any]:
    ends = time.monotonic() + 10
    while action(house)["phase"] != "effective":
        assert time.monotonic() < ends, action(house)
        time.sleep(0.05)
    return action(house)


def test_a_command_that_is_sent_twice_extends_once_and_under_the_persons_name(house: House) -> None:
    until_ms = stands(house)["until_ms"]
    path = f"/v1/actions/{KEY.hex()}/extend"
    assert house.do(path, "viewer", by_s=3600).status_code == 403
    first = house.do(path, "operator", "extend-once", by_s=3600)
    assert first.status_code == 200 and house.do(path, "operator", "extend-once", by_s=3600).json() == first.json()
    told = stands(house)
    assert told["until_ms"] == until_ms + HOUR_MS
    assert any("extended by operator-1, by 1h" in step["says"] for step in told["steps"])


def test_the_command_line_extends_within_the_bound_and_says_what_is_left(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    until_ms, config = stands(house)["until_ms"], str(house.folder / "node.toml")
    assert cli.main(["action", "extend", KEY.hex(), "30m", "--config", config]) == 0
    assert stands(house)["until_ms"] == until_ms + HOUR_MS // 2
    assert cli.main(["action", "extend", KEY.hex(), "2h", "--config", config]) == 1
    assert "it may stand until" in capsys.readouterr().err


def test_what_rests_on_a_persons_word_has_no_evidence_to_re_run(house: House) -> None:
    alert = house.do("/v1/alerts", "operator", **ALARM).json()["id"]
    assert house.do(f"/v1/alerts/{alert}/rerun", "viewer").status_code == 403
    answer = house.do(f"/v1/alerts/{alert}/rerun", "operator")
    assert answer.status_code == 409 and "persons' words" in answer.json()["error"]["what"]
    assert house.ask("GET", f"/v1/alerts/{alert}").json()["reruns"] == []
