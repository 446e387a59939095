"""A member's signature on a registry's next epoch, new keys or a lift, as a file: made here, gathered there.

Its values are there to be read and compared. Whoever submits derives those of an epoch and of keys anew and takes the
signature alone; author and time of a lift are each member's own, and so are its word's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.evm.eip712 import TYPES, Domain, domain_of, message
from adapters.evm.registry import Call, Row, ShortError, ballots, epoch_values, group_in, keys_values, signer
from protocol.errors import ProtocolError
from protocol.onchain import subject_key
from protocol.subjects import from_text

WORD_BYTES_MAX = 64 * 1024
"""256 keys' words of 80 digits, and room."""
SIGNED_APART = ("Epoch", "Keys", "Lift")
_HEX = re.compile(r"0x([0-9a-f]{2})*\Z")
_UINT_MAX = 2**256 - 1


class WordFault(ValueError):
    """What is wrong with a file, in a half sentence."""


@dataclass(frozen=True)
class Word:
    """`values`: those of its EIP-712 type, bytes32 as bytes. `chain`: CAIP-2."""

    chain: str
    contract: bytes
    type: str
    values: Mapping[str, Any]
    signature: bytes
    about: str = ""
    """Of a Lift: the subject as text, which its value is the hash of."""

    @property
    def domain(self) -> Domain:
        return domain_of(self.chain, self.contract)

    def by(self) -> bytes | None:
        """The address that signed it; None where it is in no form of ours."""
        return signer(self.domain, self.type, self.values, self.signature)


def word_text(word: Word) -> str:
    """JSON; numbers as decimal text, since many readers round what is above 2^53."""
    shown = {
        "registry_word": 1,
        "chain": word.chain,
        "contract": "0x" + word.contract.hex(),
        "type": word.type,
        "values": {name: _shown(word.values[name]) for name, _ in TYPES[word.type]},
        "signature": "0x" + word.signature.hex(),
        **({"about": word.about} if word.about else {}),
    }
    return json.dumps(shown, indent=1) + "\n"


def for_wallet(domain: Domain, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """As `eth_signTypedData_v4` takes it, in JSON."""
    told = message(domain, name, values)
    return told | {"message": {field: _shown(value) for field, value in told["message"].items()}}


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return [str(one) for one in value] if isinstance(value, list | tuple) else str(value)


def parse_word(text: str) -> Word:
    """WordFault."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise WordFault("is no JSON") from None
    if not isinstance(told, dict) or told.get("registry_word") != 1:
        raise WordFault("is no word for a registry that this version knows")
    name, chain = told.get("type"), told.get("chain")
    if name not in SIGNED_APART:
        raise WordFault(f"has type {str(name)[:20]!r}, not one of {', '.join(SIGNED_APART)}")
    if not isinstance(chain, str) or re.fullmatch(r"eip155:[1-9][0-9]{0,17}", chain) is None:
        raise WordFault("names no chain like eip155:1")
    values = told.get("values")
    if not isinstance(values, dict) or set(values) != {field for field, _ in TYPES[name]}:
        raise WordFault(f"does not have the values of {name}, all of them and no others")
    read = {field: _READ[kind](field, values[field]) for field, kind in TYPES[name]}
    about = _about(told.get("about"), read["subject"]) if name == "Lift" else ""
    contract, signature = _hex("contract", told.get("contract"), 20), _hex("signature", told.get("signature"), 65)
    return Word(chain, contract, name, read, signature, about)


def _about(text: Any, subject: bytes) -> str:
    try:
        named = from_text(text) if isinstance(text, str) else None
    except ProtocolError:
        named = None
    if named is None or bytes(subject_key(named)) != subject:
        raise WordFault("is about another subject than it signs")
    return str(named)


def _hex(field: str, value: Any, size: int) -> bytes:
    if not isinstance(value, str) or len(value) != 2 + 2 * size or _HEX.match(value) is None:
        raise WordFault(f"{field} is not 0x and {2 * size} lower hexadecimal digits")
    return bytes.fromhex(value[2:])


def _bytes32(field: str, value: Any) -> bytes:
    return _hex(field, value, 32)


def _number(field: str, value: Any) -> int:
    if not isinstance(value, str) or not (value.isascii() and value.isdecimal()) or len(value) > 78:
        raise WordFault(f"{field} is no decimal text")
    if int(value) > _UINT_MAX:
        raise WordFault(f"{field} is above 2^256 - 1")
    return int(value)


def _numbers(field: str, value: Any) -> list[int]:
    if not isinstance(value, list) or len(value) > 256:
        raise WordFault(f"{field} is no list of at most 256 numbers")
    return [_number(field, one) for one in value]


_READ: dict[str, Callable[[str, Any], Any]] = {"bytes32": _bytes32, "uint256": _number, "uint256[]": _numbers}


def advance_call(
    domain: Domain, there: Sequence[int], q: int, row: Row, keys: Sequence[int], said: list[bytes]
) -> Call:
    """Arguments of `advance`. `there`, `q`: keys and quorum of the epoch that the registry is in. ShortError."""
    return row.values, list(keys), _quorum(domain, "Epoch", epoch_values(row, keys), there, q, said)


def keys_call(
    domain: Domain, there: Sequence[int], row: Row, version: int, keys: Sequence[int], said: list[bytes]
) -> Call:
    """Arguments of `change_keys`. ShortError."""
    values = keys_values(row.network, row.hash, version, keys)
    return version, list(keys), _quorum(domain, "Keys", values, there, row.q, said)


def _quorum(
    domain: Domain, name: str, values: Mapping[str, Any], there: Sequence[int], q: int, said: list[bytes]
) -> list[Any]:
    found = ballots(domain, name, values, there, said)
    groups = {group_in(there[at]) for at, *_ in found}
    if len(groups) < q:
        raise ShortError(f"{len(groups)} groups with keys in the registry have signed this, {q} are needed")
    return found
