"""`tocsin member …`: who sits in the network, and proposals to change that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from node.commands.common import (
    NODE_TOML,
    OK,
    CommandError,
    ConfigFile,
    Output,
    connect,
    read_text,
    say,
    say_json,
    usage,
    write_text,
)
from node.commands.listing import Again, ListOutput, say_list
from node.commands.sealing import GovernanceKey, a_hash, cold_signer, hand_over, here, now_ms

if TYPE_CHECKING:
    from governance.proposals import Change, Consent

member_app = App(name="member", help="Seats: list, show, apply for one, propose to change them.")
propose_app = App(name="propose", help="Seal a proposal with the governance key and hand it to the own node.")
member_app.command(propose_app)
APPLICATION_BYTES_MAX = 64 * 1024
Closes = Annotated[str, Parameter(help="How long ballots count, at most 30d.")]
Note = Annotated[str, Parameter(help="Why, for the people who vote.")]
Many = Annotated[list[str] | None, Parameter(negative=(), consume_multiple=False)]


@member_app.command(name="list")
def list_(*, watch: Again = False, config: ConfigFile = NODE_TOML, output: ListOutput = "human") -> int:
    """Every seat of the epoch in force: its group, whether it is heard, suspended, silent for too long, at its term.

    Example: `tocsin member list`
    """
    columns = ("member", "group", "heard", "stands", "key")
    with connect(config) as control:
        return say_list(lambda: control.network()["members"], columns, _row, "No member.", output, watch)


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    return one["name"], one["group"], "yes" if one["heard"] else "no", one["stands"], one["key_version"]


@member_app.command
def show(name: str, /, *, config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """One seat: keys, term, last word, proofs against it.

    Example: `tocsin member show lender-a`
    """
    with connect(config) as control:
        facts = control.network()
    found = [one for one in facts["members"] if one["name"] == name]
    if not found:
        raise CommandError(
            f"{name} has no seat in epoch {facts['epoch']['number']}", do="list them: tocsin member list"
        )
    if output == "json":
        say_json(found[0])
    else:
        say(*found[0]["sentences"])
    return OK


@member_app.command
def apply(
    network: Path,
    /,
    *,
    directory: Annotated[Path, Parameter(name=["--dir", "-d"])],
    out: Path,
    trust: str,
    governance_key: GovernanceKey = None,
    term: str = "365d",
    output: Output = "human",
) -> int:
    """A joiner's part: consent to a seat, and delegate the first hot keys. Works without a network.

    Example: `tocsin member apply network.cbor --dir lender-z --trust 9f2c… --out lender-z.application.toml`

    Parameters
    ----------
    network
        What a member's `tocsin network export` wrote.
    directory
        What `tocsin init` made.
    out
        A new file; hand it to the member that will propose you.
    trust
        The epoch's hash, as somebody whom you trust read it out to you.
    term
        How long the first hot keys are good for, at most a year.
    """
    from governance.application import apply_for, write_application
    from node.commands.home import applicant_of
    from node.commands.joining import read_network

    chain = read_network(network, a_hash(trust, "--trust"))
    founder, group = applicant_of(directory, governance_key, term, now_ms())
    one = apply_for(chain.network, chain.epoch.hash, group, founder.governance, founder.keyset)
    write_text(out, write_application(one))
    if output == "json":
        say_json({"wrote": str(out), "member": one.admit.member, "parent": one.parent.hex()})
        return OK
    say(
        f"Wrote {out}: {one.admit.member} ({one.admit.group}) applies for a seat after epoch {chain.epoch.number}.",
        f"  governance key {one.admit.key.hex()}  (read it out to them)",
        f"Next, at a member: tocsin member propose admit {out.name} --governance-key …",
    )
    return OK


def _propose(
    change: Change, consents: tuple[Consent, ...], closes: str, note: str, key: Path | None, config: Path, output: str
) -> int:
    from governance.durations import parse_duration
    from governance.proposals import KIND_OF, Proposal, seal_proposal

    place, signer, at_ms = here(config), cold_signer(key, config), now_ms()
    try:
        closes_ms = at_ms + parse_duration(closes)
    except ValueError as error:
        raise usage(f"--closes: {error}", 'write it like "7d"') from None
    made = Proposal(place.epoch, place.member, at_ms, closes_ms, KIND_OF[type(change)], change, note, consents)
    sealed = seal_proposal(place.network, signer, made)
    done = hand_over(sealed.raw, None, config)
    if output == "json":
        say_json({"id": sealed.hash.hex(), **done})
    else:
        say(f"Proposed: {sealed.hash.hex()}", f"Members look at it with: tocsin vote show {sealed.hash.hex()[:12]}")
    return OK


@propose_app.command
def admit(
    application: Path,
    /,
    *,
    closes: Closes = "7d",
    note: Note = "",
    governance_key: GovernanceKey = None,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Give a joiner a seat, by the application that it handed over.

    Example: `tocsin member propose admit lender-z.application.toml --governance-key /media/cold/governance.key`
    """
    from governance.application import parse_application

    one = parse_application(read_text(application, APPLICATION_BYTES_MAX, "application"))
    place = here(config)
    if (one.network, one.parent) != (place.network, place.epoch):
        raise CommandError(
            "is for another network, or for an epoch that is over",
            str(application),
            "have the joiner apply anew with a fresh `tocsin network export`",
        )
    done = _propose(one.admit, (one.consent,), closes, note, governance_key, config, output)
    hand_over(one.keyset, None, config)
    return done


@propose_app.command
def remove(
    name: str,
    /,
    *,
    closes: Closes = "7d",
    note: Note = "",
    governance_key: GovernanceKey = None,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Take a seat away. It waits for an incident to end unless the seat is suspended.

    Example: `tocsin member propose remove lender-b --note "merged into lender-a"`
    """
    from governance.proposals import Remove
    from protocol.ids import MemberName

    return _propose(Remove(MemberName(name)), (), closes, note, governance_key, config, output)


@propose_app.command
def suspend(
    name: str,
    /,
    *,
    closes: Closes = "7d",
    note: Note = "",
    governance_key: GovernanceKey = None,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Let a seat weigh nothing until it is reinstated: for silence, or for what the note says. Thresholds stay.

    Example: `tocsin member propose suspend oracle --note "silent since Monday"`
    """
    from governance.proposals import Suspend
    from protocol.ids import MemberName

    return _propose(Suspend(MemberName(name)), (), closes, note, governance_key, config, output)


@propose_app.command
def reinstate(
    name: str,
    /,
    *,
    closes: Closes = "7d",
    note: Note = "",
    governance_key: GovernanceKey = None,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """End a suspension, or begin a new term in the second half of the old one.

    Example: `tocsin member propose reinstate oracle`
    """
    from governance.proposals import Reinstate
    from protocol.ids import MemberName

    return _propose(Reinstate(MemberName(name)), (), closes, note, governance_key, config, output)


@propose_app.command
def regroup(
    *names: str,
    group: str,
    closes: Closes = "7d",
    note: Note = "",
    governance_key: GovernanceKey = None,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Say who really controls these seats: they sit in `--group` from then on. Splits a group, or merges several.

    Example: `tocsin member propose regroup lender-a lender-b --group holding-x`
    """
    from governance.proposals import Regroup
    from protocol.ids import GroupName, MemberName

    members = tuple(sorted(MemberName(name) for name in names))
    if not members:
        raise usage("no seat is named", "tocsin member propose regroup NAME… --group GROUP")
    return _propose(Regroup(members, GroupName(group)), (), closes, note, governance_key, config, output)


@propose_app.command
def parameters(
    *,
    guard: str = "",
    isolate: str = "",
    halt: str = "",
    lease: Many = None,
    delay: Many = None,
    seat: Many = None,
    closes: Closes = "7d",
    note: Note = "",
    governance_key: GovernanceKey = None,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Change thresholds, leases, delays or terms, within the floors that no network may fall below.

    Example: `tocsin member propose parameters --guard "max(3, f + 1)" --lease isolate=2h --delay change=5d`

    Parameters
    ----------
    guard
        A formula over n, f and Q.
    lease
        LEVEL=DURATION, guard, isolate or halt.
    delay
        change=DURATION or loosen=DURATION.
    seat
        term=DURATION or silence=DURATION.
    """
    from governance.proposals import Retune

    fields: dict[str, Any] = {"guard": guard or None, "isolate": isolate or None, "halt": halt or None}
    fields |= _durations(lease, "--lease", {name: f"lease_{name}_ms" for name in ("guard", "isolate", "halt")})
    fields |= _durations(delay, "--delay", {name: f"{name}_delay_ms" for name in ("change", "loosen")})
    fields |= _durations(seat, "--seat", {"term": "seat_term_ms", "silence": "silence_ms"})
    return _propose(Retune(**fields), (), closes, note, governance_key, config, output)


def _durations(written: list[str] | None, option: str, names: dict[str, str]) -> dict[str, int]:
    from governance.durations import parse_duration

    found = {}
    for one in written or []:
        name, _, value = one.partition("=")
        try:
            found[names[name]] = parse_duration(value)
        except (KeyError, ValueError):
            raise usage(f"{option} {one!r} is not one of {', '.join(names)} = DURATION", 'like "2h" or "7d"') from None
    return found


@propose_app.command
def sources(
    *,
    add: Many = None,
    drop: Many = None,
    closes: Closes = "7d",
    note: Note = "",
    governance_key: GovernanceKey = None,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Change the source register.

    Example: `tocsin member propose sources --add z-home=lender-z=eip155:1 --drop old-vendor`

    Parameters
    ----------
    add
        ID=OPERATOR=SCOPE; one of a registered id replaces it.
    drop
        An id.
    """
    from governance.proposals import Sources
    from protocol.ids import SourceId
    from protocol.membership import Source

    rows = []
    for one in add or []:
        parts = one.split("=")
        if len(parts) != 3 or not all(parts):
            raise usage(f"--add {one!r} is not ID=OPERATOR=SCOPE", 'like "z-home=lender-z=eip155:1"')
        rows.append(Source(SourceId(parts[0]), parts[1], parts[2]))
    change = Sources(tuple(rows), tuple(SourceId(one) for one in drop or []))
    return _propose(change, (), closes, note, governance_key, config, output)


@propose_app.command
def rekey(
    name: str,
    /,
    *,
    new_key: Path,
    closes: Closes = "7d",
    note: Note = "",
    lost: bool = False,
    governance_key: GovernanceKey = None,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Move a governance key. Sealed by the old one it is its owner's own affair; a lost one takes the others' ballots.

    Example: `tocsin member propose rekey lender-a --new-key new.key --governance-key old.key`

    Parameters
    ----------
    new_key
        The key file of the new governance key, whose consent it needs.
    lost
        The old key is lost or stolen: another member proposes, with its own governance key.
    """
    from governance.proposals import Rekey, consent
    from node import keys
    from protocol.ids import MemberName

    place, old = here(config), cold_signer(governance_key, config)
    new = keys.load_signer(new_key, keys.Purpose.GOVERNANCE)
    change = Rekey(MemberName(name), new.public)
    consents = [consent(place.network, new, place.epoch, change)]
    if not lost:
        consents.append(consent(place.network, old, place.epoch, change))
    return _propose(change, tuple(consents), closes, note, governance_key, config, output)
