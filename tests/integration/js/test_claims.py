"""A forged release on real chains: a sensor of ours sees it, and the foreign member re-runs the claim at its own
providers before it says the same. Its verdict is the third of the three that ISOLATE needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from node.control import Control
from node.testnet.chain_process import ChainProcess, start_chain
from tests.integration.evm.world import E18, FAR, FUNDED, HOME, World, world
from tests.integration.js.foreign import ISOLATE, OURS, THEIRS, MixedSite
from tests.integration.js.node import needs_node
from tests.integration.network.site import wait_for

pytestmark = [pytest.mark.network, pytest.mark.interop]
UP = OURS[:2]
WATCHER = UP[0]


@pytest.fixture(scope="module")
def chains() -> Iterator[tuple[ChainProcess, ChainProcess]]:
    needs_node()
    started = [start_chain("embedded", chain_id, FUNDED) for chain_id in (1, 130)]
    yield started[0], started[1]
    for chain in started:
        chain.stop()


async def bridge_opened(chains: Any) -> World:
    async with world(chains) as made:
        await made.open_bridge()
        return made


async def released(chains: Any, at: World, nonce: int, amount: int, burn: bool) -> int:
    """A release at home, with or without the burn on far that it needs."""
    async with world(chains) as again:
        again.at, again.epoch = at.at, at.epoch
        used = await again.burn(amount) if burn else nonce
        await again.second_over()
        await again.deliver(used, "honest" if burn else "attacker", amount)
        return used


@pytest.fixture(scope="module")
def stage(chains: Any) -> World:
    return trio.run(bridge_opened, chains)


@pytest.fixture(scope="module")
def site(chains: Any, stage: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MixedSite]:
    site = MixedSite(tmp_path_factory.mktemp("claims"))
    (bridge,) = stage.epoch.bridges
    row = f"{bridge.asset}={HOME}=0x{bridge.escrow.hex()}={FAR}=0x{bridge.twin.hex()}"
    places = (("home", HOME, chains[0].url), ("far", FAR, chains[1].url))
    sources = [f"--source={one}-{place}={one}={chain}" for one in (*OURS, THEIRS) for place, chain, _ in places]
    site.found_together(f"--bridge={row}", *sources)
    for name in UP:
        lines = [
            f'[[connection]]\nid = "{name}-{place}"\nchain = "{chain}"\nurl = "{url}"\n' for place, chain, url in places
        ]
        path = site.config(name)
        path.write_text(path.read_text() + "\n" + "\n".join(lines))
    path = site.config(WATCHER)
    path.write_text(path.read_text() + '\n[sensor.bridge]\nkind = "evm.bridge"\npoll_ms = 200\n')
    theirs = {f"{THEIRS}-{place}": {"chain": chain, "url": url} for place, chain, url in places}
    (site.folder / "chains.json").write_text(json.dumps(theirs))
    yield site
    site.close()


def test_a_release_that_was_burned_alarms_nobody_and_a_forged_one_isolates_with_its_verdict(
    site: MixedSite, stage: World, chains: Any
) -> None:
    site.up(*UP)
    foreign = site.start_foreign("--chains", site.folder / "chains.json")
    site.meshed(*UP, hears=3)
    foreign.reaches("all three are up", lambda told: told["up"] == list(UP))
    trio.run(released, chains, stage, 0, 50 * E18, True)
    trio.run(released, chains, stage, 999, 116_500 * E18, False)
    verdict = foreign.until("verdict", ruling="supports")
    assert verdict["level"] == ISOLATE
    for name in UP:
        wait_for(f"isolated at {name}", lambda one=name: site.level(one, "bridge-forgery") == "ISOLATE", 10)
        (alert,) = site.alerts(name)
        assert alert["subject"] == str(stage.epoch.bridges[0].asset)
        (its,) = [one for one in alert["opinions"] if one["author"] == THEIRS]
        assert (its["basis"], its["by_person"], its["level"]) == ("VERIFIED", False, "ISOLATE")
        assert its["sources"] == [f"{THEIRS}-home", f"{THEIRS}-far"]
        assert its["claims"] == [{"type": "evm-release-without-burn", "id": verdict["claim"]}]
        assert sorted(alert["certificate"]["groups"]) == sorted([*UP, THEIRS])
    assert len(foreign.events("verdict")) == 1


def test_after_a_restart_it_answers_nothing_twice(site: MixedSite) -> None:
    assert site.foreign is not None
    said = own_seqs(site)
    site.foreign.kill()
    again = site.start_foreign("--chains", site.folder / "chains.json")
    again.reaches("its own feed is whole", lambda told: theirs_whole(told) >= said)
    site.meshed(*UP, hears=3)
    again.until("entry", author=THEIRS, kind=5)
    assert again.events("verdict") == []
    assert [one for one in site.alerts(WATCHER) if one["level"] != "ISOLATE"] == []


def own_seqs(site: MixedSite) -> int:
    with Control(site.folder / WATCHER / "data" / "control.sock", timeout_s=5.0) as control:
        return next(int(one["whole"]) + 1 for one in control.feeds() if one["author"] == THEIRS)


def theirs_whole(told: dict[str, Any]) -> int:
    return max((int(one["whole"]) for one in told["feeds"] if one["author"] == THEIRS), default=0)
