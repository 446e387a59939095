"""Does a well-formed charter hold? Every fault at once, and what is allowed but worth saying."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from governance.durations import format_duration
from governance.faults import FileFault
from governance.genesis import Charter
from protocol.crypto import is_sound_key
from protocol.envelope import check_charter_signature, keyset_owner, open_keyset
from protocol.errors import ProtocolError
from protocol.ids import MemberName, PublicKey
from protocol.limits import KEYSET_TERM_MS_MAX
from protocol.membership import COUNTED, LEASE_MS_MOST, formula_faults
from protocol.messages import KeySet
from protocol.subjects import Kind


@dataclass
class CharterCheck:
    """`faults` empty: it may found a network. `notes` are true and allowed."""

    faults: list[FileFault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.faults

    def fault(self, where: str, what: str, cure: str) -> None:
        self.faults.append(FileFault(what, where, cure))


def check(charter: Charter, now_ms: int, *, signatures: bool = True) -> CharterCheck:
    """`signatures=False` judges a charter that nobody has signed yet."""
    result = CharterCheck()
    _check_members(charter, result)
    _check_parameters(charter, result)
    _check_register(charter, result)
    if signatures:
        _check_founders(charter, result)
        _check_keysets(charter, now_ms, result)
    _check_contacts(charter, result)
    return result


def _check_members(charter: Charter, result: CharterCheck) -> None:
    if not charter.members:
        result.fault("member", "nobody is a member", "add a [[member]] of each founder (`tocsin charter create CARD…`)")
        return
    for name, count in Counter(member.name for member in charter.members).items():
        if count > 1:
            result.fault(f"member {name}", f"stands {count} times", "each seat has a name of its own")
    holders: dict[PublicKey, MemberName] = {}
    for member in charter.members:
        where = f"member {member.name}.governance"
        if not is_sound_key(member.governance_key):
            result.fault(where, "is no point of the prime-order group", f"ask {member.name} for its card again")
        other = holders.setdefault(member.governance_key, member.name)
        if other != member.name:
            result.fault(where, f"is the key of {other} too", "each member makes its own with `tocsin init`")
    n = charter.epoch0().n
    if n < 4:
        groups = "1 control group" if n == 1 else f"{n} control groups"
        result.notes.append(f"{groups}: below 4 the network only informs, and every policy holds")


def _check_parameters(charter: Charter, result: CharterCheck) -> None:
    parameters = charter.parameters
    try:
        if charter.members:
            epoch = charter.epoch0()
            for fault in formula_faults(parameters.formulas, epoch.n):
                if epoch.only_informs and fault.endswith(": never"):
                    # nothing is asked to form there, and max(2, f + 1) cannot be met by one group
                    result.notes.append(fault)
                    continue
                result.fault("thresholds", fault, "raise the formula; thresholds may be stricter, never looser")
    except ProtocolError as error:
        result.fault("thresholds", error.detail, 'write it like "max(2, f + 1)"')
    for level in COUNTED:
        where, most = f"lease.{level.name.lower()}", LEASE_MS_MOST[level]
        if not 1_000 <= parameters.lease_ms[level] <= most:
            written = format_duration(parameters.lease_ms[level])
            result.fault(where, f"{written} is out of bounds", f"use 1s to {format_duration(most)}")
    for where, value in (("seat.term", parameters.seat_term_ms), ("seat.silence", parameters.silence_ms)):
        if value == 0:
            result.fault(where, "is nothing", "give a duration, for example 365d or 3d")


def _check_register(charter: Charter, result: CharterCheck) -> None:
    parameters = charter.parameters
    for source, count in Counter(one.id for one in parameters.sources).items():
        if count > 1:
            result.fault(f"source {source}", f"stands {count} times", "each source has an id of its own")
    chains = {source.scope for source in parameters.sources}
    used = {chain for bridge in parameters.bridges for chain in (bridge.home, bridge.far)}
    used |= {oracle.chain for oracle in parameters.oracles}
    for chain in sorted(used - chains):
        result.fault("source", f"nobody reads {chain}", f'add a [[source]] with scope = "{chain}"')
    for at, bridge in enumerate(parameters.bridges):
        where = f"bridge[{at}]"
        if bridge.asset.kind is not Kind.ASSET:
            result.fault(f"{where}.asset", f"{bridge.asset} is no asset", "write a CAIP-19 name")
        elif bridge.asset.chain != bridge.home:
            result.fault(f"{where}.home", f"the asset lives on {bridge.asset.chain}", "home is the asset's own chain")
        if bridge.home == bridge.far:
            result.fault(f"{where}.far", "is the home chain", "far is the other chain")
    for at, oracle in enumerate(parameters.oracles):
        if oracle.subject.chain not in ("", oracle.chain):
            result.fault(f"oracle[{at}].chain", f"the subject is on {oracle.subject.chain}", "name the feed's chain")
        if not oracle.references:
            result.fault(f"oracle[{at}].references", "is empty", "name at least one feed to agree with")
    if not parameters.sources:
        result.notes.append("no sources: nobody's claim can meet the source rule, so nothing above GUARD can form")


def _check_founders(charter: Charter, result: CharterCheck) -> None:
    for member in charter.members:
        signature = charter.founders.get(member.name)
        if signature is None:
            sign = f"{member.name} runs `tocsin charter sign FILE --dir ITS_DIR`"
            result.fault(f"founder {member.name}", "has not signed", sign)
        elif not check_charter_signature(charter.network, member.governance_key, signature):
            cure = f"the charter changed after {member.name} signed, or the key is another; sign again"
            result.fault(f"founder {member.name}", "its signature does not hold for this id", cure)
    for name in sorted(set(charter.founders) - set(charter.by_name)):
        result.fault(f"founder {name}", "is no member", "remove that [[founder]]")


def _check_keysets(charter: Charter, now_ms: int, result: CharterCheck) -> None:
    opened: dict[MemberName, KeySet] = {}
    for at, raw in enumerate(charter.sealed):
        keyset = _open(charter, at, raw, result)
        if keyset is None:
            continue
        where = f"keyset {keyset.member}"
        if keyset.member in opened:
            result.fault(where, "stands twice", "keep one [[keyset]] of each member")
        if keyset.expires_ms <= now_ms:
            result.fault(where, "has expired", f"{keyset.member} signs again with `tocsin charter sign`")
        elif keyset.expires_ms > now_ms + KEYSET_TERM_MS_MAX:
            result.fault(where, "lasts longer than a year", f"{keyset.member} signs again with a shorter term")
        opened[keyset.member] = keyset
    for member in charter.members:
        if member.name not in opened and member.name in charter.founders:
            result.fault(f"keyset {member.name}", "is missing", f"{member.name} signs again; this adds it")
    _check_hot_keys(charter, opened, result)


def _open(charter: Charter, at: int, raw: bytes, result: CharterCheck) -> KeySet | None:
    try:
        member = charter.by_name.get(keyset_owner(raw))
        if member is None:
            result.fault(f"keyset[{at}]", f"{keyset_owner(raw)} is no member", "remove that [[keyset]]")
            return None
        return open_keyset(raw, charter.network, member.governance_key).keyset
    except ProtocolError as error:
        result.fault(f"keyset[{at}]", error.detail, "its member signs again with `tocsin charter sign`")
        return None


def _check_hot_keys(charter: Charter, opened: dict[MemberName, KeySet], result: CharterCheck) -> None:
    taken = {member.governance_key: f"the governance key of {member.name}" for member in charter.members}
    peers: dict[str, MemberName] = {}
    for name, keyset in sorted(opened.items()):
        other = taken.setdefault(keyset.attestation, f"the attestation key of {name}")
        if other != f"the attestation key of {name}":
            result.fault(f"keyset {name}", f"delegates {other}", "keys are apart: `tocsin init` and sign again")
        if not keyset.transport:
            result.fault(f"keyset {name}", "names no transport identity", "its member signs again")
        for peer in keyset.transport:
            if peers.setdefault(peer, name) != name:
                result.fault(f"keyset {name}", f"shares a peer id with {peers[peer]}", "`tocsin init` and sign again")


def _check_contacts(charter: Charter, result: CharterCheck) -> None:
    seen: set[MemberName] = set()
    for contact in charter.contacts:
        if contact.member not in charter.by_name:
            result.fault(f"contact {contact.member}", "is no member", "remove that [[contact]]")
        if contact.member in seen:
            result.fault(f"contact {contact.member}", "stands twice", "keep one [[contact]] of each member")
        seen.add(contact.member)
    missing = [member.name for member in charter.members if member.name not in seen]
    if missing and len(charter.members) > 1:
        result.notes.append(f"no address of {', '.join(missing)}: they must be the ones that dial")
