"""What stands beside our figures: gossipsub's lock, rounds that count, and what is read from the system's tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import js_mesh
from tests.bench.ground import Road
from tests.bench.js_mesh import NoGossipsub, prepare
from tests.bench.live import CERTIFICATE, sockets
from tests.bench.profile import package_of
from tests.bench.round import Round, schedule, spans


def test_gossipsub_is_locked_by_hashes_and_by_no_address() -> None:
    lock = json.loads((js_mesh.HERE / "package-lock.json").read_text("utf-8"))
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert len(packages) > 50
    assert [name for name, one in packages.items() if not one["integrity"].startswith("sha512-")] == []
    assert [name for name, one in packages.items() if "resolved" in one] == []


def test_without_node_there_is_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoGossipsub, match="node is not installed"):
        prepare()


def test_a_round_ends_with_its_quorum_and_one_author_counts_once() -> None:
    one = Round(1)
    for author in ("a", "a", "b"):
        one.count(author, 3)
    assert not one.quorum_ms
    one.count("c", 3)
    assert one.quorum_ms


def test_rounds_go_round_the_members_and_in_a_storm_all_speak_at_once() -> None:
    alarms = schedule("answer", ("a", "b"), 3, Road())["alarms"]
    assert [who for _, _, who in alarms] == ["b", "a", "b"]
    storm = schedule("storm", ("a", "b"), 2, Road())["alarms"]
    assert [(number, who) for number, _, who in storm] == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]
    assert storm[0][1] == storm[1][1] < storm[2][1]


def test_a_round_that_did_not_get_everywhere_has_no_time() -> None:
    told = [
        [{"number": 1, "said_ms": 10.0, "quorum_ms": 14.0}, {"number": 2, "said_ms": 20.0, "quorum_ms": 25.0}],
        [{"number": 1, "said_ms": 0.0, "quorum_ms": 17.0}, {"number": 2, "said_ms": 21.0, "quorum_ms": 0.0}],
    ]
    assert spans(told, "quorum_ms", 2) == [7.0]


def test_only_isolate_certificates_are_counted_in_a_log() -> None:
    lines = (
        b'{"level":"GUARD","where":"tocsin.loop","n":1,"at_ms":1.5,"kind":"certificate","subject":"x"}\n'
        b'{"level":"ISOLATE","where":"tocsin.loop","n":2,"at_ms":1.6,"kind":"certificate","subject":"x"}\n'
        b'{"level":"ISOLATE","where":"tocsin.loop","n":3,"at_ms":1.7,"kind":"attestation","subject":"x"}\n'
    )
    assert CERTIFICATE.findall(lines) == [b"x"]


def test_bytes_sent_are_read_per_process() -> None:
    told = (
        'ESTAB 0 0 127.0.0.1:1 127.0.0.1:2 users:(("python",pid=12,fd=9)) cubic rto:201 bytes_sent:512 bytes_acked:5\n'
        'ESTAB 0 0 127.0.0.1:3 127.0.0.1:4 users:(("node",pid=34,fd=9)) cubic rto:201\n'
    )
    assert list(sockets(told)) == [(12, 512)]


def test_a_profile_names_whose_code_it_is() -> None:
    assert package_of("/usr/lib/python3.11/site-packages/trio/_core/_run.py") == "trio"
    assert package_of(str(Path(__file__))) == "tests.unit"
    assert package_of("/usr/lib/python3.11/json/decoder.py") == "python"
    assert package_of("~") == "built in"
