"""A Safe's transaction as its owners sign it: listed calls, their packing, the EIP-712 hash. Pure.

No value is sent, no gas refunded, nothing delegated except to MultiSendCallOnly as Safe published it: what a proposal
cannot say, nobody can be made to sign by it. Facts of Safe's published contracts, 1.3.0 and later."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from adapters.evm.abi import Abi, keccak256
from adapters.evm.survey.fragments import fragment, functions

CALLS_MAX = 8
CALL_CHARS_MAX = 1_000
CALL, DELEGATECALL = 0, 1
NOBODY = bytes(20)
MULTI_SEND_CODE = {
    bytes.fromhex("a9865ac2d9c7a1591619b188c4d88167b50df6cc0c5327fcbd1c8c75f7c066ad"): "1.3.0",
    bytes.fromhex("ecd5bd14a08c5d2122379900b2f272bdf107a7e92423c10dd5fe3254386c9939"): "1.4.1",
    bytes.fromhex("cdbdcec38d2f1c7d961b0029ff8416b7e86e9974d6f0e9c9580c7d17fcfb6663"): "1.5.0",
}
"""keccak256 of the code of MultiSendCallOnly, as deployed."""
MULTI_SEND = functions("multiSend(bytes)")
FIELDS = (
    ("to", "address"), ("value", "uint256"), ("data", "bytes"), ("operation", "uint8"), ("safeTxGas", "uint256"),
    ("baseGas", "uint256"), ("gasPrice", "uint256"), ("gasToken", "address"), ("refundReceiver", "address"),
    ("nonce", "uint256"),
)  # fmt: skip
DOMAIN = (("chainId", "uint256"), ("verifyingContract", "address"))
_LISTED = re.compile(r"0x([0-9a-fA-F]{40}) ([A-Za-z_$][\w$]{0,63}\([a-z0-9,]{0,400}\))((?: \S+)*)\Z")
_TYPE = re.compile(r"(address|bool|bytes([1-9]|[12][0-9]|3[0-2])?|u?int(8|16|32|64|96|128|160|256))\Z")


def _type_hash(name: str, fields: Sequence[tuple[str, str]]) -> bytes:
    return keccak256(f"{name}({','.join(f'{kind} {one}' for one, kind in fields)})".encode())


SAFE_TX, SAFE_DOMAIN = _type_hash("SafeTx", FIELDS), _type_hash("EIP712Domain", DOMAIN)


@dataclass(frozen=True)
class Listed:
    """One call that the configuration lists: `0x… pause()`, `0x… setTargetClosed(address,bool) 0x… true`."""

    text: str
    to: bytes
    abi: Abi = field(repr=False, compare=False)
    fn: str = ""
    args: tuple[Any, ...] = ()

    @property
    def data(self) -> bytes:
        return self.abi.function(self.fn).encode(self.args)


def listed(text: str) -> Listed:
    """ValueError says what is wrong, in a half sentence."""
    found = _LISTED.match(text) if len(text) <= CALL_CHARS_MAX else None
    if found is None:
        raise ValueError("must be an address, a function with its types, and its arguments: 0x… setPaused(bool) true")
    abi, name = fragment(found[2])
    kinds, words = abi.function(name).inputs, found[3].split()
    if len(words) != len(kinds):
        raise ValueError(f"{found[2]} takes {len(kinds)} arguments, not {len(words)}")
    to = bytes.fromhex(found[1])
    if to == NOBODY:
        raise ValueError("calls the zero address, which MultiSendCallOnly of 1.5.0 takes for the Safe itself")
    return Listed(text, to, abi, name, tuple(map(_argument, kinds, words)))


def shown_by(text: str) -> tuple[Listed, int]:
    """`0x… paused() = true`: a view, and what it says while it is restricted (true, false or a number). ValueError."""
    view, equals, word = text.partition(" = ")
    value = {"true": 1, "false": 0}.get(word)
    if not equals or (value is None and not (word.isascii() and word.isdecimal() and len(word) < 78)):
        raise ValueError("must be a view and what it says while it is restricted: 0x… paused() = true")
    one = listed(view)
    takes = ",".join(one.abi.function(one.fn).inputs)
    return replace(one, abi=fragment(f"{one.fn}({takes}) uint256")[0]), int(word) if value is None else value


def _argument(kind: str, word: str) -> Any:
    if not _TYPE.match(kind):
        raise ValueError(f"arguments of type {kind} cannot be listed here")
    try:
        if kind == "bool":
            return {"true": True, "false": False}[word]
        if "int" in kind:
            value, bits = int(word), int(kind.lstrip("uint"))
            least = 0 if kind[0] == "u" else -(1 << bits - 1)
            if len(word) > 80 or not least <= value < least + (1 << bits):
                raise ValueError
            return value
        raw = bytes.fromhex(word[2:]) if word.startswith("0x") else b""
        size = 20 if kind == "address" else int(kind[5:] or len(raw))
        if not word.startswith("0x") or len(raw) != size:
            raise ValueError
    except (KeyError, ValueError):
        raise ValueError(f"{word[:60]!r} is no {kind}") from None
    return f"0x{raw.hex()}" if kind == "address" else raw


def packed(calls: Sequence[Listed]) -> bytes:
    """As MultiSend reads them: ordinary calls without value, one after another."""
    return b"".join(bytes([CALL]) + one.to + bytes(32) + len(one.data).to_bytes(32, "big") + one.data for one in calls)


@dataclass(frozen=True)
class SafeTx:
    """`chain`: CAIP-2. One call goes straight to its contract, several through `multi_send`."""

    chain: str
    safe: bytes
    calls: tuple[Listed, ...]
    nonce: int
    multi_send: bytes = b""

    @property
    def to(self) -> bytes:
        return self.calls[0].to if len(self.calls) == 1 else self.multi_send

    @property
    def operation(self) -> int:
        return CALL if len(self.calls) == 1 else DELEGATECALL

    @cached_property
    def data(self) -> bytes:
        if len(self.calls) == 1:
            return self.calls[0].data
        return MULTI_SEND.function("multiSend").encode((packed(self.calls),))

    @property
    def values(self) -> dict[str, Any]:
        """By name, addresses and data as bytes."""
        named = {"to": self.to, "value": 0, "data": self.data, "operation": self.operation, "nonce": self.nonce}
        zero: dict[str, Any] = {
            "safeTxGas": 0,
            "baseGas": 0,
            "gasPrice": 0,
            "gasToken": NOBODY,
            "refundReceiver": NOBODY,
        }
        return {name: (named | zero)[name] for name, _ in FIELDS}

    @cached_property
    def hash(self) -> bytes:
        """32 bytes: what is signed, and what the Safe calls it."""
        return keccak256(b"\x19\x01" + self._domain + keccak256(SAFE_TX + self._words))

    @property
    def _domain(self) -> bytes:
        chain_id = int(self.chain.removeprefix("eip155:"))
        return keccak256(SAFE_DOMAIN + chain_id.to_bytes(32, "big") + self.safe.rjust(32, b"\0"))

    @property
    def _words(self) -> bytes:
        return b"".join(_word(kind, self.values[name]) for name, kind in FIELDS)

    def for_wallet(self) -> dict[str, Any]:
        """As `eth_signTypedData_v4` takes it, in JSON."""
        types = {"EIP712Domain": DOMAIN, "SafeTx": FIELDS}
        chain_id = int(self.chain.removeprefix("eip155:"))
        return {
            "types": {name: [{"name": one, "type": kind} for one, kind in rows] for name, rows in types.items()},
            "primaryType": "SafeTx",
            "domain": {"chainId": chain_id, "verifyingContract": "0x" + self.safe.hex()},
            "message": self.shown(),
        }

    def shown(self) -> dict[str, Any]:
        """Its values for JSON: numbers as decimal text, since many readers round what is above 2^53."""
        return {name: "0x" + one.hex() if isinstance(one, bytes) else str(one) for name, one in self.values.items()}

    def lines(self) -> list[str]:
        """What it does, for the people who sign it."""
        said = [f"{at}. calls {one.text}, without value" for at, one in enumerate(self.calls, 1)]
        if len(self.calls) == 1:
            said.append("an ordinary call, no delegatecall")
        else:
            said.append(
                f"one delegatecall, to MultiSendCallOnly at 0x{self.multi_send.hex()}: it makes these calls alone"
            )
        said.append("no refund of gas: gas price, gas token and receiver are zero")
        return said


def _word(kind: str, value: Any) -> bytes:
    if kind == "bytes":
        return keccak256(value)
    return value.rjust(32, b"\0") if kind == "address" else int(value).to_bytes(32, "big")
