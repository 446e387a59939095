"""The sentences that somebody signs."""

from __future__ import annotations

import pytest

from adapters.policy import parse, parse_text, say
from protocol.membership import LEASE_MS_MOST
from protocol.messages import Level
from tests.unit.policy.stage import DECLARED, EXAMPLES, HOUR_MS, example


def said(title: str, n: int = 7) -> str:
    return "\n".join(say(example(title), DECLARED, LEASE_MS_MOST, n, (n - 1) // 3))


def test_it_says_what_shuts_what_stays_open_and_how_it_ends() -> None:
    assert (
        "lend: shut: at ISOLATE or above, own check agrees, 3 groups that re-ran it, 2 source operators, at least "
        "250,000 USD at risk, as read, freeze (lending.freeze, ISOLATE) moves at once: supply shut, borrow, withdraw "
        "open, for 6h at most; ends by itself at the target." in said("Lender, acting")
    )


def test_it_says_what_has_no_lever() -> None:
    assert "hop2/run: NO LEVER." in said("Second-hop lender")
    assert "hop2/borrow: NO LEVER." not in said("Second-hop lender")


@pytest.mark.parametrize("title", [title for title in EXAMPLES if title != "Unexposed exchange"])
def test_two_liars_can_do_nothing(title: str) -> None:
    assert "2 liars, on anything they say: nothing." in said(title)


@pytest.mark.parametrize("title", [title for title in EXAMPLES if title != "Unexposed exchange"])
def test_a_wrong_quorum_moves_nothing_against_this_nodes_own_check(title: str) -> None:
    assert "5 of 7 groups wrong at once, while this node's own check says otherwise: nothing." in said(title)


def test_what_a_wrong_quorum_could_do_while_own_providers_are_down_is_said() -> None:
    assert "own providers cannot tell: freeze for 1h, ltv0 for 1h." in said("Lender, acting")
    assert "own providers cannot tell: nothing." in said("Lender, asking")


def test_a_lease_is_said_as_the_charter_cuts_it() -> None:
    short = {**LEASE_MS_MOST, Level.ISOLATE: HOUR_MS}
    told = say(example("Issuer, acting"), DECLARED, short, 7, 2)
    assert any("shut: at ISOLATE" in one and "for 1h at most" in one for one in told)


def test_on_observe_and_in_a_network_of_three_it_says_that_nothing_moves() -> None:
    assert "no lever moves" in said("Unexposed exchange")
    assert "only informs" in said("Unexposed exchange", n=3)


@pytest.mark.parametrize(("socket", "whose"), [("", "nobody's and does not count"), ("anna", "anna's")])
def test_that_two_people_are_needed_is_said_and_whose_the_socket_is(socket: str, whose: str) -> None:
    told = say(parse({"policy": 1, "release": {"need": 2, "socket": socket}}), {}, LEASE_MS_MOST, 7, 2)
    assert told[1] == f"a lift and a release need 2 people within 30m; the control socket is {whose}."


def test_a_lever_that_no_rule_moves_is_named() -> None:
    idle = EXAMPLES["Lender, asking"].replace('do = ["ltv0", "freeze"]', 'do = ["ltv0"]')
    assert "freeze: no rule moves it." in say(parse_text(idle), DECLARED, LEASE_MS_MOST, 7, 2)


def test_a_policy_with_an_unknown_call_is_still_told() -> None:
    told = "\n".join(say(example("Lender, acting"), {}, LEASE_MS_MOST, 7, 2))
    assert "no adapter here has this call" in told
