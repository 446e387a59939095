"""SIGSTOP across the end of a lease, and while a quorum forms: whoever slept acts no more on what it knew before, and
what it says late is dated when it is said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import trio

from adapters.api import LeverOrder
from adapters.log_lever import LogLever
from node import loop
from node.dispatch import Dispatch
from node.effects import RunStep
from node.events import Event, LeverStepped
from protocol.frames import Blobs, CertificateFrame, Entries, Frame
from protocol.ids import ActionKey
from protocol.limits import STALE_CERTIFICATE_MS, STALE_WAIT_MS
from protocol.messages import Level
from tests.integration.faults.paused import (
    EFFECTIVE,
    LEASE_S,
    NEXT_MS,
    Pause,
    close,
    sleep_until,
    stage,
    stopped,
    until,
)
from tests.integration.faults.peers import Peers, wall_ms
from tests.integration.kill9.child import GO, claim, subject
from tests.integration.kill9.forks import Server
from tests.integration.kill9.scene import NAMES

pytestmark = pytest.mark.network

UNSENT = ("mark.before", "plan.after", "store.before#3", "apply.before")
"""Between the alarm and the call of the target."""
AS_SIGNED = "chain.before"
"""A signed transaction in hand: it is sent, and the target itself refuses what has ended."""
APPLIED = ("chain.after", EFFECTIVE)
POINTS = (*UNSENT, AS_SIGNED, *APPLIED)
ASKED = "verify.before"
"""A member's word has come, and its claim is being re-run."""
LONG_S = 1_800


@dataclass
class Night:
    """All nodes of this file, for they sleep at the same time. `acting`: by the point at which they were stopped;
    `held`: the actions that were there a second after the stale certificates came."""

    acting: dict[str, Pause]
    too_late: Pause
    in_time: Pause
    withdrawn: Pause
    confirmed: Pause
    held: list[object]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, forks: Server) -> Iterator[Night]:
    asked = [(ASKED, LEASE_S), (ASKED, LEASE_S), ("", LONG_S), ("", LONG_S)]
    pauses = stage(tmp_path_factory.mktemp("night"), forks, [*((point, LEASE_S) for point in POINTS), *asked])
    acting, others = pauses[: len(POINTS)], pauses[len(POINTS) :]
    told = Night({one.point: one for one in acting}, *others, held=[])
    try:
        for one in others:
            one.sees = -1
            by_certificate(one.scene.folder / "policy.toml", one.point == "")
        for one in pauses:
            one.launch()
        for one in pauses:
            one.scene.wait(one.scene.signing, 30, "it never signs")
        happen(told)
        yield told
    finally:
        close([one.scene for one in pauses])


@pytest.fixture
def paused(night: Night) -> dict[str, Pause]:
    return night.acting


def said(one: Pause) -> str:
    return f"{one.point}: {one.scene.told(0)} {one.scene.said()}"


def ended(one: Pause) -> bool:
    told = one.scene.told(0)
    return told is not None and told["phase"] == "lapsed"


def phases(one: Pause) -> list[str]:
    return [step["phase"] for step in one.told["steps"]]


@pytest.mark.parametrize("point", UNSENT)
def test_what_was_not_sent_before_the_lease_ended_is_never_sent(paused: dict[str, Pause], point: str) -> None:
    one = paused[point]
    assert one.transactions() == 0 and one.scene.action(0).restricted == 0
    assert not {"sent", "effective", "escalated"}.intersection(phases(one))


def test_a_transaction_that_was_signed_before_and_is_sent_after_restricts_nothing(paused: dict[str, Pause]) -> None:
    one = paused[AS_SIGNED]
    assert one.scene.action(0).restricted == 0
    assert not {"effective", "escalated"}.intersection(phases(one))


@pytest.mark.parametrize("point", APPLIED)
def test_what_stood_is_read_back_as_ended_and_not_renewed(paused: dict[str, Pause], point: str) -> None:
    one = paused[point]
    action = one.scene.action(0)
    assert (action.restricted, action.lifted, one.transactions()) == (1, 0, 1)
    assert action.until_s * 1000 < one.went_on_ms, "the target's own end lies within the pause"
    assert "read back" in one.told["steps"][-1]["says"]


@pytest.mark.parametrize("point", POINTS)
def test_no_opinion_is_said_under_a_lease_that_ended(paused: dict[str, Pause], point: str) -> None:
    """Nor when its sensor sees the same thing again."""
    one = paused[point]
    before = one.transactions()
    (one.scene.folder / GO).touch()
    until(lambda: not (one.scene.folder / GO).exists(), 5, partial(said, one))
    assert one.opinions() and max(issued_ms for issued_ms, _ in one.opinions()) < one.stopped_ms
    assert all(body.expires_ms < one.went_on_ms for _, body in one.opinions())
    assert ended(one) and one.transactions() == before


# -- while a quorum forms


def by_certificate(policy: Path, wanted: bool) -> None:
    """Its lever moves by the network's word alone."""
    if wanted:
        policy.write_text(
            policy.read_text().replace('level = "none", own = "verified"', 'level = "ISOLATE", own = "any"')
        )


def happen(night: Night) -> None:
    """Six see an alarm of their own; two are stopped when m1's word comes, two while m1, m2 and m3 certify."""
    acting, verifying = list(night.acting.values()), (night.too_late, night.in_time)
    counting = (night.withdrawn, night.confirmed)
    for one in acting:
        (one.scene.folder / GO).touch()
    for one in verifying:
        m1_says(one)
    for one in counting:
        one.stop()
    words = [a_stale_certificate(one) for one in counting]
    stopped(verifying)
    time.sleep(1.0)
    for one in (night.in_time, *counting):
        one.go_on()
    stopped(acting)
    time.sleep(1.0)
    night.held += [one.scene.told(0) for one in counting]
    for one, peers in zip(counting, words):
        members_answer(one, peers, withdraw=one is night.withdrawn)
    for one in (night.too_late, *acting):
        sleep_until(one.stopped_ms + LEASE_S * 1000 + NEXT_MS)
        one.go_on()
    for one in acting:
        until(partial(ended, one), 8, partial(said, one))
        one.told = one.scene.told(0) or {}
    sleep_until(night.withdrawn.went_on_ms + STALE_WAIT_MS + 500)


def m1_says(one: Pause) -> None:
    """And the node stops while it re-runs the claim."""
    (one.scene.folder / GO).touch()
    until(lambda: not (one.scene.folder / GO).exists(), 5, partial(said, one))
    peers = Peers(one.scene.folder)
    word = peers.opines(NAMES[1], wall_ms(), LEASE_S * 1000)
    m1 = peers.peer(NAMES[1])
    one.hears([(m1, Blobs((claim(0).blob,))), (m1, Entries((word.raw,)))])


def a_stale_certificate(one: Pause) -> Peers:
    """Of words half as old again as a certificate may be without its signers being asked; it waits at m1's."""
    peers = Peers(one.scene.folder)
    at_ms = wall_ms() - STALE_CERTIFICATE_MS * 3 // 2
    opinions = [peers.opines(name, at_ms, LONG_S * 1000) for name in NAMES[1:]]
    one.hears([(peers.peer(NAMES[1]), CertificateFrame(peers.certificate(opinions)))])
    return peers


def members_answer(one: Pause, peers: Peers, withdraw: bool) -> None:
    """m1 and m2 show their heads, and what they have said since."""
    frames: list[tuple[str, Frame]] = []
    for name in NAMES[1:3]:
        since = [peers.opines(name, wall_ms(), 60_000, Level.NONE)] if withdraw else []
        frames.append((peers.peer(name), peers.heads(name)))
        frames += [(peers.peer(name), Entries((word.raw,))) for word in since]
    one.hears(frames)


def test_a_word_that_ended_meanwhile_is_answered_by_nobody(night: Night) -> None:
    assert night.too_late.opinions() == []


def test_a_late_answer_is_dated_when_it_is_said(night: Night) -> None:
    ((issued_ms, body),) = night.in_time.opinions()
    assert issued_ms >= night.in_time.went_on_ms and body.since_ms == issued_ms
    assert body.expires_ms == issued_ms + LEASE_S * 1000


def test_a_stale_certificate_moves_nothing_before_its_signers_were_asked(night: Night) -> None:
    assert night.held == [None, None]


def test_and_nothing_at_all_where_they_have_withdrawn(night: Night) -> None:
    assert night.withdrawn.scene.told(0) is None and night.withdrawn.transactions() == 0


def test_and_is_acted_on_where_they_show_nothing_newer(night: Night) -> None:
    one = night.confirmed
    until(lambda: (one.scene.told(0) or {}).get("phase") == "effective", 5, partial(said, one))
    opened_ms = one.scene.action(0).told["steps"][0]["at_ms"]
    assert one.went_on_ms + 1_000 <= opened_ms < one.went_on_ms + STALE_WAIT_MS


def test_a_target_that_would_refuse_nothing_is_not_called_either() -> None:
    outcomes: list[Event] = []

    async def report(event: Event) -> None:
        outcomes.append(event)

    async def told() -> None:
        order = LeverOrder(ActionKey(bytes(32)), "l", subject(0), Level.WATCH, wall_ms() + 60_000, by_human=False)
        step = RunStep(order.action_key, "apply", "t:log.note", order, ends_mono_ms=loop.now().mono_ms)
        await Dispatch({"t:log.note": LogLever("t", lines.append)}, report).run(step)

    lines: list[str] = []
    trio.run(told)
    (stepped,) = outcomes
    assert isinstance(stepped, LeverStepped) and not stepped.outcome.ok and lines == []
