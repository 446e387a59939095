"""The long-range forger: keys that founders once had sign another epoch 1, in which every signature holds."""

from __future__ import annotations

from collections.abc import Mapping

from governance.ballots import Ballot, Vote, cast
from governance.chain import Chain, pack_chain
from governance.charter import Charter, write
from governance.epochs import EpochCertificate, check, pack_epoch_certificate
from governance.proposals import Proposal, ProposalKind, Suspend, seal_proposal
from governance.values import Value, pack_value, value_hash
from protocol.crypto import Signer
from protocol.envelope import Verified, seal_entry
from protocol.ids import ZERO_HASH, EpochHash, MemberName
from protocol.membership import DAY_MS
from protocol.messages import Body, Commit, Heartbeat

Keys = Mapping[MemberName, tuple[Signer, Signer]]
"""Of each founder: governance, and the first attestation key."""


def forge(charter: Charter, keys: Keys, now_ms: int) -> tuple[bytes, EpochHash]:
    """(a chain in which a founder is suspended, the hash of its head), whole and current by its own account."""
    epoch = charter.epoch0()
    names = [MemberName(seat.name) for seat in epoch.members]

    def says(name: MemberName, seq: int, body: Body) -> Verified[Body]:
        return seal_entry(
            epoch.network,
            keys[name][1],
            author=name,
            key_version=1,
            seq=seq,
            prev=ZERO_HASH,
            issued_ms=now_ms,
            body=body,
        )

    opened_ms = epoch.activates_ms + 1
    change = Suspend(names[-1])
    made = Proposal(epoch.hash, names[0], opened_ms, opened_ms + DAY_MS, ProposalKind.SUSPEND, change)
    sealed = seal_proposal(epoch.network, keys[names[0]][0], made)
    quorum = names[: epoch.q]
    yes = [Ballot(sealed.hash, name, 0, Vote.YES, opened_ms + 1) for name in quorum]
    value = Value(epoch.hash, 1, (sealed.hash,), (), opened_ms + epoch.change_delay_ms + 1)
    certificate = EpochCertificate(
        value=pack_value(value),
        proposals=(sealed.raw,),
        ballots=tuple(cast(epoch.network, keys[one.member][0], one).raw for one in yes),
        proofs=(),
        commits=tuple(says(name, 0, Commit(epoch.hash, 0, value_hash(value))).raw for name in quorum),
        keysets=tuple(one.raw for one in charter.keysets if one.keyset.member in quorum),
    )
    head = check(certificate, epoch).epoch
    beats = tuple(says(name, 1, Heartbeat(head.hash)).raw for name in names)
    chain = Chain(write(charter), (pack_epoch_certificate(certificate),), beats, tuple(charter.sealed))
    return pack_chain(chain), head.hash
