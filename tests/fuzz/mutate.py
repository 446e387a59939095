"""Mutations that know the wire: values are changed and encoded again, sealed things are sealed again.

A byte changed at random dies at the first signature; a changed value under a true signature reaches the rules.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import cbor2

from node.transport.framing import Control, FrameReader, WireFaultError, encode_control, encode_frame
from protocol import crypto
from protocol.envelope import KEYSET_TAG, PROTECTED, _to_be_signed, domain_tag
from protocol.ids import NetworkId
from tests.fuzz import stage

Native = Callable[[bytes, int], bytes]
"""libFuzzer's own mutation of bytes: (data, most) → data."""
DEPTH_MOST = 9
NODES_MOST = 600
INTEGERS = (
    *(0, 1, 2, 3, 4, 5, 6, 7, 8, 23, 24, 32, 33, 35, 42, 63, 64, 255, 256, 257, -1, -8),
    *(16_000_000, 16_000_001, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1, -(2**64)),
    *(1_780_000_000_000, 1_790_000_000_000, 1_790_000_002_300, 1_790_000_060_001),
)
LENGTHS = (0, 1, 2, 19, 20, 21, 31, 32, 33, 63, 64, 65)
TEXTS = (
    "",
    "m0",
    "m1",
    "m2",
    "m3",
    "m5",
    "issuer",
    "eip155:1",
    "eip155",
    "01",
    "evm-log",
    "é",
    "a" * 33,
    "a" * 65,
    "\x00",
)


@dataclass
class Nested:
    """A byte string that holds one more item."""

    inner: Any


@dataclass
class Sealed:
    """A COSE_Sign1; `signature` stands where it is not sealed again."""

    payload: Any
    signature: bytes
    again: bool = True


def expand(raw: bytes, depth: int = 0) -> Any:
    """The value of canonical CBOR with everything nested in it, or None."""
    try:
        value = cbor2.loads(raw)
        if cbor2.dumps(value, canonical=True) != raw:
            return None
    except Exception:
        return None
    return _opened(value, depth)


def _opened(value: Any, depth: int) -> Any:
    if depth > DEPTH_MOST:
        return value
    if isinstance(value, bytes) and len(value) > 2 and value[0] >> 5 in (4, 5):
        inner = expand(value, depth + 1)
        return value if inner is None else Nested(inner)
    if isinstance(value, list):
        if len(value) == 4 and value[0] == PROTECTED and isinstance(value[2], bytes) and isinstance(value[3], bytes):
            payload = expand(value[2], depth + 1)
            if payload is not None:
                return Sealed(payload, value[3])
        return [_opened(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {key: _opened(one, depth + 1) for key, one in value.items()}
    return value


def collapse(tree: Any) -> bytes:
    return bytes(cbor2.dumps(_closed(tree), canonical=True))


def _closed(tree: Any) -> Any:
    if isinstance(tree, Nested):
        return collapse(tree.inner)
    if isinstance(tree, Sealed):
        payload = collapse(tree.payload)
        signature = (_sealed_again(tree.payload, payload) if tree.again else None) or tree.signature
        return [PROTECTED, {}, payload, signature]
    if isinstance(tree, list):
        return [_closed(one) for one in tree]
    if isinstance(tree, dict):
        return {key: _closed(one) for key, one in tree.items()}
    return tree


def _sealed_again(fields: Any, payload: bytes) -> bytes | None:
    """The signature of whoever the payload names, where we hold the key."""
    author = fields.get(1) if isinstance(fields, dict) else None
    if not isinstance(author, str) or author not in stage.known_names():
        return None
    network: NetworkId = stage.network_of(author)
    if 7 in fields:
        kind, version = fields.get(6), fields.get(2)
        if type(kind) is not int or type(version) is not int or version not in stage.VERSIONS:
            return None
        return stage.hot_key(author, version).sign(_to_be_signed(domain_tag(kind), network, payload))
    signer: crypto.Signer = stage.cold_key(author)
    return signer.sign(_to_be_signed(KEYSET_TAG, network, payload))


@dataclass
class Place:
    """One node of a tree: where it stands, and how to put something else there."""

    holder: Any
    key: Any

    @property
    def value(self) -> Any:
        return self.holder[self.key] if isinstance(self.holder, list | dict) else getattr(self.holder, self.key)

    def put(self, value: Any) -> None:
        if isinstance(self.holder, list | dict):
            self.holder[self.key] = value
        else:
            setattr(self.holder, self.key, value)


def places(tree: Any) -> list[Place]:
    found: list[Place] = []
    todo = [tree]
    while todo and len(found) < NODES_MOST:
        one = todo.pop()
        keys: Iterable[Any] = ()
        if isinstance(one, list):
            keys = range(len(one))
        elif isinstance(one, dict):
            keys = list(one)
        elif isinstance(one, Nested):
            keys = ("inner",)
        elif isinstance(one, Sealed):
            keys = ("payload",)
        for key in keys:
            place = Place(one, key)
            found.append(place)
            todo.append(place.value)
    return found


class Mutator:
    """`pool`: seeds whose parts are grafted into others."""

    def __init__(self, pool: Iterable[bytes], framed: bool = False) -> None:
        self.framed = framed
        self.pool = [tree for raw in pool for tree in self._trees(raw)]
        self.grafts = [place.value for tree in self.pool for place in places([tree])]

    def _trees(self, raw: bytes) -> list[Any]:
        if not self.framed:
            tree = expand(raw)
            return [] if tree is None else [tree]
        try:
            parts = FrameReader(1 << 18).feed(raw)
        except WireFaultError:
            return []
        return [one if isinstance(one, Control) else (expand(one) or one) for one in parts]

    def __call__(self, raw: bytes, most: int, seed: int, native: Native) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.25:
            return native(raw, most)
        trees = self._trees(raw)
        if not trees:
            return (
                native(raw, most) if self.pool == [] or rng.random() < 0.7 else self._out([rng.choice(self.pool)], most)
            )
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
            self.change(trees, rng, native)
        return self._out(trees, most) or native(raw, most)

    def _out(self, trees: list[Any], most: int) -> bytes:
        try:
            if not self.framed:
                raw = collapse(trees[0])
            else:
                raw = b"".join(self._framed(one) for one in trees)
        except Exception:
            return b""
        return raw if len(raw) <= most else b""

    @staticmethod
    def _framed(tree: Any) -> bytes:
        if isinstance(tree, Control):
            return encode_control(tree.kind, tree.nonce)
        return encode_frame(tree if isinstance(tree, bytes) else collapse(tree), 1 << 18)

    def change(self, trees: list[Any], rng: random.Random, native: Native) -> None:
        """One change somewhere in `trees`, in place. What is grafted is shared, so it is copied first."""
        place = rng.choice(places(trees))
        value = place.value
        if isinstance(value, Sealed) and rng.random() < 0.3:
            value.again = False
            value.signature = native(value.signature, 64)
        elif isinstance(value, list) and rng.random() < 0.8:
            self._list(value, rng)
        elif isinstance(value, dict) and rng.random() < 0.8:
            self._map(value, rng)
        elif rng.random() < 0.3 and self.grafts:
            place.put(expand_copy(rng.choice(self.grafts)))
        else:
            place.put(self._scalar(value, rng, native))

    def _list(self, value: list[Any], rng: random.Random) -> None:
        what = rng.randrange(5)
        if what == 0 and value:
            del value[rng.randrange(len(value))]
        elif what == 1 and value:
            value.insert(rng.randrange(len(value) + 1), expand_copy(rng.choice(value)))
        elif what == 2 and len(value) > 1:
            rng.shuffle(value)
        elif what == 3 and self.grafts:
            value.insert(rng.randrange(len(value) + 1), expand_copy(rng.choice(self.grafts)))
        else:
            value.append(rng.choice(INTEGERS))

    def _map(self, value: dict[Any, Any], rng: random.Random) -> None:
        what = rng.randrange(4)
        if what == 0 and value:
            del value[rng.choice(list(value))]
        elif what == 1:
            value[rng.choice((0, 2, 14, 15, 63, 64, 70, 2**63))] = expand_copy(rng.choice(self.grafts or [0]))
        elif what == 2 and len(value) > 1:
            one, other = rng.sample(list(value), 2)
            value[one], value[other] = value[other], value[one]
        elif value:
            key = rng.choice(list(value))
            value[key] = expand_copy(rng.choice(self.grafts or [0]))

    def _scalar(self, value: Any, rng: random.Random, native: Native) -> Any:
        if rng.random() < 0.1:
            return rng.choice(([], {}, None, True, False, 0, b"", "", 1.5))
        if isinstance(value, int):
            near = value + rng.choice((-1, 1, 60_000, -60_000, 1000))
            return rng.choice(
                (near, near, rng.choice(INTEGERS), rng.choice(INTEGERS), rng.getrandbits(rng.randint(1, 64)))
            )
        if isinstance(value, bytes):
            kinds = (
                native(value, 128),
                rng.randbytes(rng.choice(LENGTHS)),
                value[:-1],
                value + b"\0",
                bytes(len(value)),
            )
            return rng.choice(kinds)
        if isinstance(value, str):
            cut = rng.randrange(len(value) + 1)
            return rng.choice((rng.choice(TEXTS), value[:cut], value + value[cut:], value.upper(), value.swapcase()))
        if isinstance(value, Nested):
            return collapse(value.inner)[: rng.choice(LENGTHS)]
        return rng.choice(INTEGERS)


def expand_copy(tree: Any) -> Any:
    """So that changing one place does not change another."""
    if isinstance(tree, Nested):
        return Nested(expand_copy(tree.inner))
    if isinstance(tree, Sealed):
        return Sealed(expand_copy(tree.payload), tree.signature)
    if isinstance(tree, list):
        return [expand_copy(one) for one in tree]
    if isinstance(tree, dict):
        return {key: expand_copy(one) for key, one in tree.items()}
    return tree


class TextMutator:
    """Lines, words and numbers of texts that people write."""

    ODD = (
        '""',
        "''",
        "[",
        "]",
        "{}",
        "=",
        "9" * 40,
        "-1",
        "0x",
        "1e400",
        "true",
        "nan",
        "1979-05-27",
        "\\u0000",
        "\x7f",
        "é",
    )

    def __init__(self, pool: Iterable[bytes]) -> None:
        texts = [raw.decode() for raw in pool]
        self.lines = list(dict.fromkeys(line for text in texts for line in text.splitlines()))
        self.words = [*dict.fromkeys(word for line in self.lines for word in _words(line)), *self.ODD]

    def __call__(self, raw: bytes, most: int, seed: int, native: Native) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.3:
            return native(raw, most)
        try:
            lines = raw.decode().split("\n")
        except UnicodeDecodeError:
            return native(raw, most)
        for _ in range(rng.choice((1, 1, 2, 4))):
            self._change(lines, rng)
        changed = "\n".join(lines).encode()
        return changed if len(changed) <= most else native(raw, most)

    def _change(self, lines: list[str], rng: random.Random) -> None:
        at = rng.randrange(len(lines) + 1)
        what = rng.randrange(6)
        if what == 0 and at < len(lines) > 1:
            del lines[at]
        elif what == 1:
            lines.insert(at, rng.choice(self.lines or lines))
        elif what == 2 and lines:
            lines.insert(at, rng.choice(lines))
        elif lines:
            at = min(at, len(lines) - 1)
            words = _words(lines[at])
            if words:
                lines[at] = lines[at].replace(rng.choice(words), rng.choice(self.words), 1)
            else:
                lines[at] += rng.choice(self.words)


def _words(line: str) -> list[str]:
    spaced = "".join(char if char.isalnum() or char in "._-:" else f" {char} " for char in line)
    return spaced.split()
