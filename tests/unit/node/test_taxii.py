"""TAXII's routes on a machine's real state: what is told, to whom it fits, and that a reader costs little."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import trio

from node import api_taxii
from node.api import make_app
from node.api_taxii import CONTENT, ROOT, STOCK_MS, Library
from node.door import _token, role_of
from node.events import Clock
from node.insiders import Thing
from node.machine.step import Step
from tests.unit.machine.world import START_MS, World, claim

AMBER = ROOT + "collections/amber/"


@pytest.fixture(scope="module")
def world() -> World:
    world = World(4)
    world[0].sense(world.true(claim()))
    world.run(1_000)
    return world


class Asking:
    """The routes of one machine, at a moment that the test sets."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at_ms, self.looks = START_MS + 10_000, 0
        self._state = world[1].state
        monkeypatch.setattr(api_taxii, "now", lambda: Clock(self.at_ms, self.at_ms))
        self.read: list[Thing] = []
        self.surface: Any = SimpleNamespace(state=self._state, step=self._step, saw=self._saw)
        self._app = make_app(self.surface)

    def _step(self) -> Step:
        self.looks += 1
        return Step(self._state, Clock(self.at_ms, self.at_ms))

    async def _saw(self, request: Any, things: list[Thing]) -> None:
        self.read += things

    def get(self, path: str, **headers: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
                return await client.get(path, headers=headers)

        return trio.run(ask)


@pytest.fixture
def asking(world: World, monkeypatch: pytest.MonkeyPatch) -> Asking:
    return Asking(world, monkeypatch)


def test_from_discovery_to_the_objects_by_what_each_answer_names(asking: Asking) -> None:
    root = asking.get("/taxii2/").json()["default"]
    assert asking.get(root).json()["versions"] == [CONTENT]
    collections = asking.get(root + "collections/").json()["collections"]
    amber = next(one for one in collections if one["alias"] == "amber")
    assert not any(one["can_write"] for one in collections)
    found = asking.get(f"{root}collections/{amber['id']}/objects/")
    assert found.headers["content-type"] == CONTENT and found.json()["more"] is False
    assert {"indicator", "sighting", "identity", "incident"} <= {one["type"] for one in found.json()["objects"]}
    assert found.headers["x-taxii-date-added-first"] <= found.headers["x-taxii-date-added-last"]


def test_pages_make_up_the_whole(asking: Asking) -> None:
    whole = asking.get(AMBER + "objects/").json()["objects"]
    pieces, next_ = [], ""
    while True:
        page = asking.get(f"{AMBER}objects/?limit=3{next_}").json()
        pieces += page["objects"]
        if not page["more"]:
            break
        next_ = f"&next={page['next']}"
    assert pieces == whole and len(whole) > 3


def test_after_the_last_there_is_nothing(asking: Asking) -> None:
    last = asking.get(AMBER + "objects/").headers["x-taxii-date-added-last"]
    assert asking.get(AMBER + "objects/", accept=CONTENT).json()["objects"]
    assert asking.get(f"{AMBER}objects/?added_after={last}").json() == {}


def test_one_object_its_versions_and_the_manifest_agree(asking: Asking) -> None:
    (listed,) = asking.get(AMBER + "manifest/?match[type]=indicator").json()["objects"]
    (one,) = asking.get(f"{AMBER}objects/{listed['id']}/").json()["objects"]
    assert asking.get(f"{AMBER}objects/{listed['id']}/versions/").json()["versions"] == [one["modified"]]
    assert (one["id"], one["modified"]) == (listed["id"], listed["version"])


def test_what_is_marked_green_is_for_green_and_own_levers_for_amber(asking: Asking) -> None:
    kinds = {
        word: {one["type"] for one in asking.get(f"{ROOT}collections/{word}/objects/").json().get("objects", ())}
        for word in ("clear", "green", "amber")
    }
    assert kinds["clear"] == set() and "sighting" in kinds["green"]
    assert kinds["amber"] - kinds["green"] == {"course-of-action"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (ROOT + "collections/red/", 404),
        (ROOT + "collections/nothing/objects/", 404),
        (AMBER + "objects/indicator--00000000-0000-4000-8000-000000000000/", 404),
        (AMBER + "objects/?limit=0", 400),
        (AMBER + "objects/?added_after=soon", 400),
    ],
)
def test_what_is_not_there_is_said_as_taxii_says_it(path: str, status: int, asking: Asking) -> None:
    answer = asking.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, CONTENT)
    assert answer.json()["http_status"] == str(status) and answer.json()["title"]


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (CONTENT, 200),
        ("application/taxii+json; version=2.1, */*;q=0.1", 200),
        ("application/taxii+json", 200),
        ("*/*", 200),
        ("text/html", 406),
        ("application/taxii+json;version=2.0", 406),
    ],
)
def test_who_cannot_read_it_is_told(accept: str, status: int, asking: Asking) -> None:
    assert asking.get("/taxii2/", accept=accept).status_code == status


def test_a_reader_that_never_stops_costs_one_look_in_a_while(asking: Asking) -> None:
    for _ in range(20):
        asking.get(AMBER + "objects/")
        asking.at_ms += STOCK_MS // 10
    assert asking.looks == 2


def test_who_reads_what_is_not_for_everybody_is_written_down(asking: Asking) -> None:
    asking.get(ROOT + "collections/green/objects/")
    assert asking.read == []
    asking.get(AMBER + "manifest/")
    assert {one.kind for one in asking.read} == {"alert", "action"}


def test_the_rights_of_every_route_are_a_viewers() -> None:
    collection = ROOT + "collections/" + Library(World(4)[0]).id_of("green") + "/"  # type: ignore[arg-type]
    one = collection + "objects/course-of-action--0a2d6cb5-fe9f-5a84-a0a4-1a1a1a1a1a1a/"
    for path in (
        "/taxii2/",
        ROOT,
        ROOT + "collections/",
        collection,
        collection + "objects/",
        collection + "manifest/",
    ):
        assert (role_of("GET", path), role_of("POST", path)) == ("viewer", None)
    assert role_of("GET", one) == role_of("GET", one + "versions/") == "viewer"
    assert role_of("GET", "/taxii2/../v1/status") is None and role_of("DELETE", one) is None


@pytest.mark.parametrize(
    ("said", "basic", "token"),
    [
        ("Bearer abc", False, "abc"),
        ("Basic " + base64.b64encode(b"anna:abc").decode(), True, "abc"),
        ("Basic " + base64.b64encode(b"anna:a:bc").decode(), True, "a:bc"),
        ("Basic " + base64.b64encode(b"anna:abc").decode(), False, ""),
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), True, ""),
        ("Basic nonsense", True, ""),
        ("Digest abc", True, ""),
        ("", True, ""),
    ],
)
def test_a_token_comes_as_bearer_and_to_taxii_as_a_password_too(said: str, basic: bool, token: str) -> None:
    assert _token(said, basic=basic) == token
