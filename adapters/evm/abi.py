"""Call data, results and logs by contract ABI, each codec built once. The only importer of eth_abi and eth_utils."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import eth_abi
from eth_abi.exceptions import DecodingError
from eth_utils import keccak

from adapters.evm.artifacts import artifact

_ERROR_STRING = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")
REASON_CHARS_MAX = 160
"""Room for what AccessControl says: an account and a role."""


def _decoded(types: Sequence[str], raw: bytes, what: str) -> tuple[Any, ...]:
    """Values by type; addresses as 20 bytes. ValueError where the bytes are not of these types."""
    try:
        values = eth_abi.decode(types, raw)
    except (DecodingError, ValueError, OverflowError) as wrong:
        raise ValueError(f"{what}: not ({','.join(types)}): {type(wrong).__name__}") from wrong
    return tuple(bytes.fromhex(v[2:]) if t == "address" else v for t, v in zip(types, values))


@dataclass(frozen=True)
class Function:
    name: str
    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def encode(self, args: Sequence[Any]) -> bytes:
        if len(args) != len(self.inputs):
            raise ValueError(f"{self.name} takes {len(self.inputs)} arguments, not {len(args)}")
        return self.selector + bytes(eth_abi.encode(self.inputs, list(args)))

    def decode(self, raw: bytes) -> Any:
        """One value, or a tuple where the function returns several (None where it returns nothing)."""
        values = _decoded(self.outputs, raw, self.name)
        return values[0] if len(values) == 1 else values or None


@dataclass(frozen=True)
class Event:
    name: str
    topic: bytes
    indexed: tuple[tuple[str, str], ...]
    """(name, type) of what stands in the topics, in order; `plain` of what stands in the data."""
    plain: tuple[tuple[str, str], ...]

    def decode(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any] | None:
        """Field by name, or None where the log is not this event."""
        if len(topics) != len(self.indexed) + 1 or topics[0] != self.topic:
            return None
        try:
            found = {name: _decoded((kind,), topic, name)[0] for (name, kind), topic in zip(self.indexed, topics[1:])}
            names, types = [name for name, _ in self.plain], [kind for _, kind in self.plain]
            return found | dict(zip(names, _decoded(types, data, self.name)))
        except ValueError:
            return None


class Abi:
    """The functions and events of one contract by name; overloads are not supported (the last one stays)."""

    def __init__(self, entries: Iterable[Mapping[str, Any]]) -> None:
        self.functions: dict[str, Function] = {}
        self.events: dict[str, Event] = {}
        self.constructor: tuple[str, ...] = ()
        for entry in entries:
            if entry["type"] == "function":
                self.functions[entry["name"]] = _function(entry)
            elif entry["type"] == "event":
                self.events[entry["name"]] = _event(entry)
            elif entry["type"] == "constructor":
                self.constructor = _types(entry["inputs"])

    def function(self, name: str) -> Function:
        if name not in self.functions:
            raise KeyError(f"no function {name!r}; the contract has {', '.join(sorted(self.functions))}")
        return self.functions[name]

    def event(self, name: str) -> Event:
        if name not in self.events:
            raise KeyError(f"no event {name!r}; the contract has {', '.join(sorted(self.events))}")
        return self.events[name]

    def construct(self, args: Sequence[Any]) -> bytes:
        """Constructor arguments as they follow the creation bytecode."""
        return bytes(eth_abi.encode(self.constructor, list(args)))


def _types(parameters: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """A struct as the tuple of its fields; an address inside one stays text."""
    return tuple(
        str(one["type"]).replace("tuple", f"({','.join(_types(one['components']))})")
        if "components" in one
        else one["type"]
        for one in parameters
    )


def _function(entry: Mapping[str, Any]) -> Function:
    inputs = _types(entry["inputs"])
    selector = bytes(keccak(text=f"{entry['name']}({','.join(inputs)})"))[:4]
    return Function(entry["name"], selector, inputs, _types(entry["outputs"]))


def _event(entry: Mapping[str, Any]) -> Event:
    topic = bytes(keccak(text=f"{entry['name']}({','.join(_types(entry['inputs']))})"))
    sides: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
    for one in entry["inputs"]:
        sides[bool(one["indexed"])].append((one["name"], one["type"]))
    return Event(entry["name"], topic, tuple(sides[True]), tuple(sides[False]))


@functools.cache
def abi_of(name: str) -> Abi:
    """The ABI of one of the package's own contracts."""
    return Abi(artifact(name).abi)


def revert_reason(data: bytes) -> str:
    """What a contract said when it refused: Error(string), Panic(uint256), else the bytes' beginning in hex."""
    try:
        if data[:4] == _ERROR_STRING:
            return str(_decoded(("string",), data[4:], "reason")[0])[:REASON_CHARS_MAX]
        if data[:4] == _PANIC:
            return f"panic {_decoded(('uint256',), data[4:], 'panic')[0]:#x}"
    except ValueError:
        pass
    return f"0x{data[:68].hex()}" if data else ""


def keccak256(data: bytes) -> bytes:
    return bytes(keccak(data))


def created_address(sender: bytes, nonce: int) -> bytes:
    """Where CREATE puts the contract of this sender and nonce (RLP by hand: both parts are short)."""
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    packed = number if len(number) == 1 and number[0] < 0x80 else bytes([0x80 + len(number)]) + number
    body = b"\x94" + sender + packed
    return bytes(keccak(bytes([0xC0 + len(body)]) + body))[12:]
