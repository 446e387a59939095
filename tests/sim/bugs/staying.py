"""Bugs in staying together: feeds, forks, sync, what is kept and what is asked for."""

from __future__ import annotations

from node.machine import asking, core, evolve, heads, incoming, past
from node.machine.state import State
from protocol.feed import Feed
from tests.sim.bugs.plant import Bug, edited, instead, together

BUGS = (
    Bug(
        "gap-delays-the-alarm",
        "an entry is looked at only once everything before it is there",
        lambda: edited(
            incoming,
            "accept_entry",
            (
                "if isinstance(body, Attestation):",
                "feed = step.state.feeds[(verified.entry.author, verified.entry.key_version)]\n"
                "    if isinstance(body, Attestation) and feed.whole >= verified.entry.seq:",
            ),
        ),
        needs=("loss",),
    ),
    Bug(
        "gap-drops-the-alarm",
        "an entry whose prev is not known is refused: it will come again with its range",
        lambda: edited(
            incoming,
            "take_entry",
            (
                "accept_entry(step, link, verified, direct=direct)",
                "if verified.entry.seq and (feed is None or verified.entry.seq - 1 not in feed.links):\n"
                "        return\n"
                "    accept_entry(step, link, verified, direct=direct)",
            ),
        ),
        needs=("loss",),
    ),
    Bug(
        "gap-taken-for-whole",
        "a feed is taken for whole up to its highest entry: what is missing below is never asked for",
        lambda: edited(
            Feed,
            "add",
            ("while self.whole + 1 in self.links:\n        self.whole += 1", "self.whole = max(self.whole, seq)"),
        ),
        needs=("loss",),
    ),
    Bug(
        "asks-above-its-top-only",
        "ranges are asked for above the highest entry held: a gap below it stays",
        lambda: edited(asking, "_whole", ("feed.whole if feed else -1", "feed.top if feed else -1")),
        needs=("loss",),
    ),
    Bug(
        "heads-never-shown",
        "heads are exchanged when a peer comes up and never again",
        lambda: instead(heads, "heads_due", lambda step, alarm_live: None),
    ),
    Bug(
        "asked-once",
        "a range that did not come is not asked for again",
        lambda: edited(
            asking,
            "_note_asked",
            (
                "lack.ask_at_ms = step.at.mono_ms + ANSWER_MS[min(lack.rounds, len(ANSWER_MS) - 1)]",
                "lack.ask_at_ms = step.at.mono_ms + 3_600_000",
            ),
        ),
        needs=("loss",),
    ),
    Bug(
        "heads-not-compared-by-hash",
        "heads of one seq are taken for equal: a fork between two who each saw one side is never found",
        lambda: together(
            edited(heads, "_compare", ("ours.hash != head.hash", "False")),
            edited(past, "prove", ("step.do(Broadcast(", "(lambda *sent: None)((")),
        ),
        needs=("equivocates",),
        unseen="Proofs are shown to whoever comes up: links must stay up while a fork lies between",
    ),
    Bug(
        "proof-kept-to-oneself",
        "who proves a fork keeps the proof and sends it nowhere",
        lambda: edited(past, "prove", ("step.do(Broadcast(", "(lambda *sent: None)((")),
        needs=("equivocates",),
        unseen="The two words reach everybody by sync all the same: A1's two delays are not asked for",
    ),
    Bug(
        "fork-by-prev-missed",
        "only two entries of one seq are a fork, not one whose prev names another entry",
        lambda: edited(
            Feed,
            "judge",
            ("before is not None and before.hash != entry.entry.prev", "False"),
            ("after is not None and after.entry.prev != entry.hash", "False"),
        ),
        needs=("equivocates",),
    ),
    Bug(
        "opinions-without-a-cap",
        "the live opinions of one author are not capped",
        lambda: instead(evolve, "_cap_author", lambda state, author: None),
        needs=("burns_budgets",),
    ),
    Bug(
        "author-charged-before-the-seal",
        "the author's budget is charged before the signature is checked: junk in a member's name mutes that member",
        lambda: edited(
            incoming,
            "entry_arrived",
            (
                "verified = verify_parsed(state, parsed)\n",
                "budgets.author_pays(author, mono_ms, 0, asked=asked)\n    verified = verify_parsed(state, parsed)\n",
            ),
        ),
        needs=("burns_budgets",),
        unseen="The budget comes back at twenty a second: an honest word must fall into a third of a second",
    ),
    Bug(
        "junk-shadows-the-real-entry",
        "what was seen is remembered by author and seq before the seal is checked",
        lambda: edited(
            incoming,
            "entry_arrived",
            (
                "asked = link.asked_for(author, version, seq)",
                "asked = link.asked_for(author, version, seq)\n"
                "    if state.seen.get((author, version, seq)):\n"
                "        return\n"
                "    state.seen[(author, version, seq)] = True",
            ),
        ),
        needs=("burns_budgets",),
    ),
    Bug(
        "margin-never-said",
        "a node that hears too few says nothing of it",
        lambda: instead(core, "_say_margin", lambda step: None),
    ),
    Bug(
        "margin-counts-strangers",
        "everybody who is connected is heard, one by one, not the groups of the members",
        lambda: edited(
            State,
            "heard_groups",
            (
                "len({self.epoch.group_of(member) for member in self.up_members() | here})",
                "len(self.links) + 1 + self.epoch.f",
            ),
        ),
    ),
    Bug(
        "keysets-not-passed-on",
        "nobody is told the KeySets that are known here: who missed one never learns it",
        lambda: instead(heads, "_known_keysets", lambda state: []),
    ),
)
