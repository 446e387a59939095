from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.cli.world import FakeNode, run

Capsys = pytest.CaptureFixture[str]
ID = "ab" * 32
SUBJECT = "eip155:1/erc20:0xa1290d69c65a6fe4df752f95823fae25cb99e5a7"
STATUS = {
    "member": "a",
    "network": "cd" * 32,
    "epoch": {"number": 0, "hash": "ef" * 32},
    "signing": {"may": False, "why": "clock 40000 ms off"},
    "quorum": {
        "n": 4,
        "f": 1,
        "needed": 3,
        "hears": 2,
        "margin": -1,
        "blind": True,
        "silent": ["c", "d"],
        "says": "blind: hears 2 of 4, needs 3; c, d silent since 12:04:11; dialling: c (attempt 3), d (attempt 2)",
    },
    "peers": [
        {
            "member": "b",
            "peer_id": "12D",
            "up": True,
            "rtt_ms": 1.25,
            "since_s": 70,
            "queued": 0,
            "refused": 0,
            "clock_ahead_ms": 41000,
            "clock_warning": "the clock of b is 41000 ms ahead of ours",
        },
        {
            "member": "",
            "observer": "exchange-x",
            "peer_id": "12E",
            "up": False,
            "since_s": 5,
            "queued": 0,
            "refused": 0,
        },
    ],
    "chains": [{"id": "a-home", "chain": "eip155:1", "ok": False, "says": "refused since 12:00"}],
    "sensors": [{"name": "release", "says": ""}],
    "skew_ms": 3,
    "refusals": [{"peer": "12F", "member": "", "code": "over-budget", "count": 7, "last_ms": 1_790_000_000_000}],
    "refusals_total": {"bad-signature": 2},
    "escalated": [{"key": ID, "lever": "ltv0", "subject": SUBJECT, "says": "simulate: no gas"}],
    "alerts": 1,
    "actions": 0,
    "uptime_s": 3700,
    "version": "0.1.0",
}
ALERT = {
    "id": ID,
    "subject": SUBJECT,
    "threat": "bridge-forgery",
    "level": "ISOLATE",
    "groups": ["a", "b", "c"],
    "needed": 3,
    "certificate": {"digest": "12" * 32, "level": "ISOLATE", "ends_ms": 4_000_000_000_000},
    "opinions": [
        {
            "author": "b\x1b[31m",
            "group": "b",
            "level": "ISOLATE",
            "basis": "VERIFIED",
            "claims": [{"type": "evm-release-without-burn", "id": "77" * 32}],
            "sources": ["b-home"],
            "since_ms": 1,
            "expires_ms": 4_000_000_000_000,
            "by_person": False,
        }
    ],
    "own": {"verdict": "supports", "why": "re-ran it"},
}
ACTION = {
    "key": ID,
    "lever": "ltv0",
    "subject": SUBJECT,
    "threat": "bridge-forgery",
    "rung": "GUARD",
    "phase": "waiting",
    "by_human": False,
    "until_ms": 0,
    "rule": "guard",
    "why": "mode ask",
    "steps": [{"at_ms": 1000, "phase": "planned", "says": "LTV to 0", "reference": ""}],
}


def test_status_says_what_matters_to_people(node: FakeNode, capsys: Capsys) -> None:
    node.answers["GET", "/status"] = (200, STATUS)
    ran = run(capsys, "status", "--config", node.config)
    assert ran.code == 0
    for says in (
        "SIGNS NOTHING: clock 40000 ms off",
        "blind: hears 2 of 4, needs 3; c, d silent since 12:04:11; dialling: c (attempt 3), d (attempt 2); margin -1",
        "CLOCK: the clock of b is 41000 ms ahead of ours",
        "+41000 ms",
        "exchange-x (observer)",
        "over-budget",
        "BLIND",
        "DOWN",
        "refused since 12:00",
        "bad-signature 2",
        f"NEEDS A PERSON: ltv0 on {SUBJECT}: simulate: no gas",
        "1h 1m",
        "1.2 ms",
    ):
        assert says in ran.out, says


def test_json_is_what_the_node_said(node: FakeNode, capsys: Capsys) -> None:
    node.answers["GET", "/status"] = (200, STATUS)
    assert run(capsys, "status", "--config", node.config, "-o", "json").json == STATUS


def test_no_colour_and_no_escape_reaches_a_pipe(node: FakeNode, capsys: Capsys) -> None:
    node.answers["GET", f"/alerts/{ID[:8]}"] = (200, ALERT)
    for words in ((), ("-o", "json")):
        ran = run(capsys, "alert", "show", ID[:8], "--config", node.config, *words)
        assert ran.code == 0
        assert "\x1b" not in ran.out


def test_a_list_is_one_line_an_alarm(node: FakeNode, capsys: Capsys) -> None:
    node.answers["GET", "/alerts"] = (200, [ALERT])
    ran = run(capsys, "alert", "list", "--config", node.config)
    (line,) = [line for line in ran.out.splitlines() if "bridge-forgery" in line]
    assert ID[:12] in line
    assert SUBJECT in line
    assert "3 of 3" in line


def test_a_word_is_said_by_a_named_person(node: FakeNode, capsys: Capsys) -> None:
    node.answers["POST", "/alerts"] = (200, {"id": ID})
    words = ("alert", "raise", SUBJECT, "bridge-forgery", "isolate", "--lease", "2h", "--person", "anna")
    assert run(capsys, *words, "--config", node.config).code == 0
    body = {"subject": SUBJECT, "threat": "bridge-forgery", "level": "ISOLATE", "person": "anna", "lease_s": 7200}
    assert node.asked == [("POST", "/alerts", body)]


def test_waiting_for_a_certificate_that_never_forms_is_exit_4(node: FakeNode, capsys: Capsys) -> None:
    node.answers["POST", "/alerts"] = (200, {"id": ID})
    node.answers["GET", f"/alerts/{ID}"] = (200, {**ALERT, "certificate": None, "groups": ["a"]})
    words = ("alert", "raise", SUBJECT, "bridge-forgery", "ISOLATE", "--wait", "1s", "--person", "anna")
    ran = run(capsys, *words, "--config", node.config)
    assert ran.code == 4
    assert "no certificate of ISOLATE after 1 s: 1 of 3 groups say so" in ran.err


def test_waiting_ends_with_the_certificate(node: FakeNode, capsys: Capsys) -> None:
    node.answers["POST", "/alerts"] = (200, {"id": ID})
    node.answers["GET", f"/alerts/{ID}"] = (200, ALERT)
    words = ("alert", "raise", SUBJECT, "bridge-forgery", "GUARD", "--wait", "1m", "-o", "json", "--person", "anna")
    assert run(capsys, *words, "--config", node.config).json["certificate"]["level"] == "ISOLATE"


def test_a_release_names_its_moment(node: FakeNode, capsys: Capsys) -> None:
    node.answers["POST", f"/alerts/{ID[:6]}/release"] = (200, {})
    words = ("alert", "release", ID[:6], "--through", "2026-04-18T19:00:00Z", "--person", "anna")
    assert run(capsys, *words, "--config", node.config).code == 0
    assert node.asked[0][2] == {"person": "anna", "through_ms": 1_776_538_800_000}


@pytest.mark.parametrize("verb", ["approve", "refuse", "lift"])
def test_a_person_decides_about_own_levers(node: FakeNode, capsys: Capsys, verb: str) -> None:
    node.answers["POST", f"/actions/{ID[:8]}/{verb}"] = (200, {"phase": "done"})
    assert run(capsys, "action", verb, ID[:8], "--person", "anna", "--config", node.config).code == 0
    assert node.asked == [("POST", f"/actions/{ID[:8]}/{verb}", {"person": "anna"})]


def test_evidence_is_re_run_and_what_comes_out_is_waited_for(node: FakeNode, capsys: Capsys) -> None:
    came = {"claim": {"type": "evm-log", "id": "ab" * 32}, "person": "anna", "asked_ms": 7, "at_ms": 8}
    came |= {"verdict": "refuted", "before": "supports", "same": False, "why": "no such log"}
    answers = [{**ALERT, "rerunning": 1, "reruns": [{**came, "asked_ms": 1, "person": "bert"}]}]
    answers += [{**ALERT, "rerunning": 0, "reruns": [{**came, "asked_ms": 1, "person": "bert"}, came]}]
    node.answers["POST", f"/alerts/{ID[:8]}/rerun"] = (200, {"says": "1 of 1 claims are being re-run"})
    node.answers["GET", f"/alerts/{ID[:8]}"] = lambda body: (200, answers.pop(0))
    ran = run(capsys, "alert", "rerun", ID[:8], "--person", "anna", "--config", node.config)
    assert ran.code == 0 and not answers
    assert "re-run for anna" in ran.out and "bert" not in ran.out
    assert "evm-log abababab DOES NOT HOLD; before: supports: no such log" in ran.out


def test_what_does_not_come_out_is_said_and_exit_1(
    node: FakeNode, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.commands.alerts.RERUN_S_MAX", 0.0)
    node.answers["POST", f"/alerts/{ID[:8]}/rerun"] = (200, {"says": "2 of 2 claims are being re-run"})
    node.answers["GET", f"/alerts/{ID[:8]}"] = (200, {**ALERT, "rerunning": 2, "reruns": []})
    ran = run(capsys, "alert", "rerun", ID[:8], "--person", "anna", "--config", node.config)
    assert ran.code == 1 and "2 claims have not come out" in ran.err


def test_what_stands_is_extended_by_a_length(node: FakeNode, capsys: Capsys) -> None:
    node.answers["POST", f"/actions/{ID[:8]}/extend"] = (200, {"says": "the target is asked to stand until 14:05 UTC"})
    ran = run(capsys, "action", "extend", ID[:8], "1h30m", "--person", "anna", "--config", node.config)
    assert ran.out == "The target is asked to stand until 14:05 UTC.\n"
    assert node.asked == [("POST", f"/actions/{ID[:8]}/extend", {"person": "anna", "by_s": 5400})]


@pytest.mark.parametrize("by", ["long", "59s", "25h", "-1h"])
def test_a_length_that_is_none_is_usage(node: FakeNode, capsys: Capsys, by: str) -> None:
    ran = run(capsys, "action", "extend", ID[:8], "--config", node.config, "--person", "anna", "--", by)
    assert ran.code == 2 and node.asked == []


@pytest.mark.parametrize(
    ("path", "told", "words"),
    [
        ("/alerts", [ALERT], ("alert", "list")),
        (f"/alerts/{ID[:8]}", ALERT, ("alert", "show", ID[:8])),
        ("/actions", [], ("action", "list")),
        (f"/actions/{ID[:8]}", ACTION, ("action", "show", ID[:8])),
        (f"/explain/{ID[:8]}", {"sections": []}, ("explain", ID[:8])),
    ],
)
def test_what_a_drills_node_tells_begins_with_exercise(
    node: FakeNode, capsys: Capsys, path: str, told: object, words: tuple[str, ...]
) -> None:
    node.answers["GET", path] = (200, told)
    assert "EXERCISE" not in run(capsys, *words, "--config", node.config).out
    node.headers = {"tocsin-exercise": "1"}
    assert run(capsys, *words, "--config", node.config).out.startswith("EXERCISE, no alarm: a node of a drill network")


def test_an_action_is_shown_step_by_step(node: FakeNode, capsys: Capsys) -> None:
    node.answers["GET", f"/actions/{ID[:8]}"] = (200, ACTION)
    node.answers["GET", "/actions"] = (200, [ACTION])
    assert "LTV to 0" in run(capsys, "action", "show", ID[:8], "--config", node.config).out
    assert "waiting" in run(capsys, "action", "list", "--config", node.config).out


def test_explain_is_sentences_under_their_questions(node: FakeNode, capsys: Capsys) -> None:
    sections = [
        {"title": "Who says so", "sentences": ["Three groups say so.", "b\x1b[31m too."]},
        {"title": "What was done, and why", "sentences": []},
    ]
    node.answers["GET", f"/explain/{ID[:8]}"] = (200, {"sections": sections})
    ran = run(capsys, "explain", ID[:8], "--config", node.config)
    assert ran.out.split("\n\n") == [
        "Who says so\n  Three groups say so.\n  b�[31m too.",
        "What was done, and why\n  Nothing.",
        "",
    ]


def test_export_writes_the_whole_certificate_and_never_over_a_file(
    node: FakeNode, capsys: Capsys, tmp_path: Path
) -> None:
    node.answers["GET", f"/alerts/{ID[:8]}"] = (200, ALERT)
    node.answers["GET", "/certificates/" + "12" * 32] = (200, {"hex": "0badcafe"})
    words = ("alert", "show", ID[:8], "--export", tmp_path / "x.cert", "--config", node.config)
    assert run(capsys, *words).code == 0
    assert (tmp_path / "x.cert").read_bytes() == b"\x0b\xad\xca\xfe"
    assert run(capsys, *words).code == 1


def test_what_the_node_refuses_is_one_line_and_exit_1(node: FakeNode, capsys: Capsys) -> None:
    ran = run(capsys, "action", "show", "abcdef", "--config", node.config)
    assert (ran.code, ran.err) == (1, "tocsin: no /actions/abcdef; list them\n")


def test_a_node_that_does_not_run_is_exit_3(tmp_path: Path, capsys: Capsys) -> None:
    config = tmp_path / "node.toml"
    config.write_text('node = 1\nmember = "a"\nlisten = "/ip4/127.0.0.1/tcp/4001"\n')
    for words in (("status",), ("alert", "list"), ("action", "list"), ("explain", "abcdef"), ("down",)):
        ran = run(capsys, *words, "--config", config)
        assert ran.code == 3
        assert "start it with `tocsin up`" in ran.err
        assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["testnt"], 'Did you mean "testnet"'),
        (["charter", "sign"], "FILE requires an argument; see `tocsin charter sign --help`"),
        (["status", "--confg", "x"], "--confg"),
        (["status", "-o", "yaml"], "yaml"),
        (["testnet", "--members", "3"], "--members 3 is out of bounds; use 4 to 20"),
        (["testnet", "--members", "many"], "many"),
        (["testnet", "--kill", "3"], "--kill 3 is more than f = 2; add --expect-blind"),
        (["testnet", "--kill", "2", "--expect-blind"], "--kill 2 leaves a quorum, and nobody is blind then; use 3 or"),
        (["testnet", "--delay", "-1"], "--delay"),
        (["alert", "raise", "rseth", "bridge-forgery", "ISOLATE"], "names no subject"),
        (["alert", "raise", SUBJECT, "bridge-forgry", "ISOLATE"], "did you mean 'bridge-forgery'?"),
        (["alert", "raise", SUBJECT, "bridge-forgery", "PANIC"], "one of WATCH, GUARD, ISOLATE, HALT"),
        (["alert", "raise", SUBJECT, "bridge-forgery", "HALT", "--lease", "soon"], "--lease: 'soon' is no duration"),
        (["alert", "release", "abcdef", "--through", "yesterday"], "is no moment"),
        (["charter", "create", "--out", "x"], "no card is named"),
        (["restore"], "nothing to restore is named"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(capsys: Capsys, words: list[str], says: str) -> None:
    ran = run(capsys, *words)
    assert ran.code == 2
    assert says in ran.err
    assert ran.err.count("\n") == 1


def test_an_id_is_checked_before_anybody_is_asked(node: FakeNode, capsys: Capsys) -> None:
    assert run(capsys, "alert", "show", "../status", "--config", node.config).code == 2
    assert node.asked == []


def test_a_broken_configuration_is_told_whole(tmp_path: Path, capsys: Capsys) -> None:
    config = tmp_path / "node.toml"
    config.write_text('node = 1\nmembr = "a"\n')
    ran = run(capsys, "config", "check", "--config", config)
    assert ran.code == 1
    assert f"{config}: 3 faults:" in ran.err
    assert "did you mean 'member'?" in ran.err


def test_a_certificate_that_proves_nothing_is_refused(tmp_path: Path, capsys: Capsys) -> None:
    from tests.unit.governance.world import founded

    (tmp_path / "charter.toml").write_text(founded())
    (tmp_path / "x.cert").write_bytes(b"\xa0")
    ran = run(capsys, "verify", tmp_path / "x.cert", "--charter", tmp_path / "charter.toml")
    assert ran.code == 1
    assert "proves nothing" in ran.err


def test_version_is_told(capsys: Capsys) -> None:
    assert run(capsys, "version", "-o", "json").json["tocsin"]
    assert run(capsys, "--version").code == 0


@pytest.mark.parametrize(
    "command", ["init", "charter create", "charter sign", "alert raise", "testnet", "restore", "verify", "policy check"]
)
def test_help_shows_an_example(capsys: Capsys, command: str) -> None:
    ran = run(capsys, *command.split(), "--help")
    assert ran.code == 0
    assert f"Example: tocsin {command}" in " ".join(ran.out.split())


def test_the_command_line_imports_neither_libp2p_nor_web3_nor_sqlalchemy(tmp_path: Path) -> None:
    script = (
        "import sys; from node.cli import main; main(['--help']); main(['status', '--config', 'nowhere.toml']);"
        "bad = [m for m in ('libp2p', 'web3', 'sqlalchemy', 'trio', 'eth') if m in sys.modules];"
        "sys.exit(', '.join(bad) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_help_is_there_at_once() -> None:
    def took_s(*args: str) -> float:
        start = time.monotonic()
        subprocess.run([sys.executable, *args], capture_output=True, check=True, timeout=60)
        return time.monotonic() - start

    turns = [(took_s("-c", "import json"), took_s("-m", "node.cli", "--help")) for _ in range(3)]
    floor_s, help_s = (min(spent) for spent in zip(*turns, strict=True))
    # about eight interpreters' starts; with libp2p it would be seventy
    assert help_s < 25 * floor_s, f"{help_s:.2f} s beside {floor_s:.2f} s for an interpreter that does nothing"


def test_python_without_checks_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-O", "-m", "node.cli", "version"], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert "start it without -O" in done.stderr
    assert done.stderr.count("\n") == 1
