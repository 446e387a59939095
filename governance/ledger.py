"""The ledger: every proposal, ballot and proof that this node holds, and what they come to.

A mutable owner without clock or network: statements come in by `take`, times are arguments, and equal calls in equal
order make an equal ledger, so recovery feeds it again. It says what this node would order (`ready`), whether it takes
another's value (`acceptable`), and what proves a decided one (`certificate`); `enter` goes on to the next epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from governance import rules, tally
from governance.ballots import SealedBallot
from governance.changes import next_epoch
from governance.epochs import (
    Enacted,
    EpochCertificate,
    check,
    check_ordered,
    check_place,
    chosen_commits,
    pack_epoch_certificate,
)
from governance.intake import Held, Intake
from governance.proposals import Reinstate
from governance.standing import Standing, State
from governance.values import PROPOSALS_PER_EPOCH_MAX, Suspect, Value, pack_value
from protocol.envelope import SealedKeySet, Verified
from protocol.errors import ProtocolError
from protocol.ids import Digest, MemberName
from protocol.limits import EPOCH_CERTIFICATE_BYTES_MAX, SKEW_AHEAD_MS_MAX
from protocol.membership import Epoch
from protocol.messages import Commit
from protocol.quorum import KeySetLookup

SEALED_COMMIT_BYTES = 850
"""What a Commit and its KeySet take of a certificate, with room: whoever takes more is left out where it must be."""


class Ledger(Intake):
    # --- what it comes to

    def standings(self, now_ms: int, restricted: bool = False) -> tuple[Standing, ...]:
        """Every proposal held, oldest first. `restricted`: this node holds a live ISOLATE or HALT on a subject in the
        Manifests of f + 1 groups."""
        rows = sorted(self.held.values(), key=lambda held: (held.proposal.opened_ms, held.sealed.hash))
        return tuple(self._standing(held, now_ms, restricted) for held in rows)

    def _standing(self, held: Held, now_ms: int, restricted: bool) -> Standing:
        due_ms = self._due_ms(held)
        state, why = self._state(held, now_ms, restricted)
        if state in (State.OPEN, State.WAITING):
            excluded = self._impossible(held, now_ms)
            state, why = (State.IMPOSSIBLE, excluded) if excluded else (state, why)
        latest = [tally.latest_of(box, now_ms) for _, box in sorted(held.box.items())]
        return Standing(
            sealed=held.sealed,
            state=state,
            why=why,
            needed=rules.needed(self.epoch, held.proposal),
            count=tally.count(self.epoch, held.proposal, held.box, now_ms),
            ballots=tuple(one.sealed.ballot for one in latest if one is not None),
            loosens=rules.loosens(self.epoch, held.proposal.change),
            delay_ms=rules.delay_ms(self.epoch, held.proposal),
            passed_ms=held.passed_ms,
            due_ms=due_ms,
            ends_ms=rules.ends_ms(self.epoch, held.proposal),
        )

    def _due_ms(self, held: Held) -> int | None:
        return None if held.passed_ms is None else held.passed_ms + rules.delay_ms(self.epoch, held.proposal)

    def _state(self, held: Held, now_ms: int, restricted: bool) -> tuple[State, str]:
        proposal, due_ms = held.proposal, self._due_ms(held)
        if now_ms > rules.ends_ms(self.epoch, proposal):
            return State.OVER, "it was not ordered in time"
        if due_ms is None:
            return (State.OPEN, "") if now_ms <= proposal.closes_ms else (State.FAILED, "it closed short of a quorum")
        against = tally.count(self.epoch, proposal, held.box, min(now_ms, due_ms)).no
        if rules.needed(self.epoch, proposal) and tally.is_vetoed(self.epoch, against):
            return State.VETOED, f"{len(against)} of {self.epoch.n} groups say no"
        if now_ms < due_ms:
            return State.WAITING, ""
        impossible = self._impossible(held, now_ms)
        if impossible:
            return State.IMPOSSIBLE, impossible
        if restricted and rules.loosens(self.epoch, proposal.change) and now_ms < due_ms + rules.INCIDENT_MS_MAX:
            return State.INCIDENT, "it loosens, and an alarm stands"
        if isinstance(proposal.change, Reinstate) and not self._has_fresh_key(proposal.change.member):
            return State.KEY, f"{proposal.change.member} is to delegate a new attestation key first"
        return State.READY, ""

    def _impossible(self, held: Held, now_ms: int) -> str:
        """The rule of the present epoch that excludes it, or ""."""
        proposal = held.proposal
        at_ms = max(now_ms, proposal.opened_ms + rules.delay_ms(self.epoch, proposal), self.epoch.activates_ms + 1)
        try:
            check_ordered(self.epoch, proposal, at_ms)
            rules.apply(self.epoch, {held.sealed.hash: proposal}, at_ms)
        except ProtocolError as error:
            return error.detail
        return ""

    def _has_fresh_key(self, member: MemberName) -> bool:
        seat, keyset = self.epoch.by_name[member], self._keysets.get(member)
        return seat.proven < 0 or (keyset is not None and keyset.keyset.version > seat.proven)

    def ready(self, now_ms: int, restricted: bool, turn: int = 0) -> Value | None:
        """What this node would order now: proofs first, then what passed first, as much as one epoch may change. Where
        nothing came of that, one proof or proposal alone, the next one each turn: ballots and vetoes came in another
        order elsewhere, and what others do not find ready takes along what all do."""
        rows = [held for held in self.held.values() if self._state(held, now_ms, restricted)[0] is State.READY]
        rows.sort(key=lambda held: (held.passed_ms or 0, held.sealed.hash))
        suspects = list(self.suspects())
        if turn and (rows or suspects):
            alone: list[tuple[list[Suspect], list[Held]]] = [([one], []) for one in suspects] + [
                ([], [one]) for one in rows
            ]
            suspects, rows = alone[(turn - 1) % len(alone)]
        chosen = Value(self.epoch.hash, self.epoch.number + 1, (), (), max(now_ms, self.epoch.activates_ms + 1))
        for suspect in suspects:
            chosen = self._with(chosen, (), (*chosen.proofs, suspect))
        for held in rows:
            chosen = self._with(chosen, (*chosen.proposals, held.sealed.hash), chosen.proofs)
        return chosen if chosen.proofs or chosen.proposals else None

    def _with(self, value: Value, proposals: tuple[Digest, ...], proofs: tuple[Suspect, ...]) -> Value:
        """`value` with these instead, where that is possible and proven in one certificate; else as it was."""
        rows = [self.held[hash_] for hash_ in proposals]
        opens_ms = [one.proposal.opened_ms + rules.delay_ms(self.epoch, one.proposal) for one in rows]
        made = Value(
            value.parent,
            value.number,
            tuple(sorted(proposals)),
            tuple(sorted(proofs)),
            max([value.activates_ms, *opens_ms]),
        )
        sealed = sum(len(one.sealed.raw) + sum(len(yes.raw) + 5 for yes in one.passing) + 5 for one in rows)
        sealed += sum(len(proof.first) + len(proof.second) for proof, _ in map(self._proofs.__getitem__, proofs))
        if sealed + self.epoch.q * SEALED_COMMIT_BYTES + len(pack_value(made)) > EPOCH_CERTIFICATE_BYTES_MAX:
            return value
        if len(proposals) > PROPOSALS_PER_EPOCH_MAX or self._fault_of(made):
            return value
        return made

    def _fault_of(self, value: Value) -> str:
        """Why this value is impossible by itself, or ""."""
        try:
            check_place(value, self.epoch)
            known = {hash_: self.held[hash_].proposal for hash_ in value.proposals}
            for proposal in known.values():
                check_ordered(self.epoch, proposal, value.activates_ms)
            next_epoch(self.epoch, value, known)
        except ProtocolError as error:
            return error.detail
        return ""

    def acceptable(self, value: Value, now_ms: int, restricted: bool, prepared: bool = False) -> str:
        """ "" or why this node does not Prepare it. `prepared`: a Propose brought Q Prepares of an earlier round:
        those nodes saw to votes, delay, veto and incident, and only what nobody can change is asked again, else what is
        locked by some could be refused by the others for ever."""
        missing = [hash_.hex()[:8] for hash_ in value.proposals if hash_ not in self.held]
        if missing:
            return f"unknown-proposal: {', '.join(missing)}"
        suspects = self.suspects()
        for suspect in value.proofs:
            if suspect not in suspects and not (prepared and suspect in self._proofs):
                return f"unproven: nothing suspends {suspect.member} for its key {suspect.key_version}, as known here"
        if value.activates_ms > now_ms + SKEW_AHEAD_MS_MAX:
            return "from-the-future: it activates ahead of now"
        fault = self._fault_of(value)
        if fault:
            return fault
        for hash_ in value.proposals:
            state, why = self._state(self.held[hash_], now_ms, restricted)
            if prepared and self._passing(self.held[hash_]) is None:
                return f"short-of-quorum: {hash_.hex()[:8]} has not passed here"
            if not prepared and state is not State.READY:
                return f"{state.value}: {hash_.hex()[:8]} {why}".rstrip()
        return ""

    def _passing(self, held: Held) -> tuple[SealedBallot, ...] | None:
        """The ballots to show for it. A quorum committed: where this node's own count differs, any quorum of yes."""
        if held.passed_ms is not None:
            return held.passing
        return tally.any_passing(self.epoch, held.proposal, held.box)

    # --- what proves it, and what follows

    def certificate(
        self, value: Value, commits: Sequence[Verified[Commit]], keysets: KeySetLookup
    ) -> EpochCertificate | None:
        """Of a decided value. None while a proposal, ballot, proof or KeySet has not come here yet: another's
        certificate is as good."""
        held = [self.held.get(hash_) for hash_ in value.proposals]
        passing = [self._passing(one) for one in held if one is not None]
        proofs = [self._proofs.get(suspect) for suspect in value.proofs]
        opens = {(one.keyset.member, one.keyset.version): one for _, one in filter(None, proofs) if one is not None}
        usable = [one for one in commits if _opened_alike(one, opens, keysets)]
        chosen = chosen_commits(self.epoch, usable)
        signers = {(one.entry.author, one.entry.key_version) for one in chosen}
        signers |= {(suspect.member, suspect.key_version) for suspect in value.proofs}
        sealed = [opens.get(signer) or keysets(*signer) for signer in sorted(signers)]
        if None in held or None in passing or None in proofs or None in sealed or len(chosen) < self.epoch.q:
            return None
        made = EpochCertificate(
            value=pack_value(value),
            proposals=tuple(one.sealed.raw for one in held if one is not None),
            ballots=tuple(yes.raw for of in passing for yes in of or ()),
            proofs=tuple(one[0] for one in proofs if one is not None),
            commits=tuple(one.raw for one in chosen),
            keysets=tuple(one.raw for one in sealed if one is not None),
        )
        pack_epoch_certificate(made)
        return made

    def enter(self, certificate: EpochCertificate, now_ms: int) -> Enacted:
        """Checks it against the present epoch and goes on to the next; ProtocolError leaves all as it was.

        Proposals that are still possible stay open, under the new epoch's rules; ballots stay where their seat and its
        key did, and count anew."""
        enacted = check(certificate, self.epoch)
        before, self.epoch = self.epoch, enacted.epoch
        kept = {seat.name for seat in self.epoch.members if _same_key(before, self.epoch, seat.name)}
        for hash_ in enacted.proposals:
            self.held.pop(hash_, None)
        for hash_, held in list(self.held.items()):
            try:
                rules.parent_of(self.epoch, held.proposal.parent)
            except ProtocolError:
                del self.held[hash_]
                continue
            held.box = {member: mine for member, mine in held.box.items() if member in kept}
            passed_ms, held.passed_ms, held.passing = held.passed_ms, None, ()
            self._recount(held, now_ms if passed_ms is None else passed_ms)
        self._early = {member: mine for member, mine in self._early.items() if member in kept}
        self._keysets = {member: one for member, one in self._keysets.items() if member in kept}
        self._proofs = {one: proof for one, proof in self._proofs.items() if one.member in self.epoch.by_name}
        self._take_later(now_ms)
        return enacted

    def _take_later(self, now_ms: int) -> None:
        waiting, self._later = self._later, {}
        for raw in (one for author in sorted(waiting) for one in waiting[author]):
            try:
                self.take(raw, now_ms)
            except ProtocolError:
                continue  # judged anew in this epoch, and refused


def _same_key(before: Epoch, after: Epoch, name: MemberName) -> bool:
    old = before.by_name.get(name)
    return old is not None and old.governance_key == after.by_name[name].governance_key


def _opened_alike(
    commit: Verified[Commit], opens: Mapping[tuple[MemberName, int], SealedKeySet], keysets: KeySetLookup
) -> bool:
    """A certificate holds one KeySet of a version: who equivocated about that too leaves its own Commit out."""
    signer = (commit.entry.author, commit.entry.key_version)
    known = keysets(*signer)
    return signer not in opens or (known is not None and known.hash == opens[signer].hash)
