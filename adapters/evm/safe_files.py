"""Proposals to a Safe's owners, what they sign, and what became of it, as JSON. Pure; formats: this
folder's README.

Whoever reads a proposal builds its transaction anew from the calls that it lists: one whose transaction, hash or typed
data says something else is refused."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from adapters.evm.abi import keccak256
from adapters.evm.evm_key import SIGNATURE_BYTES, EvmKey, signer_of
from adapters.evm.safe_tx import CALLS_MAX, SafeTx, listed

DOES = ("restrict", "lift")
TIME_MAX_S = 2**53
_UINT_MAX = 2**256 - 1
_PREFIX = b"\x19Ethereum Signed Message:\n32"
_HEX = re.compile(r"0x([0-9a-f]{2})*\Z")
_CHAIN = re.compile(r"eip155:[1-9][0-9]{0,17}\Z")


class FileFault(ValueError):
    """What is wrong with a file or its directory, in a half sentence."""


@dataclass(frozen=True)
class Proposal:
    """`until_s`: of no use afterwards, seconds since 1970. `key`: the action's."""

    tx: SafeTx
    key: bytes
    lever: str
    does: str
    until_s: int

    @property
    def name(self) -> str:
        return f"{self.does}-{self.key.hex()[:16]}-{self.tx.nonce}.proposal.json"


@dataclass(frozen=True)
class Signature:
    """One owner's, of one hash. `raw`: 65 bytes as the Safe reads them."""

    hash: bytes
    owner: bytes
    raw: bytes


@dataclass(frozen=True)
class Discarded:
    """What this node no longer keeps, and what a copy elsewhere could still do until the nonce moves."""

    chain: str
    safe: bytes
    hash: bytes
    nonce: int
    does: str
    signed_by: tuple[bytes, ...]

    @property
    def name(self) -> str:
        return f"{self.hash.hex()[:16]}.discarded.json"


@dataclass(frozen=True)
class Done:
    """A proposal of ours that an owner sent: the chain tells of it, and not under which action."""

    chain: str
    safe: bytes
    key: bytes
    does: str
    tx: bytes
    until_s: int
    """Of its proposal."""

    @property
    def name(self) -> str:
        return f"{self.does}-{self.key.hex()[:16]}.done.json"


def proposal_text(one: Proposal) -> str:
    told = {
        "safe_proposal": 1,
        "chain": one.tx.chain,
        "safe": _hex(one.tx.safe),
        "lever": one.lever,
        "action": _hex(one.key),
        "does": one.does,
        "of_no_use_after": one.until_s,
        "calls": [call.text for call in one.tx.calls],
        "multi_send": _hex(one.tx.multi_send),
        "nonce": str(one.tx.nonce),
        "says": [
            *one.tx.lines(),
            f"a signature is good until the Safe's nonce moves beyond {one.tx.nonce}, also after the time above",
        ],
        "transaction": one.tx.shown(),
        "hash": _hex(one.tx.hash),
        "typed_data": one.tx.for_wallet(),
    }
    return json.dumps(told, indent=1) + "\n"


def parse_proposal(text: str) -> Proposal:
    """FileFault, also where its transaction, hash or typed data are not those of the calls that it lists."""
    told = _told(text, "safe_proposal")
    chain, calls, lever = told.get("chain"), told.get("calls"), told.get("lever")
    if not isinstance(chain, str) or not _CHAIN.match(chain):
        raise FileFault("names no chain like eip155:1")
    if not isinstance(calls, list) or not 0 < len(calls) <= CALLS_MAX or not all(isinstance(one, str) for one in calls):
        raise FileFault(f"lists no calls, 1 to {CALLS_MAX}")
    if told.get("does") not in DOES or not isinstance(lever, str) or len(lever) > 200:
        raise FileFault("does not say what it does for which lever")
    try:
        made = tuple(listed(one) for one in calls)
    except ValueError as wrong:
        raise FileFault(f"lists a call that {wrong}") from None
    multi_send = b"" if len(made) == 1 else _bytes(told, "multi_send", 20)
    tx = SafeTx(chain, _bytes(told, "safe", 20), made, _number(told, "nonce"), multi_send)
    if (told.get("transaction"), told.get("hash")) != (tx.shown(), _hex(tx.hash)):
        raise FileFault("shows another transaction than that of its calls")
    if told.get("typed_data") != json.loads(json.dumps(tx.for_wallet())):
        raise FileFault("would have wallets sign something else than its calls")
    return Proposal(tx, _bytes(told, "action", 32), lever, told["does"], _seconds(told))


def sign_proposal(one: Proposal, key: EvmKey) -> str:
    """An owner's signature as a file's text. Read `one.tx.lines()` first: they are what is signed."""
    return signature_text(Signature(one.tx.hash, key.address, key.sign(one.tx.hash)))


def signature_text(one: Signature) -> str:
    told = {"safe_signature": 1, "hash": _hex(one.hash), "owner": _hex(one.owner), "signature": _hex(one.raw)}
    return json.dumps(told, indent=1) + "\n"


def parse_signature(text: str) -> Signature:
    """FileFault where it is not that owner's: as typed data (v 27, 28), or as a message of the hash (v 31, 32)."""
    told = _told(text, "safe_signature")
    digest, owner = _bytes(told, "hash", 32), _bytes(told, "owner", 20)
    raw = _bytes(told, "signature", SIGNATURE_BYTES)
    if raw[64] in (31, 32):
        by = signer_of(keccak256(_PREFIX + digest), raw[:64] + bytes([raw[64] - 4]))
    else:
        by = signer_of(digest, raw)
    if by != owner:
        raise FileFault(f"is no signature of 0x{owner.hex()} on this hash")
    return Signature(digest, owner, raw)


def discarded_text(one: Discarded) -> str:
    told = {
        "safe_discarded": 1,
        "chain": one.chain,
        "safe": _hex(one.safe),
        "hash": _hex(one.hash),
        "nonce": str(one.nonce),
        "does": one.does,
        "signed_by": [_hex(owner) for owner in one.signed_by],
    }
    return json.dumps(told, indent=1) + "\n"


def parse_discarded(text: str) -> Discarded:
    told = _told(text, "safe_discarded")
    chain, does, owners = told.get("chain"), told.get("does"), told.get("signed_by")
    if not isinstance(chain, str) or does not in DOES or not isinstance(owners, list) or len(owners) > 256:
        raise FileFault("is not whole")
    signed = tuple(_bytes({"owner": one}, "owner", 20) for one in owners)
    safe, digest = _bytes(told, "safe", 20), _bytes(told, "hash", 32)
    return Discarded(chain, safe, digest, _number(told, "nonce"), does, signed)


def done_text(one: Done) -> str:
    told = {
        "safe_done": 1,
        "chain": one.chain,
        "safe": _hex(one.safe),
        "action": _hex(one.key),
        "does": one.does,
        "transaction": _hex(one.tx),
        "of_no_use_after": one.until_s,
    }
    return json.dumps(told, indent=1) + "\n"


def parse_done(text: str) -> Done:
    told = _told(text, "safe_done")
    chain, does = told.get("chain"), told.get("does")
    if not isinstance(chain, str) or does not in DOES:
        raise FileFault("is not whole")
    safe, key, tx = _bytes(told, "safe", 20), _bytes(told, "action", 32), _bytes(told, "transaction", 32)
    return Done(chain, safe, key, does, tx, _seconds(told))


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()


def _told(text: str, kind: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise FileFault("is no JSON") from None
    if not isinstance(told, dict) or told.get(kind) != 1:
        raise FileFault(f"is no {kind.replace('_', ' ')} that this version knows")
    return told


def _bytes(told: dict[str, Any], name: str, size: int) -> bytes:
    value = told.get(name)
    if not isinstance(value, str) or len(value) != 2 + 2 * size or not _HEX.match(value.lower()):
        raise FileFault(f"{name} is not 0x and {2 * size} hexadecimal digits")
    return bytes.fromhex(value[2:])


def _seconds(told: dict[str, Any]) -> int:
    until_s = told.get("of_no_use_after")
    if type(until_s) is not int or not 0 <= until_s <= TIME_MAX_S:
        raise FileFault("does not say after which second it is of no use")
    return until_s


def _number(told: dict[str, Any], name: str) -> int:
    value = told.get(name)
    if not isinstance(value, str) or not (value.isascii() and value.isdecimal()) or len(value) > 78:
        raise FileFault(f"{name} is no decimal text")
    if int(value) > _UINT_MAX:
        raise FileFault(f"{name} is above 2^256 - 1")
    return int(value)
