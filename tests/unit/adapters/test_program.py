"""A lever that is a program: what it is given, what it may say, and what becomes of one that misbehaves."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from adapters.api import ExpiresBy, LeverOrder, Outcome
from adapters.declared import Owned
from adapters.program.lever import ProgramLever
from adapters.program.run import Limits, Program
from adapters.program.trusted import fault_of, folder_fault
from adapters.program.words import LINE_BYTES_MAX, ProgramFault, answer, request
from protocol.ids import ActionKey
from protocol.messages import Level
from protocol.subjects import Kind, subject_of

LIMITS = Limits(step_s=5, cpu_s=5, memory_mib=512, file_mib=1, processes=10_000)
END_MS = time.time_ns() // 1_000_000 + 1_800_000
SUBJECT = subject_of(Kind.DOMAIN, "shop.example")
ORDER = LeverOrder(ActionKey(b"\x0a" * 32), "shop", SUBJECT, Level.ISOLATE, END_MS, False)
DECLARED = Owned(Level.ISOLATE, ("orders",), False, 3_600_000, 3_600_000).declare(
    "program.run", "a program acts, which closes", expires_by=ExpiresBy.NODE
)
YES = f'{{"v":1,"ok":true,"says":"yes","until_ms":{END_MS}}}'


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., Program]:
    tmp_path.chmod(0o755)

    def write(body: str, **limits: Any) -> Program:
        path = tmp_path / "lever.sh"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return Program((str(path), "one word"), tmp_path, ("TOLD",), replace(LIMITS, **limits))

    return write


def step(program: Program, do: str = "read_back") -> Outcome:
    async def run() -> Outcome:
        lever = ProgramLever("shop", DECLARED, program)
        if do in ("simulate", "apply"):
            plan = await lever.plan(ORDER)
            found: Outcome = await getattr(lever, do)(plan)
        else:
            found = await getattr(lever, do)(ORDER)
        return found

    return trio.run(run)


def gone(pid: str) -> bool:
    """Within the moment that a killed process takes to die."""
    for _ in range(100):
        try:
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_a_program_gets_one_flat_line_and_is_believed_where_it_says_yes(script, tmp_path: Path):
    program = script(f"cat > {tmp_path}/asked; echo '{YES}'")
    found = step(program)
    assert found == Outcome(True, "yes", until_ms=END_MS)
    assert json.loads((tmp_path / "asked").read_text()) == {
        "v": 1, "do": "read_back", "action_key": "0a" * 32, "lever": "shop", "subject": "domain:shop.example",
        "rung": "ISOLATE", "until_ms": END_MS, "by_human": False,
    }  # fmt: skip
    assert (tmp_path / "asked").read_bytes() == request("read_back", ORDER)


def test_it_has_a_clean_environment_its_folder_its_words_and_no_open_file_of_ours(script, tmp_path, monkeypatch):
    monkeypatch.setenv("TOLD", "this")
    monkeypatch.setenv("SECRET", "that")
    with (tmp_path / "ours").open("w") as ours:
        os.set_inheritable(ours.fileno(), True)
        step(script(f"env > {tmp_path}/env; pwd > {tmp_path}/pwd; ls /proc/$$/fd > {tmp_path}/fds; echo $1 > one"))
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "LANG", "TOLD"}
    assert (tmp_path / "pwd").read_text().strip() == str(tmp_path) and (tmp_path / "one").read_text() == "one word\n"
    # 10 and above is the shell's own hold on its script
    assert {int(one) for one in (tmp_path / "fds").read_text().split() if int(one) < 10} <= {0, 1, 2}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("exit 0", "said nothing"),
        ("echo hello", "did not say one JSON object"),
        ("echo '[1]'", "did not say one JSON object"),
        (f"echo '{YES}'; echo '{YES}'", "said more than one line"),
        ("""echo '{"v":2,"ok":true,"says":"x"}'""", "does not speak version 1"),
        ("""echo '{"v":1,"ok":true}'""", "must say ok and says"),
        ("""echo '{"v":1,"ok":1,"says":"x"}'""", "said a ok that is no bool"),
        ("""echo '{"v":1,"ok":true,"says":"x","until_ms":true}'""", "until_ms that is no int"),
        ("""echo '{"v":1,"ok":true,"says":"x","until_ms":-1}'""", "out of all bounds"),
        ("""echo '{"v":1,"ok":true,"says":"x","until_ms":NaN}'""", "did not say one JSON object"),
        ("""echo '{"v":1,"ok":true,"ok":false,"says":"x"}'""", "did not say one JSON object"),
        ("""echo '{"v":1,"ok":true,"says":"x","done":1}'""", "said 'done', which no answer has"),
        (f"echo '{YES}'; echo broken pipe of mine >&2; exit 3", "ended with 3: broken pipe of mine"),
        (f"echo '{YES}'; kill -SEGV $$", "was ended by SIGSEGV"),
        ("head -c 200000 /dev/zero", "said more than 65536 bytes"),
        ("head -c 200000 /dev/zero >&2; sleep 9", "wrote more than 65536 bytes of errors"),
        ("printf '[%.0s' $(seq 20000)", "did not say one JSON object"),
    ],
)
def test_whatever_else_it_says_is_a_no_that_names_it(script, body: str, says: str):
    found = step(script(body))
    assert not found.ok and not found.answered and says in found.says and "lever.sh at read_back: it " in found.says


def test_a_program_that_is_out_of_time_is_killed_with_all_its_children(script, tmp_path: Path):
    begun = time.monotonic()
    found = step(script(f"(sleep 60 & echo $! > {tmp_path}/child; wait) & sleep 60", step_s=0.5))
    assert "gave no answer within 0.5 s" in found.says and time.monotonic() - begun < 10
    assert gone((tmp_path / "child").read_text().strip())


def test_a_child_left_behind_is_killed_and_the_answer_counts(script, tmp_path: Path):
    assert step(script(f"sleep 60 & echo $! > {tmp_path}/child; echo '{YES}'")).ok
    assert gone((tmp_path / "child").read_text().strip())


def test_a_child_that_left_the_group_with_the_pipe_is_not_waited_for(script):
    begun = time.monotonic()
    found = step(script(f"setsid sleep 6 & echo '{YES}'"))
    assert found.ok and time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        ("while :; do :; done", {"cpu_s": 1, "step_s": 60}),
        ("head -c 3000000 /dev/zero > big", {}),
        ("x=$(head -c 100000000 /dev/zero | tr '\\0' x)", {"memory_mib": 64}),
    ],
)
def test_processor_disk_and_memory_have_an_end(script, body: str, limits: dict[str, int]):
    found = step(script(f"set -e; {body}; echo '{YES}'", **limits))
    assert not found.ok and ("ended by SIG" in found.says or "ended with" in found.says)


def test_a_program_that_does_not_read_is_judged_by_what_it_says(script):
    assert step(script(f"exec < /dev/null; echo '{YES}'")).ok


def test_what_it_says_is_one_short_line_of_plain_characters(script):
    body = r"""printf '{"v":1,"ok":false,"says":"a\\u001b[31m\\nb%s\\ud800","retryable":true}\n' $(seq -s x 900)"""
    found = step(script(body))
    assert found.retryable and found.answered and len(found.says) == 600
    assert found.says.isprintable() and found.says.startswith("a [31m b1x2")


# --- idempotence


COUNTED = """
read -r asked
case $asked in
  *'"read_back"'*) [ -e stands ] && echo '%s' || echo '{"v":1,"ok":false,"says":"no"}' ;;
  *'"apply"'*) echo x >> applied; %s echo '%s' ;;
  *) echo '%s' ;;
esac
"""


def test_a_program_is_not_told_twice_what_reads_back_as_done(script, tmp_path: Path):
    program = script(COUNTED % (YES, "touch stands;", YES, YES))
    assert step(program, "apply").ok
    again = step(program, "apply")
    assert again.ok and "not asked again" in again.says and (tmp_path / "applied").read_text() == "x\n"


def test_a_program_that_says_done_and_did_nothing_is_not_believed(script):
    found = step(script(COUNTED % (YES, "", YES, YES)), "apply")
    assert not found.ok and "it said done (yes), and then that it does not stand: no" in found.says


def test_a_restriction_that_ends_too_early_is_none(script):
    found = step(script(f"echo '{YES}'".replace(str(END_MS), str(END_MS - 1))))
    assert not found.ok and f"until {END_MS - 1} ms and not {END_MS}" in found.says


def test_a_program_that_cannot_plan_is_said_in_the_plan_and_found_by_the_simulation(script):
    async def run() -> None:
        lever = ProgramLever("shop", DECLARED, script("exit 1"))
        plan = await lever.plan(ORDER)
        assert "not planned yet" in plan.says and "ended with 1" in plan.says and not plan.already
        assert not (await lever.simulate(plan)).ok
        with pytest.raises(ProgramFault):
            await lever.beyond()

    trio.run(run)


def test_what_its_credential_could_do_besides_is_its_own_word(script):
    async def run() -> None:
        body = """echo '{"v":1,"ok":true,"says":"tried","tried":2,"may":["stop the server"]}'"""
        found = await ProgramLever("shop", DECLARED, script(body)).beyond()
        assert (found.tried, found.may) == (2, ("stop the server",))

    trio.run(run)


# --- which files are run


def test_a_file_or_folder_that_others_may_write_is_not_run_even_where_it_became_so_later(script, tmp_path: Path):
    program = script(f"echo '{YES}'")
    assert step(program).ok
    for path in (Path(program.command[0]), tmp_path):
        mode = path.stat().st_mode
        path.chmod(0o777)
        assert "others may write it" in step(program).says
        path.chmod(mode)
    assert step(program).ok


def test_words_that_are_files_are_looked_at_and_so_is_where_links_lead(script, tmp_path: Path):
    program = script("exit 0")
    open_folder, link = tmp_path / "open", tmp_path / "link"
    open_folder.mkdir()
    (open_folder / "module.js").write_text("")
    open_folder.chmod(0o777)
    assert "others may write it" in fault_of((program.command[0], str(open_folder / "module.js")))
    link.symlink_to(open_folder)
    assert "others may write it" in fault_of((program.command[0], str(link / "module.js")))
    link.unlink()
    link.symlink_to(link)
    assert fault_of((str(link),)) and folder_fault(link)
    assert "is no file that this user may run" in fault_of((str(tmp_path),))
    assert "No such file" in fault_of((str(tmp_path / "none"),))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file away")
def test_a_file_of_somebody_else_is_not_run(script):
    program = script("exit 0")
    os.chown(program.command[0], 12345, 12345)
    assert "belongs to somebody else" in fault_of(program.command)


def test_the_longest_line_that_is_read_is_read_whole():
    raw = json.dumps({"v": 1, "ok": True, "says": "x" * (LINE_BYTES_MAX - 60)}).encode()
    assert answer(raw).ok
