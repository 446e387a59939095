"""What the console's pages read beyond the rest of /v1, each in one request: a person may ask only so often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import trio
from fastapi import FastAPI, Query, Request

from node import dry_run, history, inside, present, present_levers
from node.loop import now

if TYPE_CHECKING:
    from node.api_surface import Surface

ALERTS_AT_ONCE = 16
"""Between two turns of the loop; of seven words each some 2 ms."""


def page_routes(app: FastAPI, surface: Surface) -> None:
    @app.get("/v1/now")
    async def the_present(request: Request) -> dict[str, Any]:
        """What `status`, `alerts`, `actions` and `exposures` tell. Many alarms a part at a time: the loop goes on."""
        state, step, topics = surface.state, surface.step(), present.topics(surface.state)
        alerts = []
        for number, topic in enumerate(topics, 1):
            alerts.append(present.alert(step, topic))
            if number % ALERTS_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
        held = sorted(state.actions.values(), key=lambda one: (one.opened_ms, one.key))
        told = {
            "status": surface.status(),
            "alerts": alerts,
            "actions": [present.action(step, one) for one in held],
            "exposures": present.exposures(state, step.now_ms),
        }
        await surface.saw(request, [*inside.alerts(state, topics), *inside.actions(held), *inside.exposures(state)])
        return told

    @app.get("/v1/levers")
    async def levers(request: Request) -> list[dict[str, Any]]:
        """Those that the policy lends, and when `tocsin lever test` last found that each would move."""
        told = present_levers.levers(surface.state, (await surface.looks.now()).tested_ms)
        await surface.saw(request, inside.exposures(surface.state))
        return told

    @app.get("/v1/history")
    async def told(
        request: Request,
        before: Annotated[int | None, Query(ge=0, le=1 << 53)] = None,
        limit: Annotated[int, Query(ge=1, le=history.RECORDS_MAX)] = history.RECORDS_MAX,
    ) -> dict[str, Any]:
        """Happenings of the `limit` records ahead of position `before` (None: of the last ones), oldest first.
        `from` is the `before` of the page ahead of this one; 0: there is none."""
        await surface.saw(request, [inside.EVENTS])
        last = surface.watch.position + 1
        return await history.page(surface.page, surface.state, min(before or last, last), limit)

    @app.get("/v1/policy")
    async def policy(request: Request) -> dict[str, Any]:
        """In sentences, with its faults, and what it would do in each incident that comes with this package."""
        await surface.saw(request, inside.exposures(surface.state))
        return await dry_run.told(surface.state, now().wall_ms)

    @app.get("/v1/policy/try")
    async def try_(
        request: Request,
        asset: Annotated[str, Query(max_length=64)],
        level: Annotated[str, Query(max_length=10)] = "ISOLATE",
        own: Annotated[str, Query(max_length=16)] = "verified",
        groups: Annotated[int, Query(ge=0, le=256)] = 0,
    ) -> dict[str, Any]:
        """What the policy would decide on such an alarm, with what is at risk now. Nothing moves."""
        await surface.saw(request, inside.exposures(surface.state))
        return dry_run.tried(surface.state, asset, level, own, groups, now().wall_ms)
