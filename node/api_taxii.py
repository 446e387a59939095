"""TAXII 2.1, to read: what `tocsin alert export` writes, for tools that ask again and again.

One API root with a collection for each ceiling. It stands behind the same doors as everything else; nothing can be
written here, because an alarm is signed by a member or is none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from adapters.intel import stix
from adapters.intel.model import CEILINGS, Author, name_of
from adapters.intel.shelf import MEDIA, Asked, Held, Page, Shelf, asked_of, written
from node import inside, present
from node.loop import now
from node.sharing import shared
from protocol.messages import Tlp

if TYPE_CHECKING:
    from node.api_surface import Surface

ROOT = "/taxii2/alarms/"
CONTENT = "application/taxii+json;version=2.1"
STOCK_MS = 5_000
"""Between two looks at the state: a reader that asks every moment costs the node no more than one that does not."""
_TAKEN = frozenset({"application/taxii+json;version=2.1", "application/taxii+json", "application/*", "*/*"})
Json = dict[str, Any]


class Library:
    """The collections of one node, stocked from its state when somebody asks."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        self._shelves = {word: Shelf() for word in CEILINGS}
        self._stocked_ms = dict.fromkeys(CEILINGS, -STOCK_MS)

    def id_of(self, word: str) -> str:
        state = self._surface.state
        return str(name_of("collection", state.epoch.network.hex(), state.me, word))

    def described(self) -> list[Json]:
        return [self.describe(word) for word in CEILINGS]

    def describe(self, word: str) -> Json:
        return {
            "id": self.id_of(word),
            "title": f"Alarms up to TLP:{word.upper()}",
            "alias": word,
            "can_read": True,
            "can_write": False,
            "media_types": [MEDIA],
        }

    def named(self, id_: str) -> str | None:
        """By id or by alias, which the specification lets a reader use in its place."""
        return next((word for word in CEILINGS if id_ in (word, self.id_of(word))), None)

    def shelf(self, word: str) -> Shelf:
        at = now()
        if at.mono_ms - self._stocked_ms[word] >= STOCK_MS:
            self._stocked_ms[word] = at.mono_ms
            self._shelves[word].stock(self._objects(word, at.wall_ms), at.wall_ms)
        return self._shelves[word]

    async def note_read(self, request: Request, word: str) -> None:
        """As of the same alerts over /v1: below AMBER nothing is told that is not for everybody."""
        if CEILINGS[word] >= Tlp.AMBER:
            state = self._surface.state
            things = inside.alerts(state, present.topics(state)) + inside.actions(state.actions.values())
            await self._surface.saw(request, things)

    def _objects(self, word: str, now_ms: int) -> list[stix.Object]:
        state, step = self._surface.state, self._surface.step()
        alerts = [present.alert(step, topic) for topic in present.topics(state)]
        actions = [present.action(step, one) for one in state.actions.values()]
        alarms, _, _ = shared(alerts, actions, CEILINGS[word])
        return stix.objects(alarms, Author(state.epoch.network.hex(), state.me), now_ms)


def taxii_routes(app: FastAPI, surface: Surface) -> None:
    library = Library(surface)
    _describing_routes(app, library)
    _content_routes(app, library)


def _describing_routes(app: FastAPI, library: Library) -> None:
    @app.get("/taxii2/", include_in_schema=False)
    async def discovery(request: Request) -> Response:
        told = {"title": "Tocsin", "description": "Alarms of this member's node.", "default": ROOT, "api_roots": [ROOT]}
        return _answer(request, told)

    @app.get(ROOT, include_in_schema=False)
    async def root(request: Request) -> Response:
        told = {"title": "Alarms", "versions": [CONTENT], "max_content_length": 65_536}
        return _answer(request, told)

    @app.get(ROOT + "collections/", include_in_schema=False)
    async def collections(request: Request) -> Response:
        return _answer(request, {"collections": library.described()})

    @app.get(ROOT + "collections/{id_}/", include_in_schema=False)
    async def collection(request: Request, id_: str) -> Response:
        word = library.named(id_)
        return _none("collection") if word is None else _answer(request, library.describe(word))


def _content_routes(app: FastAPI, library: Library) -> None:
    async def paged(request: Request, id_: str, told: Callable[[tuple[Held, ...]], Json], only: str = "") -> Response:
        word = library.named(id_)
        if word is None:
            return _none("collection")
        try:
            asked = asked_of(request.query_params)
        except ValueError as error:
            return _fault(400, str(error))
        if only:
            asked = Asked(asked.after_us, asked.limit, {**asked.matches, "id": frozenset({only})})
        page = library.shelf(word).page(asked)
        if page.held:
            await library.note_read(request, word)
        return _none("object") if only and not page.held else _answer(request, _of_page(page, told), page)

    @app.get(ROOT + "collections/{id_}/objects/", include_in_schema=False)
    async def objects(request: Request, id_: str) -> Response:
        return await paged(request, id_, lambda held: {"objects": [one.object for one in held]})

    @app.get(ROOT + "collections/{id_}/objects/{object_id}/", include_in_schema=False)
    async def object_(request: Request, id_: str, object_id: str) -> Response:
        return await paged(request, id_, lambda held: {"objects": [one.object for one in held]}, object_id)

    @app.get(ROOT + "collections/{id_}/objects/{object_id}/versions/", include_in_schema=False)
    async def versions(request: Request, id_: str, object_id: str) -> Response:
        return await paged(request, id_, lambda held: {"versions": [one.version for one in held]}, object_id)

    @app.get(ROOT + "collections/{id_}/manifest/", include_in_schema=False)
    async def manifest(request: Request, id_: str) -> Response:
        return await paged(request, id_, lambda held: {"objects": [one.manifest for one in held]})


def _of_page(page: Page, told: Callable[[tuple[Held, ...]], Json]) -> Json:
    """An empty one is an empty object; only a page that is followed by another says so."""
    if not page.held:
        return {}
    return told(page.held) | ({"more": True, "next": page.next} if page.more else {"more": False})


def _answer(request: Request, value: Json, page: Page | None = None) -> Response:
    accepted = request.headers.get("accept", "*/*")[:1000].replace(" ", "").lower().split(",")
    if not any(one in _TAKEN or one.partition(";")[0] in ("*/*", "application/*") for one in accepted):
        return _fault(406, f"this is {CONTENT}")
    headers = {}
    if page is not None and page.held:
        first, last = page.held[0].added_us, page.held[-1].added_us
        headers = {"X-TAXII-Date-Added-First": written(first), "X-TAXII-Date-Added-Last": written(last)}
    return _said(200, value, headers)


def _none(what: str) -> Response:
    return _fault(404, f"there is no such {what}, or it may not be read here")


def _fault(status: int, what: str) -> Response:
    return _said(status, {"title": what, "http_status": str(status)}, {})


def _said(status: int, value: Json, headers: dict[str, str]) -> Response:
    return Response(json.dumps(value), status, headers, media_type=CONTENT)
