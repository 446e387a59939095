"""Bugs in counting: who counts, how often, how long, and how many are enough."""

from __future__ import annotations

from node.machine import evolve, views
from protocol import alarm, quorum
from protocol.membership import COUNTED, Epoch, evaluate
from protocol.messages import Level
from tests.sim.bugs.plant import Bug, edited, instead, together


def _unsuspended(epoch: Epoch) -> dict[Level, int]:
    groups = {member.group for member in epoch.members if not member.suspended}
    return {level: evaluate(epoch.formulas[level], len(groups)) for level in COUNTED}


BUGS = (
    Bug(
        "threshold-off-by-one",
        "one group fewer than the table says is taken for enough",
        lambda: instead(
            Epoch,
            "thresholds",
            property(lambda self: {level: evaluate(self.formulas[level], self.n) - 1 for level in COUNTED}),
        ),
    ),
    Bug(
        "two-f-plus-one",
        "Q is written 2f + 1, as in the papers, which assume n = 3f + 1",
        lambda: instead(Epoch, "q", property(lambda self: 2 * self.f + 1)),
        members=(5, 6),
    ),
    Bug(
        "quorum-of-two-f-plus-one",
        "ISOLATE needs 2f + 1 groups instead of n - f: at n = 6 two quorums need not share an honest group",
        lambda: instead(
            Epoch,
            "thresholds",
            property(lambda self: {Level.GUARD: max(2, self.f + 1)} | dict.fromkeys(COUNTED[1:], 2 * self.f + 1)),
        ),
        members=(5, 6),
    ),
    Bug(
        "guard-is-f",
        "GUARD needs f groups: the liars alone are enough",
        lambda: instead(
            Epoch,
            "thresholds",
            property(lambda self: {Level.GUARD: max(1, self.f), Level.ISOLATE: self.q, Level.HALT: self.q}),
        ),
    ),
    Bug(
        "thresholds-over-unsuspended",
        "a suspended seat is taken out of n, so that f and the thresholds fall with it",
        lambda: instead(Epoch, "thresholds", property(_unsuspended)),
        members=(5, 7),
    ),
    Bug(
        "group-counted-by-seat",
        "two seats of one control group count as two groups",
        lambda: instead(Epoch, "group_of", lambda self, author: author),
    ),
    Bug(
        "suspended-seat-counts",
        "whoever is in the epoch counts, suspended or not",
        lambda: instead(Epoch, "may_count", lambda self, author: author in self.by_name),
        needs=("true_claim",),
    ),
    Bug(
        "expired-opinion-counts",
        "an opinion counts for as long as it is kept, and a certificate for as long as its last word",
        lambda: together(
            edited(alarm, "is_live", ("opinion.body.expires_ms > now_ms", "True")),
            edited(views, "_may_count", ("one.body.expires_ms > now_ms", "True")),
            edited(quorum, "_checked", ("expiries[needed - 1]", "expiries[0]")),
        ),
    ),
    Bug(
        "future-counts-at-once",
        "a word dated hours ahead counts at once",
        lambda: together(
            edited(alarm, "is_live", ("opinion.entry.issued_ms <= now_ms + SKEW_AHEAD_MS_MAX", "True")),
            edited(views, "_may_count", ("one.entry.issued_ms <= now_ms + SKEW_AHEAD_MS_MAX", "True")),
        ),
    ),
    Bug(
        "hearsay-counts",
        "HEARSAY counts at the level it names",
        lambda: edited(alarm, "effective_level", ("min(attestation.level, Level.WATCH)", "attestation.level")),
        needs=("spoofs_sources",),
    ),
    Bug(
        "any-lease-counts",
        "the lease of an opinion is not held against its level's bound",
        lambda: edited(alarm, "lease_fault", ("lease_ms > bound_ms", "lease_ms < 0")),
        needs=("stretches_leases",),
    ),
    Bug(
        "lease-bound-of-another-level",
        "every level is given the longest lease, WATCH's",
        lambda: edited(alarm, "lease_fault", ("epoch.lease_bound_ms(body.level)", "epoch.lease_bound_ms(Level.WATCH)")),
        needs=("stretches_leases",),
    ),
    Bug(
        "sources-counted-distinct",
        "the source rule asks for two different operators anywhere among the signers: one liar names the second",
        lambda: instead(
            alarm,
            "source_rule_holds",
            lambda by_group, epoch: (
                len(
                    set().union(
                        *(ops for held in by_group.values() for ops in alarm.operators_of(held, epoch).values())
                    )
                )
                >= 2
            ),
        ),
        needs=("poisoned_vendor",),
    ),
    Bug(
        "one-detector-is-many",
        "at GUARD every group counts, though all of them only repeat one operator",
        lambda: edited(alarm, "counted_groups", ("level is not Level.GUARD", "True")),
        members=(4, 7),
        unseen="Persons of two groups that read through one operator must raise one subject first",
    ),
    Bug(
        "signer-counted-twice",
        "entries are counted, not groups, and one author may stand in a certificate twice",
        lambda: together(
            edited(
                quorum,
                "check_certificate",
                ("len({one.entry.author for one in opinions}) != len(opinions)", "False"),
            ),
            edited(
                quorum,
                "_checked",
                (
                    "max(one.body.expires_ms for one in held) for held in by_group.values()",
                    "one.body.expires_ms for one in opinions",
                ),
            ),
            edited(
                alarm,
                "reaches",
                (
                    "if len(by_group) < epoch.thresholds[level]",
                    "if sum(map(len, by_group.values())) < epoch.thresholds[level]",
                ),
            ),
        ),
    ),
    Bug(
        "later-by-clock",
        "of two words of one author the one with the later clock holds, not the one with the later seq",
        lambda: edited(
            evolve,
            "is_later",
            ("return (a.key_version, a.seq) > (b.key_version, b.seq)", "return a.issued_ms > b.issued_ms"),
        ),
    ),
    Bug(
        "later-by-arrival",
        "of two words of one author the one that came last holds",
        lambda: instead(evolve, "is_later", lambda one, than: True),
    ),
    Bug(
        "old-key-still-counts",
        "a newer KeySet does not silence what was said under the older one",
        lambda: together(
            instead(evolve, "_silence", lambda state, author, newest, replaced: None),
            edited(views, "_may_count", ("one.entry.key_version >= state.current_version(one.entry.author)", "True")),
        ),
    ),
    Bug(
        "withdrawn-word-counts-in-a-certificate",
        "a certificate is weighed by what stands in it: who has withdrawn since still counts",
        lambda: edited(views, "stands", ("now is None or not is_later(now, one)", "True")),
    ),
    Bug(
        "withdrawal-pruned-early",
        "a withdrawal is forgotten at once, as there is nothing in it to keep: the older word lives on in certificates",
        lambda: edited(
            evolve,
            "_opinion",
            (
                "state.hold_opinion(topic, verified)",
                "state.hold_opinion(topic, verified)\n"
                "        if not entry.body.level:\n"
                "            return state.drop_opinion(topic, entry.author)",
            ),
        ),
    ),
    Bug(
        "epoch-from-the-assembler",
        "a certificate is checked against the epoch that it names itself",
        lambda: together(
            edited(quorum, "check_certificate", ("certificate.epoch != epoch.hash", "False")),
            edited(quorum, "_belongs", (" or not epoch.admits(body.epoch, opinion.entry.issued_ms)", "")),
            edited(views, "stands", ("state.epoch_of(held.certificate.epoch)", "state.epoch")),
            edited(views, "_may_count", ("epoch.admits(one.body.epoch, one.entry.issued_ms)", "True")),
        ),
        needs=("replays",),
    ),
)
