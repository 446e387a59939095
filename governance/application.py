"""An application: what a joiner hands to the member that will propose it. Nothing in it is secret.

It holds the joiner's consent to just this seat after just this epoch, and the KeySet of its first hot keys, which the
proposer's node carries beside the proposal, so that members know whom to let in when the epoch begins.
"""

from __future__ import annotations

from dataclasses import dataclass

from governance.faults import ApplicationFaults, FileFault
from governance.proposals import Admit, Consent, Proposal, ProposalKind, consent, consent_holds
from governance.reading import TableReader, read_toml
from governance.writing import lines_of
from protocol.crypto import Signer
from protocol.envelope import SealedKeySet, open_keyset, seal_keyset
from protocol.errors import ProtocolError
from protocol.ids import EpochHash, GroupName, MemberName, NetworkId, PublicKey
from protocol.limits import ENTRY_BYTES_MAX
from protocol.messages import KeySet

_HEAD = """\
# Tocsin application for a seat. Public: hand it to a member, over a channel where they know your voice, and read the
# governance key out to them. It is good for the epoch that it names.
"""


@dataclass(frozen=True)
class Application:
    """`keyset` is sealed by the joiner's governance key; `parent` the epoch in force when it was written."""

    network: NetworkId
    parent: EpochHash
    admit: Admit
    consent: Consent
    keyset: bytes


def apply_for(
    network: NetworkId, parent: EpochHash, group: GroupName, governance: Signer, first: KeySet
) -> Application:
    admit = Admit(first.member, group, governance.public)
    sealed = seal_keyset(network, governance, first)
    return Application(network, parent, admit, consent(network, governance, parent, admit), sealed.raw)


def write_application(one: Application) -> str:
    return _HEAD + lines_of(
        {
            "application": 1,
            "network": one.network.hex(),
            "parent": one.parent.hex(),
            "name": one.admit.member,
            "group": one.admit.group,
            "governance": one.admit.key.hex(),
            "consent": one.consent.signature.hex(),
            "keyset": one.keyset.hex(),
        }
    )


def parse_application(text: str) -> Application:
    """ApplicationFaults with every fault of the file; consent and KeySet hold."""
    document, faults = read_toml(text)
    if not faults:
        found = _read(TableReader(document, "", faults))
    if not faults:
        faults.extend(_seal_faults(found))
    if faults:
        raise ApplicationFaults(faults)
    return found


def _read(reader: TableReader) -> Application:
    if reader.unsigned("application", 1) not in (0, 1):
        reader.fault("application", "is of a version unknown here", "write application = 1, or use a newer tocsin")
    key = PublicKey(reader.raw("governance", 32, 32))
    found = Application(
        NetworkId(reader.raw("network", 32, 32)),
        EpochHash(reader.raw("parent", 32, 32)),
        Admit(MemberName(reader.name("name")), GroupName(reader.name("group")), key),
        Consent(key, reader.raw("consent", 64, 64)),
        reader.raw("keyset", 1, ENTRY_BYTES_MAX),
    )
    reader.done()
    return found


def _seal_faults(one: Application) -> list[FileFault]:
    cure = "have the joiner write it again: tocsin member apply"
    asked = Proposal(one.parent, one.admit.member, 0, 0, ProposalKind.ADMIT, one.admit)
    faults = []
    if not consent_holds(one.network, asked, one.consent):
        faults.append(FileFault("does not hold for this seat, group, key and epoch", "consent", cure))
    try:
        if opened(one).keyset.member != one.admit.member:
            faults.append(FileFault("is of another member", "keyset", cure))
    except ProtocolError as error:
        faults.append(FileFault(f"does not open: {error.detail}", "keyset", cure))
    return faults


def opened(one: Application) -> SealedKeySet:
    """ProtocolError where it does not open under the applicant's governance key."""
    return open_keyset(one.keyset, one.network, one.admit.key)
