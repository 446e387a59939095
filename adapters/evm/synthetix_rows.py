"""What each lever on Synthetix v2x is: one row per way in which its SystemStatus suspends something by a key.

Facts of the release 2.102.1. A section of its access control is one right to suspend and one to resume, for every key
of that section at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from adapters.api import LeverDeclaration
from adapters.declared import by_node
from adapters.evm.abi import Abi
from protocol.messages import Level

KEY = re.compile(r"[A-Za-z0-9._-]{1,32}\Z")
REASON = 0x546F6373
"""Of this lever's own, where the configuration names none."""
REASON_MIN, REASON_MAX = 100, 2**32 - 1
"""Small numbers are Synthetix's own words: 1 is an upgrade, 2 a market that is closed, 55 and 65 circuit breakers."""
REASON_BITS = 248
"""What is kept of a reason; the events tell it whole."""
DENIED = "Restricted to access control list"


def word32(text: str) -> bytes:
    """A name or key as Synthetix keeps it: ASCII, to the left."""
    return text.encode("ascii").ljust(32, b"\0")


@dataclass(frozen=True)
class SynthetixRow:
    """`suspension` is the view of what stands, `registry` who keeps the keys of this kind (its name at the resolver),
    `known` how it is asked, `gate` what users of the system ask before they move."""

    declared: LeverDeclaration
    section: str
    section_view: str
    suspension: str
    suspend: str
    resume: str
    says_suspended: str
    says_resumed: str
    registry: str
    known: str
    gate: str
    broader: str
    broader_says: str
    """A call that suspends other keys too by the same right, and what it does in words."""


MARKET = SynthetixRow(
    by_node(
        "synthetix.market",
        Level.HALT,
        ("open", "close", "margin"),
        1,
        6,
        "nothing is opened, closed or liquidated in the market and no margin goes in or out: positions are locked "
        "in until this node resumes it",
        blocks_exit=True,
    ),
    section="Futures",
    section_view="SECTION_FUTURES",
    suspension="futuresMarketSuspension",
    suspend="suspendFuturesMarket",
    resume="resumeFuturesMarket",
    says_suspended="FuturesMarketSuspended",
    says_resumed="FuturesMarketResumed",
    registry="FuturesMarketManager",
    known="marketForKey",
    gate="requireFuturesMarketActive",
    broader="suspendFutures(uint256)",
    broader_says="suspend all futures markets at once, and each of the others",
)
SYNTH = SynthetixRow(
    by_node(
        "synthetix.synth",
        Level.HALT,
        ("transfer", "exchange"),
        1,
        6,
        "the synth is neither transferred nor exchanged, and futures markets on it stand still: everybody is locked "
        "in until this node resumes it",
        blocks_exit=True,
    ),
    section="Synth",
    section_view="SECTION_SYNTH",
    suspension="synthSuspension",
    suspend="suspendSynth",
    resume="resumeSynth",
    says_suspended="SynthSuspended",
    says_resumed="SynthResumed",
    registry="Issuer",
    known="synths",
    gate="requireSynthActive",
    broader="suspendSynths(bytes32[],uint256)",
    broader_says="suspend any other synth",
)
EXCHANGE = SynthetixRow(
    by_node(
        "synthetix.synth_exchange",
        Level.ISOLATE,
        ("exchange",),
        6,
        2,
        "the synth is exchanged into no other and none into it, so nobody leaves it at the oracle's price; it is still "
        "transferred; this node resumes it",
        blocks_exit=True,
    ),
    section="SynthExchange",
    section_view="SECTION_SYNTH_EXCHANGE",
    suspension="synthExchangeSuspension",
    suspend="suspendSynthExchange",
    resume="resumeSynthExchange",
    says_suspended="SynthExchangeSuspended",
    says_resumed="SynthExchangeResumed",
    registry="Issuer",
    known="synths",
    gate="requireSynthExchangeActive",
    broader="suspendSynthsExchange(bytes32[],uint256)",
    broader_says="suspend the exchange of any other synth",
)
SYNTHETIX_ROWS: tuple[SynthetixRow, ...] = (MARKET, SYNTH, EXCHANGE)


def _named(fields: str) -> list[dict[str, Any]]:
    return [dict(zip(("type", "name"), one.split())) | {"indexed": False} for one in fields.split(",")]


def _fn(name: str, takes: str) -> dict[str, Any]:
    return {"type": "function", "name": name, "inputs": _named(takes), "outputs": []}


STATUS = Abi(
    [_fn(row.suspend, "bytes32 key,uint256 reason") for row in SYNTHETIX_ROWS]
    + [_fn(row.resume, "bytes32 key") for row in SYNTHETIX_ROWS]
    + [
        {"type": "event", "name": name, "inputs": _named("bytes32 key,uint256 reason")}
        for row in SYNTHETIX_ROWS
        for name in (row.says_suspended, row.says_resumed)
    ]
)
