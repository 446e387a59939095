"""`tocsin guard`: an owner's guard from its creation to the end of a restriction, on a chain in this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from adapters.evm.abi import abi_of
from adapters.evm.account import Account
from adapters.evm.artifacts import artifact
from adapters.evm.client import ChainClient, Connection
from adapters.evm.sending import Sender
from node import keys
from protocol.ids import SourceId
from tests.unit.cli.registry_site import Site
from tests.unit.cli.world import Ran, run

CHAIN = "eip155:1"
GATE = abi_of("Gate")
TERMS = ("--lease", "1h", "--budget", "24h", "--alone-lease", "10m", "--alone-budget", "2h")
Capture = pytest.CaptureFixture[str]


class GuardSite(Site):
    """Member a's account owns a gate and the guard; it is the guard's operator too."""

    capsys: Capture
    gate: str

    def did(self, *words: object, sent: bool = True) -> Ran:
        more = ("--send",) if sent else ()
        return run(self.capsys, "guard", *words, *more, "--config", self.home.config_path)

    def on_chain(self, deed: Callable[[Sender], Awaitable[Any]]) -> Any:
        secret = keys.load_secret(keys.key_path(self.home.directory / "data", keys.Purpose.LEVER), keys.Purpose.LEVER)

        async def go() -> Any:
            client = ChainClient((Connection(SourceId("here"), CHAIN, "http://127.0.0.1:1"),))
            try:
                return await deed(Sender(client, CHAIN, Account(secret.reveal())))
            finally:
                await client.aclose()

        return trio.run(go)

    @property
    def paused(self) -> bool:
        at = bytes.fromhex(self.gate[2:])
        return bool(self.on_chain(lambda sender: sender.client.call(CHAIN, at, GATE, "paused")).value)

    def listed(self, contract: str, *terms: object) -> Ran:
        gate = self.gate
        calls = ("--restrict", f"{gate} pause()", "--lift", f"{gate} unpause()", "--shows", f"{gate} paused() = true")
        return self.did("add", *calls, *(terms or TERMS), "--contract", contract)

    def stands(self) -> str:
        """A guard with one lever, which its target obeys."""
        contract = str(self.did("deploy", self.payer, "-o", "json").json["contract"])
        assert self.listed(contract).code == 0
        assert self.did("operator", self.payer, "--contract", contract).code == 0
        guard = bytes.fromhex(contract[2:])
        self.on_chain(lambda one: one.transact(bytes.fromhex(self.gate[2:]), GATE, "set_pauser", (guard, True)))
        return contract


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> GuardSite:
    found = GuardSite(tmp_path, monkeypatch)
    found.capsys = capsys
    found.gate = "0x" + found.on_chain(lambda sender: sender.deploy(artifact("Gate"))).hex()
    return found


def test_a_plan_says_what_a_guard_is_and_sends_nothing(site: GuardSite) -> None:
    told = site.did("deploy", site.payer, sent=False)
    assert told.code == 0 and "Nothing was sent" in told.out and "it holds no right, lists no call" in told.out
    before = len(site.chain.blocks)
    assert site.did("deploy", site.payer, "-o", "json", sent=False).json["sent"] is False
    assert len(site.chain.blocks) == before


def test_the_operator_restricts_within_its_own_budget_and_takes_its_word_back(site: GuardSite) -> None:
    contract = site.stands()
    assert site.did("act", 0, "--for", "10m", "--contract", contract, sent=False).code == 0 and not site.paused
    told = site.did("act", 0, "--for", "10m", "--contract", contract)
    assert told.code == 0 and site.paused, told
    assert "held by the operator until" in told.out and "its target shows restricted" in told.out
    told = site.did("lapse", 0, "--contract", contract)
    assert told.code == 0 and not site.paused and "nothing stands" in told.out


def test_more_than_its_own_lease_is_refused_with_the_seconds_that_are_left(site: GuardSite) -> None:
    told = site.did("act", 0, "--for", "30m", "--contract", site.stands())
    assert told.code == 1 and "its lease and what is left of its budget go 600 s" in told.err and not site.paused


def test_show_tells_who_may_what_and_how_far(site: GuardSite) -> None:
    contract = site.stands()
    told = run(site.capsys, "guard", "show", "--contract", contract, "--config", site.home.config_path)
    assert told.code == 0
    for words in ("lists, removes, lifts", "10m, 2h a week", "1h at once, 1d in any seven days", "delay    0 s"):
        assert words in told.out, told.out
    said = run(site.capsys, "guard", "show", "--contract", contract, "-o", "json", "--config", site.home.config_path)
    (lever,) = said.json["levers"]
    assert (lever["target"], lever["alone_lease_s"], lever["stands"]) == (site.gate, 600, False)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("act", 3), "the guard has no lever 3"),
        (("lapse", 0), "nothing of the guard's stands there"),
        (("act", 0, "--for", "soon"), "'soon' is no duration"),
        (("operator", "0x12"), "'0x12' is no address"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(site: GuardSite, words: tuple[object, ...], why: str) -> None:
    told = site.did(*words, "--contract", site.stands())
    assert told.code in (1, 2) and why in told.err


def test_what_the_guard_itself_refuses_is_told_in_its_words(site: GuardSite) -> None:
    contract = str(site.did("deploy", site.payer, "-o", "json").json["contract"])
    told = site.listed(contract, "--lease", "8h", "--budget", "8h")
    assert told.code == 1 and "lease" in told.err


def test_a_lever_has_one_target(site: GuardSite) -> None:
    contract = str(site.did("deploy", site.payer, "-o", "json").json["contract"])
    other = "0x" + "11" * 20
    told = site.did("add", "--restrict", f"{site.gate} pause()", "--lift", f"{other} unpause()", "--contract", contract)
    assert told.code == 2 and "call two contracts" in told.err


def test_where_no_guard_stands_that_is_said(site: GuardSite) -> None:
    told = site.did("act", 0, "--contract", site.gate)
    assert told.code == 1 and "as no guard does" in told.err
