"""What we write into a venue's own reason field: whose a restriction is, and what stood before it.

`tocsin 1 KEY UNTIL_MS auto|human BEFORE MARK`: the action key in hex; the end (0 in a lift); what stood before as JSON
in base64url; 16 hex digits that only who holds our key can write. An admin who types our name writes no such mark."""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.venue.text import parsed
from protocol.ids import ActionKey

BEFORE_CHARS_MAX = 64
_NOTE = re.compile(r"tocsin 1 ([0-9a-f]{64}) ([0-9]{1,16}) (auto|human) ([A-Za-z0-9_=-]{1,96}) ([0-9a-f]{16})\Z")
Mark = Callable[[str], str]


@dataclass(frozen=True)
class Note:
    key: ActionKey
    until_ms: int
    by_human: bool
    before: Any
    """A JSON text, number, flag or null."""

    def text(self, mark: Mark) -> str:
        """ValueError where what stood before is no short value."""
        written = json.dumps(self.before, separators=(",", ":"))
        if isinstance(self.before, dict | list) or len(written) > BEFORE_CHARS_MAX:
            raise ValueError(f"what stands before is no value of at most {BEFORE_CHARS_MAX} characters")
        before = base64.urlsafe_b64encode(written.encode()).decode()
        who = "human" if self.by_human else "auto"
        said = f"tocsin 1 {self.key.hex()} {self.until_ms} {who} {before}"
        return f"{said} {mark(said)}"


def note_of(text: Any, mark: Mark) -> Note | None:
    """None for what is not ours."""
    found = _NOTE.match(text) if type(text) is str else None
    if found is None or not hmac.compare_digest(mark(text[: -1 - len(found[5])]), found[5]):
        return None
    try:
        before = parsed(base64.urlsafe_b64decode(found[4]))
    except ValueError:
        return None
    return Note(ActionKey(bytes.fromhex(found[1])), int(found[2]), found[3] == "human", before)
