"""What a scenario may be made of: kinds of things, what can be done to them, which sensors and levers they have.

A pack brings no code, so everything that it can say stands here with its type, unit and default. Amounts are whole
units of an asset, durations are times of the recorded history (see README.md beside the packs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


class _Required:
    def __repr__(self) -> str:
        return "required"


REQUIRED: Final = _Required()


@dataclass(frozen=True)
class Param:
    """`type` is one of: amount, usd, ratio, count, duration, text, chain, word, thing, things, ratios (thing → ratio).
    `of`: for word the words, for thing(s) and ratios the kinds that fit."""

    type: str
    unit: str
    says: str
    default: Any = REQUIRED
    of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verb:
    """`by`: who may do it; `people` stands for every role."""

    says: str
    params: Mapping[str, Param] = field(default_factory=dict)
    by: tuple[str, ...] = ("attacker", "crowd", "people")


@dataclass(frozen=True)
class Kind:
    """`levers` and `sensors`: the pack's word → the name under which a node knows it."""

    says: str
    params: Mapping[str, Param]
    verbs: Mapping[str, Verb] = field(default_factory=dict)
    levers: Mapping[str, str] = field(default_factory=dict)
    sensors: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    """Kind of a node's `[target.*]` table; "" where a node holds nothing there."""


ASSETS = ("token", "bridge.escrow")
LENDING = ("lending", "lending.aave")
PERPS = ("perp", "perp.v2")
OF_OTHERS = ("lending.aave", "perp.v2", "safe", "holding", "posting")
"""Kinds that stand on contracts that others published, and what reads them."""
PRICED = ("token", "bridge.escrow", "spot", "oracle")
PERSON = ("people",)
_USD = Param("usd", "USD per unit", "value by which outcomes are counted")
_FOR = Param("duration", "history", "how long a person's restriction stands", 900.0)
_AMOUNT = Param("amount", "units of the asset", "how much")


def _amount(unit: str, says: str, default: Any = REQUIRED) -> Param:
    return Param("amount", unit, says, default)


_TOKEN = Kind("an ordinary token at home", {"usd": _USD})

_BRIDGE = Kind(
    "an asset with its escrow at home and its twin on another chain; the asset bears the thing's name",
    {
        "usd": _USD,
        "home": Param("chain", "CAIP-2", "where the escrow stands", "eip155:1"),
        "far": Param("chain", "CAIP-2", "where the twin stands", "eip155:130"),
        "escrowed": _amount("units of the asset", "what lies in escrow, and as much is owed on far"),
        "in_flight": Param("word", "", "honest messages always on the way, or none", "poisson", ("poisson", "none")),
        "every": Param("duration", "history", "mean time between honest messages, each way", 120.0),
        "delay": Param("duration", "history", "mean time that a message takes", 60.0),
        "message": _amount("units of the asset", "mean size of an honest message", 40.0),
    },
    {
        "forge_release": Verb(
            "release from escrow on a message that never was",
            {"amount": _AMOUNT, "nonce": Param("count", "", "number of the forged message", 308)},
            ("attacker",),
        ),
        "send_out": Verb("lock at home, minted on far", {"amount": _AMOUNT}, ("crowd", "attacker")),
        "send_home": Verb("burn on far, released at home", {"amount": _AMOUNT}, ("crowd", "attacker")),
        "burn_some": Verb("burn on far without any message", {"amount": _AMOUNT}, ("crowd",)),
        "donate": Verb("put tokens into escrow without any message", {"amount": _AMOUNT}, ("crowd",)),
        "over_mint": Verb(
            "an honest message minted with a little too much (a rounding fault)",
            {"amount": _AMOUNT, "excess": _amount("units of the asset", "minted above what was locked")},
            ("crowd",),
        ),
        "pause": Verb("stop releases from escrow", {"for": _FOR}, PERSON),
    },
    {"pause": "escrow.pause"},
    {"bridge": "evm.bridge", "backing": "evm.backing"},
    "evm.escrow",
)

_LENDING = Kind(
    "a lending market: one loan asset, several collateral assets",
    {
        "loan": Param("thing", "", "what is lent", of=ASSETS),
        "collateral": Param("ratios", "asset → LTV", "what is taken as collateral, and its LTV", of=ASSETS),
        "provided": _amount("units of the loan asset", "supplied by honest users"),
        "borrowed": _amount("units of the loan asset", "owed by honest users", 0.0),
        "against": Param("thing", "", "the collateral behind honest debt; default: the first", None, ASSETS),
        "posted": Param("ratios", "asset → units", "further collateral of honest users, without debt", {}, ASSETS),
        "honest_users": Param("count", "", "users for whom one account stands", 1),
    },
    {
        "post_and_borrow": Verb(
            "post collateral and borrow against it",
            {
                "asset": Param("thing", "", "the collateral", of=ASSETS),
                "amount": _AMOUNT,
                "borrow": _amount("units of the loan asset", "borrowed against all of it"),
            },
            ("attacker",),
        ),
        "provide": Verb("supply the loan asset", {"amount": _AMOUNT}, ("crowd",)),
        "withdraw": Verb("take supplied loan asset out", {"amount": _AMOUNT}, ("crowd",)),
        "repay": Verb("pay debt back", {"amount": _AMOUNT}, ("crowd",)),
        "borrow": Verb("borrow against posted collateral", {"amount": _AMOUNT}, ("crowd", "attacker")),
        "ltv_zero": Verb(
            "no new borrowing against an asset", {"asset": Param("thing", "", "", of=ASSETS), "for": _FOR}, PERSON
        ),
        "freeze": Verb("no new supply of an asset", {"asset": Param("thing", "", "", of=ASSETS), "for": _FOR}, PERSON),
        "cap": Verb("cap all borrowing", {"amount": _AMOUNT, "for": _FOR}, PERSON),
    },
    {"ltv_zero": "lending.ltv_zero", "freeze": "lending.freeze", "cap": "lending.cap"},
    {},
    "evm.lending",
)

_AAVE = Kind(
    "a lending market on the contracts that Aave published (v3.0), where their package is: see --targets",
    _LENDING.params,
    {name: verb for name, verb in _LENDING.verbs.items() if name not in ("ltv_zero", "cap")},
    {"ltv_zero": "aave.ltv_zero", "freeze": "aave.freeze", "cap": "aave.borrow_cap"},
    {},
    "evm.aave",
)

_PERP = Kind(
    "a perpetuals venue with one market and a pool as the counterparty",
    {
        "index": Param("thing", "", "whose price is the index; an asset gets a steady feed", of=PRICED),
        "margin": Param("thing", "", "the margin asset; profit is paid in it", of=ASSETS),
        "counts": Param("thing", "", "an asset that counts as margin too", of=ASSETS),
        "counted": Param("ratio", "", "how much of its value counts", 0.8),
        "initial_margin": Param("ratio", "", "of a position's value", 0.1),
        "pool": _amount("units of the margin asset", "what pays profits"),
        "open_interest": _amount("units of the index asset", "honest positions", 0.0),
        "honest_users": Param("count", "", "users for whom one account stands", 1),
    },
    {
        "open": Verb(
            "deposit margin and open a position",
            {
                "side": Param("word", "", "", of=("long", "short")),
                "amount": _amount("units of the index asset", "size"),
                "margin": _amount("units of the margin asset", "deposited first", 0.0),
            },
            ("attacker", "crowd"),
        ),
        "post_and_open": Verb(
            "post an asset that counts as margin and open a position",
            {
                "side": Param("word", "", "", "short", ("long", "short")),
                "amount": _AMOUNT,
                "size": _amount("units of the index asset", "0: as much as was posted", 0.0),
            },
            ("attacker",),
        ),
        "close": Verb("close all and take the margin out", {}, ("attacker", "crowd")),
        "reduce_only": Verb("nothing may be opened", {"for": _FOR}, PERSON),
        "margin": Verb("ask more initial margin", {"ratio": Param("ratio", "", ""), "for": _FOR}, PERSON),
        "halt": Verb("nothing may be opened or closed", {"for": _FOR}, PERSON),
    },
    {"reduce_only": "perp.reduce_only", "margin": "perp.margin", "halt": "perp.halt"},
    {},
    "evm.perp",
)

_PERP_V2 = Kind(
    "a perpetuals venue on the contracts that Perpetual Protocol published (v2), where their package is: see --targets",
    {name: param for name, param in _PERP.params.items() if name not in ("index", "initial_margin", "pool")}
    | {
        "index": Param("thing", "", "whose price is the index, in units of the margin asset", of=ASSETS),
        "posted": _amount("units of what counts as margin", "honest margin in it", 0.0),
    },
    {name: _PERP.verbs[name] for name in ("open", "post_and_open", "close")},
    {"spread": "perp2.spread", "halt": "perp2.halt"},
    {},
    "evm.perp_v2",
)

_SAFE = Kind(
    "the k-of-n Safe that guards a market of Aave's, where Safe's package is: see --targets",
    {
        "guards": Param("thing", "", "the market whose risk admin it is", of=("lending.aave",)),
        "asset": Param("thing", "", "the collateral that its listed calls are about", of=ASSETS),
        "needed": Param("count", "", "owners who must sign", 2),
        "owners": Param("count", "", "owners in all", 3),
    },
    {},
    {"propose": "safe.propose"},
    {},
    "evm.safe",
)

_HOLDING = Kind(
    "what a venue of others holds of an asset: read, and never moved",
    {
        "at": Param("thing", "", "the venue", of=("perp.v2",)),
        "asset": Param("thing", "", "of which it holds some", of=ASSETS),
    },
    {},
    {},
    {},
    "evm.escrow",
)

_POSTING = Kind(
    "deposits of an asset that counts as margin at such a venue: what may lie there in all is capped",
    {
        "at": Param("thing", "", "the venue", of=("perp.v2",)),
        "asset": Param("thing", "", "what is deposited", of=ASSETS),
    },
    {},
    {"stop": "evm.call"},
    {},
    "evm.call",
)

_ORACLE = Kind(
    "a price pushed by one feeder",
    {
        "of": Param("thing", "", "whose price", of=ASSETS),
        "quote": Param("thing", "", "in units of", of=ASSETS),
        "references": Param("things", "", "what it is to agree with", (), ("oracle", "spot")),
    },
    {"push": Verb("push a price", {"ratio": Param("ratio", "of the fair price", "")}, ("attacker", "crowd", "people"))},
    {},
    {"deviation": "evm.oracle"},
)

_SPOT = Kind(
    "a pool of two assets whose price moves with every trade",
    {
        "base": Param("thing", "", "", of=ASSETS),
        "quote": Param("thing", "", "", of=ASSETS),
        "depth": _amount("units of the base", "how much of the base lies in it"),
        "references": Param("things", "", "what its price is to agree with", (), ("oracle", "spot")),
    },
    {
        "push": Verb(
            "trade until the price stands at a ratio of what it was at the start",
            {"ratio": Param("ratio", "of the price at the start", "")},
            ("attacker", "crowd"),
        )
    },
    {},
    {"deviation": "evm.oracle"},
)

_ACCOUNT = Kind(
    "the attacker's own means",
    {"holds": Param("ratios", "asset → units", "what it owns at the start", {}, ASSETS)},
)

KINDS: Final[Mapping[str, Kind]] = {
    "token": _TOKEN,
    "bridge.escrow": _BRIDGE,
    "lending": _LENDING,
    "lending.aave": _AAVE,
    "perp": _PERP,
    "perp.v2": _PERP_V2,
    "safe": _SAFE,
    "holding": _HOLDING,
    "posting": _POSTING,
    "oracle": _ORACLE,
    "spot": _SPOT,
    "purse": _ACCOUNT,
}

NODE: Final = Kind(
    "a member's node, worked by its operator",
    {},
    {
        "approve": Verb("a person approves what the policy asks about", {}, PERSON),
        "lift": Verb("a person has what stands lifted", {}, PERSON),
        "lie": Verb(
            "a lying member raises an alarm that its evidence does not carry",
            {"which": Param("word", "", "", "altered", ("altered", "irrelevant"))},
            ("liar",),
        ),
    },
)
"""Done by whoever runs the members, over a node's own command line: `do = "node.approve"`."""

LOG_LEVER: Final = "node.log"
DETECTORS_OF: Final = "2026-11"
"""Month in which the detectors of this package were made."""

WORLD_METRICS: Final = (
    r"attacker\.borrowed\.{asset}",
    r"{lending}\.borrowed",
    r"{bridge}\.forged_released",
    r"{bridge}\.forged_refused",
    r"honest\.repay_blocked",
    r"honest\.withdraw_blocked",
    r"honest\.close_blocked",
    r"honest\.messages_late",
    r"obtained_usd",
)
"""Read from the chains and from the actors' records."""
STORY_METRICS: Final = (
    r"{role}\.drain_to_effect",
    r"levers_moved",
    r"false_isolations",
    r"lies_believed",
)
"""Told by whoever runs the members."""
