"""What doctor says of relays: how transactions leave, and who does not answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.test_doctor import CHAINED, Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


RELAYED = '[[relay]]\nchain = "eip155:1"\nurl = "https://relay.example/s3cret"\n'


def relays_told(site: Site, answer: Any, more: str = "") -> list[str]:
    site.add(CHAINED + RELAYED + more)

    def says(url: str, *of: Any) -> Any:
        if "relay" not in url:
            return "0x1"
        if isinstance(answer, Exception):
            raise answer
        return answer

    site.answers["eth_chainId"] = says
    return [f"{one.name}: {one.says}; {one.do}" for one in site.findings() if one.name == "relay"]


def test_doctor_says_how_transactions_leave(site: Site) -> None:
    says = "transactions on eip155:1 are sent through 1 relay, public after 25 s (https://relay.example)"
    assert relays_told(site, "0x1") == [f"relay: {says}; "]


def test_doctor_says_what_is_meanwhile_where_a_relay_does_not_answer(site: Site) -> None:
    _, fault = relays_told(site, OSError("refused"))
    assert fault.startswith("relay: the relay at https://relay.example does not answer: refused; mend its url")
    assert fault.endswith("transactions go public at once")


def test_doctor_says_that_nothing_is_sent_where_it_may_never_go_public(site: Site) -> None:
    _, fault = relays_told(site, OSError("refused"), "never_public = true\n")
    assert fault.endswith("nothing is sent")


def test_a_relay_of_another_chain_is_a_fault(site: Site) -> None:
    _, fault = relays_told(site, "0x5")
    assert "is for eip155:5, not eip155:1; mend `url` or `chain` of that [[relay]]" in fault


def test_a_relay_that_does_not_say_its_chain_is_no_fault(site: Site) -> None:
    relays_told(site, ValueError("no result came back"))
    assert site.faults() == []
