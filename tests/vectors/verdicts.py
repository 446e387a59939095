"""What each judge says of what was read: the maker of verdicts.json. One row of its table, or one edge, per case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from protocol.evidence import (
    TYPE_OF,
    BackingReading,
    DeviationReading,
    Judgement,
    LogReading,
    LogSeen,
    OracleDeviation,
    ReleaseReading,
    ReleaseWithoutBurn,
    SupplyAboveBacking,
    judge_backing,
    judge_deviation,
    judge_log,
    judge_release,
)
from protocol.membership import Bridge, OracleFeed
from protocol.subjects import oracle
from tests.tidy.make_vectors import CLAIMS, ESCROW, FAR, FEED, FORGED, HOME, TOKEN, TWIN, plain

BRIDGE = Bridge(TOKEN, HOME, ESCROW, FAR, TWIN)
ORACLE = OracleFeed(oracle(HOME, FEED), HOME, FEED, (b"\x01" * 20, b"\x02" * 20))
BACKING, LOG, DEVIATION = CLAIMS["supply-above-backing"], CLAIMS["log"], CLAIMS["oracle-deviation"]
SEEN = (ESCROW, FORGED.nonce, FORGED.recipient, FORGED.amount)
RELEASED = ReleaseReading(SEEN, 1000, FORGED.amount * 10, 0, bytes(20), 1000)
OWED = BackingReading(
    backing=990_000, supply=1_000_000, backing_before=1, supply_before=1, home_block_s=7, far_head_s=7
)
PRICES = DeviationReading(price=80, references=(100, 100), price_before=100, references_before=(100, 100))


def of_amount(amount: int, held: int) -> tuple[ReleaseWithoutBurn, ReleaseReading]:
    return replace(FORGED, amount=amount), replace(
        RELEASED, log=(*SEEN[:3], amount), escrow_before=held, burned=amount + 1
    )


Case = tuple[str, Any, Any, bool]
RELEASES: list[Case] = [
    ("no bridge of the register", FORGED, RELEASED, False),
    ("no such log", FORGED, replace(RELEASED, log=None), True),
    ("another escrow", FORGED, replace(RELEASED, log=(TWIN, *SEEN[1:])), True),
    ("another nonce", FORGED, replace(RELEASED, log=(SEEN[0], 309, *SEEN[2:])), True),
    ("another recipient", FORGED, replace(RELEASED, log=(*SEEN[:2], bytes(20), SEEN[3])), True),
    ("another amount", FORGED, replace(RELEASED, log=(*SEEN[:3], 1)), True),
    ("burned just that", FORGED, replace(RELEASED, burned=FORGED.amount, burned_to=FORGED.recipient), True),
    ("burned for another", FORGED, replace(RELEASED, burned=FORGED.amount), True),
    ("burned one less", FORGED, replace(RELEASED, burned=FORGED.amount - 1, burned_to=FORGED.recipient), True),
    ("far's head is a second older", FORGED, replace(RELEASED, far_head_s=999), True),
    (
        "burned, though far's head is older",
        FORGED,
        replace(RELEASED, burned=FORGED.amount, burned_to=FORGED.recipient, far_head_s=1),
        True,
    ),
    ("100 bps", *of_amount(100, 10_000), True),
    ("just below 100 bps", *of_amount(99, 9_901), True),
    ("1 bps", *of_amount(1, 10_000), True),
    ("just below 1 bps", *of_amount(1, 10_001), True),
    ("of an escrow that held nothing", *of_amount(1, 0), True),
    ("nothing of an escrow that held nothing", *of_amount(0, 0), True),
    ("the largest number", *of_amount(2**256 - 1, 2**256 - 1), True),
]
SUPPLIES: list[Case] = [
    ("no bridge of the register", BACKING, OWED, False),
    ("far's head is a second older", BACKING, replace(OWED, far_head_s=6), True),
    ("supply is backing", BACKING, replace(OWED, backing=1_000_000), True),
    ("more backing than supply", BACKING, replace(OWED, backing=1_000_001), True),
    ("no supply at all", BACKING, replace(OWED, backing=0, supply=0), True),
    ("100 bps", BACKING, OWED, True),
    ("just below 100 bps", BACKING, replace(OWED, backing=990_001), True),
    ("10 bps", BACKING, replace(OWED, backing=999_000), True),
    ("just below 10 bps", BACKING, replace(OWED, backing=999_001), True),
    ("no backing at all", BACKING, replace(OWED, backing=0), True),
    ("as bad the block before", BACKING, replace(OWED, backing_before=990_000, supply_before=1_000_000), True),
    ("worse the block before", BACKING, replace(OWED, backing_before=0, supply_before=1), True),
    ("less bad the block before", BACKING, replace(OWED, backing_before=990_001, supply_before=1_000_000), True),
    (
        "WATCH before and now",
        BACKING,
        replace(OWED, backing=999_999, backing_before=999_999, supply_before=1_000_000),
        True,
    ),
    (
        "GUARD before and WATCH now",
        BACKING,
        replace(OWED, backing=999_999, backing_before=999_000, supply_before=1_000_000),
        True,
    ),
]
LOGS: list[Case] = [
    ("it stands", LOG, LogReading((LOG.address, LOG.topics, LOG.data_hash)), True),
    ("no such log", LOG, LogReading(None), True),
    ("another address", LOG, LogReading((TWIN, LOG.topics, LOG.data_hash)), True),
    ("a topic fewer", LOG, LogReading((LOG.address, LOG.topics[:1], LOG.data_hash)), True),
    ("topics the other way round", LOG, LogReading((LOG.address, LOG.topics[::-1], LOG.data_hash)), True),
    ("other data", LOG, LogReading((LOG.address, LOG.topics, bytes(32))), True),
]
DEVIATIONS: list[Case] = [
    ("no feed of the register", DEVIATION, PRICES, False),
    ("2000 bps below", DEVIATION, PRICES, True),
    ("2000 bps above", DEVIATION, replace(PRICES, price=120), True),
    ("just below 2000 bps", DEVIATION, replace(PRICES, price=8_001, references=(10_000,)), True),
    ("500 bps", DEVIATION, replace(PRICES, price=95), True),
    ("just below 500 bps", DEVIATION, replace(PRICES, price=9_501, references=(10_000,)), True),
    ("the lower median of four", DEVIATION, replace(PRICES, price=100, references=(150, 100, 80, 200)), True),
    ("the middle of three", DEVIATION, replace(PRICES, price=100, references=(150, 100, 80)), True),
    ("a reference that refuses is none", DEVIATION, replace(PRICES, price=100, references=(0, 0, 100)), True),
    ("no reference answers", DEVIATION, replace(PRICES, references=(0, 0)), True),
    ("the feed says nothing", DEVIATION, replace(PRICES, price=0), True),
    ("as far the block before", DEVIATION, replace(PRICES, price_before=80), True),
    ("less far the block before", DEVIATION, replace(PRICES, price_before=95), True),
    ("no reference the block before", DEVIATION, replace(PRICES, price_before=80, references_before=()), True),
]


def judged(inputs: Any, read: Any, registered: bool) -> Judgement:
    if isinstance(inputs, LogSeen):
        return judge_log(inputs, read)
    if isinstance(inputs, OracleDeviation):
        return judge_deviation(inputs, read, ORACLE if registered else None)
    judge: Any = judge_backing if isinstance(inputs, SupplyAboveBacking) else judge_release
    found: Judgement = judge(inputs, read, BRIDGE if registered else None)
    return found


def written(value: Any) -> Any:
    """Integers as decimal texts: a word is more than JSON's readers take."""
    if isinstance(value, dict):
        return {name: written(one) for name, one in value.items()}
    if isinstance(value, list):
        return [written(one) for one in value]
    return str(value) if type(value) is int else value


def verdicts() -> dict[str, Any]:
    rows = []
    for what, inputs, read, registered in [*RELEASES, *SUPPLIES, *LOGS, *DEVIATIONS]:
        found = judged(inputs, read, registered)
        said: dict[str, Any] = {"ruling": found.ruling.value}
        if found.subject is not None:
            said |= {"subject": found.subject.raw.hex(), "threat": int(found.threat), "level": int(found.level)}
        shown = {"what": what, "type": TYPE_OF[type(inputs)], "registered": registered}
        rows.append(shown | {"inputs": written(plain(inputs)), "read": written(plain(read)), "verdict": said})
    return {"bridge": plain(BRIDGE), "oracle": plain(ORACLE), "verdicts": rows}
