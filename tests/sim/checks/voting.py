"""S8, S9, A1 for votes: who prepares and commits what, by books of ballots that are kept here for each node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from governance.ballots import BALLOT_TYPE, Vote, open_ballot, parse_ballot
from governance.epochs import parse_epoch_certificate
from governance.proposals import PROPOSAL_TYPE, Proposal, Rekey, parse_proposal, statement_type
from governance.values import parse_value
from node.records import EntryAccepted, EpochCertified
from protocol.envelope import Verified, parse_entry
from protocol.errors import ProtocolError
from protocol.membership import Epoch
from protocol.messages import NOTHING, Commit, Prepare, Propose, Statement, value_hash
from tests.sim.cast import NETWORK
from tests.sim.checks.base import Seen
from tests.sim.checks.safety import faults_of
from tests.sim.shell import Process
from tests.sim.world import World

Arrived = tuple[int, str, int, bool, bytes]
"""(true time, member, ballot number, yes, the key that sealed it)"""


@dataclass
class Books:
    """Kept by the checker, of what left nodes and what came to them."""

    ballots: dict[tuple[str, bytes], list[Arrived]] = field(default_factory=dict)
    """(node, proposal) → what it holds, as it came."""
    proposals: dict[bytes, Proposal] = field(default_factory=dict)
    values: dict[bytes, bytes] = field(default_factory=dict)
    valid_rounds: dict[tuple[bytes, int, bytes], set[int | None]] = field(default_factory=dict)
    """(epoch, round, value hash) → what its Proposes said of where it was prepared."""
    said: dict[tuple[str, bytes, int, str], object] = field(default_factory=dict)
    """(honest member, epoch, round, kind of vote) → what it said there."""
    prepared: dict[tuple[bytes, int, bytes], set[str]] = field(default_factory=dict)
    """(epoch, round, value hash) → honest groups."""
    committed: dict[tuple[str, bytes], dict[int, bytes]] = field(default_factory=dict)
    """(honest member, epoch) → round → value hash, but for nothing."""


def _books(seen: Seen) -> Books:
    if seen.books is None:
        seen.books = Books()
    found: Books = seen.books
    return found


def note_entry(seen: Seen, world: World, process: Process, record: EntryAccepted) -> str:
    """Every ballot and vote that a node takes; and what it takes of honest members' votes must agree."""
    body = parse_entry(record.raw, NETWORK).entry.body
    if isinstance(body, Statement):
        _note_statement(_books(seen), world, process, body.sealed)
    elif isinstance(body, Propose | Prepare | Commit):
        author = parse_entry(record.raw, NETWORK).entry.author
        return _note_vote(_books(seen), world, author, body, left=process.name != author)
    return ""


def _note_statement(books: Books, world: World, process: Process, raw: bytes) -> None:
    try:
        kind = statement_type(raw)
        if kind == PROPOSAL_TYPE:
            sealed = parse_proposal(raw, NETWORK)
            books.proposals[sealed.hash] = sealed.proposal
        elif kind == BALLOT_TYPE:
            ballot = parse_ballot(raw, NETWORK).ballot
            seat = world.epoch_of(process).by_name.get(ballot.member)
            if seat is not None:
                open_ballot(raw, NETWORK, seat.governance_key)
                row = (
                    world.time.now_ms,
                    str(ballot.member),
                    ballot.ballot_no,
                    ballot.vote is Vote.YES,
                    seat.governance_key,
                )
                books.ballots.setdefault((process.name, ballot.proposal), []).append(row)
    except ProtocolError:
        return


def _note_vote(books: Books, world: World, author: str, body: Any, left: bool) -> str:
    named = value_hash(body.value) if isinstance(body, Propose) else body.value_hash
    if isinstance(body, Propose):
        books.values[named] = body.value
        books.valid_rounds.setdefault((body.epoch, body.round, named), set()).add(body.valid_round)
    epoch = world.epochs.get(body.epoch)
    if epoch is None or author not in world.processes or author in world.faulty or author not in epoch.by_name:
        return ""
    if isinstance(body, Prepare):
        books.prepared.setdefault((body.epoch, body.round, named), set()).add(epoch.group_of(author))  # type: ignore[arg-type]
    if not left:
        return ""
    kind = type(body).__name__
    what = (named, body.valid_round) if isinstance(body, Propose) else named
    if isinstance(body, Commit) and named != NOTHING:
        books.committed.setdefault((author, body.epoch), {})[body.round] = named
    if books.said.setdefault((author, body.epoch, body.round, kind), what) != what:
        return f"{author} said two {kind}s in round {body.round}"
    return ""


def a1_nobody_honest_votes_twice(seen: Seen, world: World, process: Process, own: Sequence[Verified[Any]]) -> str:
    """As it leaves: one Propose, one Prepare, one Commit of a round, whatever crashed in between."""
    for one in own:
        if isinstance(one.body, Propose | Prepare | Commit):
            fault = _note_vote(_books(seen), world, process.name, one.body, left=True)
            if fault:
                return fault
    return ""


def s8_a_lock_is_kept(seen: Seen, world: World, process: Process, own: Sequence[Verified[Any]]) -> str:
    """Who committed a value prepares another only where a quorum has prepared that one since."""
    books = _books(seen)
    for one in own:
        body, epoch = one.body, world.epochs.get(getattr(one.body, "epoch", b""))
        if not isinstance(body, Prepare) or body.value_hash == NOTHING or epoch is None or process.name in world.faulty:
            continue
        earlier = books.committed.get((process.name, body.epoch), {})
        locked = max((round_ for round_ in earlier if round_ < body.round), default=None)
        if locked is None or earlier[locked] == body.value_hash:
            continue
        liars = {seat.group for seat in epoch.members if seat.name in world.untrusted}
        needed = epoch.n - faults_of(epoch)
        since = [
            len(books.prepared.get((body.epoch, at, body.value_hash), set()) | liars)
            for at in range(locked, body.round)
        ]
        if max(since) < needed:
            return f"committed one value in round {locked} and prepares another in round {body.round}"
    return ""


def s8_what_is_prepared_has_passed(seen: Seen, world: World, process: Process, own: Sequence[Verified[Any]]) -> str:
    """A first Prepare of a value: of each proposal this node holds the ballots, their delay is over, no veto stands."""
    books = _books(seen)
    for one in own:
        body = one.body
        if not isinstance(body, Prepare) or body.value_hash not in books.values or process.name in world.faulty:
            continue
        said = books.valid_rounds.get((body.epoch, body.round, body.value_hash), set())
        epoch = world.epochs.get(body.epoch)
        if epoch is None or said != {None} or world.epoch_of(process) is not epoch:
            continue
        for hash_ in parse_value(books.values[body.value_hash]).proposals:
            fault = _passed(books, world, process, epoch, hash_)
            if fault:
                return fault
    return ""


def _passed(books: Books, world: World, process: Process, epoch: Epoch, hash_: bytes) -> str:
    proposal = books.proposals.get(hash_)
    parent = world.epochs.get(proposal.parent) if proposal is not None else None
    if proposal is None or parent is None:
        return f"prepares proposal {hash_.hex()[:8]}, which nobody told it"
    change = proposal.change
    if isinstance(change, Rekey) and len(proposal.consents) == 2:
        return ""
    rows = books.ballots.get((process.name, hash_), [])
    chain = [one for one in world.epochs.values() if parent.number <= one.number <= epoch.number]
    held = [_held_ms(rows, proposal, parent, one) for one in chain]
    since_ms = min((at for at in held if at is not None), default=None)
    if since_ms is None:
        return f"prepares {change} without a quorum of ballots"
    if "clock_jump" in world.options.faults:
        return ""
    delay_ms = min(one.change_delay_ms for one in chain)
    if world.time.now_ms < since_ms + delay_ms:
        return f"prepares {change} {since_ms + delay_ms - world.time.now_ms} ms before its delay is over"
    latest = _against(rows, proposal, parent, epoch, since_ms + delay_ms) & _against(
        rows, proposal, parent, epoch, world.time.now_ms
    )
    if process.life == 1 and 3 * len(latest) > epoch.n:
        return f"prepares {change}, to which {sorted(latest)} of {epoch.n} groups had said no"
    return ""


def _say(epoch: Epoch, parent: Epoch, proposal: Proposal, member: str, key: bytes = b"") -> str:
    """The group that this member's ballot speaks for, or "": ballots go with the key that sealed them."""
    seat = next((one for one in epoch.members if one.name == member), None)
    lost = isinstance(proposal.change, Rekey) and proposal.change.member == member
    if seat is None or seat.since > parent.number or lost or key not in (b"", seat.governance_key):
        return ""
    return seat.group


def _held_ms(rows: list[Arrived], proposal: Proposal, parent: Epoch, epoch: Epoch) -> int | None:
    """When this node had heard a yes of a quorum's groups, in the larger of two epochs."""
    needed = max(parent.n - faults_of(parent), epoch.n - faults_of(epoch))
    groups: set[str] = set()
    for at_ms, member, _, yes, key in rows:
        if yes:
            groups |= {_say(epoch, parent, proposal, member, key)} - {""}
        if len(groups) >= needed:
            return at_ms
    return None


def _against(rows: list[Arrived], proposal: Proposal, parent: Epoch, epoch: Epoch, until_ms: int) -> set[str]:
    """Groups one of whose latest ballots by then is no. Of who said both under one number, then or later, either
    holds."""
    latest: dict[str, int] = {}
    for at_ms, member, number, _, _ in rows:
        if at_ms < until_ms:
            latest[member] = max(number, latest.get(member, -1))
    said: dict[tuple[str, bytes], set[bool]] = {}
    for _, member, number, yes, key in rows:
        if latest.get(member) == number:
            said.setdefault((member, key), set()).add(yes)
    against = {_say(epoch, parent, proposal, member, key) for (member, key), both in said.items() if both == {False}}
    return against - {""}


def s8_an_epoch_has_its_ballots(seen: Seen, world: World, process: Process, record: EpochCertified) -> str:
    """By the people's own books: a quorum is made of honest people who said yes, and of liars."""
    told = world.people.told if world.people is not None else {}
    for raw in parse_epoch_certificate(record.raw).proposals:
        sealed = parse_proposal(raw, NETWORK)
        parent, proposal = world.epochs.get(sealed.proposal.parent), sealed.proposal
        before = world.epochs.get(parse_value(parse_epoch_certificate(record.raw).value).parent)
        if parent is None or before is None:
            return f"{proposal.change} stands in a certificate, and its epoch is none of ours"
        if isinstance(proposal.change, Rekey) and len(proposal.consents) == 2:
            continue
        ballots = told[sealed.hash].ballots if sealed.hash in told else {}
        yes = {_say(before, parent, proposal, name) for name, cast in ballots.items() if any(one for _, one in cast)}
        liars = {seat.group for seat in before.members if seat.name in world.liar_names}
        needed = max(parent.n - faults_of(parent), before.n - faults_of(before))
        if len((yes | liars) - {""}) < needed:
            return (
                f"{proposal.change} is in force by {len(yes - {''})} honest groups and {len(liars)} liars of {needed}"
            )
    return ""


def s9_nobody_who_left_is_heard(seen: Seen, world: World, process: Process, record: EntryAccepted) -> str:
    author, epoch = parse_entry(record.raw, NETWORK).entry.author, world.epoch_of(process)
    if seen.entering or author in epoch.by_name:
        return ""
    return f"a word of {author} is taken in epoch {epoch.number}, where it has no seat"


def s5_an_epoch_drops_nothing(seen: Seen, world: World, process: Process) -> str:
    """What was certified in an epoch runs to its end in the next."""
    life, held = seen.running.get(process.name, (0, {}))
    now_ms = process.clock().wall_ms
    gone = [id_ for id_, ends_ms in held.items() if ends_ms > now_ms and id_ not in process.state.certificates]
    if life == process.life and gone:
        return f"{len(gone)} certificates that run are gone with the epoch before"
    return ""


VOTING = {
    "entered": (("S5 an epoch drops nothing", s5_an_epoch_drops_nothing),),
    "entry": (
        ("A1 nobody honest votes twice", note_entry),
        ("S9 nobody who left is heard", s9_nobody_who_left_is_heard),
    ),
    "own": (
        ("A1 nobody honest votes twice", a1_nobody_honest_votes_twice),
        ("S8 a lock is kept", s8_a_lock_is_kept),
        ("S8 what is prepared has passed", s8_what_is_prepared_has_passed),
    ),
    "epoch": (("S8 an epoch has its ballots", s8_an_epoch_has_its_ballots),),
}
"""What can break them → rows, for `table`."""
