"""Alarms as a node's API tells them, for the tests of what leaves and of what is read."""

from __future__ import annotations

from typing import Any

from adapters.intel.model import Alarm, Author, alarm_of
from protocol.messages import Tlp

COIN = "eip155:1/erc20:0xa1290d69c65a6fe4df752f95823fae25cb99e5a7"
T0 = 1_776_533_700_000
MINUTE = 60_000
NOW = T0 + 10 * MINUTE
US = Author("cd" * 32, "lender-a")


def opinion(author: str, tlp: Tlp = Tlp.GREEN, **other: Any) -> dict[str, Any]:
    said = {
        "author": author,
        "group": author,
        "level": "ISOLATE",
        "basis": "VERIFIED",
        "claims": [{"type": "evm-release-without-burn", "id": "77" * 32}],
        "sources": [f"{author}.home"],
        "since_ms": T0,
        "issued_ms": T0 + 1_500,
        "expires_ms": T0 + 120 * MINUTE,
        "live": True,
        "by_person": False,
        "detector": "bridge",
        "incident": "rseth",
        "tlp": tlp.name,
    }
    return said | other


def alert(*opinions: dict[str, Any], **other: Any) -> dict[str, Any]:
    told = {
        "id": "ab" * 32,
        "subject": COIN,
        "threat": "bridge-forgery",
        "level": "ISOLATE",
        "groups": sorted(str(one["group"]) for one in opinions),
        "needed": 3,
        "certificate": {"digest": "12" * 32, "level": "ISOLATE", "ends_ms": T0 + 120 * MINUTE, "tlp": "GREEN"},
        "opinions": list(opinions),
        "own": {"verdict": "supports", "level": "ISOLATE", "why": "re-ran it"},
    }
    return told | other


def action(**other: Any) -> dict[str, Any]:
    done = {
        "key": "0f" * 32,
        "lever": "market:lending.ltv_zero",
        "subject": COIN,
        "threat": "bridge-forgery",
        "rung": "GUARD",
        "phase": "held",
        "until_ms": T0 + 60 * MINUTE,
        "steps": [
            {"at_ms": T0 + 2_000, "phase": "planned", "says": "LTV to 0", "reference": ""},
            {"at_ms": T0 + 3_000, "phase": "held", "says": "done", "reference": "0x1"},
        ],
    }
    return done | other


def alarm(*opinions: dict[str, Any], acts: tuple[dict[str, Any], ...] = (), **other: Any) -> Alarm:
    return alarm_of(alert(*(opinions or (opinion("lender-a"), opinion("issuer"))), **other), acts)
