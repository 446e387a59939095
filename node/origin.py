"""Where a node starts from: the charter's epoch, or the head of a chain that its owner came to trust when it joined;
and which governance keys may have sealed its own KeySets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from governance.application import parse_application
from governance.chain import parse_chain, replay
from governance.charter import Charter
from governance.epochs import check, parse_epoch_certificate
from governance.faults import FileFaults
from node.config import NodeConfig
from node.machine.epochs import EPOCHS_KEPT
from node.records import VERSION, EpochCertified, kind_of, unpack_record
from node.store_check import bodies_of
from node.store_errors import StoreError
from protocol.envelope import SealedKeySet, keyset_owner, open_keyset
from protocol.errors import Code, ImpossibleError, ProtocolError
from protocol.ids import MemberName, PublicKey
from protocol.membership import Epoch

NETWORK_NAME = "network.cbor"
"""Below data_dir: the chain that a node starts from which joined later."""
APPLICATION_NAME = "application.toml"
"""Below data_dir: the keys under which a seat begins that no epoch holds yet."""


class OriginFault(Exception):
    """What this node would start from does not hold: what, where and what to do."""


class NoSeatError(OriginFault):
    """This member sits nowhere here, and did not apply."""


@dataclass(frozen=True)
class Origin:
    """`epoch`: what the machine starts from, before its own records; `before`: the certificates that led there."""

    epoch: Epoch
    past: tuple[Epoch, ...]
    """Ahead of `epoch`, newest first: certificates of them may still run."""
    head: Epoch
    """The last that this directory knows: of the store, where one stands there."""
    before: tuple[bytes, ...]
    keysets: tuple[bytes, ...]
    """To be learnt at the start: founders', or those of the chain's head."""
    governance: tuple[PublicKey, ...]
    """Of this member, then and since; the one of now first."""
    extra: tuple[SealedKeySet, ...] = field(default=())
    """What its own application delegated."""
    epochs: tuple[Epoch, ...] = field(default=())
    """All that this directory knows, in order; `head` is the last."""

    def opened(self, raw: bytes) -> SealedKeySet | None:
        """A KeySet of who sits now, or sat at the start; None for what is none."""
        for epoch in (self.head, self.epoch):
            found = opened_in(epoch, raw)
            if found is not None:
                return found
        return self._applied(raw) if self.extra else None

    def _applied(self, raw: bytes) -> SealedKeySet | None:
        """Of this member, which applied and has no seat yet."""
        try:
            found = open_keyset(raw, self.epoch.network, self.governance[0])
        except ProtocolError:
            return None
        return found if found.keyset.member == self.extra[0].keyset.member else None

    def open_own(self, raw: bytes) -> SealedKeySet:
        """A KeySet under any of this member's governance keys; ProtocolError where none sealed it."""
        for key in self.governance:
            try:
                return open_keyset(raw, self.epoch.network, key)
            except ProtocolError as error:
                if error.code is not Code.BAD_SIGNATURE:
                    raise
        raise ProtocolError(Code.BAD_SIGNATURE, "no governance key of this member sealed it")


def opened_in(epoch: Epoch, raw: bytes) -> SealedKeySet | None:
    """None for what is no KeySet of a member of this epoch."""
    try:
        seat = epoch.by_name.get(keyset_owner(raw))
        return open_keyset(raw, epoch.network, seat.governance_key) if seat is not None else None
    except ProtocolError:
        return None


def origin_of(config: NodeConfig, charter: Charter) -> Origin:
    """OriginFault where a file beside the store proves nothing."""
    epoch, past = charter.epoch0(), list[Epoch]()
    before: tuple[bytes, ...] = ()
    keysets = tuple(charter.sealed)
    path = config.data_dir / NETWORK_NAME
    if path.exists():
        (epoch, *past), before, keysets = _chain(path, charter)
    later = _later(config.store, epoch)
    seats = [charter.epoch0(), epoch, *later]
    found = [one.by_name[config.member].governance_key for one in seats if config.member in one.by_name]
    applied = _application(config.data_dir / APPLICATION_NAME, config.member, epoch)
    if applied is not None:
        found.append(applied[0])
    if not found:
        raise NoSeatError(
            f"{config.charter}: {config.member} is no member of it; is it another network's charter? "
            "Who joins starts with: tocsin join FILE --application FILE"
        )
    own = (applied[1],) if applied is not None else ()
    head = later[-1] if later else epoch
    if config.member in head.by_name:
        found.append(head.by_name[config.member].governance_key)
    governance = tuple(dict.fromkeys(reversed(found)))
    known = (*reversed(past), epoch, *later)
    return Origin(epoch, tuple(past[:EPOCHS_KEPT]), head, before, keysets, governance, own, known)


def _chain(path: Path, charter: Charter) -> tuple[list[Epoch], tuple[bytes, ...], tuple[bytes, ...]]:
    """(epochs, newest first; certificates; KeySets). Proven anew at each start: a file may rot."""
    try:
        chain = parse_chain(path.read_bytes())
        epochs = [link.epoch for link in reversed(replay(chain))]
        head = epochs[0]
    except (OSError, ProtocolError) as error:
        what = error.detail if isinstance(error, ProtocolError) else error.strerror
        raise OriginFault(f"{path}: {what}; put it there anew: tocsin join") from None
    if head.network != charter.network:
        raise OriginFault(f"{path}: is of another network than {charter.parameters.name}'s charter; use its own")
    sits = [raw for raw in chain.keysets if _sits(raw, head)]
    return epochs, chain.certificates, tuple(sits)


def _sits(raw: bytes, epoch: Epoch) -> bool:
    try:
        return keyset_owner(raw) in epoch.by_name
    except ProtocolError:
        return False


def _application(path: Path, member: MemberName, epoch: Epoch) -> tuple[PublicKey, SealedKeySet] | None:
    if not path.exists():
        return None
    try:
        one = parse_application(path.read_text(encoding="utf-8"))
        if (one.admit.member, one.network) != (member, epoch.network):
            raise OriginFault(f"{path}: is of another member or network; put your own there: tocsin join")
        return one.admit.key, open_keyset(one.keyset, one.network, one.admit.key)
    except (OSError, UnicodeDecodeError, FileFaults, ProtocolError) as error:
        raise OriginFault(f"{path}: {error}; have it written anew: tocsin member apply") from None


def _later(store: Path, epoch: Epoch) -> list[Epoch]:
    """The epochs that this store has seen since. Each proves itself: what is torn ends the list."""
    found = [epoch]
    try:
        for body in bodies_of(store, kind_of(EpochCertified)):
            record = unpack_record(kind_of(EpochCertified), VERSION, body)
            if isinstance(record, EpochCertified):
                found.append(check(parse_epoch_certificate(record.raw), found[-1]).epoch)
    except (StoreError, ProtocolError, ImpossibleError):
        # `tocsin doctor` looks into a store that cannot be read; what was read so far proves itself
        pass
    return found[1:]
