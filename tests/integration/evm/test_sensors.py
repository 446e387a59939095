"""Sensors on real chains: they report what anybody can re-run, and honest traffic in no way."""

from collections.abc import Awaitable, Callable

import trio

from adapters.evm.readers import Holding, readers_for
from adapters.evm.sensors import BridgeSensor
from adapters.evm.state_sensors import BackingSensor, OracleSensor
from protocol.evidence import Ruling
from protocol.messages import Basis, Level, Threat
from tests.integration.evm.world import E18, ESCROWED, HOME, PEOPLE, World, world


def tell(chains, story: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        async with world(chains) as scene:
            await story(scene)

    trio.run(run)


def made(scene: World, kind: type) -> object:
    return kind("watch", scene.client, lambda: scene.epoch, 50)


def test_a_forged_release_among_honest_ones_is_the_only_one_reported(chains):
    async def story(scene: World) -> None:
        await scene.open_bridge()
        for amount in (5 * E18, 7 * E18):
            await scene.deliver(await scene.burn(amount), "honest", amount)
        # the forger chooses the message's number, and chooses the largest there is
        await scene.deliver(2**256 - 1, "attacker", 116_500 * E18)
        await scene.deliver(await scene.burn(E18), "honest", E18)
        sensor = made(scene, BridgeSensor)
        (seen,) = await scene.watch(sensor, want=1)
        assert (seen.level, seen.basis, seen.threat) == (Level.ISOLATE, Basis.VERIFIED, Threat.BRIDGE_FORGERY)
        assert seen.sources == ("p1.home", "p2.home", "p1.far", "p2.far")
        (claim,) = seen.claims
        assert (await scene.verifier.verify(claim.claim, claim.blob)).ruling is Ruling.SUPPORTS
        assert await scene.watch(sensor, want=0, within_s=0.3) == []

    tell(chains, story)


def test_a_drain_is_reported_by_the_second_in_which_it_began_and_by_every_sensor_alike(chains):
    async def story(scene: World) -> None:
        await scene.open_bridge()
        await scene.second_over()
        await scene.deliver(77, "attacker", 116_500 * E18)
        (first,) = await scene.watch(made(scene, BackingSensor), want=1)
        assert (first.level, first.threat) == (Level.ISOLATE, Threat.UNBACKED_SUPPLY)
        await scene.second_over()
        (late,) = await scene.watch(made(scene, BackingSensor), want=1)
        assert late.claims[0].claim.id == first.claims[0].claim.id
        assert (await scene.verifier.verify(late.claims[0].claim, late.claims[0].blob)).ruling is Ruling.SUPPORTS

    tell(chains, story)


def test_honest_messages_a_burn_and_a_donation_move_nobody(chains):
    async def story(scene: World) -> None:
        await scene.open_bridge()
        await scene.do("honest", "twin", "burn", E18)
        await scene.do("owner", "rs", "transfer", scene.at["escrow"], 2 * E18)
        seen = []

        async def traffic() -> None:
            for _ in range(4):
                await scene.deliver(await scene.burn(3 * E18), "honest", 3 * E18)
                await trio.sleep(0.2)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(traffic)
            for kind in (BackingSensor, BridgeSensor):
                seen += await scene.watch(made(scene, kind), want=0, within_s=1.2)
        assert seen == []

    tell(chains, story)


def test_an_immaterial_shortfall_is_reported_for_looking(chains):
    async def story(scene: World) -> None:
        await scene.open_bridge()
        await scene.second_over()
        await scene.deliver(77, "attacker", ESCROWED // 100_000)
        (seen,) = await scene.watch(made(scene, BackingSensor), want=1)
        assert seen.level is Level.WATCH

    tell(chains, story)


def test_a_feed_that_left_its_reference_is_reported_once_by_the_block_where_it_left(chains):
    async def story(scene: World) -> None:
        await scene.open_feed()
        sensor = made(scene, OracleSensor)
        assert await scene.watch(sensor, want=0, within_s=0.2) == []
        await scene.do("owner", "feed", "push", 1_100 * E18)
        (guard,) = await scene.watch(sensor, want=1)
        await scene.do("owner", "feed", "push", 1_300 * E18)
        (isolate,) = await scene.watch(sensor, want=1)
        assert (guard.level, isolate.level) == (Level.GUARD, Level.ISOLATE)
        assert await scene.watch(sensor, want=0, within_s=1.3) == []

    tell(chains, story)


def test_exposure_is_read_from_the_market(chains):
    async def story(scene: World) -> None:
        await scene.open_lending()
        await scene.do("attacker", "lend", "borrow", 50 * E18)
        held = Holding(HOME, scene.at["lend"], scene.at["rs"], 2_000.0, position=PEOPLE["owner"].address)
        readers = readers_for("lending", scene.client, held)
        reserve = await readers["lending.reserve"].read("lend", 5)
        assert (reserve.usd, reserve.unit_usd, reserve.utilisation) == (400_000.0, 2_000.0, 0.05)
        pool = await readers["lending.utilisation"].read("hop2", 5)
        assert (pool.usd, pool.utilisation, pool.at_ms) == (2_000_000.0, 0.05, 5)

    tell(chains, story)


def test_open_interest_and_backing_are_read_in_usd(chains):
    async def story(scene: World) -> None:
        await scene.open_perp()
        await scene.do("honest", "perp", "open", scene.at["rs"], -10 * E18)
        held = Holding(HOME, scene.at["perp"], scene.at["rs"], None, usd_oracle=scene.at["feed"])
        assert (await readers_for("perp", scene.client, held)["perp.open_interest"].read("perp", 0)).usd == 10.0
        await scene.open_bridge()
        held = Holding(HOME, scene.at["escrow"], scene.at["rs"], 2.0)
        assert (await readers_for("escrow", scene.client, held)["escrow.backing"].read("rs", 0)).usd == 314_000.0

    tell(chains, story)


def test_what_cannot_be_read_is_unknown_and_never_nothing(chains):
    async def story(scene: World) -> None:
        await scene.open_lending()
        unpriced = Holding(HOME, scene.at["lend"], scene.at["rs"], None)
        reading = await readers_for("lending", scene.client, unpriced)["lending.reserve"].read("lend", 0)
        assert reading.usd is None and "usd_per_loan_unit" in reading.detail and reading.utilisation == 0.0
        nowhere = Holding(HOME, b"\x05" * 20, scene.at["rs"], 1.0)
        reading = await readers_for("lending", scene.client, nowhere)["lending.reserve"].read("lend", 0)
        assert reading.usd is None and "no contract answers" in reading.detail

    tell(chains, story)
