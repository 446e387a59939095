"""Claims: what an alarm rests on, by type, and the deterministic verdict over what a node itself read.

A claim is (type, id, digest of its canonical inputs). The inputs travel as a blob, apart. Verifying splits in two:
an adapter reads the chain through the node's own providers (I/O), `judge` decides (pure, here), so that every node
that reads the same says the same. The ceiling of each type is fixed: a true claim that means little moves little.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from protocol.codec import decode, encode
from protocol.crypto import sha256
from protocol.errors import Code, ProtocolError
from protocol.ids import Digest, SourceId
from protocol.limits import BLOB_BYTES_MAX
from protocol.membership import Bridge, Epoch, OracleFeed
from protocol.messages import Claim, Level, Threat
from protocol.schema import Codec, Field, Schema, many, raw_bytes, unsigned
from protocol.subjects import CHAIN, Subject, account

BPS = 10_000
RELEASE_ISOLATE_BPS = 100
"""One percent of what the escrow held: below it a forged message is a nuisance for every holder but the issuer."""
RELEASE_GUARD_BPS = 1
SHORTFALL_ISOLATE_BPS = 100
SHORTFALL_GUARD_BPS = 10
"""A tenth of a percent: rounding, dust and burns by mistake stay below, and below it is WATCH."""
DEVIATION_ISOLATE_BPS = 2_000
DEVIATION_GUARD_BPS = 500


class Ruling(enum.Enum):
    SUPPORTS = "supports"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Judgement:
    """`subject`, `threat` and `level` (the highest supported) hold where the ruling is SUPPORTS.
    `amount` is what is missing or moved, in the asset's base units; 0 where a type has none."""

    ruling: Ruling
    why: str
    subject: Subject | None = None
    threat: int = 0
    level: Level = Level.NONE
    amount: int = 0
    sources: tuple[SourceId, ...] = ()

    def supports(self, subject: Subject, threat: int) -> bool:
        return self.ruling is Ruling.SUPPORTS and self.subject == subject and self.threat == threat


def refuted(why: str) -> Judgement:
    return Judgement(Ruling.REFUTED, why)


def undecided(why: str) -> Judgement:
    return Judgement(Ruling.UNDECIDED, why)


def _graded(value: int, isolate: int, guard: int) -> Level:
    return Level.ISOLATE if value >= isolate else Level.GUARD if value >= guard else Level.WATCH


_ADDRESS = raw_bytes(20, 20)
_HASH = raw_bytes(32, 32)


def _pack_word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _unpack_word(raw: Any, where: str) -> int:
    if type(raw) is not bytes or len(raw) != 32:
        raise ProtocolError(Code.BAD_SHAPE, f"{where}: 32 bytes, big-endian")
    return int.from_bytes(raw, "big")


WORD: Codec[int] = Codec(_pack_word, _unpack_word)
"""A uint256 of a contract, whole: a forger chooses its message's number, and must not choose one that no claim
can name."""


@dataclass(frozen=True)
class ReleaseWithoutBurn:
    """`evm-release-without-burn`: home released `amount` for message `nonce`; far never burned it."""

    home: str
    escrow: bytes
    tx: bytes
    log_index: int
    far: str
    twin: bytes
    nonce: int
    recipient: bytes
    amount: int


@dataclass(frozen=True)
class SupplyAboveBacking:
    """`evm-supply-above-backing`: from `home_block` on, more was owed on far than lay in escrow at home."""

    home: str
    escrow: bytes
    far: str
    twin: bytes
    home_block: int


@dataclass(frozen=True)
class LogSeen:
    """`evm-log`: a log stands on the chain. It proves that it happened, not what it means: never above WATCH."""

    chain: str
    tx: bytes
    log_index: int
    address: bytes
    topics: tuple[bytes, ...]
    data_hash: bytes
    threat: int


@dataclass(frozen=True)
class OracleDeviation:
    """`evm-oracle-deviation`: from `block` on, a registered feed left the median of its references."""

    chain: str
    feed: bytes
    block: int


Inputs = ReleaseWithoutBurn | SupplyAboveBacking | LogSeen | OracleDeviation

_INPUTS: dict[str, Schema[Any]] = {
    "evm-release-without-burn": Schema(
        ReleaseWithoutBurn,
        Field(1, "home", CHAIN),
        Field(2, "escrow", _ADDRESS),
        Field(3, "tx", _HASH),
        Field(4, "log_index", unsigned()),
        Field(5, "far", CHAIN),
        Field(6, "twin", _ADDRESS),
        Field(7, "nonce", WORD),
        Field(8, "recipient", _ADDRESS),
        Field(9, "amount", WORD),
    ),
    "evm-supply-above-backing": Schema(
        SupplyAboveBacking,
        Field(1, "home", CHAIN),
        Field(2, "escrow", _ADDRESS),
        Field(3, "far", CHAIN),
        Field(4, "twin", _ADDRESS),
        Field(5, "home_block", unsigned()),
    ),
    "evm-log": Schema(
        LogSeen,
        Field(1, "chain", CHAIN),
        Field(2, "tx", _HASH),
        Field(3, "log_index", unsigned()),
        Field(4, "address", _ADDRESS),
        Field(5, "topics", many(_HASH, 4)),
        Field(6, "data_hash", _HASH),
        Field(7, "threat", unsigned(255)),
    ),
    "evm-oracle-deviation": Schema(
        OracleDeviation,
        Field(1, "chain", CHAIN),
        Field(2, "feed", _ADDRESS),
        Field(3, "block", unsigned()),
    ),
}
_IDENTITY = {
    ReleaseWithoutBurn: ("home", "escrow", "nonce"),
    SupplyAboveBacking: ("home", "escrow", "home_block"),
    LogSeen: ("chain", "tx", "log_index"),
    OracleDeviation: ("chain", "feed", "block"),
}
"""What makes two claims of a type the same claim: an event by its message, a state by where it began."""
TYPE_OF: dict[type, str] = {schema.kind: name for name, schema in _INPUTS.items()}


@dataclass(frozen=True)
class ClaimBlob:
    claim: Claim
    blob: bytes


def claim_of(inputs: Inputs) -> ClaimBlob:
    name = TYPE_OF[type(inputs)]
    blob = encode([name, _INPUTS[name].pack(inputs)])
    return ClaimBlob(Claim(name, _claim_id(name, inputs), Digest(sha256(blob))), blob)


def _claim_id(name: str, inputs: Inputs) -> bytes:
    parts = _IDENTITY[type(inputs)]
    packed = [field.codec.pack(getattr(inputs, field.name)) for field in _INPUTS[name].fields if field.name in parts]
    return sha256(encode(["tocsin/1/claim", name, *packed]))


def open_claim(claim: Claim, blob: bytes) -> Inputs:
    """The inputs a claim names: digest, type and id are checked against the blob. ProtocolError otherwise."""
    if sha256(blob) != claim.digest:
        raise ProtocolError(Code.BAD_CLAIM, "the blob is not the one that the claim's digest names")
    parts = decode(blob, bytes_max=BLOB_BYTES_MAX)
    if type(parts) is not list or len(parts) != 2 or parts[0] != claim.type:
        raise ProtocolError(Code.BAD_CLAIM, "the blob is not [type, inputs] of the claim's type")
    schema = _INPUTS.get(claim.type)
    if schema is None:
        raise ProtocolError(Code.UNKNOWN_CLAIM_TYPE, f"{claim.type} is not verified here")
    inputs: Inputs = schema.unpack(parts[1], claim.type)
    if _claim_id(claim.type, inputs) != claim.id:
        raise ProtocolError(Code.BAD_CLAIM, "the claim's id is not that of its inputs")
    return inputs


@dataclass(frozen=True)
class ReleaseReading:
    """Read at home: the log at (tx, log_index), or None; what the escrow held the block before. Read at far: what
    was burned under the nonce, for whom, and how far that chain has come."""

    log: tuple[bytes, int, bytes, int] | None
    """(emitting address, nonce, recipient, amount) where the log is a Released event."""
    released_at_s: int
    escrow_before: int
    burned: int
    burned_to: bytes
    far_head_s: int


def _percent(bps: int) -> str:
    return f"{bps // 100}.{bps % 100:02d} %"


def _amount(units: int) -> str:
    """Of a token's base units, for people: four digits of what has more than nine."""
    if units < 10**9:
        return f"{units:,} base units"
    digits, exponent = f"{units:.3e}".split("e")
    return f"{digits} × 10^{int(exponent)} base units"


def judge_release(inputs: ReleaseWithoutBurn, read: ReleaseReading, bridge: Bridge | None) -> Judgement:
    """Needs the register's bridge: only a contract that members rely on can lose what they rely on."""
    if bridge is None:
        return refuted("no registered bridge has this escrow and this twin")
    if read.log is None:
        return refuted("no release stands at this transaction and log")
    if read.log != (inputs.escrow, inputs.nonce, inputs.recipient, inputs.amount):
        return refuted("the release on the chain is another: escrow, message, recipient or amount differ")
    if read.burned == inputs.amount and read.burned_to == inputs.recipient:
        return refuted("the source chain burned just that for this message")
    if read.far_head_s < read.released_at_s:
        return undecided("the source chain as seen from here has not reached the time of the release")
    share_bps = inputs.amount * BPS // max(1, read.escrow_before)
    level = _graded(share_bps, RELEASE_ISOLATE_BPS, RELEASE_GUARD_BPS)
    why = f"released {_percent(share_bps)} of the escrow without a burn, {_amount(inputs.amount)}"
    return Judgement(Ruling.SUPPORTS, why, bridge.asset, Threat.BRIDGE_FORGERY, level, inputs.amount)


@dataclass(frozen=True)
class BackingReading:
    """`backing` in escrow and `supply` on far at its last block not younger than the home block; both for the
    claimed block and for the one before it. `far_head_s` < `home_block_s`: far cannot be compared yet."""

    backing: int
    supply: int
    backing_before: int
    supply_before: int
    home_block_s: int
    far_head_s: int


def shortfall_bps(supply: int, backing: int) -> int:
    return max(0, supply - backing) * BPS // max(1, supply)


def judge_backing(inputs: SupplyAboveBacking, read: BackingReading, bridge: Bridge | None) -> Judgement:
    """The state's id is the block at which it began, so a later sensor names the same claim."""
    if bridge is None:
        return refuted("no registered bridge has this escrow and this twin")
    if read.far_head_s < read.home_block_s:
        return undecided("the source chain as seen from here has not reached the time of the home block")
    missing = read.supply - read.backing
    if missing <= 0:
        return refuted("supply is backed at this block")
    level = _graded(shortfall_bps(read.supply, read.backing), SHORTFALL_ISOLATE_BPS, SHORTFALL_GUARD_BPS)
    before = _graded(shortfall_bps(read.supply_before, read.backing_before), SHORTFALL_ISOLATE_BPS, SHORTFALL_GUARD_BPS)
    if before >= level > Level.WATCH:
        return refuted("the shortfall of this size is older than the block it is said to begin at")
    short = _percent(shortfall_bps(read.supply, read.backing))
    why = f"{short} of the supply has no backing, {_amount(missing)} of {_amount(read.supply)}"
    return Judgement(Ruling.SUPPORTS, why, bridge.asset, Threat.UNBACKED_SUPPLY, level, missing)


@dataclass(frozen=True)
class LogReading:
    log: tuple[bytes, tuple[bytes, ...], bytes] | None
    """(address, topics, SHA-256 of the data) of the log at (tx, log_index)."""


def judge_log(inputs: LogSeen, read: LogReading) -> Judgement:
    if read.log != (inputs.address, inputs.topics, inputs.data_hash):
        return refuted("no such log stands at this transaction and index")
    subject = account(inputs.chain, inputs.address)
    return Judgement(Ruling.SUPPORTS, "the log stands; it is no verdict", subject, inputs.threat, Level.WATCH)


@dataclass(frozen=True)
class DeviationReading:
    """Prices (1e18) of the feed and its references at the claimed block and at the one before."""

    price: int
    references: tuple[int, ...]
    price_before: int
    references_before: tuple[int, ...]


def deviation_bps(price: int, references: tuple[int, ...]) -> int:
    """Distance from the references' lower median; 0 without a usable reference."""
    usable = sorted(one for one in references if one > 0)
    if not usable:
        return 0
    middle = usable[(len(usable) - 1) // 2]
    return abs(price - middle) * BPS // middle


def judge_deviation(inputs: OracleDeviation, read: DeviationReading, feed: OracleFeed | None) -> Judgement:
    if feed is None:
        return refuted("no registered price feed has this address")
    now_bps = deviation_bps(read.price, read.references)
    before_bps = deviation_bps(read.price_before, read.references_before)
    level = _graded(now_bps, DEVIATION_ISOLATE_BPS, DEVIATION_GUARD_BPS)
    if level is Level.WATCH:
        return refuted(f"the feed stands {_percent(now_bps)} from its references")
    if _graded(before_bps, DEVIATION_ISOLATE_BPS, DEVIATION_GUARD_BPS) >= level:
        return refuted("the deviation of this size is older than the block it is said to begin at")
    why = f"the feed stands {_percent(now_bps)} from the median of its references"
    return Judgement(Ruling.SUPPORTS, why, feed.subject, Threat.ORACLE_MANIPULATION, level)


def bridge_for(epoch: Epoch, inputs: ReleaseWithoutBurn | SupplyAboveBacking) -> Bridge | None:
    wanted = (inputs.home, inputs.escrow, inputs.far, inputs.twin)
    return next((b for b in epoch.bridges if (b.home, b.escrow, b.far, b.twin) == wanted), None)


def oracle_for(epoch: Epoch, inputs: OracleDeviation) -> OracleFeed | None:
    return next((o for o in epoch.oracles if (o.chain, o.feed) == (inputs.chain, inputs.feed)), None)
