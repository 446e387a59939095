"""What the members of a run said, as a recording: `deploy/scenarios/*.opinions.json` are such."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from node.testnet.follow import Happening
from protocol.messages import threat_from_word


def recording_text(
    pack: str, told: Mapping[str, Sequence[Happening]], began_ms: int = 0, names: Mapping[str, str] | None = None
) -> str:
    """One line a word, in the order of their times; seats in the order of first words. `began_ms`: the attacker's first
    deed, 0 where there is none; `names`: subject → thing of the pack. Both are for `tocsin replay`."""
    words = sorted(
        (one["issued_ms"], name, one)
        for name, happenings in told.items()
        for one in {(one["seq"], one["issued_ms"]): one for one in happenings if _is_own(one)}.values()
    )
    seats = {name: seat for seat, name in enumerate(dict.fromkeys(name for _, name, _ in words))}
    first_ms = words[0][0] if words else 0
    rows = [
        json.dumps(
            [
                seats[name],
                issued_ms - first_ms,
                one["subject"],
                int(threat_from_word(one["threat"]) or 0),
                one["level"],
                one["basis"],
            ]
        )
        for issued_ms, name, one in words
    ]
    named = {one["subject"]: names[one["subject"]] for _, _, one in words if names and one["subject"] in names}
    more = f'"after_ms": {max(0, first_ms - began_ms)}, ' if began_ms and words else ""
    more += f'"things": {json.dumps(named)}, ' if named else ""
    head = f'{{"opinions": 1, "pack": {json.dumps(pack)}, "seats": {max(1, len(told))}, {more}"rows": ['
    return head + "".join(f"\n{row}," for row in rows).removesuffix(",") + "\n]}\n"


def _is_own(one: Happening) -> bool:
    return one["kind"] == "attestation" and bool(one["own"])
