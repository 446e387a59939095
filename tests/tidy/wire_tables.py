"""The tables of protocol/README.md as the code has them: what a reader of either must find the same.

`python -m tests.tidy.wire_tables` prints them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from protocol import envelope, evidence, frames, limits, messages, quorum
from protocol.errors import Code
from protocol.schema import Codec, Schema
from protocol.subjects import CHAIN, SUBJECT

Row = tuple[str, ...]


def _bounds(least: int, most: int) -> str:
    if least == most:
        return str(most)
    return f"{least}..{most}" if most != limits.U63_MAX else "< 2^63"


def type_word(codec: Codec[Any]) -> str:
    """A codec in words: `bytes 32`, `text 0..64`, `[Claim] 0..8`."""
    if codec is SUBJECT:
        return "subject"
    if codec is CHAIN:
        return "chain"
    if codec is evidence.WORD:
        return "word"
    owner = getattr(codec.unpack, "__self__", None)
    if isinstance(owner, Schema):
        return str(owner.kind.__name__)
    maker = codec.unpack.__qualname__.split(".")[0]
    bound = inspect.getclosurevars(codec.unpack).nonlocals
    if maker == "many":
        item = inspect.getclosurevars(codec.pack).nonlocals["item"]
        return f"[{type_word(item)}] {_bounds(bound['least'], bound['most'])}"
    if maker == "enumerated":
        return str(bound["kind"].__name__)
    if maker == "unsigned":
        return f"uint {_bounds(0, bound['most'])}"
    if maker == "raw_bytes":
        return f"bytes {_bounds(bound['least'], bound['most'])}"
    if maker == "text":
        word = "name" if bound["alphabet"] == messages.NAME_ALPHABET else "text"
        return f"{word} {_bounds(bound['least'], bound['most'])}"
    return {"boolean": "bool", "_body_codec": "map"}[maker]


def schema_rows(schema: Schema[Any]) -> list[Row]:
    return [
        (str(one.key), one.name, type_word(one.codec) + (", optional" if one.optional else "")) for one in schema.fields
    ]


def schemas() -> Iterator[tuple[str, Schema[Any]]]:
    """Heading → table."""
    yield "Entry", envelope._ENTRY
    for kind, schema in messages.BODIES.items():
        yield f"Kind {int(kind)}: {schema.kind.__name__}", schema
    yield "Claim", messages.CLAIM
    yield "KeySet", messages.KEYSET
    yield "Certificate", quorum._CERTIFICATE
    for name, schema in evidence._INPUTS.items():
        yield name, schema
    for number, frame in frames._FRAMES.items():
        yield f"Frame {number}: {frame.kind.__name__}", frame
    yield "Head", frames._HEAD


def enum_rows(kind: Any) -> list[Row]:
    return [(str(int(one)), one.name) for one in kind]


ENUMS = (messages.Level, messages.Basis, messages.Threat, messages.Tlp)


def limit_rows() -> list[Row]:
    found = [(name, value) for name, value in vars(limits).items() if name.isupper() and name != "U63_MAX"]
    extra = [(name, getattr(frames, name)) for name in dir(frames) if name.isupper() and name.endswith("_MAX")]
    own = [one for one in extra if one[0] not in vars(limits)]
    return [(name, str(value)) for name, value in [*found, *own]]


def code_rows() -> list[Row]:
    return [(code.word, code.fault.value) for code in Code]


def tables() -> dict[str, list[Row]]:
    made = {heading: schema_rows(schema) for heading, schema in schemas()}
    made |= {kind.__name__: enum_rows(kind) for kind in ENUMS}
    made["Limits"] = limit_rows()
    made["Error codes"] = code_rows()
    return made


def main() -> None:
    for heading, rows in tables().items():
        print(f"### {heading}")
        print("\n".join("| " + " | ".join(row) + " |" for row in rows))


if __name__ == "__main__":
    main()
