"""Functions of other people's contracts as one line each: `owner() address`, `hasRole(bytes32,address) bool`."""

from __future__ import annotations

import functools
from typing import Any

from adapters.evm.abi import Abi


@functools.cache
def fragment(text: str) -> tuple[Abi, str]:
    """`name(types) type,type` → (an ABI of this one function, its name). Structs are written as `(type,type)`."""
    entry = _entry(text)
    return Abi([entry]), entry["name"]


def functions(*texts: str) -> Abi:
    """Several of them as one ABI."""
    return Abi(_entry(text) for text in texts)


def _entry(text: str) -> dict[str, Any]:
    opens = text.index("(")
    closes = _closing(text, opens)
    name, inputs, outputs = text[:opens], text[opens + 1 : closes], text[closes + 1 :].strip()
    return {"type": "function", "name": name, "inputs": _typed(inputs), "outputs": _typed(outputs)}


def _typed(text: str) -> list[dict[str, str]]:
    return [{"type": one} for one in _split(text)]


def _split(text: str) -> list[str]:
    """At commas outside parentheses."""
    found, depth = [""], 0
    for sign in text.replace(" ", ""):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            found.append("")
        else:
            found[-1] += sign
    return [one for one in found if one]


def _closing(text: str, opens: int) -> int:
    depth = 0
    for at in range(opens, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if not depth:
            return at
    raise ValueError(f"a parenthesis of {text!r} stays open")
