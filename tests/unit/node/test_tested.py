"""The file that remembers which levers were tried."""

from __future__ import annotations

from pathlib import Path

from node.metrics import tested


def test_what_would_move_is_remembered_and_what_would_not_is_forgotten(tmp_path: Path) -> None:
    assert tested.note(tmp_path, [("freeze", True), ("cap", True)], 1_000)
    assert tested.note(tmp_path, [("freeze", False)], 2_000)
    assert tested.read(tmp_path) == {"cap": 1_000}
    assert [one.name for one in tmp_path.iterdir()] == [tested.NAME]


def test_a_file_that_says_anything_else_says_nothing(tmp_path: Path) -> None:
    for text in (
        "",
        "[]",
        "nothing",
        "[" * 60_000,
        '{"a": "b", "c": -1, "d": true, "e": 1e9}',
        '{"a": 5' + " " * 70_000,
    ):
        (tmp_path / tested.NAME).write_text(text)
        assert tested.read(tmp_path) == {}, text[:20]


def test_a_directory_that_cannot_be_written_is_told_and_nothing_more(tmp_path: Path) -> None:
    assert not tested.note(tmp_path / "nowhere", [("freeze", True)], 1_000)
