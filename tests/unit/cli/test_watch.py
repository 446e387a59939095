"""`tocsin watch`: the stream as it is read and resumed, one line a happening, and a picture that fits its terminal."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio.testing
from rich.console import Console

from node.commands.watching import _lines
from node.commands.watching_screen import Picture, drawn
from node.commands.watching_words import line_of, short
from node.control import ControlError, NodeUnreachable
from node.control_stream import EVENT_BYTES_MAX, SILENCE_S, Link, Parser, Told, follow
from node.stream import event
from tests.unit.cli.test_commands import ACTION, ALERT, STATUS, SUBJECT
from tests.unit.cli.world import run

HOSTILE = "a\x1b]0;owned\x07\x1b[2J\r\n\u202etxet\x9b31m\ud800"
NOW_MS = 1_790_000_000_000


def picture(**more: Any) -> Picture:
    status = {**STATUS, "network_name": "net", "mode": "act", "now_ms": NOW_MS}
    return Picture(**{"status": status, "alerts": [ALERT], "actions": [ACTION], **more})


def shown(one: Picture, width: int = 140, height: int = 40, colour: bool = False) -> list[str]:
    out = io.StringIO()
    system: Any = "truecolor" if colour else None
    console = Console(file=out, width=width, height=height, color_system=system, highlight=False, markup=False)
    console.print(drawn(one, width, height, NOW_MS))
    return out.getvalue().splitlines()


def test_events_are_read_wherever_the_bytes_are_cut() -> None:
    sent = event({"kind": "hello"}, 4, "hello") + b": beat\n\n" + event({"kind": "peer"}, 0, "peer") + b"id: 9\n\n"
    parser, found = Parser(), []
    for at in range(len(sent)):
        found += parser.feed(sent[at : at + 1])
    assert [(one.kind, one.position) for one in found] == [("hello", 4), ("peer", 0)]
    assert parser.position == 9


@pytest.mark.parametrize("sent", [b"data: {\n\n", b"data: []\n\n", b"id: x\n\n", b"x" * (EVENT_BYTES_MAX + 1)])
def test_what_is_no_stream_of_a_nodes_is_refused(sent: bytes) -> None:
    with pytest.raises(ValueError):
        Parser().feed(sent)


class Node:
    """Answers each opening of the stream with the next of its lives: bytes, a status, or nobody there."""

    def __init__(self, *lives: bytes | int | None) -> None:
        self.lives = list(lives)
        self.asked: list[str | None] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.headers.get("last-event-id"))
        life = self.lives.pop(0)
        if life is None:
            raise httpx.ConnectError("refused")
        if isinstance(life, int):
            return httpx.Response(life, json={"error": {"code": "busy", "what": "too many streams", "do": ""}})

        async def body() -> AsyncIterator[bytes]:
            yield life
            if not self.lives:
                await trio.sleep_forever()

        return httpx.Response(200, content=body())


def followed(node: Node, after: int | None = None) -> tuple[list[Told], list[str]]:
    told: list[Told] = []
    fared: list[str] = []

    async def hear(one: Told) -> None:
        told.append(one)

    async def fares(why: str) -> None:
        fared.append(why)

    async def story() -> None:
        with trio.move_on_after(120):
            await follow(Link(Path("c.sock"), httpx.MockTransport(node)), after, hear, fares)

    trio.run(story, clock=trio.testing.MockClock(autojump_threshold=0.02))
    return told, fared


def test_a_restart_is_told_and_what_was_missed_is_asked_for_by_its_id() -> None:
    first = event({"kind": "hello"}, 7, "hello") + event({"kind": "keyset"}, 8)
    node = Node(first, None, None, event({"kind": "keyset"}, 9))
    told, fared = followed(node)
    assert node.asked == [None, "8", "8", "8"]
    assert [one.position for one in told] == [7, 8, 9]
    assert fared == ["", "the node ended the stream", "there is no such socket", "there is no such socket", ""]


def test_a_seat_that_is_taken_is_waited_for_once_the_node_was_reached() -> None:
    told, fared = followed(Node(event({"kind": "keyset"}, 3), 503, event({"kind": "keyset"}, 4)), after=2)
    assert [one.position for one in told] == [3, 4]
    assert "too many streams" in fared


@pytest.mark.parametrize(("life", "kind"), [(None, NodeUnreachable), (503, ControlError)])
def test_a_node_that_was_never_reached_is_an_error(life: int | None, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        followed(Node(life))


def test_what_is_no_node_is_said_to_be_none() -> None:
    _, fared = followed(Node(b"<html>\n\nid: x\n\n", b""))
    assert fared[1] == "what answers there is no tocsin node"


def test_a_stream_is_given_up_after_three_missed_heartbeats() -> None:
    from node.stream import BEAT_S

    assert 3 * BEAT_S < SILENCE_S < 4 * BEAT_S


ENTRY = {"threat": "bridge-forgery", "subject": SUBJECT, "level": "ISOLATE", "author": "b"}


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"kind": "attestation", **ENTRY, "basis": "VERIFIED", "claim_types": ["evm-log", "evm-log"]},
         "b says ISOLATE: bridge-forgery on eip155:1/erc20:0xa129…e5a7 (verified, evm-log)"),
        ({"kind": "attestation", **ENTRY, "level": "NONE", "own": True}, "we take back: bridge-forgery on"),
        ({"kind": "certificate", **ENTRY, "signers": ["a", "b", "c"], "assembled_here": True},
         "CERTIFICATE ISOLATE: bridge-forgery on eip155:1/erc20:0xa129…e5a7, 3 members, counted here"),
        ({"kind": "action", "lever": "ltv0", "rung": "GUARD", "phase": "escalated", "says": "no gas"},
         "lever ltv0 (GUARD) FAILED: it needs a person: no gas"),
        ({"kind": "peer", "member": "b", "up": False}, "b is gone"),
        ({"kind": "reset"}, "what happened before this is not told again"),
    ],
)  # fmt: skip
def test_a_happening_is_one_sentence(told: dict[str, Any], says: str) -> None:
    assert says in str(line_of(told))


def test_what_says_nothing_to_a_person_is_no_line() -> None:
    assert [line_of({"kind": kind}) for kind in ("keyset", "manifest", "hello", "of-a-later-version")] == [None] * 4
    assert line_of({"kind": "decision", "verdict": "ignore"}) is None


def test_no_word_of_another_member_controls_the_terminal() -> None:
    kinds = ("attestation", "certificate", "verdict", "decision", "action", "renewal", "release", "false-statement",
             "equivocation", "signing-stopped", "operator", "epoch-certified", "epoch", "peer")  # fmt: skip
    names = ("author", "subject", "threat", "level", "basis", "why", "says", "person", "deed", "phase", "lever", "rung",
             "claim", "claim_type", "ruling", "verdict", "member", "peer_id", "number", "n", "q", "key")  # fmt: skip
    for kind in kinds:
        line = line_of(
            {"kind": kind, **dict.fromkeys(names, HOSTILE), "claim_types": [HOSTILE], "suspended": [HOSTILE]}
        )
        assert line is not None and line.isprintable(), kind


def test_no_word_of_another_member_controls_the_screen() -> None:
    def spoilt(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: spoilt(one) for key, one in value.items()}
        if isinstance(value, list):
            return [spoilt(one) for one in value]
        return value + HOSTILE if isinstance(value, str) else value

    one = picture()
    spoilt_one = Picture(
        spoilt(one.status), spoilt(one.alerts), spoilt(one.actions), {"notes": [HOSTILE]}, lost=HOSTILE
    )
    spoilt_one.fares(HOSTILE, NOW_MS)
    lines = shown(spoilt_one)
    assert len(lines) <= 40
    assert all(line.isprintable() for line in lines), lines


def test_a_long_number_is_named_by_its_ends() -> None:
    assert short(SUBJECT) == "eip155:1/erc20:0xa129…e5a7"
    assert short("0x" + "ab" * 32 + " and deadbeef") == "0xabab…abab and deadbeef"


def test_an_exercise_is_said_above_all_else_from_edge_to_edge() -> None:
    one = picture()
    assert not any("EXERCISE" in line for line in shown(one))
    one.status["exercise"] = True
    first, *rest = shown(one, width=160, height=12)
    assert first.strip().startswith("EXERCISE, no alarm") and len(rest) < 12
    assert "\x1b[" in shown(one, colour=True)[0]


def printed(capsys: pytest.CaptureFixture[str], machine: bool, **headers: str) -> list[str]:
    """What a pipe gets of one happening from a node that answers with these headers."""

    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=headers, content=event({"kind": "equivocation", "author": "x"}, 4))

    async def story() -> None:
        link = Link(Path("c.sock"), httpx.MockTransport(answer))
        with trio.move_on_after(0.5):
            await _lines(link, None, machine)

    trio.run(story, clock=trio.testing.MockClock(autojump_threshold=0))
    return capsys.readouterr().out.splitlines()


def test_each_line_of_a_drill_says_exercise(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, False)[0].endswith("the proof is kept")
    banner, line = printed(capsys, False, **{"tocsin-exercise": "1"})[:2]
    assert banner.startswith("EXERCISE, no alarm") and line.startswith("EXERCISE  ")


def test_programs_are_told_of_a_drill_with_each_happening(capsys: pytest.CaptureFixture[str]) -> None:
    assert '"exercise"' not in printed(capsys, True)[0]
    assert '"exercise":true' in printed(capsys, True, **{"tocsin-exercise": "1"})[0]


def test_the_picture_says_what_matters() -> None:
    status = {**picture().status, "quorum": {**STATUS["quorum"], "silent_since_ms": {"c": NOW_MS}}}  # type: ignore[dict-item]
    text = "\n".join(shown(picture(status=status, ready={"reasons": ["it is stopping"], "notes": ["no policy"]})))
    for says in (
        "SIGNS NOTHING: clock 40000 ms off",
        "BLIND: hears 2 of 4 groups, 3 needed",
        "SILENT: c since 14:13:20",
        "NOT READY: it is stopping",
        "note: no policy",
        "■■■ 3 of 3",
        "ISOLATE until",
        "supports",
        "ltv0",
        "waiting",
    ):
        assert says in text, says


def test_a_lease_runs_down_and_what_is_over_stands_last() -> None:
    standing = {**ACTION, "phase": "effective", "until_ms": NOW_MS + 3_725_000, "lever": "freeze"}
    over = {**ACTION, "phase": "lapsed", "lever": "pause"}
    lines = shown(picture(actions=[standing, over]))
    (title,) = [at for at, line in enumerate(lines) if line.startswith("OWN LEVERS 2, 1 over")]
    assert lines[title + 2].split()[:4] == ["freeze", "GUARD", "effective", "1:02:05"]
    assert lines[title + 3].split()[:4] == ["pause", "GUARD", "lapsed", "-"]


def test_a_state_that_is_old_says_so_first() -> None:
    one = picture()
    one.fares("nobody listens there", NOW_MS)
    assert any("THE NODE DOES NOT ANSWER since 14:13:20 (nobody listens there)" in line for line in shown(one))
    one.fares("", NOW_MS)
    assert not any("THE NODE DOES NOT ANSWER" in line for line in shown(one))
    assert any("the node answers again" in line for line in shown(one))


@pytest.mark.parametrize("width", range(30, 200, 7))
def test_where_it_is_narrow_the_first_columns_stay_whole(width: int) -> None:
    lines = shown(picture(actions=[{**ACTION, "why": "w" * 300, "phase": "effective"}]), width)
    row = next(line for line in lines if line.startswith("ltv0"))
    assert row.split()[:3] == ["ltv0", "GUARD", "effective"]


@pytest.mark.parametrize(("width", "height"), [(200, 60), (140, 40), (80, 24), (40, 10), (20, 5), (1, 1)])
def test_it_fits_every_terminal(width: int, height: int) -> None:
    one = picture(alerts=[ALERT] * 50, actions=[ACTION] * 50, ready={"notes": ["n" * 300] * 20})
    for _ in range(300):
        one.heard({"kind": "peer", "member": "b" * 500, "up": True, "at_ms": NOW_MS})
    lines = shown(one, width, height)
    assert len(lines) <= max(height, 8)
    assert all(len(line.rstrip()) <= width for line in lines)


def test_the_worst_alarm_is_shown_where_only_one_fits() -> None:
    alerts = [{**ALERT, "level": level, "threat": level.lower()} for level in ("WATCH", "HALT", "GUARD")]
    lines = shown(picture(alerts=alerts), 80, 14)
    assert next(line.split()[0] for line in lines if line.startswith(("HALT", "WATCH"))) == "HALT"


def test_levels_have_colour_and_are_words_all_the_same() -> None:
    assert any("\x1b[" in line and "ISOLATE" in line for line in shown(picture(), colour=True))


def test_a_node_that_does_not_run_is_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "node.toml"
    config.write_text('node = 1\nmember = "a"\nlisten = "/ip4/127.0.0.1/tcp/4001"\n')
    for form in ("human", "jsonl"):
        ran = run(capsys, "watch", "--config", config, "-o", form)
        assert ran.code == 3
        assert "start it with `tocsin up`" in ran.err
