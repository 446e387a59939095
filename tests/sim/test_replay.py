"""The replay debugger: a case from a file, forward and back, to a break, and what a step changed."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import pytest

from tests.sim import replay
from tests.sim.checks import table
from tests.sim.replay import Debugger, ReplayError
from tests.sim.run import Case

CASE = Case(5, 4, without=("loss", "flapping"), deeds=(0,))


@pytest.fixture(scope="module")
def story() -> replay.Story:
    return replay.tell(CASE)


@pytest.fixture
def debugger(story: replay.Story) -> Debugger:
    return Debugger(story)


@pytest.fixture
def file(tmp_path: Path) -> str:
    replay.save(CASE, tmp_path / "case.json")
    return str(tmp_path / "case.json")


def first_with(story: replay.Story, kind: str) -> int:
    return next(step.number for step in story.steps if kind in step.kinds)


# forward and back
def test_a_state_is_the_same_from_wherever_one_comes(debugger: Debugger) -> None:
    debugger.say("g 60")
    there = debugger.say("s m0")
    debugger.say("n 20")
    debugger.say("s m0")
    debugger.story._states.clear()
    debugger.say("b 20")
    assert debugger.say("s m0") == there


def test_a_step_forward_and_one_back_is_where_one_was(debugger: Debugger) -> None:
    here = debugger.say("g 30")
    debugger.say("n")
    assert debugger.say("b") == here


def test_a_step_says_when_who_what_and_what_came_of_it(debugger: Debugger) -> None:
    said = debugger.say("n")
    assert said.startswith("#1") and " m0 " in said and "starts" in said
    assert "send to all: entries: m0/0#0 lists 3 subjects as its own" in said


def test_every_step_of_a_run_has_its_words(story: replay.Story) -> None:
    assert all(step.told() for step in story.steps)


def test_another_run_than_the_first_is_said_to_be_one(story: replay.Story) -> None:
    other = replay.tell(Case(CASE.seed + 1, 4, deeds=()))
    mixed = replay.Story(other.case, story.result, story.steps, [], story.nodes, {})
    with pytest.raises(ReplayError, match="not determined"):
        mixed.states(200)


# breaks
def test_a_break_stops_at_the_first_event_of_its_type(debugger: Debugger) -> None:
    debugger.say("break claimjudged")
    debugger.say("c")
    assert debugger.at == first_with(debugger.story, "ClaimJudged")


def test_a_break_on_a_node_passes_by_the_others(debugger: Debugger) -> None:
    debugger.say("break Ticked m2")
    assert " m2   a tick" in debugger.say("c")


def test_records_and_effects_are_broken_on_too(debugger: Debugger) -> None:
    debugger.say("break CertificateAccepted")
    assert "certificate of " in debugger.say("c")


def test_without_breaks_it_goes_on_to_the_end(debugger: Debugger) -> None:
    assert debugger.say("c").startswith("the end") == (not debugger.story.found)


def test_an_invariant_stops_it_at_the_step_that_broke_it() -> None:
    never = (("Z1 nothing is ever accepted", lambda *_: "something was"),)
    with mock.patch.dict(table.ON, {"certificate": never, "tick": (("Z2 no time passes", lambda *_: "it does"),)}):
        story = replay.tell(CASE)
    debugger = Debugger(story)
    with mock.patch.object(replay, "NAMES", ("Z1 nothing is ever accepted", "Z2 no time passes")):
        debugger.say("break Z2 m1")
    assert "VIOLATION of Z2" in debugger.say("c")
    assert f"#{debugger.at}: Z2 no time passes" in debugger.say("v")
    step = story.steps[debugger.at - 1]
    assert (step.node, step.kinds >= {"Ticked"}) == ("m1", True)


def test_what_broke_a_machine_is_told_beside_the_last_step_before() -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("it fell over")

    with mock.patch("node.machine.core.Machine.handle", breaks):
        story = replay.tell(CASE)
    debugger = Debugger(story)
    debugger.say("break X0")
    said = debugger.say("c")
    assert "X0 nothing leaves the machine" in said and "it fell over" in said
    assert "It broke when m" in said


def test_s1_is_not_s10() -> None:
    assert replay._begins("S1 distinct groups", "s1")
    assert not replay._begins("S10 levers only restrict", "s1")
    assert replay._begins("S10 levers only restrict", "S")


# what changed
def test_a_difference_says_what_a_step_changed(debugger: Debugger) -> None:
    at = first_with(debugger.story, "CertificateAccepted")
    node = debugger.story.steps[at - 1].node
    assert "+certificate: " in debugger.say(f"d {at - 1} {at} {node}")


def test_time_alone_is_no_difference(debugger: Debugger) -> None:
    numbers = [one.number for one in debugger.story.steps if one.number > 100 and one.node == "m0"][:5]
    other = next(one for one in debugger.story.nodes if one != "m0")
    # another's disk may finish its work just then, but not each time
    assert any(debugger.say(f"d {at - 1} {at} {other}").startswith("nothing differs") for at in numbers)


def test_the_trace_shows_where_one_stands(debugger: Debugger) -> None:
    debugger.say(f"g {first_with(debugger.story, 'SensorReported')}")
    before, _, _ = debugger.say("t").partition("> step")
    assert "its sensor sees claim" in before


# what people get wrong
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("jump", "no command 'jump'"),
        ("g 1000000", "there is no step 1000000"),
        ("g", "g takes the number of a step"),
        ("g -1", "g takes the number of a step"),
        ("b", "there is no step -1"),
        ("n 0", "n takes how many steps"),
        ("s", "s takes one node"),
        ("s m0", "no node has a state"),
        ("d 1", "d takes two steps"),
        ("d 1 2 m9", "no node 'm9'"),
        ("break Z9", "no invariant begins with 'Z9'"),
        ("break Ticked m9", "no node 'm9'"),
        ("c 4", "c takes nothing after it"),
    ],
)
def test_what_cannot_be_done_is_said(debugger: Debugger, line: str, says: str) -> None:
    with pytest.raises(ReplayError, match=says):
        debugger.say(line)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "holds no JSON"),
        ("[]", "holds no case"),
        ('{"n": 4}', "seed must be a whole number"),
        ('{"seed": 1, "n": 3}', "4 to 64 members"),
        ('{"seed": 1, "n": 4, "sead": 2}', "sead is unknown here"),
        ('{"seed": 1, "n": 4, "without": ["rain"]}', "without names rain"),
        ('{"seed": 1, "n": 4, "without": "loss"}', "without must be a list"),
        ('{"seed": 1, "n": 4, "deeds": ["0"]}', "deeds must be a list of numbers"),
    ],
)
def test_a_broken_file_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    (tmp_path / "case.json").write_text(text)
    assert replay.main(str(tmp_path / "case.json"), ["-e", "n"]) == 2
    assert says in capsys.readouterr().err


def test_a_missing_file_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay.main(str(tmp_path / "none.json"), []) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_case_comes_back_from_its_file(file: str) -> None:
    assert replay.load(file) == CASE
    assert json.loads(Path(file).read_text())["deeds"] == [0]


def test_a_kept_case_says_what_it_was_kept_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = {"seed": 5, "n": 4, "without": [], "deeds": [], "broke": "S1 distinct groups"}
    (tmp_path / "case.json").write_text(json.dumps(told))
    assert replay.main(tmp_path / "case.json", ["-e", "n"]) == 0
    assert "kept because it broke S1 distinct groups" in capsys.readouterr().out


# the command line
def test_commands_are_given_at_once(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay.main(file, ["-e", "g 100; s m1; q; jump"]) == 0
    assert "m1 after step 100" in capsys.readouterr().out


def test_a_command_that_cannot_be_done_ends_it_with_two(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay.main(file, ["-e", "n; s m9; n"]) == 2
    assert "no node 'm9'" in capsys.readouterr().err


def test_at_a_terminal_it_goes_on_after_a_mistake(debugger: Debugger, capsys: pytest.CaptureFixture[str]) -> None:
    with mock.patch("builtins.input", side_effect=["jump", "n", EOFError]):
        replay._converse(debugger)
    out = capsys.readouterr().out
    assert "no command 'jump'" in out and "#1 " in out
