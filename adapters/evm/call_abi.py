"""Fragments of a stranger's ABI as people write them, and the functions that no lever calls whatever its owner says.

`function setCap(address asset, uint256 cap)` · `function caps(address) view returns (uint256 cap)` ·
`event CapSet(address indexed asset, uint256 cap)`. Structs, `payable`, fallback and receive are not taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.evm.abi import Abi, keccak256

FRAGMENT_CHARS_MAX = 512
PARAMETERS_MAX = 16
_HEAD = re.compile(r"(function|event)\s+([A-Za-z_$][A-Za-z0-9_$]{0,63})\s*\(([^()]*)\)\s*(.*)\Z", re.DOTALL)
_TAIL = re.compile(r"((?:\s|external|public|view|pure|nonpayable)*?)(?:returns\s*\(([^()]*)\))?\s*\Z")
_TYPE = re.compile(
    r"(address|bool|string|bytes|bytes(?:[1-9]|[12][0-9]|3[0-2])|u?int(?:[1-9][0-9]{0,2})?)(\[[0-9]{0,3}\])?\Z"
)
_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,63}\Z")

REFUSED = (
    "transferOwnership(address)",
    "renounceOwnership()",
    "acceptOwnership()",
    "setOwner(address)",
    "setAdmin(address)",
    "setPendingAdmin(address)",
    "acceptAdmin()",
    "setAuthority(address)",
    "setGovernor(address)",
    "changeAdmin(address)",
    "changeProxyAdmin(address,address)",
    "upgrade(address,address)",
    "upgradeTo(address)",
    "upgradeToAndCall(address,bytes)",
    "upgradeAndCall(address,address,bytes)",
    "setImplementation(address)",
    "initialize()",
    "reinitialize(uint64)",
    "grantRole(bytes32,address)",
    "revokeRole(bytes32,address)",
    "renounceRole(bytes32,address)",
    "setRoleAdmin(bytes32,bytes32)",
    "addMinter(address)",
    "setMinter(address)",
    "mint(address,uint256)",
    "mint(uint256)",
    "mintTo(address,uint256)",
    "safeMint(address,uint256)",
    "burn(uint256)",
    "burn(address,uint256)",
    "burnFrom(address,uint256)",
    "approve(address,uint256)",
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
    "increaseAllowance(address,uint256)",
    "decreaseAllowance(address,uint256)",
    "setApprovalForAll(address,bool)",
    "transfer(address,uint256)",
    "transferFrom(address,address,uint256)",
    "safeTransfer(address,uint256)",
    "safeTransferFrom(address,address,uint256)",
    "send(address,uint256)",
    "withdraw(uint256)",
    "withdrawTo(address,uint256)",
    "redeem(uint256)",
    "sweep(address)",
    "sweepToken(address)",
    "rescue(address)",
    "rescueTokens(address,address,uint256)",
    "recoverERC20(address,uint256)",
    "skim(address)",
    "multicall(bytes[])",
    "execute(address,uint256,bytes)",
    "executeBatch(address[],uint256[],bytes[])",
    "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
    "execTransactionFromModule(address,uint256,bytes,uint8)",
    "schedule(address,uint256,bytes,bytes32,bytes32,uint256)",
    "call(address,bytes)",
    "functionCall(address,bytes)",
    "delegatecall(address,bytes)",
    "selfdestruct(address)",
    "destroy()",
    "kill()",
    "fallback()",
    "receive()",
)
"""What gives rights, code or money away. Refused by name with any arguments, and by selector under any name."""


def _plain(name: str) -> str:
    return name.replace("_", "").replace("$", "").lower()


_REFUSED_NAMES = {_plain(one.partition("(")[0]) for one in REFUSED}
_REFUSED_SELECTORS = {keccak256(one.encode())[:4]: one for one in REFUSED}


@dataclass(frozen=True)
class Parameter:
    kind: str
    name: str
    indexed: bool = False


@dataclass(frozen=True)
class Fragment:
    """One function or event. `reads`: it says of itself that it changes nothing."""

    is_event: bool
    name: str
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]
    reads: bool
    abi: Abi

    @property
    def signature(self) -> str:
        return f"{self.name}({','.join(one.kind for one in self.inputs)})"

    @property
    def selector(self) -> bytes:
        return self.abi.function(self.name).selector

    @property
    def topic(self) -> bytes:
        return self.abi.event(self.name).topic


def fragment_of(text: str) -> Fragment:
    """ValueError says what is wrong with the text and what is expected."""
    head = _HEAD.match(text.strip()) if len(text) <= FRAGMENT_CHARS_MAX else None
    if head is None:
        raise ValueError("must be like 'function setCap(address,uint256)' or 'event CapSet(address indexed a)'")
    sort, name, taken, rest = head.groups()
    if sort == "event":
        if rest.strip():
            raise ValueError(f"{rest.strip()[:40]!r} follows the event; nothing may")
        return _made(True, name, _parameters(taken, indexed=True), (), False)
    tail = _TAIL.match(rest)
    if tail is None:
        raise ValueError(f"{rest.strip()[:60]!r} follows the function; view, pure and returns (…) may, payable may not")
    words = tail[1].split()
    if len(set(words)) != len(words) or {"view", "pure"} <= set(words):
        raise ValueError(f"{tail[1].strip()[:60]!r} says one thing twice")
    gives = _parameters(tail[2] or "", indexed=False)
    return _made(False, name, _parameters(taken, indexed=False), gives, bool({"view", "pure"} & set(words)))


def _made(
    is_event: bool, name: str, inputs: tuple[Parameter, ...], outputs: tuple[Parameter, ...], reads: bool
) -> Fragment:
    if sum(one.indexed for one in inputs) > 3:
        raise ValueError("an event has at most three indexed fields")
    sort = "event" if is_event else "function"
    entry = {"type": sort, "name": name, "inputs": _entries(inputs), "outputs": _entries(outputs)}
    return Fragment(is_event, name, inputs, outputs, reads, Abi([entry]))


def _entries(parameters: Sequence[Parameter]) -> list[dict[str, Any]]:
    return [{"type": one.kind, "name": one.name, "indexed": one.indexed} for one in parameters]


def _parameters(text: str, *, indexed: bool) -> tuple[Parameter, ...]:
    """Those without a name are called by their place: "0", "1", …"""
    if not text.strip():
        return ()
    found = [_parameter(one, at, indexed) for at, one in enumerate(text.split(","))]
    names = [one.name for one in found]
    if len(found) > PARAMETERS_MAX or len(set(names)) != len(names):
        raise ValueError(f"at most {PARAMETERS_MAX} parameters, no two of one name")
    return tuple(found)


def _parameter(text: str, at: int, indexed: bool) -> Parameter:
    words = text.split()
    is_indexed = indexed and words[1:2] == ["indexed"]
    names = words[2:] if is_indexed else words[1:]
    if not words or len(names) > 1 or not all(map(_WORD.match, names)) or {"indexed", "memory"} & set(names):
        raise ValueError(f"{text.strip()[:40]!r} is no parameter; a type and at most a name are")
    return Parameter(_kind(words[0]), names[0] if names else str(at), is_indexed)


def _kind(text: str) -> str:
    """`uint` is `uint256`, as in a signature."""
    found = _TYPE.match(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no type here; address, bool, uintN, intN, bytesN, string and lists of them")
    base, many = found[1], found[2] or ""
    if base in ("uint", "int"):
        base += "256"
    bits = int(base.lstrip("uint")) if "int" in base else 8
    if bits % 8 or not 8 <= bits <= 256 or many == "[0]":
        raise ValueError(f"{text[:40]!r} is no type: numbers have 8 to 256 bits, in steps of 8")
    return base + many


def why_refused(fn: Fragment) -> str:
    """Why a lever may not call this, "" where it may: what gives away rights, code or money, and what calls on."""
    if _plain(fn.name) in _REFUSED_NAMES:
        return f"{fn.signature} gives away rights, code or money, or calls on: no lever calls it"
    twin = _REFUSED_SELECTORS.get(fn.selector)
    if twin is not None:
        return f"{fn.signature} has the selector of {twin}, which no lever calls"
    if any(one.kind.startswith("bytes") and not one.kind[5:6].isdigit() for one in fn.inputs):
        return f"{fn.signature} takes bytes of any length, which may be a call of their own"
    return ""
