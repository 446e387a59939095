"""The facts of a lever, first those that every target has, then those that need a hook of the case."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import trio

from adapters.api import LeverOrder, Outcome
from adapters.conformance.declared import check_declared
from adapters.conformance.fact import Book, Broken, Fact, NotTried, check_sentence, check_silent, listening
from adapters.conformance.lever_case import LeverCase, Scene, Watched, played

BOOK: Book[Scene] = Book()
CUT_AT = (0.02, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.97)
"""Shares of the time that one apply takes, at which it is cancelled."""
CANCEL_S_MAX = 2.0
"""A cancelled step ends within this, or a node that is stopped waits for it."""
FINISH_TRIES = 20
LATER_S = 60.0
OVER_S = 3_600.0
NUMBERS = (0, -1, 1, 2**63, 2**256)
"""Ends that no target has."""


def lever_facts(make: Callable[[], LeverCase]) -> tuple[Fact, ...]:
    """`make` gives a case on a free target; it is called once for each fact, and mostly is the class itself."""
    return BOOK.of(played(make))


@BOOK.fact
async def what_is_declared_is_consistent(scene: Scene) -> None:
    """Names as a policy may repeat them, an end above zero, what closes nothing low on the ladder, what cannot be
    undone left to people, one sentence for them."""
    check_declared(scene.lever.declared)


@BOOK.fact
async def a_plan_sends_nothing(scene: Scene) -> None:
    """A plan reads and says what would be done, of this very order."""
    async with scene.untouched("plan"):
        plan = await scene.lever.plan(scene.order)
    if plan.order != scene.order:
        raise Broken("the plan is of another order")
    if plan.already:
        raise Broken("the plan says that it stands already, and the target stands free")


@BOOK.fact
async def a_simulation_sends_nothing(scene: Scene) -> None:
    """A simulation tries the very call and leaves no trace; on a free target it says yes."""
    plan = await scene.lever.plan(scene.order)
    async with scene.untouched("simulate"):
        outcome = await scene.lever.simulate(plan)
    if not outcome.ok:
        raise Broken(f"simulate said no: {outcome.says}")


@BOOK.fact
async def read_back_is_the_targets_word(scene: Scene) -> None:
    """No before, yes during and no after, each as the target itself shows it."""
    free = await scene.case.shows()
    await _shown(scene, False, "before")
    await scene.apply()
    if await scene.case.shows() == free:
        raise Broken(f"apply said yes and the target still shows {free!r}")
    found = await _shown(scene, True, "during")
    if scene.lever.declared.closes and found.until_ms < scene.order.until_ms:
        raise Broken(f"read_back said yes until {found.until_ms}, before the order's end {scene.order.until_ms}")
    scene.reversible()
    await scene.undo()
    await _shown(scene, False, "after")


@BOOK.fact
async def reading_sends_nothing(scene: Scene) -> None:
    """Neither of a free target nor of a restricted one."""
    async with scene.untouched("read_back of a free target"):
        await scene.lever.read_back(scene.order)
    await scene.apply()
    async with scene.untouched("read_back of a restricted target"):
        await scene.lever.read_back(scene.order)


async def _shown(scene: Scene, wanted: bool, when: str) -> Outcome:
    found = await scene.lever.read_back(scene.order)
    if found.ok is not wanted:
        raise Broken(f"read_back {when} said {'yes' if found.ok else 'no'}: {found.says}")
    if not found.answered:
        raise Broken(f"read_back {when} says that it was not answered, and the target is there")
    return found


@BOOK.fact
async def applied_twice_is_one_effect(scene: Scene) -> None:
    """The same order again sends nothing and says yes."""
    await scene.apply()
    async with scene.untouched("apply again"):
        await scene.apply()


@BOOK.fact
async def a_restart_forgets_nothing(scene: Scene) -> None:
    """A lever made anew, without any memory, neither acts again nor fails to undo."""
    _keeps(scene)
    free = await scene.case.shows()
    await scene.apply()
    scene.lever = scene.made()
    async with scene.untouched("apply after a restart"):
        await scene.apply()
    scene.reversible()
    scene.lever = scene.made()
    await scene.undo()
    await _stands_as(scene, free, "undo after a restart")


def _keeps(scene: Scene) -> None:
    if not scene.case.keeps_keys:
        raise NotTried("the target keeps no memory of what was done")


async def _stands_as(scene: Scene, wanted: object, what: str) -> None:
    shows = await scene.case.shows()
    if shows != wanted:
        raise Broken(f"{what}: the target shows {shows!r}, and {wanted!r} stood before")


@BOOK.fact
async def a_later_end_is_a_renewal(scene: Scene) -> None:
    """The same key until later is taken, read back until later, and undone as one."""
    free = await scene.case.shows()
    await scene.apply()
    later = replace(scene.order, until_ms=scene.order.until_ms + int(LATER_S * 1000))
    await scene.apply(later)
    found = await scene.lever.read_back(later)
    if not found.ok:
        raise Broken(f"read_back of the later end said no: {found.says}")
    scene.reversible()
    await scene.undo(later)
    await _stands_as(scene, free, "undo of the later end")


@BOOK.fact
async def undo_puts_back_what_stood(scene: Scene) -> None:
    """And no default of its own."""
    scene.reversible()
    free = await scene.case.shows()
    await scene.apply()
    await scene.undo()
    await _stands_as(scene, free, "undo")


@BOOK.fact
async def undone_twice_is_harmless(scene: Scene) -> None:
    """The second undo finds nothing of its own, sends nothing and says yes."""
    scene.reversible()
    await scene.apply()
    await scene.undo()
    async with scene.untouched("undo again"):
        await scene.undo()


@BOOK.fact
async def undo_of_nothing_sends_nothing(scene: Scene) -> None:
    """Where this key never acted there is nothing to lift."""
    scene.reversible()
    async with scene.untouched("undo of nothing"):
        await scene.undo()


@BOOK.fact
async def an_undone_key_never_acts_again(scene: Scene) -> None:
    """The same order after its undo sends nothing, whatever it says; after a restart too."""
    scene.reversible()
    await scene.apply()
    await scene.undo()
    await _spent(scene, "an undone key")


async def _spent(scene: Scene, what: str) -> None:
    levers = [scene.lever, scene.made()] if scene.case.keeps_keys else [scene.lever]
    for lever in levers:
        async with scene.untouched(f"apply of {what}"):
            await lever.apply(await lever.plan(scene.order))


@BOOK.fact
async def too_long_an_order_is_refused(scene: Scene) -> None:
    """An end beyond what is declared is not sent, by simulate nor by apply."""
    await _refused(scene, scene.until(scene.lever.declared.max_ms / 1000 + OVER_S), "an order beyond the longest")


@BOOK.fact
async def an_order_that_has_ended_is_refused(scene: Scene) -> None:
    """A process may have been stopped between the decision and the step: what has ended restricts nobody."""
    await _refused(scene, scene.until(-LATER_S), "an order that has ended")


@BOOK.fact
async def nonsense_numbers_are_refused(scene: Scene) -> None:
    """Ends at zero, below it and beyond any clock: an answer of no, nothing sent, nothing raised."""
    for number in NUMBERS:
        await _refused(scene, replace(scene.order, until_ms=number), f"an end of {number}")


async def _refused(scene: Scene, order: LeverOrder, what: str) -> None:
    async with scene.untouched(what):
        plan = await scene.lever.plan(order)
        for name, step in (("simulate", scene.lever.simulate), ("apply", scene.lever.apply)):
            outcome = await step(plan)
            if outcome.ok:
                raise Broken(f"{what}: {name} said yes: {outcome.says}")
        await scene.lever.read_back(order)
        if scene.lever.declared.reversible:
            await scene.lever.undo(order)


@BOOK.fact
async def cut_short_it_is_finished_later(scene: Scene) -> None:
    """Cancelled at any moment it ends at once; the same order again, by a lever made anew, makes it one effect."""
    scene.reversible()
    _keeps(scene)
    free, first = await scene.case.shows(), scene.other(0)
    begun = trio.current_time()
    await scene.apply(first)
    took_s = trio.current_time() - begun
    await scene.undo(first)
    for number, share in enumerate(CUT_AT, 1):
        order, sent = scene.other(number), await scene.case.sent()
        await _cut_short(scene, order, took_s * share)
        await _finished(scene.made(), order)
        more = await scene.case.sent() - sent
        if more != 1:
            raise Broken(f"cancelled after {share:.0%} of its time and applied again: {more} sent and not 1")
        await scene.undo(order)
        await _stands_as(scene, free, f"undo of what was cancelled after {share:.0%} of its time")


async def _cut_short(scene: Scene, order: LeverOrder, after_s: float) -> None:
    lever = scene.case.lever()
    begun = trio.current_time()
    with trio.move_on_after(after_s):
        await lever.apply(await lever.plan(order))
    if trio.current_time() - begun > after_s + CANCEL_S_MAX:
        raise Broken(f"it did not end within {CANCEL_S_MAX:g} s of its cancellation")


async def _finished(lever: Watched, order: LeverOrder) -> None:
    says = ""
    for _ in range(FINISH_TRIES):
        outcome = await lever.apply(await lever.plan(order))
        if outcome.ok:
            return
        says = outcome.says
        await trio.sleep(0.1)
    raise Broken(f"what was cancelled cannot be finished: {says}")


@BOOK.fact
async def what_is_said_is_a_line(scene: Scene) -> None:
    """Every plan and every outcome says one printable line of at most a thousand characters."""
    plan = await scene.lever.plan(scene.order)
    check_sentence("the plan", plan.says)
    for name, step in (("simulate", scene.lever.simulate), ("apply", scene.lever.apply)):
        check_sentence(f"the outcome of {name}", (await step(plan)).says)
    for name, look in (("read_back", scene.lever.read_back), ("undo", scene.lever.undo)):
        check_sentence(f"the outcome of {name}", (await look(scene.order)).says)


@BOOK.fact
async def beyond_sends_nothing(scene: Scene) -> None:
    """What else the credential could do is tried without an effect."""
    tries = getattr(scene.lever.inner, "beyond", None)
    if tries is None:
        raise NotTried("this lever cannot tell what else its credential could do")
    async with scene.untouched("beyond"):
        found = await tries()
    if found.tried < len(found.may):
        raise Broken(f"it may do {len(found.may)} of {found.tried} things that were tried")


# --- with somebody else at the target


@BOOK.fact
async def undo_leaves_what_a_person_set_before(scene: Scene) -> None:
    """Somebody restricted first: whatever apply makes of that, an undo leaves theirs standing."""
    scene.reversible()
    await scene.case.person_restricts()
    await scene.apply()
    await scene.undo()
    await _persons(scene)


@BOOK.fact
async def undo_leaves_what_a_person_set_since(scene: Scene) -> None:
    """Somebody made it theirs after us: an undo leaves it standing, once and again."""
    scene.reversible()
    await scene.apply()
    await scene.case.person_restricts()
    for lever in (scene.lever, scene.made() if scene.case.keeps_keys else scene.lever):
        await lever.undo(scene.order)
    await _persons(scene)


async def _persons(scene: Scene) -> None:
    if not await scene.case.persons_stands():
        raise Broken("undo lifted what somebody else had set")


@BOOK.fact
async def a_key_that_a_person_lifted_never_acts_again(scene: Scene) -> None:
    """Who lifted it decided so: the same order does not restrict anew, and read_back says that nothing stands."""
    await scene.apply()
    await scene.case.person_lifts()
    await _shown(scene, False, "after a person lifted it")
    await _spent(scene, "a key that a person lifted")


# --- with a target that is away


@BOOK.fact
async def a_target_that_is_away_is_an_answer(scene: Scene) -> None:
    """No step raises or says yes, each says that nobody answered, and all is well when the target is back."""
    before = await scene.lever.plan(scene.order)
    await scene.case.cut()
    plan = await scene.lever.plan(scene.order)
    if plan.already:
        raise Broken("the plan says that it stands already, and nobody answers")
    lever, order = scene.lever, scene.order
    for name, step in (("simulate", lever.simulate), ("apply", lever.apply)):
        _unanswered(name, await step(before))
    for name, look in (("read_back", lever.read_back), ("undo", lever.undo)):
        _unanswered(name, await look(order))
    await scene.case.mend()
    await _finished(lever, order)


def _unanswered(name: str, outcome: Outcome) -> None:
    if outcome.ok or outcome.answered or outcome.until_ms:
        raise Broken(f"{name} of a target that is away: {outcome}")


# --- what nobody may read


@BOOK.fact
async def secrets_are_never_said(scene: Scene) -> None:
    """Not in a plan, an outcome, a log line or the lever's repr, where all goes well and where the target is away."""
    if not scene.case.secrets:
        raise NotTried("the case names no secret")
    async with listening(scene.said):
        for order in (scene.order, scene.until(-LATER_S)):
            await _everything(scene, order)
        with contextlib.suppress(NotTried):
            await scene.case.cut()
            await _everything(scene, scene.order)
    lever = scene.lever.inner
    check_silent(scene.case.secrets, [*scene.said, repr(lever), str(lever), repr(lever.declared)])


async def _everything(scene: Scene, order: LeverOrder) -> None:
    plan = await scene.lever.plan(order)
    await scene.lever.simulate(plan)
    await scene.lever.apply(plan)
    await scene.lever.read_back(order)
    await scene.lever.undo(order)
