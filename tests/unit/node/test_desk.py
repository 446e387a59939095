"""What a person asks of evidence and of what stands, by the API on a real machine: asked, told, kept, shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import trio

from node import api, api_surface, explaining
from node.api import make_app
from node.api_exercise import HEADER, Exercise
from node.api_surface import Surface
from node.commands.watching_words import line_of
from node.events import OperatorAsked
from node.machine.step import Step
from node.present import alert_id
from node.records import EvidenceRerun
from node.watch import happening_of
from protocol.evidence import refuted
from tests.unit.machine.test_actions import alarmed
from tests.unit.machine.world import HOUR_MS, TOPIC, World, claim, policy_of

ALERT = f"/v1/alerts/{alert_id(TOPIC)}"


async def _unread(*things: Any) -> None:
    """Who reads is not what is tried here."""


class Desk:
    """One node's routes; a command is handled at once, at the world's time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = alarmed(World(4, policy=policy_of(max_ms=3 * HOUR_MS)))
        self.node = self.world[2]
        for module in (api, api_surface):
            monkeypatch.setattr(module, "now", self.node.clock)
        given = {name: None for name in Surface.__dataclass_fields__ if name != "numbers"}
        self.surface = Surface(**{**given, "state": self.node.state, "submit": self._handled, "tickets": {}})  # type: ignore[arg-type]
        self.surface.insiders = SimpleNamespace(saw=_unread)  # type: ignore[assignment]
        self.app: Any = make_app(self.surface)
        self.action = f"/v1/actions/{self.node.action().key.hex()}"

    async def _handled(self, event: Any) -> None:
        assert isinstance(event, OperatorAsked)
        self.node.handle(event)
        self.surface.tickets[event.ticket].send_nowait(self.node.replies[-1])

    def ask(self, method: str, path: str, **body: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
                return await client.request(method, path, json=body if method == "POST" else None)

        answer = trio.run(asked)
        self.world.run(500)
        return answer

    def explained(self) -> str:
        told = explaining.explain(Step(self.node.state, self.node.clock()), alert_id(TOPIC))
        assert told is not None
        return "\n".join(told["sentences"])


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


def test_what_is_re_run_is_told_with_the_alert(desk: Desk) -> None:
    assert desk.ask("POST", f"{ALERT}/rerun", person="anna").json()["says"].startswith("1 of 1 claims")
    told = desk.ask("GET", ALERT).json()
    (came,) = told["reruns"]
    assert (came["person"], came["verdict"], came["before"], came["same"]) == ("anna", "supports", "supports", True)
    assert came["claim"]["id"] == claim().claim.id.hex() and told["rerunning"] == 0


def test_what_is_on_its_way_is_counted(desk: Desk) -> None:
    desk.node.handle(OperatorAsked(99, "anna", api.Rerun(*TOPIC)))
    assert desk.ask("GET", ALERT).json()["rerunning"] == 1


def test_a_claim_that_was_just_re_run_is_refused_with_the_wait(desk: Desk) -> None:
    desk.ask("POST", f"{ALERT}/rerun")
    answer = desk.ask("POST", f"{ALERT}/rerun")
    assert answer.status_code == 409 and answer.json()["error"]["what"].endswith("again in 10 s")


def test_the_account_says_who_had_it_re_run_and_what_came_out(desk: Desk) -> None:
    desk.node.verdicts[claim().claim.digest] = refuted("the supply is backed")
    desk.ask("POST", f"{ALERT}/rerun", person="anna")
    told = desk.explained()
    assert "anna had evm-supply-above-backing" in told
    assert "it does not hold; before, it holds: the supply is backed." in told
    assert f"Have its evidence re-run here now: tocsin alert rerun {alert_id(TOPIC)[:12]}" in told


def test_it_is_a_happening_of_one_line(desk: Desk) -> None:
    desk.ask("POST", f"{ALERT}/rerun", person="anna")
    record = next(one for one in desk.node.records() if isinstance(one, EvidenceRerun))
    told = happening_of(record, desk.node.state, 1.0)
    assert told is not None and told["kind"] == "rerun"
    assert str(line_of(told)).startswith("RE-RUN for anna: evm-supply-above-backing")


def test_an_action_says_how_far_it_may_be_extended_and_is(desk: Desk) -> None:
    told = desk.ask("GET", desk.action).json()
    assert told["extendable_until_ms"] >= told["until_ms"] + 2 * HOUR_MS
    assert desk.ask("POST", f"{desk.action}/extend", by_s=3600, person="anna").json()["ok"]
    assert desk.ask("GET", desk.action).json()["until_ms"] == told["until_ms"] + HOUR_MS


def test_what_is_being_extended_cannot_be_again_yet(desk: Desk) -> None:
    desk.node.handle(OperatorAsked(99, "anna", api.Extend(desk.node.action().key, HOUR_MS)))
    assert desk.ask("GET", desk.action).json()["extendable_until_ms"] == 0


def test_the_account_says_how_to_extend_and_to_when(desk: Desk) -> None:
    assert f"tocsin action extend {desk.node.action().key.hex()[:12]} 1h" in desk.explained()


@pytest.mark.parametrize("by_s", [59, 86_401, "long", None])
def test_a_length_that_is_none_is_refused(desk: Desk, by_s: object) -> None:
    assert desk.ask("POST", f"{desk.action}/extend", by_s=by_s).status_code == 422


def test_every_answer_of_a_drills_node_says_so(desk: Desk) -> None:
    assert HEADER not in desk.ask("GET", ALERT).headers
    desk.app = Exercise(desk.app)
    for path in (ALERT, "/v1/alerts/ffffff", "/v1/openapi.json"):
        assert desk.ask("GET", path).headers[HEADER] == "1"
