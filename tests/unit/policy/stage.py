"""What the policy's tests stand on: the README's examples, the levers they name, and a situation to change."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.api import ExpiresBy, ExposureReading, LeverDeclaration
from adapters.policy import AlarmView, Decision, Own, Policy, Situation, Verdict, decide, parse_text
from protocol.membership import LEASE_MS_MOST
from protocol.messages import Level, Threat
from protocol.subjects import from_text

README = (Path(__file__).parents[3] / "adapters" / "policy" / "README.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"### ([^\n]+)\n```toml\n(.*?)```", README, re.DOTALL))
RSETH = from_text("eip155:1/erc20:0xa1290d69c65a6fe4df752f95823fae25cb99e5a7")
ORACLE = from_text("oracle:eip155:1:0x03c68933f7a3f76875c0bc670a58e69294cdfd01")
WETH = from_text("eip155:1/erc20:0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2")
OTHER = from_text("eip155:1/erc20:0x6b175474e89094c44da98b954eedeac495271d0f")
HOUR_MS, MINUTE_MS, NOW_MS = 3_600_000, 60_000, 1_790_000_000_000
WHOLE = 10**18


def declare(call: str, rung: Level, closes: set[str], hours: int, cool: int, **more: Any) -> LeverDeclaration:
    base = LeverDeclaration(
        call, rung, frozenset(closes), False, True, ExpiresBy.TARGET, hours * HOUR_MS, cool * HOUR_MS, "says"
    )
    return replace(base, **more)


DECLARED = {
    one.call: one
    for one in (
        declare("lending.ltv_zero", Level.GUARD, {"borrow"}, 12, 2),
        declare("lending.freeze", Level.ISOLATE, {"supply"}, 6, 2),
        declare("lending.cap", Level.GUARD, {"borrow"}, 6, 1),
        declare("perp.reduce_only", Level.GUARD, {"open"}, 12, 1),
        declare("perp.margin", Level.GUARD, set(), 12, 1),
        declare("perp.halt", Level.HALT, {"open", "close"}, 1, 6, blocks_exit=True),
        declare("escrow.pause", Level.ISOLATE, {"release"}, 6, 1),
    )
}


def example(title: str) -> Policy:
    return parse_text(EXAMPLES[title])


def alarm(**changes: Any) -> AlarmView:
    """An ISOLATE certificate of five groups that re-ran it, and so did we."""
    base = AlarmView(
        subject=RSETH,
        threat=Threat.BRIDGE_FORGERY,
        network_level=Level.ISOLATE,
        groups=5,
        groups_verified=5,
        operators=4,
        own=Own.VERIFIED,
        own_level=Level.ISOLATE,
        amount=116_500 * WHOLE,
        claims=(("evm-release-without-burn", bytes(32)),),
        since_ms=NOW_MS - 1000,
        ends_ms=NOW_MS + HOUR_MS,
    )
    return replace(base, **changes)


def reading(name: str, **changes: Any) -> ExposureReading:
    return replace(ExposureReading(name, 52_000_000.0, 2_400.0, None, NOW_MS - 1000), **changes)


def situation(policy: Policy, *alarms: AlarmView, **changes: Any) -> Situation:
    base = Situation(
        now_ms=NOW_MS,
        epoch_lease_ms=dict(LEASE_MS_MOST),
        alarms=alarms,
        exposures={name: reading(name) for name in policy.exposures},
        levers={name: DECLARED[lever.call] for name, lever in policy.levers.items() if lever.call in DECLARED},
    )
    return replace(base, **changes)


def verdicts(policy: Policy, now: Situation) -> dict[str | None, Verdict]:
    return {one.lever: one.verdict for one in decide(policy, now)}


def only(policy: Policy, now: Situation, lever: str | None) -> Decision:
    (one,) = [one for one in decide(policy, now) if one.lever == lever]
    return one
