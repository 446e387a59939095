"""Claims re-run on real chains: what is true is supported up to its ceiling, what is not is refuted."""

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import trio

from protocol.crypto import sha256
from protocol.evidence import Inputs, Judgement, LogSeen, OracleDeviation, Ruling, claim_of
from protocol.messages import Level, Threat
from protocol.subjects import account
from tests.integration.evm.world import E18, ESCROWED, HOME, World, epoch_with, world


def tell(chains, story: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        async with world(chains) as scene:
            await story(scene)

    trio.run(run)


async def rule(scene: World, inputs: Inputs) -> Judgement:
    blob = claim_of(inputs)
    return await scene.verifier.verify(blob.claim, blob.blob)


def test_a_forged_release_supports_isolate_for_the_asset(chains):
    async def story(scene: World) -> None:
        await scene.open_bridge()
        forged = await scene.deliver(77, "attacker", 116_500 * E18)
        await scene.second_over()
        got = await rule(scene, forged)
        assert (got.ruling, got.level, got.threat) == (Ruling.SUPPORTS, Level.ISOLATE, Threat.BRIDGE_FORGERY)
        assert got.subject == scene.epoch.bridges[0].asset and got.amount == 116_500 * E18
        assert got.sources == ("p1.home", "p2.home", "p1.far", "p2.far")

    tell(chains, story)


def test_honest_messages_and_altered_claims_are_refuted(chains):
    async def story(scene: World) -> None:
        await scene.open_bridge()
        honest = await scene.deliver(await scene.burn(50 * E18), "honest", 50 * E18)
        assert "burned just that" in (await rule(scene, honest)).why
        forged = await scene.deliver(77, "attacker", 1_000 * E18)
        await scene.second_over()
        lies = {
            "amount": replace(forged, amount=2_000 * E18),
            "message": replace(forged, nonce=78),
            "recipient": replace(forged, recipient=bytes(20)),
            "another log of the transaction": replace(forged, log_index=forged.log_index + 1),
            "a bridge of the liar's own": replace(forged, escrow=b"\x05" * 20),
        }
        got = {name: (await rule(scene, lie)).ruling for name, lie in lies.items()}
        assert got == dict.fromkeys(lies, Ruling.REFUTED)

    tell(chains, story)


def test_a_real_log_of_another_asset_proves_nothing_of_this_bridge(chains):
    async def story(scene: World) -> None:
        await scene.open_bridge()
        transfer = await scene.do("owner", "rs", "transfer", b"\x06" * 20, E18)
        forged = await scene.deliver(77, "attacker", 1_000 * E18)
        lie = replace(forged, tx=transfer.tx, log_index=transfer.logs[0].index)
        assert (await rule(scene, lie)).ruling is Ruling.REFUTED

    tell(chains, story)


def test_a_small_forgery_stays_below_isolate(chains):
    async def story(scene: World) -> None:
        await scene.open_bridge()
        forged = await scene.deliver(77, "attacker", E18)
        await scene.second_over()
        assert (await rule(scene, forged)).level is Level.WATCH

    tell(chains, story)


def test_a_transaction_that_nobody_here_knows_refutes_nothing(chains):
    async def story(scene: World) -> None:
        await scene.open_bridge()
        forged = replace(await scene.deliver(77, "attacker", E18), tx=b"\x01" * 32)
        assert (await rule(scene, forged)).ruling is Ruling.UNDECIDED

    tell(chains, story)


def test_a_blob_that_is_not_the_claims_is_refuted(chains):
    async def story(scene: World) -> None:
        await scene.open_bridge()
        blob = claim_of(scene.short_at(1))
        assert (await scene.verifier.verify(blob.claim, blob.blob + b"\0")).ruling is Ruling.REFUTED

    tell(chains, story)


async def _drained(scene: World, amount: int) -> tuple[int, int]:
    """Opens a bridge and drains it; (last block of the second before, last block of the drain's second)."""
    await scene.open_bridge()
    await scene.second_over()
    forged = await scene.deliver(77, "attacker", amount)
    await scene.second_over()
    receipt = (await scene.client.receipt(HOME, forged.tx)).value
    first = (await scene.client.block(HOME, receipt.block)).value
    last = first
    while (after := (await scene.client.block(HOME, last.number + 1)).value).timestamp == first.timestamp:
        last = after
    before = first
    while before.timestamp == first.timestamp:
        before = (await scene.client.block(HOME, before.number - 1)).value
    return before.number, last.number


def test_a_drained_escrow_is_unbacked_from_the_second_of_the_drain(chains):
    async def story(scene: World) -> None:
        before, last = await _drained(scene, 116_500 * E18)
        got = await rule(scene, scene.short_at(last))
        assert (got.ruling, got.level, got.threat) == (Ruling.SUPPORTS, Level.ISOLATE, Threat.UNBACKED_SUPPLY)
        assert got.amount == 116_500 * E18
        assert (await rule(scene, scene.short_at(before))).ruling is Ruling.REFUTED
        later = (await scene.client.block(HOME)).value.number
        await scene.second_over()
        if later > last:
            assert "older" in (await rule(scene, scene.short_at(later))).why

    tell(chains, story)


def test_an_immaterial_shortfall_is_something_to_look_at_and_no_more(chains):
    async def story(scene: World) -> None:
        _, last = await _drained(scene, ESCROWED // 100_000)
        got = await rule(scene, scene.short_at(last))
        assert (got.ruling, got.level) == (Ruling.SUPPORTS, Level.WATCH)

    tell(chains, story)


def test_a_block_to_come_is_undecided(chains):
    async def story(scene: World) -> None:
        await scene.open_bridge()
        ahead = (await scene.client.block(HOME)).value.number + 1_000
        assert (await rule(scene, scene.short_at(ahead))).ruling is Ruling.UNDECIDED

    tell(chains, story)


def test_a_log_stands_and_is_no_verdict(chains):
    async def story(scene: World) -> None:
        await scene.open_bridge()
        log = (await scene.do("owner", "rs", "transfer", b"\x06" * 20, E18)).logs[0]
        seen = LogSeen(HOME, log.tx, log.index, log.address, log.topics, sha256(log.data), Threat.CONTRACT_EXPLOIT)
        got = await rule(scene, seen)
        assert (got.ruling, got.level) == (Ruling.SUPPORTS, Level.WATCH)
        assert got.subject == account(HOME, scene.at["rs"])
        assert (await rule(scene, replace(seen, data_hash=bytes(32)))).ruling is Ruling.REFUTED

    tell(chains, story)


def test_a_feed_that_left_its_reference_is_supported_at_the_block_where_it_left(chains):
    async def story(scene: World) -> None:
        await scene.open_feed()
        moved = await scene.do("owner", "feed", "push", 1_300 * E18)
        claim = OracleDeviation(HOME, scene.at["feed"], moved.block)
        got = await rule(scene, claim)
        assert (got.ruling, got.level) == (Ruling.SUPPORTS, Level.ISOLATE)
        assert (await rule(scene, replace(claim, block=moved.block - 1))).ruling is Ruling.REFUTED
        scene.epoch = epoch_with()
        assert (await rule(scene, claim)).ruling is Ruling.REFUTED

    tell(chains, story)


def test_verifying_a_release_takes_tens_of_milliseconds(chains):
    async def story(scene: World) -> None:
        await scene.open_bridge()
        forged = await scene.deliver(77, "attacker", 116_500 * E18)
        await scene.second_over()
        took = []
        for _ in range(15):
            begun = time.perf_counter()
            assert (await rule(scene, forged)).ruling is Ruling.SUPPORTS
            took.append((time.perf_counter() - begun) * 1000)
        print(f"verify a release: p50 {statistics.median(took):.1f} ms, max {max(took):.1f} ms")

    tell(chains, story)
