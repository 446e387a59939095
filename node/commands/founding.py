"""`tocsin init` and `tocsin charter …`: making keys, a member card and, with others, a network."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from node.commands.common import (
    FAILED,
    OK,
    CommandError,
    Output,
    all_faults,
    read_text,
    say,
    say_json,
    say_table,
    usage,
    write_text,
)

if TYPE_CHECKING:
    from governance.card import Card
    from governance.charter import Charter, Parameters
    from node.commands.home import Home

DEFAULT_ADDRESS = "/ip4/127.0.0.1/tcp/4001"
charter_app = App(name="charter", help="Found a network: write, sign, check and read its charter.")
Many = Annotated[list[str] | None, Parameter(negative=(), consume_multiple=False)]


def init(
    name: str,
    /,
    *,
    directory: Annotated[Path, Parameter(name=["--dir", "-d"])],
    group: str = "",
    addr: Many = None,
    evm: str = "",
    output: Output = "human",
) -> int:
    """Make a member: keys, a node.toml and the card to hand to the others.

    Example: `tocsin init lender-a --dir lender-a --addr /ip4/192.0.2.1/tcp/4001`

    Parameters
    ----------
    name
        The seat's name: 1 to 32 characters of a-z, 0-9 and -.
    directory
        A new or empty directory; everything is written there.
    group
        Who really controls the seat, where several seats have one owner; the name where absent.
    addr
        A multiaddr where others reach this node; may be given several times. "none": nobody can dial it, it dials.
    evm
        The address of a secp256k1 key for contracts; "new" makes such a key here, for the node to sign with.
    """
    from node.commands.home import make_home
    from node.config_model import NOWHERE

    addresses = () if addr == [NOWHERE] else tuple(addr or [DEFAULT_ADDRESS])
    home = make_home(directory, name, group, addresses, evm)
    if output == "json":
        say_json(_home_facts(home))
        return OK
    say(
        f"Made {name} in {directory}.",
        f"  card to hand out      {home.card_path}",
        f"  governance key        {home.governance_path}  (cold: move it off this machine once the charter is signed)",
        f"  node configuration    {home.config_path}",
        f"  policy                {home.policy_path}  (observes; moves no lever until you write rules)",
        f"  lever account         {home.lever_address}  (pays for lever transactions: give it gas, and only that)",
        "",
        "Next:",
        f"  1. hand {home.card_path} to the founders, get theirs; read governance keys out to each other",
        "  2. one founder: tocsin charter create CARD… --out charter.toml",
        f"  3. everybody, in turn: tocsin charter sign charter.toml --dir {directory}",
        f"  4. everybody: tocsin charter check charter.toml, then cp charter.toml {directory}/",
        f"  5. tocsin doctor --config {home.config_path}, then tocsin up --config {home.config_path}",
    )
    return OK


def _home_facts(home: Home) -> dict[str, Any]:
    return {
        "name": home.card.name,
        "card": str(home.card_path),
        "governance_key": str(home.governance_path),
        "config": str(home.config_path),
        "policy": str(home.policy_path),
        "peer_id": home.card.peer_id,
        "governance": home.card.governance.hex(),
        "attestation": home.card.attestation.hex(),
        "lever_address": home.lever_address,
    }


@charter_app.command
def create(
    *cards: Path,
    out: Path,
    name: str = "tocsin",
    source: Many = None,
    bridge: Many = None,
    oracle: Many = None,
    lease: Many = None,
    threshold: Many = None,
    delay: Many = None,
    seat: Many = None,
    output: Output = "human",
) -> int:
    """Write an unsigned charter of these member cards.

    Example: `tocsin charter create a/card.toml b/card.toml c/card.toml d/card.toml --out charter.toml
    --source a-home=a=eip155:1 --source b-home=b=eip155:1 --lease isolate=2h`

    Parameters
    ----------
    cards
        The founders' card files.
    out
        The charter to write; an existing file is left alone.
    name
        What people call the network.
    source
        ID=OPERATOR=CHAIN: who answers for one view of one chain. Several times. Without any: what each member's own
        people see.
    bridge
        ASSET=HOME=ESCROW=FAR=TWIN: a bridge whose releases claims may speak of. Several times.
    oracle
        SUBJECT=CHAIN=FEED=REFERENCE,REFERENCE…: a feed and what it is to agree with. Several times.
    lease
        LEVEL=DURATION (guard, isolate, halt): the longest opinion of a level; shorter than the bound only.
    threshold
        LEVEL=FORMULA over n, f, Q; stricter than the default only.
    delay
        change=DURATION or loosen=DURATION: what a passed proposal waits before it is ordered; 3d and 7d where absent.
    seat
        term=DURATION or silence=DURATION; 365d and 3d where absent.
    """
    from governance.charter import check, found, write
    from node.commands.words import parameters_of

    founders = _founders(cards, name)
    parameters: Parameters = parameters_of(
        name,
        created_ms=int(time.time() * 1000),
        sources=source or [_people(card) for card in founders],
        bridges=bridge or [],
        oracles=oracle or [],
        leases=lease or [],
        thresholds=threshold or [],
        delays=delay or [],
        seats=seat or [],
    )
    charter = found(founders, parameters)
    result = check(charter, parameters.created_ms, signatures=False)
    if not result.ok:
        raise CommandError("\n  ".join(["no charter was written:", *map(str, result.faults)]))
    write_text(out, write(charter))
    _tell_created(charter, out, result.notes, output, people=not source)
    return OK


def _founders(cards: Sequence[Path], name: str) -> list[Card]:
    from node.drill.mark import drill_of

    if not cards:
        raise usage("no card is named", "tocsin charter create CARD… --out charter.toml")
    if drill_of(name):
        what = f"{name} is the name of a drill network, whose nodes pull no lever"
        raise usage(what, "`tocsin drill found` writes one")
    return [read_card(path) for path in cards]


def _tell_created(charter: Charter, out: Path, notes: Sequence[str], output: str, *, people: bool) -> None:
    if output == "json":
        say_json({"charter": str(out), "network": charter.network.hex(), "notes": notes})
        return
    if people:
        say("No --source: what each member's own people see is its source (a chain: --source ID=OPERATOR=CHAIN).")
    say(f"Wrote {out}: network {charter.network.hex()}", *(f"  note: {note}" for note in notes))
    say(f"Next: every founder reads it and runs `tocsin charter sign {out} --dir ITS_DIR`, one after the other.")


def _people(card: Card) -> str:
    """A source that needs no chain: without one, nobody's alarm could meet the source rule."""
    return f"{card.name}-people={card.name}=people"


def read_card(path: Path) -> Card:
    from governance.card import parse_card
    from governance.faults import CardFaults

    try:
        return parse_card(read_text(path, 64 * 1024, "member card"))
    except CardFaults as error:
        raise CommandError("\n  ".join(["the card cannot be used:", *map(str, error.faults)]), str(path)) from None


def read_charter(path: Path) -> Charter:
    """CommandError with every fault of form."""
    from governance.charter import CharterFaults, parse
    from governance.charter_toml import CHARTER_CHARS_MAX

    try:
        return parse(read_text(path, CHARTER_CHARS_MAX, "charter"))
    except CharterFaults as error:
        raise CommandError("\n  ".join(["the charter cannot be read:", *map(str, error.faults)]), str(path)) from None


@charter_app.command
def sign(
    file: Path,
    /,
    *,
    directory: Annotated[Path, Parameter(name=["--dir", "-d"])],
    governance_key: Path | None = None,
    term: str = "365d",
    output: Output = "human",
) -> int:
    """Sign a charter as one of its founders and add the KeySet of your hot keys. Read the charter first.

    Example: `tocsin charter sign charter.toml --dir lender-a`

    Parameters
    ----------
    file
        The charter; it is rewritten in place.
    directory
        What `tocsin init` made.
    governance_key
        Where the governance key lies, when no longer in that directory.
    term
        How long the hot keys are good for, at most a year.
    """
    from governance.charter import signed, write
    from node.commands.home import founder_of

    charter = read_charter(file)
    founder = founder_of(directory, governance_key, term, int(time.time() * 1000))
    done = signed(charter, founder.keyset.member, founder.governance, founder.keyset)
    write_text(file, write(done), replace=True)
    missing = [member.name for member in done.members if member.name not in done.founders]
    if output == "json":
        say_json({"network": done.network.hex(), "member": founder.keyset.member, "unsigned": missing})
        return OK
    say(f"{founder.keyset.member} signed network {done.network.hex()}")
    say(f"Still to sign: {', '.join(missing)}" if missing else f"All have signed. Next: tocsin charter check {file}")
    return OK


@charter_app.command
def check(file: Path, /, *, output: Output = "human") -> int:
    """Say whether a charter may found a network; every fault at once.

    Example: `tocsin charter check charter.toml`

    Parameters
    ----------
    file
        The charter.
    """
    from governance.charter import check as judge

    charter = read_charter(file)
    result = judge(charter, int(time.time() * 1000))
    if output == "json":
        faults = [{"what": one.what, "where": one.where, "do": one.cure} for one in result.faults]
        say_json({"ok": result.ok, "network": charter.network.hex(), "faults": faults, "notes": result.notes})
        return OK if result.ok else FAILED
    if not result.ok:
        raise CommandError(all_faults(result.faults), str(file))
    epoch = charter.epoch0()
    say(f"{file} holds: network {charter.network.hex()}", f"  {_counts(charter)}")
    say(*(f"  note: {note}" for note in result.notes))
    say(f"  epoch 0 {epoch.hash.hex()}")
    return OK


def _counts(charter: Charter) -> str:
    epoch = charter.epoch0()
    needed = ", ".join(f"{level.name} {count}" for level, count in epoch.thresholds.items())
    return f"{epoch.n} control groups, {epoch.f} may lie; groups needed: {needed}"


@charter_app.command
def show(file: Path, /, *, output: Output = "human") -> int:
    """Print a charter as people read it aloud.

    Example: `tocsin charter show charter.toml`

    Parameters
    ----------
    file
        The charter.
    """
    charter = read_charter(file)
    inside = charter.parameters
    if output == "json":
        say_json(_charter_facts(charter))
        return OK
    say(f"{inside.name}: network {charter.network.hex()}")
    if charter.members:
        say(f"  {_counts(charter)}")
    rows = [
        (one.name, one.group, one.governance_key.hex(), "yes" if one.name in charter.founders else "no")
        for one in charter.members
    ]
    say_table(("member", "group", "governance key", "signed"), rows)
    if inside.sources:
        say_table(("source", "operator", "reads"), [(one.id, one.operator, one.scope) for one in inside.sources])
    for bridge in inside.bridges:
        escrow, twin = f"0x{bridge.escrow.hex()}", f"0x{bridge.twin.hex()}"
        say(f"bridge of {bridge.asset}: escrow {escrow} on {bridge.home}, twin {twin} on {bridge.far}")
    for oracle in inside.oracles:
        references = ", ".join("0x" + one.hex() for one in oracle.references)
        say(f"oracle {oracle.subject}: 0x{oracle.feed.hex()} on {oracle.chain}, held against {references}")
    return OK


def _charter_facts(charter: Charter) -> dict[str, Any]:
    inside = charter.parameters
    return {
        "name": inside.name,
        "network": charter.network.hex(),
        "created_ms": inside.created_ms,
        "epoch0": charter.epoch0().hash.hex(),
        "thresholds": {level.name: formula for level, formula in inside.formulas.items()},
        "lease_ms": {level.name: value for level, value in inside.lease_ms.items()},
        "members": [
            {
                "name": one.name,
                "group": one.group,
                "governance": one.governance_key.hex(),
                "signed": one.name in charter.founders,
            }
            for one in charter.members
        ],
        "sources": [{"id": one.id, "operator": one.operator, "scope": one.scope} for one in inside.sources],
    }
