"""Other forms of the same bytes: every item of a canonical CBOR value, in every form that the dialect excludes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

UINT, NINT, BYTES, TEXT, ARRAY, MAP = range(6)
WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}


@dataclass(frozen=True)
class Item:
    """raw[start:end] of a value; `body` is where its head ends; `within` the keys and places above it."""

    raw: bytes
    start: int
    body: int
    end: int
    is_key: bool
    children: tuple[Item, ...]
    within: tuple[int, ...]

    @property
    def major(self) -> int:
        return self.raw[self.start] >> 5

    @property
    def argument(self) -> int:
        info = self.raw[self.start] & 31
        return info if info < 24 else int.from_bytes(self.raw[self.start + 1 : self.body], "big")

    @property
    def whole(self) -> bytes:
        return self.raw[self.start : self.end]

    def replaced(self, by: bytes) -> bytes:
        return self.raw[: self.start] + by + self.raw[self.end :]

    def everything(self) -> Iterator[Item]:
        yield self
        for child in self.children:
            yield from child.everything()


def read(raw: bytes, at: int = 0, is_key: bool = False, within: tuple[int, ...] = ()) -> Item:
    """The item that begins at `at`, of bytes that are known to be canonical."""
    major, info = raw[at] >> 5, raw[at] & 31
    body = at + 1 + WIDTHS.get(info, 0)
    argument = info if info < 24 else int.from_bytes(raw[at + 1 : body], "big")
    end, children = body, []
    if major in (BYTES, TEXT):
        end += argument
    for place in range(argument * (1 + (major == MAP)) if major in (ARRAY, MAP) else 0):
        key = major == MAP and place % 2 == 0
        above = children[-1].argument if major == MAP and not key else place
        child = read(raw, end, key, within if key else (*within, above))
        children.append(child)
        end = child.end
    return Item(raw, at, body, end, is_key, tuple(children), within)


def longer_heads(item: Item) -> list[bytes]:
    """The same head in every width above its own."""
    own = item.body - item.start - 1
    rest = item.raw[item.body : item.end]
    return [
        bytes([item.major << 5 | info]) + item.argument.to_bytes(width, "big") + rest
        for info, width in WIDTHS.items()
        if width > own
    ]


def of_major(*majors: int) -> Callable[[Item], bool]:
    return lambda item: item.major in majors


def _chunks(item: Item) -> list[bytes]:
    start, middle = bytes([item.major << 5 | 31]), item.body + item.argument // 2
    halves = b""
    if item.major == BYTES and item.argument < 24:
        for piece in (item.raw[item.body : middle], item.raw[middle : item.end]):
            halves += bytes([BYTES << 5 | len(piece)]) + piece
    return [start + item.whole + b"\xff", *([start + halves + b"\xff"] if halves else [])]


def _open_ended(item: Item) -> list[bytes]:
    return [bytes([item.major << 5 | 31]) + item.raw[item.body : item.end] + b"\xff"]


def _pairs(item: Item) -> list[bytes]:
    parts = [one.whole for one in item.children]
    return [key + value for key, value in zip(parts[::2], parts[1::2])]


def _swapped(item: Item) -> list[bytes]:
    pairs, head = _pairs(item), item.raw[item.start : item.body]
    made = []
    for at in range(len(pairs) - 1):
        changed = [*pairs[:at], pairs[at + 1], pairs[at], *pairs[at + 2 :]]
        made.append(head + b"".join(changed))
    return made


def _twice(item: Item) -> list[bytes]:
    pairs = _pairs(item)
    if item.argument > 22:
        return []
    head = bytes([MAP << 5 | len(pairs) + 1])
    return [head + b"".join([*pairs[: at + 1], *pairs[at:]]) for at in range(len(pairs))]


def _bignums(item: Item) -> list[bytes]:
    raw = item.argument.to_bytes(8, "big").lstrip(b"\x00")
    return [bytes([0xC2 + item.major, BYTES << 5 | len(raw)]) + raw]


def below_zero(item: Item) -> list[bytes]:
    return [bytes([item.whole[0] | NINT << 5]) + item.whole[1:]]


Mutation = tuple[Callable[[Item], bool], Callable[[Item], list[bytes]]]
STRANGE: dict[str, Mutation] = {
    "an integer longer than needed": (of_major(UINT, NINT), longer_heads),
    "a string with a longer length": (of_major(BYTES, TEXT), longer_heads),
    "an array or a map with a longer count": (of_major(ARRAY, MAP), longer_heads),
    "a string in chunks": (of_major(BYTES, TEXT), _chunks),
    "an array or a map of indefinite length": (of_major(ARRAY, MAP), _open_ended),
    "two neighbours of a map swapped": (of_major(MAP), _swapped),
    "a key of a map twice": (of_major(MAP), _twice),
    "a key below zero": (lambda item: item.is_key, below_zero),
    "a key as a text": (lambda item: item.is_key, lambda item: [b"\x61" + bytes([48 + item.argument % 10])]),
    "a key as bytes": (lambda item: item.is_key, lambda item: [b"\x41" + bytes([item.argument % 256])]),
    "an integer as a bignum": (of_major(UINT, NINT), _bignums),
    "a tag before it": (lambda item: True, lambda item: [b"\xc0" + item.whole, b"\xd9\xd9\xf7" + item.whole]),
    "a float in its place": (
        lambda item: True,
        lambda item: [b"\xf9\x3c\x00", b"\xfa\x3f\x80\x00\x00", b"\xfb" + bytes(8)],
    ),
    "undefined in its place": (lambda item: True, lambda item: [b"\xf7"]),
    "a simple value in its place": (
        lambda item: True,
        lambda item: [b"\xe0", b"\xf3", b"\xf8\x20", b"\xf8\x14", b"\xf8\xff"],
    ),
    "a break in its place": (lambda item: True, lambda item: [b"\xff"]),
    "a reserved length in its place": (lambda item: True, lambda item: [bytes([item.major << 5 | 28])]),
    "a text that is not UTF-8 in its place": (
        lambda item: True,
        lambda item: [b"\x61\xff", b"\x62\xc0\x80", b"\x63\xed\xa0\x80"],
    ),
}
"""Name → (items that have this form, the forms of one). None of the results is in the dialect."""


def mangled(raw: bytes, name: str) -> Iterator[bytes]:
    """`raw` with one item in another form, once for each item and form."""
    fits, forms = STRANGE[name]
    for item in read(raw).everything():
        if fits(item):
            yield from (item.replaced(form) for form in forms(item))


def cut_and_lengthened(raw: bytes) -> Iterator[bytes]:
    yield from (raw[:at] for at in range(len(raw)))
    yield from (raw + bytes([one]) for one in (0x00, 0x40, 0xA0, 0xF6, 0xFF))
