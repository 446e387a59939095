"""TAXII at the door of a real node process: the token decides, and what a person raised is there to read."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from node.api_taxii import CONTENT, ROOT
from tests.integration.kill9.child import subject
from tests.integration.shell.console import House

pytestmark = pytest.mark.network


def test_a_reader_with_a_token_follows_an_alarm_and_one_without_sees_nothing(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        alarm = {"subject": str(subject(1)), "threat": "bridge-forgery", "level": "WATCH"}
        assert house.do("/v1/alerts", "operator", **alarm).json()["ok"]
        path = ROOT + "collections/amber/objects/?match[type]=indicator"
        assert house.bare("GET", path).status_code == 401
        assert "basic" not in house.bare("GET", path).headers["www-authenticate"].lower()
        for answer in (
            house.ask("GET", path, headers={"accept": CONTENT}),
            httpx.get(house.url + path, auth=("anna", house.tokens["viewer"]), trust_env=False),
        ):
            assert answer.status_code == 200 and answer.headers["content-type"] == CONTENT
            (indicator,) = answer.json()["objects"]
            assert str(subject(1)) in indicator["pattern"]
        assert house.ask("POST", path, "operator", json={}).status_code == 404
        status = house.url + "/v1/status"
        assert httpx.get(status, auth=("anna", house.tokens["viewer"]), trust_env=False).status_code == 401
