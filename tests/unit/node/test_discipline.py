"""What was refused is counted by peer and code; who goes on spoiling is cut off, who passes spoilt things on is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from node.discipline import OFFENCES, ROWS_SHOWN_MAX, STRANGERS, Discipline, code_of
from node.ingress import AUTHOR_ENTRIES, CONNECTION_FRAMES, CONNECTION_HELD_AT, Budgets
from node.transport.api import Misbehaved
from protocol.errors import Code


class Cut(list[str]):
    def __call__(self, peer: str, why: str) -> None:
        self.append(peer)


def state(refusals: dict[str, dict[str, int]], offences: dict[str, int] | None = None) -> Any:
    links = dict.fromkeys(offences or refusals)
    return SimpleNamespace(
        refusals_by_peer=refusals, offences=offences or {}, links=links, member_of=lambda peer: {"p1": "m1"}.get(peer)
    )


def test_refusals_of_the_machine_and_of_the_wire_are_rows_of_one_table() -> None:
    one = Discipline(Cut())
    one.look(state({"p1": {"bad-signature": 3}}), 1_000, 0)
    one.look(state({"p1": {"bad-signature": 3}}), 2_000, 0)
    one.misbehaved(Misbehaved("p2", "announced a frame of 65537 bytes, 1 to 65536 are allowed"), 3_000)
    one.misbehaved(Misbehaved("p2", "announced a frame of 70000 bytes, 1 to 65536 are allowed"), 4_000)
    one.strangers({"at-the-door": 7, "no-handshake": 0}, 5_000)
    assert one.shown(state({})) == [
        {"peer": STRANGERS, "member": "", "code": "at-the-door", "count": 7, "last_ms": 5_000},
        {"peer": "p1", "member": "m1", "code": "bad-signature", "count": 3, "last_ms": 1_000},
        {"peer": "p2", "member": "", "code": "frame-size", "count": 2, "last_ms": 4_000},
    ]


def test_a_stranger_of_a_thousand_names_is_one_row() -> None:
    one = Discipline(Cut())
    for number in range(1_000):
        one.misbehaved(Misbehaved(f"name-{number}", "is not on the allow-list"), number)
    assert [(row["peer"], row["count"]) for row in one.shown(state({}))] == [(STRANGERS, 1_000)]


def test_few_rows_are_shown_and_what_is_unknown_has_one_code() -> None:
    one = Discipline(Cut())
    one.look(state({f"p{n}": {"bad-shape": n + 1} for n in range(200)}), 0, 0)
    assert [row["count"] for row in one.shown(state({}))] == list(range(200, 200 - ROWS_SHOWN_MAX, -1))
    assert code_of("did something new") == "wire"


def test_who_goes_on_spoiling_is_cut_off_once_for_each_time_that_it_goes_too_far() -> None:
    cut = Cut()
    one = Discipline(cut)
    most = int(OFFENCES[0])
    one.look(state({}, {"p1": most, "p2": 1}), 0, 0)
    assert cut == []
    one.look(state({}, {"p1": most + 1, "p2": 2}), 0, 200)
    one.look(state({}, {"p1": most + 1, "p2": 3}), 0, 400)
    assert cut == ["p1"]
    one.look(state({}, {"p1": 10**9, "p2": 4}), 0, 600)
    assert cut == ["p1", "p1"]


def test_who_spoils_a_word_now_and_then_stays() -> None:
    cut = Cut()
    one = Discipline(cut)
    for number in range(1, 500):
        one.look(state({}, {"p1": number}), 0, number * int(1000 / OFFENCES[1]))
    assert cut == []


def test_a_connection_is_held_only_while_its_budget_is_spent() -> None:
    budgets = Budgets()
    assert budgets.held_ms("p", 0) == 0
    assert budgets.connection_may("p", 0, CONNECTION_FRAMES[0])
    assert budgets.held_ms("p", 0) > 0
    assert budgets.held_ms("p", budgets.held_ms("p", 0)) == 0


def test_what_piled_up_while_a_connection_was_being_held_is_not_refused() -> None:
    budgets = Budgets()
    on_its_way = int(CONNECTION_HELD_AT)
    while budgets.held_ms("p", 0) == 0:
        assert budgets.connection_may("p", 0)
    assert all(budgets.connection_may("p", 0) for _ in range(on_its_way - 1))


def test_who_is_fined_is_held_for_longer_but_never_for_good() -> None:
    budgets = Budgets()
    for _ in range(1_000):
        budgets.fined("p", 0, Code.BAD_SIGNATURE)
    held_ms = budgets.held_ms("p", 0)
    assert 1_000 < held_ms <= 2_000
    assert budgets.held_ms("p", held_ms) == 0 and budgets.connection_may("p", held_ms)


def test_an_author_pays_for_large_entries_by_their_size_and_for_the_last_one_later() -> None:
    budgets = Budgets()
    entries = 0
    while budgets.author_has("m", 0, asked=False):
        budgets.author_pays("m", 0, 16 * 1024, asked=False)
        entries += 1
    assert entries == 16
    most, per_s = AUTHOR_ENTRIES
    assert not budgets.author_has("m", int(15_000 / per_s), asked=False)
    assert budgets.author_has("m", int(20_000 / per_s), asked=False) and most == 256


def test_what_nobody_is_to_blame_for_costs_no_fine() -> None:
    budgets = Budgets()
    for code in (Code.UNKNOWN_KEY, Code.UNKNOWN_CRITICAL, Code.WRONG_EPOCH):
        for _ in range(1_000):
            budgets.fined("p", 0, code)
    assert budgets.held_ms("p", 0) == 0


def test_who_goes_on_breaking_the_wire_is_cut_off_too_and_who_is_merely_unknown_is_not() -> None:
    cut = Cut()
    one = Discipline(cut)
    for _ in range(int(OFFENCES[0]) + 1):
        one.misbehaved(Misbehaved("p1", "opened too many streams"), 0)
        one.misbehaved(Misbehaved("p2", "is not on the allow-list"), 0)
        one.misbehaved(Misbehaved("p3", "no answer to 3 pings"), 0)
    one.look(state({}), 0, 0)
    assert cut == ["p1"]
