"""The rules that a shell keeps, as one table: driven against the model and against a node's own loop, both must give
exactly what stands here."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from tests.sim import rule_drives as drive
from tests.sim.shells import Drive


@dataclass(frozen=True)
class Rule:
    """`drive` returns what was seen; `expect` is what it must be, by either shell."""

    name: str
    story: str
    drive: Drive
    expect: Any


SENT = ["mark 2", "store 2", "all: Entries 2", "reply 1"]
OBSERVES = "no peer has shown our own head yet: this node observes and signs nothing until one does"

RULES = (
    Rule(
        "commit-before-release", "the mark, then the store, and only then a word and the answer", drive.in_order, SENT
    ),
    Rule(
        "one-commit-for-what-came-together",
        "three questions at once: the mark names the last word, one transaction holds all, words leave in their order",
        drive.many_in_order,
        [
            "mark 4",
            "store 2..4",
            *(f"{one} {i + (one != 'reply')}" for i in (1, 2, 3) for one in ("all: Entries", "reply")),
        ],
    ),
    Rule("a-slow-disk-holds-words-back", "nothing leaves while the disk takes its second", drive.slow_disk, ([], SENT)),
    Rule(
        "a-look-does-not-wait",
        "a claim is looked at while the entry that made it is still on its way to the disk",
        drive.look,
        (["look"], ["look", "store BlobKept EntryAccepted"]),
    ),
    Rule(
        "nothing-to-keep-nothing-to-wait-for",
        "an answer that changes nothing needs no disk",
        drive.no_records,
        ["m2: Entries 0"],
    ),
    Rule(
        "sixty-four-events-a-commit",
        "a hundred questions at once are two commits",
        drive.sixty_four,
        ["mark 65", "store 2..65", "mark 101", "store 66..101"],
    ),
    Rule(
        "own-words-split-a-commit",
        "five words for each of a hundred questions: no mark carries more than 128 and one decision's",
        drive.split,
        [
            *("mark 131", "store 2..131", "mark 261", "store 132..261", "mark 321", "store 262..321"),
            *("mark 451", "store 322..451", "mark 501", "store 452..501"),
        ],
    ),
    Rule("ticks-do-not-queue", "five seconds of a slow disk are one tick afterwards, not fifty", drive.ticks, True),
    Rule(
        "death-before-the-mark",
        "nothing was said; the same seq is said anew",
        drive.before_mark,
        ([], (False, 0, 0), True, True),
    ),
    Rule(
        "death-between-mark-and-store",
        "the mark carries the word: adopted byte for byte, and the feed goes on after it",
        drive.after_mark,
        (True, (False, 0, 1), True, True, False),
    ),
    Rule(
        "death-between-store-and-send",
        "nobody heard it; after the restart whoever asks gets the very bytes",
        drive.after_store,
        ((False, 1, 1, []), True, ["m3: Entries it"]),
    ),
    Rule(
        "death-while-sending",
        "some heard it: it is durable, and nothing is said twice",
        drive.mid_release,
        ((False, 1, ["mark it", "store it", "all: Entries it"]), True, False),
    ),
    Rule(
        "failed-mark",
        "nothing leaves, the node stops",
        functools.partial(drive.failed, how="mark"),
        (([], False, 0, 0), True, False, False),
    ),
    Rule(
        "failed-store",
        "nothing leaves, the node stops; adopted at the restart",
        functools.partial(drive.failed, how="store"),
        (([], False, 0, 1), True, True, False),
    ),
    Rule(
        "full-disk",
        "as a failed mark: nothing leaves",
        functools.partial(drive.failed, how="full"),
        (([], False, 0, 0), True, False, False),
    ),
    Rule(
        "kept-though-it-said-no",
        "a transaction that the disk kept and called failed: nothing leaves, it is there at the restart",
        functools.partial(drive.failed, how="said_no"),
        (([], False, 1, 1), True, True, False),
    ),
    Rule(
        "older-store-beside-its-mark",
        "a backup put back beside the mark that went on: signs nothing, whatever peers show, and tells its operator",
        drive.rolled_back,
        (3, True, [], True),
    ),
    Rule("no-mark-beside-a-store", "observes and signs nothing", drive.no_mark, (True, True, [])),
    Rule(
        "a-store-that-is-gone",
        "the mark remembers that this key has signed: nothing is signed",
        drive.lost_store,
        (True, True, -1),
    ),
    Rule(
        "empty-store-beside-a-fresh-mark",
        "the first start: signs at once, with nobody there",
        drive.empty,
        (["mark 0", "store 0", "all: Entries 0"], False),
    ),
    Rule(
        "own-heads-from-f-plus-1",
        "after a restart silent, silent after one, and not after two",
        drive.waits,
        (True, True, False),
    ),
    Rule(
        "no-peer-no-word",
        "a store and nobody there: observes, and says so after ten seconds, once",
        drive.nobody,
        (True, [OBSERVES]),
    ),
    Rule("a-head-is-only-a-claim", "one liar's head of a billion mutes nobody", drive.lying_head, (False, 0)),
    Rule(
        "own-entry-above-own-head",
        "a peer holds a word of ours that we have not: the pen is put down, and stays down after a restart",
        drive.ahead,
        ((True, 1, []), True, 1),
    ),
    Rule(
        "ranges-are-served-in-order",
        "sixty-four a frame, four frames an answer, from where it was asked",
        drive.served,
        ([(10, 73), (74, 137), (138, 201), (202, 265)], True),
    ),
    Rule("answers-are-bounded-in-bytes", "192 KiB, and who wants more asks again", drive.served_bytes, True),
    Rule(
        "twins-are-served-both", "two entries of one seq are both kept and both given", drive.twins, ["m2: Entries 0 0"]
    ),
)
