"""One kind, `evm.call`, on four unlike contracts: a flag, a number, an end, and a flag that no event tells of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from tests.integration.levers.aave_market import E18, build
from tests.integration.levers.acting import Act, Target, play
from tests.integration.levers.call_targets import (
    Written,
    build_bridge,
    build_sentinel,
    capping,
    client_to,
    flagging,
    leasing,
    pausing,
)
from tests.integration.levers.packages import AAVE, OPEN_ZEPPELIN_4
from tests.integration.levers.pausable_token import build_token

PACKAGES = (AAVE, OPEN_ZEPPELIN_4)
CAP = 20_000
"""Whole tokens: above what is lent out, so that a small loan fits until the cap is met."""


def targets(url: str) -> list[Target]:
    market, token = build(url), build_token(url)
    bridge, loan = build_bridge(market.people), market.loan
    capped = lambda: market.view("pool", "getConfiguration", loan)  # noqa: E731
    plays = [
        trio.run(_one, "flag", pausing(token), lambda: token.transfer("attacker"), lambda: token.view("paused")),
        trio.run(_one, "number", capping(market, CAP), lambda: market.borrow("attacker", CAP * E18), capped),
        trio.run(_one, "end", leasing(bridge), bridge.deliver, bridge.until),
    ]
    sentinel = build_sentinel(market)
    untold = trio.run(_one, "untold", flagging(sentinel), lambda: market.borrow("attacker"), sentinel.down)
    return [*plays, untold]


async def _one(name: str, written: Written, attack: Callable[[], Any], stands: Callable[[], Any]) -> Target:
    async with client_to(written.people.url, written.chain) as client:
        act = Act(written.lever(client), written.order(), written.people, attack, stands)
        return Target(f"call-{name}", [await play(act)])
