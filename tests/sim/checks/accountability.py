"""A: who did what is known, and nobody is blamed for what he did not do."""

from __future__ import annotations

from node.records import ActionOpened, EquivocationProven, FalseStatement
from protocol.envelope import parse_entry
from protocol.messages import Commit, Prepare, Propose
from tests.sim.cast import NETWORK
from tests.sim.checks.base import Seen
from tests.sim.shell import Process
from tests.sim.world import World


def a1_no_honest_member_is_proven(seen: Seen, world: World, process: Process, record: EquivocationProven) -> str:
    author = parse_entry(record.one, NETWORK).entry.author
    if author in world.processes and author not in world.rolled_back:
        return f"{author} is honest and was proven to have equivocated"
    return ""


UNDER_WAY_MS = 3_000
"""A fork that liars show at this very moment is proven here and on its way there: two delays, and what is lost."""


def a1_a_proof_proves(seen: Seen, world: World, process: Process, record: EquivocationProven) -> str:
    """Two payloads of one seq, a word whose prev is not the word before it, or two votes in one place of a round:
    signatures play no part in it."""
    one, other = (parse_entry(raw, NETWORK) for raw in (record.one, record.other))
    a, b = sorted((one, other), key=lambda told: told.entry.seq)
    seen.margins.setdefault(f"proven/{a.entry.author}", world.time.now_ms)
    if (a.entry.author, a.entry.key_version) != (b.entry.author, b.entry.key_version):
        return "two feeds were taken for one"
    forks = a.entry.seq == b.entry.seq and a.to_be_signed != b.to_be_signed
    broken = a.entry.seq + 1 == b.entry.seq and b.entry.prev != a.hash
    first, second = a.entry.body, b.entry.body
    votes = isinstance(first, Propose | Prepare | Commit) and type(first) is type(second)
    twice = votes and (first.epoch, first.round) == (second.epoch, second.round) and first != second
    return (
        ""
        if forks or broken or twice
        else f"{a.entry.author}'s words {a.entry.seq} and {b.entry.seq} do not contradict"
    )


def a1_a_proof_is_everywhere(seen: Seen, world: World, process: None) -> str:
    """Asked some time after the heal: what one honest node can prove all can, of who still sits."""
    proven = {one.name: {author for author, _ in one.state.equivocations} for one in world.honest()}
    since = world.time.now_ms - UNDER_WAY_MS
    everywhere = {
        author
        for author in set().union(*proven.values())
        if seen.margins.get(f"proven/{author}", 0) <= since and author in world.epoch.by_name
    }
    for name, known in proven.items():
        if not known >= everywhere:
            return f"{name} lacks the proof against {sorted(everywhere - known)}"
    return ""


def a2_an_action_has_its_reason(seen: Seen, world: World, process: Process, record: ActionOpened) -> str:
    state = process.state
    if record.rule not in {rule.name for rule in state.setup.policy.rules}:
        return f"rule {record.rule} stands in no policy"
    if record.certificate:
        stored = record.certificate in seen.accepted.get(process.name, ())
        return "" if stored else "it names a certificate that was never accepted"
    supported = {
        (one.claim.type, one.claim.id) for one in state.ruled.values() if one.judgement.ruling.value == "supports"
    }
    if {(one.type, one.id) for one in record.claims} & supported:
        return ""
    return "neither a certificate nor own evidence stands behind it"


def a3_only_liars_are_named(seen: Seen, world: World, process: Process, record: FalseStatement) -> str:
    author = parse_entry(record.entry, NETWORK).entry.author
    poisoned = any(not fact.true for fact in world.truth.facts.values())
    if author in world.processes and not poisoned:
        return f"{author} is honest and is held to have said what is false: {record.why}"
    return ""
