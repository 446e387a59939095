"""A failing seed made small: options taken away while the same invariant still breaks, then deeds."""

from __future__ import annotations

from dataclasses import replace

from tests.sim.run import Case, deed_numbers, options_of, play

TRIES_MAX = 120


def shrink(case: Case) -> Case:
    """The least case found that breaks the invariant that `case` breaks first; `case` itself where it breaks none."""
    first = play(case).violations
    if not first:
        return case
    wanted, tries = first[0].invariant, 0

    def breaks(smaller: Case) -> bool:
        nonlocal tries
        tries += 1
        return tries <= TRIES_MAX and any(one.invariant == wanted for one in play(smaller).violations)

    for name in sorted(options_of(case).faults) + sorted(set(options_of(case).scripts)):
        smaller = replace(case, without=(*case.without, name))
        if breaks(smaller):
            case = smaller
    for number in deed_numbers(case):
        left = tuple(one for one in deed_numbers(case) if one != number)
        smaller = replace(case, deeds=left)
        if breaks(smaller):
            case = smaller
    return case
