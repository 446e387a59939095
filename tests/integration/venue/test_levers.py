"""Restrictions at a running venue: whom each stops, whose it is, and that the venue is believed in nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import trio

from adapters.api import Beyond, ExpiresBy
from node.dispatch import STEP_S_MAX
from protocol.ids import ActionKey
from tests.integration.venue.document import target
from tests.integration.venue.scene import ATTACKS, KEY, OTHER_KEY, Node, Site, pull

pytestmark = pytest.mark.network


@pytest.mark.parametrize("scheme", ["hmac-sha256", "rfc9421"])
def test_each_action_stops_its_attack_and_lets_it_go_again(tmp_path: Path, scheme: str):
    site = Site(tmp_path, scheme)
    site.start()

    async def story(node: Node) -> None:
        for at, action in enumerate(ATTACKS):
            lever, given = node.lever(action), node.order(action, key=ActionKey(bytes([at + 1]) * 32))
            assert site.trades(action), action
            await pull(lever, given)
            assert not site.trades(action), action
            undone = await lever.undo(given)
            assert undone.ok, undone.says
            assert site.trades(action) and not (await lever.read_back(given)).ok

    try:
        site.tell(story)
    finally:
        site.stop()


def test_a_plan_names_the_call_and_who_ends_it(site: Site):
    async def story(node: Node) -> None:
        halt, margin = node.lever("halt"), node.lever("margin")
        said = (await halt.plan(node.order("halt"))).says
        assert "POST /v1/pairs/{pair}/halt (haltPair)" in said and "ended by the venue itself" in said
        assert halt.declared.expires_by is ExpiresBy.TARGET and margin.declared.expires_by is ExpiresBy.NODE
        assert "lifted by this node" in (await margin.plan(node.order("margin"))).says and site.effects() == 0

    site.tell(story)


def test_a_repeat_under_one_key_changes_nothing(site: Site):
    async def story(node: Node) -> None:
        lever, given = node.lever("halt"), node.order("halt")
        await pull(lever, given)
        assert site.effects() == 1
        again = await node.lever("halt").apply(await lever.plan(given))
        assert again.ok and again.reference == KEY.hex() and "nothing sent" in again.says and site.effects() == 1

    site.tell(story)


def test_what_a_person_lifted_is_halted_again_under_another_key_only(site: Site):
    async def story(node: Node) -> None:
        lever, given = node.lever("halt"), node.order("halt")
        await pull(lever, given)
        site.books("update pairs set status = 'trading', reason = 'ops: false alarm'")
        again = await lever.apply(await lever.plan(given))
        assert again.ok and "done before under this key" in again.says and site.trades("halt")
        await pull(lever, node.order("halt", key=OTHER_KEY))
        assert not site.trades("halt")

    site.tell(story)


def test_without_a_record_to_look_at_the_venues_own_idempotency_keeps_a_key_from_acting_twice(site: Site):
    async def story(node: Node) -> None:
        lever, given = node.lever("margin"), node.order("margin")
        await pull(lever, given)
        site.books("update pairs set margin_bps = 1000, reason = 'ops'")
        await lever.apply(await lever.plan(given))
        assert site.effects() == 1 and not (await lever.read_back(given)).ok

    site.tell(story)


def test_a_persons_halt_is_neither_sent_again_nor_lifted(site: Site):
    site.books("update pairs set status = 'reduce_only', reason = 'ops: by hand'")

    async def story(node: Node) -> None:
        lever, given = node.lever("reduce_only"), node.order("reduce_only")
        assert (await lever.plan(given)).already and (await pull(lever, given)).reference == ""
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says and site.effects() == 0

    site.tell(story)


def test_a_person_who_restricts_again_after_us_has_made_it_theirs(site: Site):
    async def story(node: Node) -> None:
        lever, given = node.lever("margin"), node.order("margin")
        await pull(lever, given)
        site.books("update pairs set margin_bps = 7000, reason = 'ops: higher still'")
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says
        assert site.books("select margin_bps from pairs") == [(7000,)]

    site.tell(story)


def test_a_note_that_somebody_typed_is_not_taken_for_ours(site: Site):
    async def story(node: Node) -> None:
        lever, given = node.lever("margin"), node.order("margin")
        await pull(lever, given)
        ((reason,),) = site.books("select reason from pairs")
        forged = reason[:-1] + ("0" if reason[-1] != "0" else "1")
        site.books("update pairs set reason = ?", forged)
        undone = await lever.undo(given)
        assert undone.ok and "left alone" in undone.says and site.effects() == 1

    site.tell(story)


def test_a_note_of_ours_for_one_thing_says_nothing_of_another_in_the_same_field(site: Site):
    async def story(node: Node) -> None:
        await pull(node.lever("margin"), node.order("margin"))
        site.books("update pairs set status = 'reduce_only'")
        undone = await node.lever("reduce_only").undo(node.order("reduce_only"))
        assert undone.ok and "left alone" in undone.says
        assert site.books("select status from pairs") == [("reduce_only",)]

    site.tell(story)


def test_what_stood_is_put_back_by_a_node_that_lost_its_disk(site: Site):
    site.books("update pairs set margin_bps = 1234")

    async def first(node: Node) -> None:
        await pull(node.lever("margin"), node.order("margin"))

    async def second(node: Node) -> None:
        assert (await node.lever("margin").undo(node.order("margin"))).ok

    site.tell(first)
    site.tell(second)
    assert site.books("select margin_bps from pairs") == [(1234,)]


def test_a_lift_that_would_take_a_persons_restriction_along_is_refused_before_anything_is_sent(site: Site):
    site.books("update pairs set status = 'reduce_only', reason = 'ops'")

    async def story(node: Node) -> None:
        lever = node.lever("halt")
        found = await lever.apply(await lever.plan(node.order("halt")))
        assert not found.ok and not found.retryable and "its lift would leave trading" in found.says
        assert site.effects() == 0

    site.tell(story)


def test_a_longer_lease_prolongs_ours_and_its_end_lifts_it(site: Site):
    async def story(node: Node) -> None:
        lever, short, long = node.lever("halt"), node.order("halt", 60), node.order("halt", 900)
        await pull(lever, short)
        await pull(lever, long)
        assert site.books("select until_ms from pairs") == [(long.until_ms,)]
        assert (await lever.undo(long)).ok and site.trades("halt")

    site.tell(story)


def test_a_persons_shorter_halt_is_not_written_over(site: Site):
    theirs = int((time.time() + 60) * 1000)
    site.books("update pairs set status = 'halted', reason = 'ops', until_ms = ?", theirs)

    async def story(node: Node) -> None:
        lever, given = node.lever("halt"), node.order("halt", 600)
        found = await lever.apply(await lever.plan(given))
        assert not found.ok and found.retryable and "not written over" in found.says and site.effects() == 0

    site.tell(story)


def test_the_venue_ends_it_with_nobody_awake(site: Site):
    async def story(node: Node) -> None:
        lever, given = node.lever("halt"), node.order("halt", 1.2)
        await pull(lever, given)
        await trio.sleep(given.until_ms / 1000 - time.time() + 0.01)
        shown = await lever.read_back(given)
        assert not shown.ok and shown.until_ms == 0 and site.trades("halt")
        assert "nothing sent" in (await lever.undo(given)).says

    site.tell(story)


def test_a_lease_beyond_the_longest_is_not_sent(site: Site):
    async def story(node: Node) -> None:
        lever = node.lever("halt")
        found = await lever.simulate(await lever.plan(node.order("halt", 7200)))
        assert not found.ok and "shorten it" in found.says and site.effects() == 0

    site.tell(story)


# --- what its key could do


def test_what_the_key_may_besides_is_told_by_the_venues_own_list(site: Site):
    async def narrow(node: Node) -> None:
        assert await node.lever("halt").beyond() == Beyond(2, ("account:read",))

    async def wide(node: Node) -> None:
        assert (await node.lever("halt").beyond()).may == ("keys:create", "withdrawals:create")

    site.tell(narrow)
    site.tell(wide, target(site.url, site.scheme).replace('"node-1"', '"node-wide"'))


def test_a_right_that_the_key_has_not_is_named_before_it_is_needed(site: Site):
    async def story(node: Node) -> None:
        found = await node.lever("halt").simulate(await node.lever("halt").plan(node.order("halt")))
        assert not found.ok and "no right trading:stop" in found.says

    site.tell(story, target(site.url, site.scheme).replace('needs = ["trading:restrict"]', 'needs = ["trading:stop"]'))


def test_another_key_is_refused_and_the_secret_is_in_no_word_of_it(site: Site):
    async def story(node: Node) -> None:
        found = await node.lever("halt").simulate(await node.lever("halt").plan(node.order("halt")))
        assert not found.ok and not found.retryable and "refuses this key for getPair (HTTP 401)" in found.says
        assert "another secret" not in found.says + repr(node.lever("halt")._door.signature)

    site.tell(story, secret=b"another secret, of nobody")


# --- a second address


def test_two_addresses_that_differ_are_believed_by_nobody(site: Site, tmp_path: Path):
    other = Site(tmp_path / "other")
    other.folder.mkdir()
    other.start()
    text = target(site.url, site.scheme, f'second_url = "{other.url}"\n')

    async def story(node: Node) -> None:
        lever, given = node.lever("margin"), node.order("margin")
        assert (await lever.apply(await lever.plan(given))).ok
        shown = await lever.read_back(given)
        assert not shown.ok and not shown.answered and shown.retryable and "different things" in shown.says
        other.stop()
        assert (await lever.read_back(given)).ok, "one that is down is left out"

    try:
        site.tell(story, text)
    finally:
        other.stop()


def test_an_address_that_hangs_takes_no_step_longer_than_it_has(site: Site, tmp_path: Path):
    other = Site(tmp_path / "other")
    other.folder.mkdir()
    other.start()
    other.mood("always hang")
    text = target(site.url, site.scheme, f'second_url = "{other.url}"\n')

    async def story(node: Node) -> None:
        lever, given = node.lever("margin"), node.order("margin")
        door = lever._door
        assert 3 * door._whole_s < STEP_S_MAX, "undo asks three times, one after another"
        door._try_s, door._whole_s = 0.2, 0.5
        began = time.monotonic()
        assert (await lever.apply(await lever.plan(given))).ok and (await lever.undo(given)).ok
        assert time.monotonic() - began < 5

    try:
        site.tell(story, text)
    finally:
        other.stop()


def test_what_is_sent_is_what_the_document_says(site: Site):
    """The note of every action fits the reason, and is whole there."""

    async def story(node: Node) -> None:
        await pull(node.lever("margin"), node.order("margin"))
        ((reason,),) = site.books("select reason from pairs")
        assert reason.startswith(f"tocsin 1 {KEY.hex()} ") and len(reason) <= 300
        ((request,),) = site.books("select request from done")
        assert json.loads(request[request.index("{") :]) == {"margin_bps": 5000, "reason": reason}

    site.tell(story)


def test_a_persons_halt_without_an_end_stands_already_and_is_not_given_one(site: Site):
    """Ours would have ended it: the venue ends what bears an end."""

    async def story(node: Node) -> None:
        site.books("update pairs set status = 'halted', reason = 'ops', until_ms = 0")
        lever, given = node.lever("halt"), node.order("halt")
        assert (await lever.plan(given)).already
        applied = await lever.apply(await lever.plan(given))
        assert applied.ok and "nothing sent" in applied.says and site.effects() == 0
        assert "left alone" in (await lever.undo(given)).says and not site.trades("halt")

    site.tell(story)


def test_an_order_whose_end_has_come_is_not_sent(site: Site):
    async def story(node: Node) -> None:
        lever, given = node.lever("halt"), node.order("halt", seconds=-5)
        for outcome in (await lever.simulate(await lever.plan(given)), await lever.apply(await lever.plan(given))):
            assert not outcome.ok and "has come; nothing sent" in outcome.says
        assert site.effects() == 0

    site.tell(story)
