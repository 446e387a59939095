"""The levers that the policy lends, as JSON: what each closes and leaves, how it ends, when it was last tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.api import LeverDeclaration
from adapters.policy import LeverUse
from node.machine.action import ENDED
from node.machine.state import State

Json = dict[str, Any]


def levers(state: State, tested_ms: Mapping[str, int]) -> list[Json]:
    policy, declared = state.setup.policy, state.setup.declarations
    return [_lever(state, use, declared.get(name), tested_ms.get(name)) for name, use in sorted(policy.levers.items())]


def _lever(state: State, use: LeverUse, declared: LeverDeclaration | None, tested_ms: int | None) -> Json:
    policy = state.setup.policy
    exposure = policy.exposures[use.on]
    closes = use.closes & declared.closes if declared is not None else use.closes
    held = [one for one in state.actions.values() if one.lever == use.name and one.phase not in ENDED]
    return {
        "name": use.name,
        "instance": policy.instance_of(use),
        "exposure": use.on,
        "asset": exposure.asset,
        "rung": declared.rung.name if declared is not None else None,
        "says": declared.says if declared is not None else "no adapter of this node has this call",
        "closes": sorted(closes),
        "leaves": [way for way in exposure.ways_out if way not in closes],
        "blocks_exit": use.blocks_exit or (declared is not None and declared.blocks_exit),
        "reversible": declared.reversible if declared is not None else None,
        "expires_by": use.expires_by.value,
        "max_ms": min(use.max_ms, declared.max_ms) if declared is not None else use.max_ms,
        "cooldown_ms": max(use.cooldown_ms, declared.cooldown_ms) if declared is not None else use.cooldown_ms,
        "mode": min(policy.mode, use.mode).name.lower(),
        "rules": sorted(rule.name for rule in policy.rules if use.name in rule.levers),
        "tested_ms": tested_ms,
        "stands": [
            {"key": one.key.hex(), "phase": one.phase.value, "until_ms": one.until_ms}
            for one in sorted(held, key=lambda one: (one.opened_ms, one.key))
        ],
    }
