"""`tocsin alert export` and `tocsin intel`: files for others' tools, and theirs for our people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.intel import stix
from protocol.messages import Tlp
from tests.unit.cli.world import FakeNode, fake_node, run
from tests.unit.intel.stage import COIN, NOW, US, action, alarm, alert, opinion

Capsys = pytest.CaptureFixture[str]
ALERT = alert(opinion("issuer", Tlp.GREEN), opinion("dex", Tlp.AMBER))


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    node = fake_node(tmp_path, monkeypatch)
    (tmp_path / "data").mkdir()
    node.answers["GET", "/alerts"] = (200, [ALERT])
    node.answers["GET", f"/alerts/{ALERT['id'][:8]}"] = (200, ALERT)
    node.answers["GET", "/actions"] = (200, [action()])
    node.answers["GET", "/network"] = (200, {"network": US.network, "member": US.member})
    node.answers["GET", "/exposures"] = (200, [{"name": "rseth-loans", "subjects": [COIN]}])
    return node


def theirs(tmp_path: Path) -> Path:
    path = tmp_path / "partner.json"
    path.write_text(json.dumps(stix.bundle(stix.objects([alarm(opinion("issuer"))], US, NOW))))
    return path


def test_export_says_what_was_held_back(node: FakeNode, tmp_path: Path, capsys: Capsys) -> None:
    out = tmp_path / "a.json"
    ran = run(capsys, "alert", "export", "--all", "--tlp", "green", "-o", out, "--config", node.config)
    assert ran.code == 0
    assert "1 alarm, nothing in it above TLP:GREEN" in ran.out and "0 alarms and 1 word of members" in ran.out
    written = json.loads(out.read_text())
    assert written["type"] == "bundle" and "dex" not in out.read_text() and "lending" not in out.read_text()


def test_export_of_one_as_misp(node: FakeNode, tmp_path: Path, capsys: Capsys) -> None:
    out = tmp_path / "a.json"
    words = ("alert", "export", ALERT["id"][:8], "--format", "misp", "--tlp", "amber", "--out", out)
    assert run(capsys, *words, "--config", node.config).code == 0
    assert {"name": "tlp:amber"} in json.loads(out.read_text())["Event"]["Tag"]


def test_exporting_twice_writes_the_same_bytes(node: FakeNode, tmp_path: Path, capsys: Capsys) -> None:
    for name in ("one", "two"):
        assert (
            run(capsys, "alert", "export", "--all", "--tlp", "amber", "-o", tmp_path / name, "-c", node.config).code
            == 0
        )
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_for_the_public_nothing_that_is_not_marked_for_it(node: FakeNode, tmp_path: Path, capsys: Capsys) -> None:
    ran = run(capsys, "alert", "export", "--all", "-o", tmp_path / "a.json", "--config", node.config)
    assert ran.code == 1 and "marked above TLP:CLEAR" in ran.err and "--tlp green" in ran.err
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize("words", [(), ("abcdef", "--all")])
def test_one_alarm_or_all(words: tuple[str, ...], node: FakeNode, tmp_path: Path, capsys: Capsys) -> None:
    ran = run(capsys, "alert", "export", *words, "-o", tmp_path / "a.json", "--config", node.config)
    assert ran.code == 2 and "give the id of one alarm, or --all" in ran.err


def test_an_import_is_shown_and_asks_the_node_for_nothing(node: FakeNode, tmp_path: Path, capsys: Capsys) -> None:
    ran = run(capsys, "intel", "import", theirs(tmp_path), "--config", node.config)
    assert ran.code == 0 and "1 item, 1 on a subject" in ran.out and "It raised nothing" in ran.out
    assert node.asked == []


def test_what_was_imported_says_whether_it_is_ours(node: FakeNode, tmp_path: Path, capsys: Capsys) -> None:
    run(capsys, "intel", "import", theirs(tmp_path), "--config", node.config)
    ran = run(capsys, "intel", "list", "--config", node.config)
    for says in (COIN, "rseth-loans", "bridge-forgery", "GREEN", "lender-a", "tocsin alert raise"):
        assert says in ran.out
    assert node.asked == [("GET", "/exposures", None)]


def test_the_same_file_twice_is_kept_once_and_can_be_dropped(node: FakeNode, tmp_path: Path, capsys: Capsys) -> None:
    ids = {
        run(capsys, "intel", "import", theirs(tmp_path), "-o", "json", "--config", node.config).json["id"]
        for _ in range(2)
    }
    (id_,) = ids
    assert run(capsys, "intel", "drop", id_[:8], "--config", node.config).code == 0
    assert "Nothing was imported." in run(capsys, "intel", "list", "--config", node.config).out
    assert "list them" in run(capsys, "intel", "drop", id_, "--config", node.config).err


@pytest.mark.parametrize(
    ("raw", "says"), [(b"{", "not closed"), (b'{"type": "bundle"}', "names nothing"), (b"[" * 5_000, "nested over")]
)
def test_what_is_no_file_of_theirs_is_refused(
    raw: bytes, says: str, node: FakeNode, tmp_path: Path, capsys: Capsys
) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(raw)
    ran = run(capsys, "intel", "import", path, "--config", node.config)
    assert ran.code == 1 and says in ran.err
    assert run(capsys, "intel", "list", "-o", "json", "--config", node.config).json == []


def test_a_file_that_is_kept_and_was_spoilt_is_named(node: FakeNode, tmp_path: Path, capsys: Capsys) -> None:
    id_ = run(capsys, "intel", "import", theirs(tmp_path), "-o", "json", "--config", node.config).json["id"]
    (tmp_path / "data" / "intel" / f"{id_}.json").write_text("{}")
    ran = run(capsys, "intel", "list", "--config", node.config)
    assert ran.code == 1 and f"{id_}.json" in ran.err and "move it away" in ran.err
