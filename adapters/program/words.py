"""One line to a program, one line back. Everything it says is checked before anybody believes it. Pure."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from adapters.api import LeverOrder

VERSION = 1
LINE_BYTES_MAX = 65_536
SAYS_CHARS_MAX = 600
REFERENCE_CHARS_MAX = 256
MAY_MOST = 32
U63_MAX = (1 << 63) - 1


class ProgramFault(Exception):
    """What a program did that it may not, in one sentence that names it."""


@dataclass(frozen=True)
class Answer:
    ok: bool
    says: str
    reference: str = ""
    until_ms: int = 0
    retryable: bool = False
    answered: bool = True
    already: bool = False
    tried: int = 0
    may: tuple[str, ...] = ()


KINDS: dict[str, type] = {
    "v": int,
    "ok": bool,
    "says": str,
    "reference": str,
    "until_ms": int,
    "retryable": bool,
    "answered": bool,
    "already": bool,
    "tried": int,
    "may": list,
}


def request(do: str, order: LeverOrder | None = None) -> bytes:
    """A flat object in one line, without spaces, so that a shell script can take it apart too."""
    fields: dict[str, Any] = {"v": VERSION, "do": do}
    if order is not None:
        fields |= {
            "action_key": order.action_key.hex(),
            "lever": order.lever,
            "subject": str(order.subject),
            "rung": order.rung.name,
            "until_ms": order.until_ms,
            "by_human": order.by_human,
        }
    return json.dumps(fields, separators=(",", ":")).encode("ascii") + b"\n"


def answer(raw: bytes) -> Answer:
    """ProgramFault, with what is wrong and never with more than a few characters of what was said."""
    line, _, rest = raw.partition(b"\n")
    if not line.strip():
        raise ProgramFault("said nothing")
    if rest.strip():
        raise ProgramFault("said more than one line")
    try:
        found = json.loads(line.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise ProgramFault("did not say one JSON object") from None
    if type(found) is not dict:
        raise ProgramFault("did not say one JSON object")
    for name, value in found.items():
        if name not in KINDS:
            raise ProgramFault(f"said {name[:40]!r}, which no answer has")
        if type(value) is not KINDS[name]:
            raise ProgramFault(f"said a {name} that is no {KINDS[name].__name__}")
    if found.pop("v", None) != VERSION:
        raise ProgramFault(f"does not speak version {VERSION}")
    if "ok" not in found or not found.get("says"):
        raise ProgramFault("must say ok and says")
    return _bounded(found)


def _bounded(found: dict[str, Any]) -> Answer:
    for name in ("until_ms", "tried"):
        if not 0 <= found.get(name, 0) <= U63_MAX:
            raise ProgramFault(f"said a {name} out of all bounds")
    may = found.pop("may", [])
    if len(may) > MAY_MOST or not all(type(one) is str for one in may):
        raise ProgramFault(f"may: at most {MAY_MOST} texts are expected")
    found["says"] = plain(found["says"])
    found["reference"] = plain(found.get("reference", ""), REFERENCE_CHARS_MAX)
    return Answer(**found, may=tuple(plain(one, 200) for one in may))


def plain(text: str, most: int = SAYS_CHARS_MAX) -> str:
    """In one line, of characters that can be written and shown."""
    kept = "".join(one if one.isprintable() else " " for one in text[: 4 * most])
    return " ".join(kept.encode("utf-8", "replace").decode().split())[:most]


def _no_number(text: str) -> float:
    raise ValueError(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs) or any(type(value) is float and not math.isfinite(value) for value in found.values()):
        raise ValueError("a name is there twice")
    return found
