"""Bugs in speaking: sign-once, the mark, readiness, and what a node says of its own accord."""

from __future__ import annotations

from typing import Any

from node import mark
from node.machine import alarms, claims, evolve, heads, operators
from node.mark import Ruling, Verdict
from tests.sim.bugs.plant import Bug, edited, instead, together
from tests.sim.disk import Disk
from tests.sim.shell import Process


def _sent_before_written(self: Process, decisions: list[Any], life: int) -> None:
    """node/loop the other way round: what was decided is sent while the disk is still at it."""
    effects = [effect for one in decisions for effect in one.effects]
    own = [entry for one in decisions for entry in one.own]
    self.ports.released(self, own, ())
    for effect in effects:
        if type(effect).__name__ == "VerifyClaim":
            self.ports.verify(self, effect)
        else:
            self._perform(effect)
    records = [record for one in decisions for record in one.records]
    if records:
        self.time.after(self.sync_ms, self._write_mark, records, own, [], life)
    else:
        self._next(life)


def _mark_after_store(self: Process, records: Any, own: Any, effects: Any, life: int) -> None:
    """The store first, then the mark."""
    if not self.up or life != self.life or self._dies("before_mark", own):
        return
    self.disk.commit(records)
    for record in records:
        self.disk.kept(record)
    self.time.after(self.sync_ms, _then_mark, self, records, own, effects, life)


def _then_mark(self: Process, records: Any, own: Any, effects: Any, life: int) -> None:
    if not self.up or life != self.life or self._dies("after_mark", own) or self._dies("after_store", own):
        return
    if own:
        raws = tuple(entry.raw for entry in own)
        last = own[-1]
        self.disk.write_mark(
            mark.Mark(self.setup.signer.public, self.setup.key_version, last.entry.seq, last.hash, raws)
        )
    self._release(effects, own, records)
    self._next(life)


def _unsynced(self: Disk, records: Any) -> None:
    """No fsync: what was acknowledged lies in a cache, and goes with the power."""
    if self.fault:
        self._met(self.fault)
        return
    self.rows.extend(records)


_MAY = Verdict(Ruling.MAY_SIGN, "whatever stands here")

BUGS = (
    Bug(
        "sent-before-it-is-written",
        "entries leave before mark and store are durable: a crash in between signs their numbers again",
        lambda: instead(Process, "_commit", _sent_before_written),
        needs=("crash_at_step",),
    ),
    Bug(
        "mark-after-the-store",
        "the mark is written after the store: a crash in between mutes the node for good",
        lambda: instead(Process, "_write_mark", _mark_after_store),
        needs=("crash_at_step",),
    ),
    Bug(
        "mark-carries-the-last-entry-only",
        "of a batch of own entries the mark carries the last: after a crash the others are gone",
        lambda: edited(Process, "_write_mark", ("raws = tuple(entry.raw for entry in own)", "raws = (own[-1].raw,)")),
        needs=("crash_at_step",),
        unseen="A death between mark and store must meet a commit with two own words",
    ),
    Bug(
        "mark-carries-nothing",
        "the mark names seq and hash, but not the entries: no crash between mark and store can be healed",
        lambda: edited(Process, "_write_mark", ("raws = tuple(entry.raw for entry in own)", "raws = ()")),
        needs=("crash_at_step",),
    ),
    Bug(
        "mark-ignored-at-the-start",
        "a start looks at the store alone: what left before the store was written is signed again",
        lambda: instead(mark, "check", lambda *args, **told: _MAY),
        needs=("persisted_but_failed",),
    ),
    Bug(
        "store-without-fsync",
        "the store acknowledges what is not on the disk, and there is no mark to tell",
        lambda: together(instead(Disk, "commit", _unsynced), instead(mark, "check", lambda *args, **told: _MAY)),
        needs=("persisted_but_failed",),
    ),
    Bug(
        "own-head-believed-unsigned",
        "a peer's Heads above the own head, which nobody has signed, is taken for a rollback",
        lambda: edited(
            heads,
            "heads_arrived",
            (
                "if theirs_of_own <= state.own_head()[0]:",
                "if theirs_of_own > state.own_head()[0]:\n"
                '        state.stopped[state.setup.key_version] = "a peer has more of us"\n'
                "    else:",
            ),
        ),
        needs=("lies_in_sync",),
    ),
    Bug(
        "readiness-never-comes",
        "after a restart the node waits for all members to show its head, those that are down too",
        lambda: edited(
            heads,
            "judge_readiness",
            ("agreeing >= state.epoch.f + 1 or (waited and agreeing >= 1)", "agreeing >= state.epoch.n - 1"),
        ),
    ),
    Bug(
        "said-above-the-verdict",
        "a node repeats the highest level that others say, not the highest that its verifier supports",
        lambda: edited(
            alarms,
            "_opine",
            (
                "level = max(verdict, said.level) if said is not None else verdict",
                "level = max([one.body.level for one in state.opinions.get(topic, {}).values()], default=verdict)",
            ),
        ),
    ),
    Bug(
        "repeats-what-is-claimed",
        "a node answers a claim without waiting for its own verifier's verdict",
        lambda: edited(
            alarms,
            "answer",
            ("ruled is not None and ruled.judgement.supports(*topic)", "ruled is not None"),
        ),
        needs=("forges_claims",),
    ),
    Bug(
        "undecided-is-a-yes",
        "a verifier that could not tell is taken for one that agrees",
        lambda: edited(
            alarms,
            "answer",
            (
                "ruled is not None and ruled.judgement.supports(*topic)",
                "ruled is not None and ruled.judgement.ruling is not Ruling.REFUTED",
            ),
        ),
        needs=("outage",),
    ),
    Bug(
        "any-threat-will-do",
        "a claim that is true of something else is taken for this subject and threat",
        lambda: edited(
            alarms,
            "answer",
            (
                "ruled is not None and ruled.judgement.supports(*topic)",
                "ruled is not None and ruled.judgement.ruling is Ruling.SUPPORTS",
            ),
        ),
        needs=("irrelevant_claims",),
    ),
    Bug(
        "speaks-of-what-nobody-runs",
        "a node corroborates any subject, whether or not it stands in some member's manifest",
        lambda: edited(
            alarms, "answer", ("not any(topic[0] in manifest for manifest in state.manifests.values())", "False")
        ),
        needs=("true_claim",),
    ),
    Bug(
        "halt-sustains-itself",
        "what was certified and has expired is said again on the same claims, with a fresh lease",
        lambda: together(
            edited(alarms, "_expires_ms", ("any(cap is None for cap in caps)", "True")),
            edited(alarms, "_spent", ("(topic, claim.type, claim.id) in state.said", "False")),
            edited(alarms, "retry_answers", ("if state.me not in held", "")),
        ),
    ),
    Bug(
        "certified-claims-said-with-a-fresh-lease",
        "an opinion on claims that were certified long ago gets a lease from now",
        lambda: edited(alarms, "_expires_ms", ("any(cap is None for cap in caps)", "True")),
    ),
    Bug(
        "withdrawn-by-the-verifier",
        "a person's word is lowered to what claims support, as soon as a claim comes in",
        lambda: edited(alarms, "_opine", ("live.body.by_person and live.body.level > verdict", "False")),
        needs=("people",),
        unseen="A person must raise above what a claim supports that is told afterwards",
    ),
    Bug(
        "raise-lowers",
        "a person who raises to GUARD lowers what the node had said at ISOLATE",
        lambda: edited(
            operators,
            "_raise",
            ("max(command.level, live.level) if live is not None else command.level", "command.level"),
        ),
        needs=("people",),
    ),
    Bug(
        "live-words-stay-under-the-old-key",
        "after a fresh key was delegated the live opinions are not said again under it",
        lambda: edited(evolve, "_silence", ("state.reissue[topic] = own", "pass")),
        needs=("rekey",),
    ),
    Bug(
        "speaks-only-once-asked",
        "what could not be said while the node was not ready is never said",
        lambda: instead(alarms, "retry_answers", lambda step: None),
    ),
    Bug(
        "undecided-for-ever",
        "a chain that did not answer once is not asked again",
        lambda: instead(claims, "retry_undecided", lambda step: None),
        needs=("outage",),
    ),
    Bug(
        "blob-asked-for-once",
        "a blob that did not come is not asked for again",
        lambda: instead(claims, "ask_missing", lambda step: None),
        needs=("loss",),
    ),
)
