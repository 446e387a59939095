"""Every action at a venue that is a process of its own, signed in both ways. It needs no package and no chain."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from protocol.ids import ActionKey
from tests.integration.levers.acting import Act, Target, play
from tests.integration.levers.rpc import Refused
from tests.integration.venue.scene import ATTACKS, Node, Site

PACKAGES: tuple[str, ...] = ()


def targets(url: str = "") -> list[Target]:
    return [_venue(scheme) for scheme in ("hmac-sha256", "rfc9421")]


def _venue(scheme: str) -> Target:
    target = Target(f"venue-{scheme}")

    async def played(node: Node) -> None:
        for at, action in enumerate(ATTACKS):
            given = node.order(action, key=ActionKey(bytes([at + 1]) * 32))
            act = Act(node.lever(action), given, None, partial(_attack, node.site, action), partial(_stands, node.site))
            target.actions.append(await play(act))

    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder), scheme)
        site.start()
        try:
            site.tell(played)
        finally:
            site.stop()
    return target


def _attack(site: Site, action: str) -> None:
    if not site.trades(action):
        raise Refused(action)


def _stands(site: Site) -> list[Any]:
    return site.books("select status, margin_bps, withdrawals, keys from pairs, account")
