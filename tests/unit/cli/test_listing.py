"""What all lists share: rows for pipes, looking again, and errors that say what to do next."""

from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.commands import listing
from node.control import Control, NodeUnreachable
from tests.unit.cli.test_commands import ACTION, ALERT
from tests.unit.cli.world import FakeNode, run

Capsys = pytest.CaptureFixture[str]
ROOT = Path(__file__).resolve().parents[3]
PROPOSAL = {"id": "cd" * 32, "says": "admit x", "author": "a", "yes": ["a"], "no": [], "needed": 3, "stands": "open",
            "closes_ms": 0}  # fmt: skip
MEMBER = {"name": "a", "group": "a", "heard": "now", "stands": "sits", "key_version": 1}
LISTS = [
    ("alert", "/alerts", [ALERT, ALERT]),
    ("action", "/actions", [ACTION, ACTION]),
    ("vote", "/proposals", [PROPOSAL, PROPOSAL]),
    ("member", "/network", [MEMBER, MEMBER]),
]


def answer(path: str, rows: list[dict[str, Any]]) -> Any:
    return {"members": rows} if path == "/network" else rows


@pytest.mark.parametrize(("group", "path", "rows"), LISTS)
def test_a_row_is_a_line_for_pipes(node: FakeNode, capsys: Capsys, group: str, path: str, rows: list[Any]) -> None:
    node.answers["GET", path] = (200, answer(path, rows))
    ran = run(capsys, group, "list", "-o", "jsonl", "--config", node.config)
    assert ran.code == 0
    assert [json.loads(line) for line in ran.out.splitlines()] == rows
    assert "\x1b" not in ran.out


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Between two looks something happens; after the last the person presses Ctrl-C."""

    def between(*happens: Callable[[], Any]) -> None:
        left = list(happens)

        def sleep(seconds: float) -> None:
            if not left:
                raise KeyboardInterrupt
            left.pop(0)()

        monkeypatch.setattr(listing.time, "sleep", sleep)

    return between


@pytest.mark.parametrize(("group", "path", "rows"), LISTS)
def test_watching_prints_into_a_pipe_only_what_changed(
    node: FakeNode, capsys: Capsys, looks: Callable[..., None], group: str, path: str, rows: list[Any]
) -> None:
    changed = [rows[0], {**rows[1], "stands": "suspended", "subject": "another"}]
    node.answers["GET", path] = (200, answer(path, rows))
    looks(lambda: None, lambda: node.answers.update({("GET", path): (200, answer(path, changed))}))
    ran = run(capsys, group, "list", "--watch", "-o", "jsonl", "--config", node.config)
    assert ran.code == 0
    assert [json.loads(line) for line in ran.out.splitlines()] == [*rows, changed[1]]


def test_watching_says_a_table_again_only_where_it_changed(
    node: FakeNode, capsys: Capsys, looks: Callable[..., None]
) -> None:
    node.answers["GET", "/alerts"] = (200, [])
    looks(lambda: None, lambda: node.answers.update({("GET", "/alerts"): (200, [ALERT])}))
    ran = run(capsys, "alert", "list", "--watch", "--config", node.config)
    assert ran.out.count("No alarm.") == 1
    assert ran.out.count("bridge-forgery") == 1


def test_watching_outlives_the_node_and_says_so_once(
    node: FakeNode, capsys: Capsys, looks: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = NodeUnreachable(Path("c.sock"), "nobody listens there")
    finds = iter([[ALERT], gone, gone, []])

    def alerts(self: Control) -> Any:
        found = next(finds)
        if isinstance(found, NodeUnreachable):
            raise found
        return found

    monkeypatch.setattr(Control, "alerts", alerts)
    looks(*[lambda: None] * 3)
    ran = run(capsys, "alert", "list", "--watch", "--config", node.config)
    assert (ran.code, ran.err.count("no node answers at")) == (0, 1)
    assert ran.out.count("No alarm.") == 1


def test_watching_is_no_one_document(node: FakeNode, capsys: Capsys) -> None:
    ran = run(capsys, "alert", "list", "--watch", "-o", "json", "--config", node.config)
    assert (ran.code, "use -o jsonl" in ran.err) == (2, True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_knows_the_commands(capsys: Capsys, shell: str) -> None:
    ran = run(capsys, "completion", shell)
    assert ran.code == 0
    assert all(word in ran.out for word in ("doctor", "withdraw", "--governance-key"))


def test_bash_completes_a_command_an_option_and_a_choice(capsys: Capsys, tmp_path: Path) -> None:
    script = tmp_path / "tocsin.bash"
    script.write_text(run(capsys, "completion", "bash").out)

    def completed(*words: str) -> str:
        line = (
            'COMP_WORDS=("${@:2}"); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); source "$1"; _tocsin; echo "${COMPREPLY[*]}"'
        )
        asked = ["bash", "-c", line, "bash", str(script), "tocsin", *words]
        return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    assert completed("al") == "alert"
    assert completed("alert", "list", "--w") == "--watch"
    assert completed("alert", "list", "-o", "") == "human json jsonl"


def test_an_error_that_a_command_words_itself_says_the_next_step() -> None:
    silent = []
    for path in sorted((ROOT / "node" / "commands").glob("*.py")):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = getattr(call.func, "id", "") if isinstance(call, ast.Call) else ""
            if not isinstance(call, ast.Call) or name not in ("CommandError", "usage"):
                continue
            worded = isinstance(call.args[0], ast.Constant | ast.JoinedStr)
            places = {"CommandError": 3, "usage": 2}[name]
            if worded and len(call.args) < places and not any(one.arg == "do" for one in call.keywords):
                silent.append(f"{path.name}:{call.lineno}")
    assert silent == []
