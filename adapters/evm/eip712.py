"""The typed data (EIP-712) that a Registry takes: the types, their hashes, and the form that wallets show.

Only what these types need: bytes32, uint256 and uint256[]. `contracts/Registry.vy` holds the same texts.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.evm.abi import keccak256

NAME, VERSION = "Tocsin Registry", "1"
TYPES: dict[str, tuple[tuple[str, str], ...]] = {
    "Epoch": (
        ("network", "bytes32"),
        ("number", "uint256"),
        ("hash", "bytes32"),
        ("parent", "bytes32"),
        ("activates", "uint256"),
        ("n", "uint256"),
        ("guard", "uint256"),
        ("isolate", "uint256"),
        ("halt", "uint256"),
        ("guardLease", "uint256"),
        ("isolateLease", "uint256"),
        ("haltLease", "uint256"),
        ("keys", "uint256[]"),
    ),
    "Keys": (("network", "bytes32"), ("epoch", "bytes32"), ("version", "uint256"), ("keys", "uint256[]")),
    "Alarm": (
        ("network", "bytes32"),
        ("epoch", "bytes32"),
        ("author", "bytes32"),
        ("seq", "uint256"),
        ("bodyHash", "bytes32"),
        ("subject", "bytes32"),
        ("threat", "uint256"),
        ("level", "uint256"),
        ("issued", "uint256"),
        ("submitBy", "uint256"),
        ("expires", "uint256"),
    ),
    "Lift": (
        ("network", "bytes32"),
        ("epoch", "bytes32"),
        ("author", "bytes32"),
        ("subject", "bytes32"),
        ("threat", "uint256"),
        ("through", "uint256"),
    ),
}
_DOMAIN = (("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"))


def _type_hash(name: str, fields: tuple[tuple[str, str], ...]) -> bytes:
    return keccak256(f"{name}({','.join(f'{kind} {field}' for field, kind in fields)})".encode())


@functools.cache
def type_hash(name: str) -> bytes:
    return _type_hash(name, TYPES[name])


@dataclass(frozen=True)
class Domain:
    """Where a signature holds: one contract on one chain."""

    chain_id: int
    contract: bytes

    @functools.cached_property
    def separator(self) -> bytes:
        texts = keccak256(NAME.encode()) + keccak256(VERSION.encode())
        return keccak256(
            _type_hash("EIP712Domain", _DOMAIN) + texts + _word(self.chain_id) + self.contract.rjust(32, b"\x00")
        )


def domain_of(chain: str, contract: bytes) -> Domain:
    """`chain`: CAIP-2, of eip155."""
    return Domain(int(chain.removeprefix("eip155:")), contract)


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _encoded(kind: str, value: Any) -> bytes:
    if kind == "bytes32":
        if len(value) != 32:
            raise ValueError(f"bytes32 of {len(value)} bytes")
        return bytes(value)
    return _word(value) if kind == "uint256" else keccak256(b"".join(_word(one) for one in value))


def struct_hash(name: str, values: Mapping[str, Any]) -> bytes:
    """ValueError or OverflowError for a value that its type cannot hold; KeyError for one that is missing."""
    return keccak256(type_hash(name) + b"".join(_encoded(kind, values[field]) for field, kind in TYPES[name]))


def digest(domain: Domain, name: str, values: Mapping[str, Any]) -> bytes:
    """What is signed: 32 bytes."""
    return keccak256(b"\x19\x01" + domain.separator + struct_hash(name, values))


def message(domain: Domain, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The same as wallets and `eth_signTypedData_v4` take it."""
    types = {"EIP712Domain": _DOMAIN, name: TYPES[name]}
    return {
        "types": {one: [{"name": field, "type": kind} for field, kind in fields] for one, fields in types.items()},
        "primaryType": name,
        "domain": {
            "name": NAME,
            "version": VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": "0x" + domain.contract.hex(),
        },
        "message": {field: values[field] for field, _ in TYPES[name]},
    }
