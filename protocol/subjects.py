"""What an alarm is about: structured bytes with one canonical form each, never text (CAIP-2, CAIP-10, CAIP-19 and kin).

A subject is a canonical CBOR array `[kind, …]`, carried as a byte string. Addresses are raw, so a checksum's case
cannot make two subjects of one. No subject implies another: that is exposure and policy.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from protocol.codec import decode, encode
from protocol.errors import Code, ProtocolError
from protocol.limits import SUBJECT_BYTES_MAX
from protocol.schema import Codec, unknown_number


class Kind(enum.IntEnum):
    CHAIN = 1
    ACCOUNT = 2
    ASSET = 3
    TRANSACTION = 4
    MARKET = 5
    BRIDGE = 6
    ORACLE = 7
    DOMAIN = 8
    PACKAGE = 9
    CREDENTIAL = 10


_NAMESPACE = re.compile(r"[-a-z0-9]{3,8}\Z")
_REFERENCE = re.compile(r"[-_a-zA-Z0-9]{1,32}\Z")
_ASSET_NAMESPACE = re.compile(r"[-a-z0-9]{3,8}\Z")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+\Z")
_CHAR = r"(?:[a-zA-Z0-9._~-]|%[0-9A-F]{2})"
_PACKAGE = re.compile(rf"pkg:(?P<type>[a-z][a-z0-9.+-]*)(?P<names>(?:/{_CHAR}+)+)(?:@(?:{_CHAR}|:)+)?\Z")
_PERCENT = re.compile(r"%([0-9A-F]{2})")
_NEVER_ESCAPED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:")
_FOLDED = frozenset({"bitbucket", "composer", "deb", "github", "npm", "oci", "pypi"})
"""Package types whose registries know no case: written in lower case only (pypi: "-" for "_" too)."""
EVM_ADDRESS_BYTES = 20
COIN_TYPE_BYTES_MAX = 4
HASH_BYTES = 32


def _text(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda part: type(part) is str and len(part) <= 200 and pattern.match(part) is not None


def _package(part: Any) -> bool:
    """A package URL without qualifiers and subpath, in the form that its specification calls canonical."""
    found = _PACKAGE.match(part) if type(part) is str and len(part) <= 200 else None
    if found is None or any(int(code, 16) in _NEVER_ESCAPED for code in _PERCENT.findall(part)):
        return False
    names, kind = found["names"], found["type"]
    plain = _PERCENT.sub("", names)
    return not (kind in _FOLDED and plain != plain.lower()) and not (kind == "pypi" and "_" in names)


def _raw(least: int, most: int) -> Callable[[Any], bool]:
    return lambda part: type(part) is bytes and least <= len(part) <= most


_CHAIN_PARTS = (_text(_NAMESPACE), _text(_REFERENCE))
_SHAPES: dict[Kind, tuple[Callable[[Any], bool], ...]] = {
    Kind.CHAIN: _CHAIN_PARTS,
    Kind.ACCOUNT: (*_CHAIN_PARTS, _raw(1, 64)),
    Kind.ASSET: (*_CHAIN_PARTS, _text(_ASSET_NAMESPACE), _raw(1, 64)),
    Kind.TRANSACTION: (*_CHAIN_PARTS, _raw(HASH_BYTES, HASH_BYTES)),
    Kind.MARKET: (*_CHAIN_PARTS, _raw(1, 64), _raw(1, 32)),
    Kind.BRIDGE: (*_CHAIN_PARTS, _raw(1, 64), *_CHAIN_PARTS),
    Kind.ORACLE: (*_CHAIN_PARTS, _raw(1, 64)),
    Kind.DOMAIN: (_text(_DOMAIN),),
    Kind.PACKAGE: (_package,),
    Kind.CREDENTIAL: (_raw(HASH_BYTES, HASH_BYTES),),
}
_CHAINS_AT = {kind: (0,) for kind in Kind if kind <= Kind.ORACLE} | {Kind.BRIDGE: (0, 3)}
"""Where a subject's chains begin."""
_WITH_ADDRESS = frozenset({Kind.ACCOUNT, Kind.MARKET, Kind.BRIDGE, Kind.ORACLE})


@dataclass(frozen=True, order=True)
class Subject:
    """`raw` is the identity; equal things have equal bytes. Made by `subject_of`, `parse_subject` or a helper below."""

    raw: bytes

    def __hash__(self) -> int:
        return hash(self.raw)  # kept in the bytes, asked for a hundred times a word

    @property
    def parts(self) -> tuple[Any, ...]:
        return tuple(decode(self.raw, bytes_max=SUBJECT_BYTES_MAX))

    @property
    def kind(self) -> Kind:
        return Kind(self.parts[0])

    @property
    def chain(self) -> str:
        """CAIP-2 of the chain it lives on, "" where it lives on none."""
        parts = self.parts
        return f"{parts[1]}:{parts[2]}" if parts[0] <= Kind.ORACLE else ""

    def __str__(self) -> str:
        return _to_text(self.parts)

    def __repr__(self) -> str:
        return f"Subject({self})"


def subject_of(kind: Kind, *parts: Any) -> Subject:
    """Checks every part, so that one thing has one form."""
    shape = _SHAPES[kind]
    if len(parts) != len(shape) or not all(fits(part) for fits, part in zip(shape, parts)):
        raise ProtocolError(Code.BAD_SHAPE, f"subject: not a well-formed {kind.name.lower()}")
    if kind is Kind.ASSET and parts[2] == "slip44":
        _check_coin_type(parts[3])
    for at in _CHAINS_AT.get(kind, ()):
        if parts[at] == "eip155":
            _check_evm_chain(parts[at + 1])
    if parts[0] == "eip155":
        _check_evm(kind, parts)
    return Subject(encode([int(kind), *parts]))


def _check_evm_chain(reference: str) -> None:
    if not reference.isdigit() or (reference != "0" and reference.startswith("0")):
        raise ProtocolError(Code.BAD_SHAPE, "subject: an eip155 reference is a decimal chain id")


def _check_coin_type(raw: bytes) -> None:
    """SLIP-44 numbers are written big-endian without leading zeros, so that one coin has one form."""
    if len(raw) > COIN_TYPE_BYTES_MAX or (raw[0] == 0 and len(raw) > 1):
        raise ProtocolError(Code.BAD_SHAPE, "subject: a slip44 reference is a shortest big-endian number of 32 bits")


def _check_evm(kind: Kind, parts: tuple[Any, ...]) -> None:
    if kind in _WITH_ADDRESS and len(parts[2]) != EVM_ADDRESS_BYTES:
        raise ProtocolError(Code.BAD_SHAPE, "subject: an eip155 address has 20 bytes")
    if kind is Kind.ASSET and parts[2] == "erc20" and len(parts[3]) != EVM_ADDRESS_BYTES:
        raise ProtocolError(Code.BAD_SHAPE, "subject: an erc20 reference is a 20-byte address")


def parse_subject(raw: Any, where: str = "subject") -> Subject:
    """From the wire: canonical CBOR of a known kind, well-formed, or ProtocolError."""
    if type(raw) is not bytes:
        raise ProtocolError(Code.BAD_SHAPE, f"{where}: a byte string")
    return _parsed(raw, where)


@functools.lru_cache(maxsize=2048)
def _parsed(raw: bytes, where: str) -> Subject:
    """The last ones are remembered: every member's word on a thing, and every certificate of it, names it again."""
    parts = decode(raw, bytes_max=SUBJECT_BYTES_MAX)
    if type(parts) is not list or not parts or type(parts[0]) is not int:
        raise ProtocolError(Code.BAD_SHAPE, f"{where}: an array that starts with its kind")
    try:
        kind = Kind(parts[0])
    except ValueError:
        raise unknown_number(f"{where}: kind", Kind, parts[0]) from None
    return subject_of(kind, *parts[1:])


def _parse_chain(raw: Any, where: str) -> str:
    if type(raw) is not str:
        raise ProtocolError(Code.BAD_SHAPE, f"{where}: a CAIP-2 chain")
    return subject_of(Kind.CHAIN, *_split_chain(raw)).chain


CHAIN: Codec[str] = Codec(str, _parse_chain)
"""A chain as text, `eip155:1` (CAIP-2)."""
SUBJECT: Codec[Subject] = Codec(lambda subject: subject.raw, parse_subject)


def _split_chain(chain: str) -> tuple[str, str]:
    namespace, _, reference = chain.partition(":")
    return namespace, reference


def asset(chain: str, address: bytes, namespace: str = "erc20") -> Subject:
    return subject_of(Kind.ASSET, *_split_chain(chain), namespace, address)


def account(chain: str, address: bytes) -> Subject:
    return subject_of(Kind.ACCOUNT, *_split_chain(chain), address)


def oracle(chain: str, address: bytes) -> Subject:
    return subject_of(Kind.ORACLE, *_split_chain(chain), address)


def market(chain: str, address: bytes, market_id: bytes) -> Subject:
    return subject_of(Kind.MARKET, *_split_chain(chain), address, market_id)


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _to_text(parts: tuple[Any, ...]) -> str:
    kind, rest = Kind(parts[0]), parts[1:]
    chain = f"{rest[0]}:{rest[1]}" if kind <= Kind.ORACLE else ""
    if kind is Kind.CHAIN:
        return chain
    if kind is Kind.ACCOUNT:
        return f"{chain}:{_hex(rest[2])}"
    if kind is Kind.ASSET:
        return f"{chain}/{rest[2]}:{_hex(rest[3])}"
    if kind is Kind.TRANSACTION:
        return f"tx:{chain}:{_hex(rest[2])}"
    if kind is Kind.MARKET:
        return f"market:{chain}:{_hex(rest[2])}/{_hex(rest[3])}"
    if kind is Kind.BRIDGE:
        return f"bridge:{chain}:{_hex(rest[2])}>{rest[3]}:{rest[4]}"
    if kind is Kind.ORACLE:
        return f"oracle:{chain}:{_hex(rest[2])}"
    if kind is Kind.CREDENTIAL:
        return f"credential:{rest[0].hex()}"
    return rest[0] if kind is Kind.PACKAGE else f"domain:{rest[0]}"


_CHAIN = r"(?P<ns>[-a-z0-9]{3,8}):(?P<ref>[-_a-zA-Z0-9]{1,32})"
_HEXES = r"0x(?:[0-9a-fA-F]{2})+"
_TEXTS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (Kind.TRANSACTION, re.compile(rf"tx:{_CHAIN}:(?P<a>{_HEXES})\Z")),
    (Kind.MARKET, re.compile(rf"market:{_CHAIN}:(?P<a>{_HEXES})/(?P<b>{_HEXES})\Z")),
    (
        Kind.BRIDGE,
        re.compile(rf"bridge:{_CHAIN}:(?P<a>{_HEXES})>(?P<fns>[-a-z0-9]{{3,8}}):(?P<fref>[-_a-zA-Z0-9]{{1,32}})\Z"),
    ),
    (Kind.ORACLE, re.compile(rf"oracle:{_CHAIN}:(?P<a>{_HEXES})\Z")),
    (Kind.ASSET, re.compile(rf"{_CHAIN}/(?P<ans>[-a-z0-9]{{3,8}}):(?P<a>{_HEXES})\Z")),
    (Kind.ACCOUNT, re.compile(rf"{_CHAIN}:(?P<a>{_HEXES})\Z")),
    (Kind.CHAIN, re.compile(rf"{_CHAIN}\Z")),
)


def from_text(written: str) -> Subject:
    """What a person types: CAIP texts, `tx:`, `market:`, `bridge:`, `oracle:`, `domain:`, `pkg:`, `credential:`."""
    if written.startswith("pkg:"):
        return subject_of(Kind.PACKAGE, written)
    if written.startswith("domain:"):
        return subject_of(Kind.DOMAIN, written.removeprefix("domain:"))
    if written.startswith("credential:"):
        return subject_of(Kind.CREDENTIAL, _unhex(written.removeprefix("credential:")))
    for kind, pattern in _TEXTS:
        found = pattern.match(written)
        if found:
            return subject_of(kind, *_parts_of(kind, found.groupdict()))
    raise ProtocolError(Code.BAD_SHAPE, f"{written!r} names no subject; write it like eip155:1/erc20:0xa129… (CAIP-19)")


def _unhex(written: str) -> bytes:
    try:
        return bytes.fromhex(written.removeprefix("0x"))
    except ValueError:
        raise ProtocolError(Code.BAD_SHAPE, f"{written!r} is not hexadecimal") from None


def _parts_of(kind: Kind, found: dict[str, str]) -> list[Any]:
    parts: list[Any] = [found["ns"], found["ref"]]
    if kind is Kind.ASSET:
        parts.append(found["ans"])
    parts.extend(_unhex(found[name]) for name in ("a", "b") if found.get(name))
    if kind is Kind.BRIDGE:
        parts.extend((found["fns"], found["fref"]))
    return parts
