"""`tocsin lever` on a running venue: a node's own files, its secret read as the venue gave it, and nothing sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.network.forked import ForkedSite
from tests.integration.venue import document
from tests.integration.venue.engine import SECRET
from tests.integration.venue.scene import Site

pytestmark = pytest.mark.network


@pytest.fixture
def node(tmp_path: Path, site: Site) -> Iterator[ForkedSite]:
    folder = tmp_path / "nodes"
    folder.mkdir()
    one = ForkedSite(folder)
    one.found()
    path = one.config("venue")
    key = one.folder / "venue" / "data" / "keys" / "venue.key"
    key.write_bytes(SECRET + b"\n")
    key.chmod(0o600)
    (path.parent / "venue.json").write_bytes(document.raw())
    path.write_text(f"{path.read_text()}\n{document.target(site.url, site.scheme)}")
    yield one
    one.close()


def asked(node: ForkedSite, *words: str, code: int = 0) -> Any:
    ran = node.at("venue", "lever", *words, "-o", "json")
    assert ran.code == code, ran
    return json.loads(ran.out)


def test_its_levers_are_listed_shown_planned_and_tried_and_nothing_is_sent(node: ForkedSite, site: Site) -> None:
    found = {one["at"]: one for one in asked(node, "list")}
    assert found["exch:venue.halt"]["expires_by"] == "target" and found["exch:venue.halt"]["blocks_exit"]
    assert "POST /v1/pairs/{pair}/margin" in asked(node, "show", "exch:venue.margin")["says"]
    assert "ended by the venue itself" in asked(node, "plan", "exch:venue.halt")["plan"]
    tried = {one["name"]: one for one in asked(node, "test")}
    assert len(tried) == 5 and all(one["ok"] for one in tried.values())
    assert tried["exch:venue.halt"]["beyond"] == {"tried": 2, "may": ["account:read"]}
    assert site.effects() == 0


def test_a_secret_that_others_can_read_is_refused_and_not_shown(node: ForkedSite) -> None:
    (node.folder / "venue" / "data" / "keys" / "venue.key").chmod(0o644)
    ran = node.at("venue", "lever", "list")
    assert ran.code == 1 and "others than its owner can read" in ran.out + ran.err
    assert SECRET.decode() not in ran.out + ran.err


def test_a_venue_that_is_down_would_not_move_and_says_why(node: ForkedSite, site: Site) -> None:
    site.stop()
    (one,) = asked(node, "test", "exch:venue.halt", code=1)
    assert not one["ok"] and "cannot connect" in one["says"]
