"""A whole arm on embedded chains, its clock compressed: history comes out, and a shut gate sends the attacker on."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from adapters.evm.abi import abi_of
from adapters.evm.client import Account, ChainClient, Connection
from adapters.evm.lever_rows import ROWS
from adapters.evm.sending import Sender
from adapters.evm.verifiers import EvmVerifier
from adapters.policy import check, parse_text
from node.testnet import actors
from node.testnet.chain_process import start_chain
from node.testnet.scenario import ARMS, Scenario, load
from node.testnet.world import World, accounts, build, chains_of
from node.testnet.world_lies import lies_of
from node.testnet.world_measure import Outcome, blocked_usd, measure
from protocol.evidence import Ruling
from protocol.ids import EpochHash, NetworkId, SourceId
from protocol.membership import Epoch
from protocol.messages import Level

pytestmark = pytest.mark.network
SEED = 11
SPEED = 6.0
DECLARED = {row.declared.call: row.declared for row in ROWS}


def client_of(urls: dict[str, str]) -> ChainClient:
    return ChainClient(tuple(Connection(SourceId(f"t-{c}"), c, url) for c, url in urls.items()), timeout_s=10)


@dataclass
class Played:
    scenario: Scenario
    urls: dict[str, str]
    worlds: dict[str, World]
    deeds: dict[str, list[dict[str, Any]]]
    outcomes: dict[str, Outcome]


def build_all(scenario: Scenario, urls: dict[str, str]) -> dict[str, World]:
    async def go() -> dict[str, World]:
        client = client_of(urls)
        members = scenario.members(scenario.members_default)
        worlds = {arm: await build(scenario, client, urls, SEED, arm, members) for arm in ARMS}
        await client.aclose()
        return worlds

    return trio.run(go)


def shut_gates(world: World) -> None:
    """What the members' levers would do, done at once: both rungs at the first lender, the venue closed to opening."""

    async def go() -> None:
        client = client_of(dict(world.urls))
        until, key = int(time.time()) + 60, b"\x01" * 32
        gates = [
            ("lender-a", "lend-a", "Lending", "set_ltv_zero", "rs"),
            ("lender-a", "lend-a", "Lending", "freeze", "rs"),
            ("venue", "perp", "Perp", "set_reduce_only", "rs"),
        ]
        for role, thing, contract, fn, asset in gates:
            sender = Sender(client, world.home, Account(world.lever_key(role)))
            args = (world.address(asset, "token"), until, False, key)
            await sender.transact(world.address(thing), abi_of(contract), fn, args)
        await client.aclose()

    trio.run(go)


def play_all(worlds: dict[str, World], folder: Path) -> dict[str, list[dict[str, Any]]]:
    context = multiprocessing.get_context("spawn")
    start_ms = int(time.time() * 1000) + 3_000
    running = []
    for arm, world in worlds.items():
        given = actors.spec(world, start_ms=start_ms, out=folder / f"{arm}.jsonl", speed=SPEED)
        for run in (actors.run_attacker, actors.run_crowd, actors.run_people):
            running.append(context.Process(target=run, args=(given,)))
    for process in running:
        process.start()
    for process in running:
        process.join(40)
        if process.is_alive():
            process.kill()
    assert [process.exitcode for process in running] == [0] * len(running)
    return {arm: actors.read_deeds(folder / f"{arm}.jsonl") for arm in worlds}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    scenario = load("forged-bridge-release")
    members = scenario.members(scenario.members_default)
    funded = {at: wei for arm in ARMS for at, wei in accounts(scenario, SEED, arm, members).items()}
    chains = [start_chain("embedded", int(one.removeprefix("eip155:")), funded) for one in chains_of(scenario)]
    try:
        urls = dict(zip(chains_of(scenario), (chain.url for chain in chains)))
        worlds = {arm: World.from_json(world.to_json()) for arm, world in build_all(scenario, urls).items()}
        shut_gates(worlds["tocsin"])
        deeds = play_all(worlds, tmp_path_factory.mktemp("deeds"))

        async def read() -> dict[str, Outcome]:
            client = client_of(urls)
            found = {arm: await measure(world, client, deeds[arm]) for arm, world in worlds.items()}
            await client.aclose()
            return found

        yield Played(scenario, urls, worlds, deeds, trio.run(read))
    finally:
        for chain in chains:
            chain.stop()


def test_the_control_arm_borrows_what_history_borrowed(played: Played) -> None:
    world, outcome = played.worlds["control"], played.outcomes["control"]
    checks = played.scenario.checks("control", outcome.metrics(), world.members)
    assert "replay.control" in [check.name for check in checks]
    assert [check for check in checks if not check.ok] == []


def test_the_first_lender_is_emptied_before_the_second_is_tried(played: Played) -> None:
    posted = [deed["do"] for deed in played.deeds["control"] if deed["event"] == "post" and deed["ok"]]
    assert posted == sorted(posted) and len(posted) == 21 and len(set(posted)) == 2


def test_a_shut_gate_sends_the_attacker_to_the_next_venue(played: Played) -> None:
    outcome = played.outcomes["tocsin"]
    assert outcome.borrowed["lend-a"] == 0
    assert outcome.borrowed["lend-b"] > 0
    refusals = {deed["why"] for deed in played.deeds["tocsin"] if deed["do"] == "lend-a.post_and_borrow"}
    assert refusals == {"frozen"}


def test_what_one_gate_saved_is_the_difference_of_the_arms(played: Played) -> None:
    control, tocsin = played.outcomes["control"], played.outcomes["tocsin"]
    assert 0 < blocked_usd(control, tocsin) == control.obtained_usd - tocsin.obtained_usd


def test_the_second_forged_message_is_refused_in_both_arms_as_in_history(played: Played) -> None:
    assert [played.outcomes[arm].forged_refused["rs"] for arm in ARMS] == [1, 1]
    assert [played.outcomes[arm].forged_released["rs"] for arm in ARMS] == [116_500, 116_500]


def test_honest_users_leave_and_repay_through_shut_gates(played: Played) -> None:
    assert dict(played.outcomes["tocsin"].blocked) == {"repay": 0, "withdraw": 0, "close": 0}


def test_honest_messages_are_on_their_way_both_ways(played: Played) -> None:
    ways = {deed["do"] for deed in played.deeds["control"] if deed["event"] == "in-flight" and deed["ok"]}
    assert ways == {"rs.send_out", "rs.send_home"}


def test_both_times_of_a_deed_are_recorded(played: Played) -> None:
    pause = next(deed for deed in played.deeds["control"] if deed["event"] == "people")
    assert (pause["history_s"], pause["play_s"]) == (46 * 60, round(46 / SPEED, 3))


def test_lies_are_refuted_or_say_nothing_about_their_subject(played: Played) -> None:
    world = played.worlds["tocsin"]
    bridges, oracles = world.register()
    epoch = Epoch(NetworkId(b"n" * 32), 0, EpochHash(b"e" * 32), 0, (), bridges=bridges, oracles=oracles)

    async def believed() -> list[str]:
        client = client_of(played.urls)
        verifier = EvmVerifier(client, lambda: epoch)
        found = []
        for lie in lies_of(world, SEED):
            verdict = await verifier.verify(lie.claim.claim, lie.claim.blob)
            right = verdict.ruling is Ruling.REFUTED if lie.which == "altered" else str(verdict.subject) != lie.subject
            found += [] if right else [lie.says]
        await client.aclose()
        return found

    assert trio.run(believed) == []


def test_a_node_is_told_addresses_and_policies_that_parse(played: Played) -> None:
    world = played.worlds["tocsin"]
    lease_ms = {Level[name]: int(lease_s * 1000) for name, lease_s in played.scenario.run.lease_s.items()}
    for role in world.members:
        policy = parse_text(world.policy_for(role))
        targets = world.targets_for(role, key_file="lever.key")
        assert check(policy, DECLARED, lease_ms, n_groups=7, f=2) == ()
        assert {one.target for one in policy.exposures.values()} <= set(targets)
    assert world.targets_for("hop2", "k")["lend-c"]["key_file"] == "k"
    assert "key_file" not in world.targets_for("hop2", "k")["lend-b"]
