"""What can be replayed, and what is refused in one line."""

import json
import os
from pathlib import Path

import pytest

from node.replay.incident import IncidentFault, load

RSETH = "eip155:1/erc20:0xa1290d69c65a6fe4df752f95823fae25cb99e5a7"
CLOCK_MS = 1_790_000_000_000


def told(author: str, seq: int, after_ms: int, level: str = "ISOLATE") -> dict[str, object]:
    word = {"subject": RSETH, "threat": "bridge-forgery", "level": level, "basis": "VERIFIED"}
    return {"kind": "attestation", "author": author, "seq": seq, "issued_ms": CLOCK_MS + after_ms} | word


def test_a_pack_says_what_was_hit_by_its_real_name_too() -> None:
    found = load("forged-bridge-release")
    assert {"rs", RSETH} <= found.names
    assert found.borrowed == ""
    assert found.after_ms is not None


def test_a_pack_has_its_history_and_the_attackers_deeds() -> None:
    found = load("forged-bridge-release")
    assert [one.at_s for one in found.history][:3] == [0, 180, 2760]
    assert found.deeds_s[0] == 0
    assert len(found.deeds_s) == 23


def test_a_nodes_events_are_an_incident(tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    rows = [told("b", 4, 0), told("a", 9, 30), told("b", 4, 0), {"kind": "certificate"}]
    file.write_text(json.dumps({"events": rows, "next": 4}))
    found = load(str(file))
    assert [(word.seat, word.after_ms) for word in found.recording.words] == [(0, 0), (1, 30)]
    assert found.names == {RSETH}
    assert found.t0 == "2026-09-21T14:13:20Z"


def test_events_may_stand_one_a_line(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps(told("b", 4, 0)) + "\n" + json.dumps(told("a", 1, 7)) + "\n")
    assert load(str(file)).recording.seats == 2


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "neither JSON nor JSON lines"),
        ("[]", "no attestation is among these events"),
        ("3", "holds no object"),
        ("{}", "is no pack, recording, incident or list of events"),
        ('{"opinions": 1, "pack": "x", "seats": 4, "rows": []}', "nobody says anything in it"),
        ('{"opinions": 1, "pack": "x", "seats": 4, "rows": [[9, 0, "x", 1, "HALT", "VERIFIED"]]}', "; `tocsin testnet"),
        ('{"incident": "x", "class": "phishing", "events": []}', "of what kind it is is not known here"),
        ('{"incident": "x", "class": "bridge", "events": [{"t": "soon"}]}', "no event of kind first_malicious_tx"),
        ("[" * 100_000, "is nested deeper than 32"),
    ],
)
def test_what_is_no_incident_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(IncidentFault, match=fault):
        load(str(file))


def test_a_timeline_of_a_real_incident_borrows_the_networks_words() -> None:
    data = os.environ.get("TOCSIN_DATA")
    if not data:
        pytest.skip("TOCSIN_DATA is not set: the records of real incidents lie there")
    found = load(str(Path(data) / "incidents" / "kelp_rseth_2026-04-18.json"))
    assert found.borrowed == "forged-bridge-release"
    assert RSETH in found.names
    # the pause came 45 min 25 s after the first malicious transaction; the funding before it is left out
    assert [one.at_s for one in found.history][:3] == [0, 145, 2725]
