"""`tocsin key show | rotate | sign | revoke | publish`: hot keys and who delegated them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from node.commands.common import (
    NODE_TOML,
    OK,
    CommandError,
    ConfigFile,
    Output,
    Person,
    a_person,
    connect,
    load_config,
    read_text,
    say,
    say_json,
    until,
    usage,
    write_text,
)

if TYPE_CHECKING:
    from governance.keyset_request import KeySetRequest
    from protocol.messages import KeySet

REQUEST_BYTES_MAX = 64 * 1024
key_app = App(name="key", help="Hot keys: who delegated what, a fresh one, a stolen one.")
Files = Annotated[list[Path] | None, Parameter(negative=(), consume_multiple=False)]
Switch = Annotated[bool, Parameter(negative=())]


def _now_ms() -> int:
    return int(time.time() * 1000)


@key_app.command
def show(*, everybody: Switch = False, config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """Which versions are held here, which is in force, until when, what it delegates. With a node or without one.

    Example: `tocsin key show --config lender-a/node.toml`

    Parameters
    ----------
    everybody
        Every member's, not only this one's.
    """
    from node.commands.rotating import known_here
    from node.expiry import warning

    known = known_here(load_config(config))
    rows = [row for row in known.facts["keysets"] if everybody or row["member"] == known.member]
    newest = known.newest
    expiry = warning(newest.expires_ms, _now_ms()) if newest else ""
    if output == "json":
        say_json({**known.facts, "keysets": rows, "warning": expiry, "runs": known.runs})
        return OK
    if not known.runs:
        say("No node answers: this is what its files say. What others published since is not in them.")
    for row in rows:
        say(*_keyset_lines(row, known.facts.get("in_use")))
    signs = known.facts.get("signs")
    if known.runs and signs != "yes":
        say(f"SIGNS NOTHING: {signs}")
    if expiry:
        say(f"NOTE: {expiry}")
    return OK


def _keyset_lines(row: dict[str, Any], in_use: int | None) -> list[str]:
    head = f"{row['member']} version {row['version']}: " + ("in force" if row["in_force"] else "replaced")
    head += f", {until(row['expires_ms'])}"
    lines = [
        head,
        f"  attestation {row['attestation']}",
        f"  evm         {row['evm'] or 'none'}",
        f"  transport   {', '.join(row['transport']) or 'none'}",
        f"  hash        {row['hash']}",
    ]
    if row["forked"]:
        lines.append("  FORKED: two payloads under one of its numbers are proven; it counts for nothing here any more")
    if row["replaced"]:
        lines.append(f"  TWO OF ONE VERSION: the lower hash took another's place {row['replaced']} times")
    return lines


@key_app.command
def rotate(
    *,
    governance_key: Path | None = None,
    request: Path | None = None,
    sealed: Path | None = None,
    key: Path | None = None,
    transport: Switch = False,
    term: str = "365d",
    person: Person = "",
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Replace the attestation key by a fresh one, at once, whether the node runs or not; the old one never signs again.

    Example: `tocsin key rotate --governance-key /media/cold/governance.key`

    Example: `tocsin key rotate --request new.toml`, `tocsin key sign new.toml` where the governance key lies, then
    `tocsin key rotate --sealed new.cbor`

    Parameters
    ----------
    governance_key
        Where the cold key lies; beside node.toml where absent.
    request
        Write here what is to be sealed elsewhere; nothing changes yet.
    sealed
        What `tocsin key sign` wrote of it: put in force.
    key
        With --sealed: the fresh key's file, where it was made on another machine.
    transport
        A fresh libp2p identity too; the node takes it at its next start, and until then both may connect.
    term
        How long the fresh keys are good for, at most a year.
    """
    if request is not None and sealed is not None:
        raise usage("--request and --sealed are two steps", "first --request, then `tocsin key sign`, then --sealed")
    if key is not None and sealed is None:
        raise usage("--key belongs to --sealed", "tocsin key rotate --sealed FILE --key FILE")
    if sealed is not None:
        return _put(config, sealed, key, person, output)
    from node.commands.home import GOVERNANCE_NAME
    from node.commands.rotating import governance_signer, known_here, new_request, put_in_force, seal, term_ms_of

    term_ms, loaded = term_ms_of(term), load_config(config)
    known = known_here(loaded)
    if request is not None:
        return _ask(config, request, term_ms, output, transport=transport)
    cold = governance_signer(governance_key or loaded.path.parent / GOVERNANCE_NAME, known.governance, known.member)
    wanted = new_request(loaded, known, _now_ms() + term_ms, _now_ms(), transport=transport)
    raw = seal(wanted, cold, _now_ms()).raw
    keyset, live = put_in_force(loaded, raw, a_person(person))
    return _tell_taken(keyset, live, output)


def _ask(config: Path, request: Path, term_ms: int, output: str, *, transport: bool) -> int:
    from governance.keyset_request import write_request
    from node.commands.rotating import known_here, new_request

    loaded = load_config(config)
    if request.exists():
        raise CommandError("exists and is not overwritten", str(request), "name another file")
    wanted = new_request(loaded, known_here(loaded), _now_ms() + term_ms, _now_ms(), transport=transport)
    write_text(request, write_request(wanted))
    if output == "json":
        say_json({"request": str(request), "version": wanted.keyset.version})
        return OK
    say(f"Wrote {request}: version {wanted.keyset.version} of {wanted.keyset.member}. Nothing has changed yet.")
    say(f"Next, where the governance key lies: tocsin key sign {request} --governance-key governance.key")
    return OK


def _put(config: Path, sealed: Path, key: Path | None, person: str, output: str) -> int:
    from node import rotation
    from node.commands.rotating import put_in_force, read_sealed

    loaded = load_config(config)
    raw = read_sealed(sealed)
    if key is not None:
        rotation.bring(loaded.data_dir, key)
    keyset, live = put_in_force(loaded, raw, a_person(person))
    return _tell_taken(keyset, live, output)


def _tell_taken(keyset: KeySet, live: bool, output: str) -> int:
    if output == "json":
        say_json({"member": keyset.member, "key_version": keyset.version, "live": live})
        return OK
    say(f"{keyset.member} has attestation key version {keyset.version}, {until(keyset.expires_ms)}.")
    say(
        "The node goes on under it; what it had said and still holds is said again."
        if live
        else "No node runs: members hear of it when it starts. Then `tocsin up`."
    )
    say("Nothing sealed under an older version counts any more. Put the governance key away.")
    return OK


@key_app.command
def sign(
    file: Path,
    /,
    *,
    governance_key: Path = Path("governance.key"),
    charter: Path | None = None,
    network: Path | None = None,
    trust: str = "",
    out: Path | None = None,
    output: Output = "human",
) -> int:
    """Seal what `tocsin key rotate --request` wrote. Needs no node and no network.

    Example: `tocsin key sign new.toml --governance-key governance.key`

    Parameters
    ----------
    file
        The request.
    governance_key
        The cold key that it asks for.
    charter
        The network's charter, where it lies here: the request is held against it.
    network
        In its place, of who joined later or moved its governance key: what `tocsin network export` wrote.
    trust
        With --network: the hash of an epoch that you trust.
    out
        Where the sealed KeySet goes; beside the request, ending in .cbor, where absent.
    """
    from governance.keyset_request import parse_request
    from node import keys
    from node.commands.rotating import governance_signer, ground_of, seal, write_sealed

    wanted = parse_request(read_text(file, REQUEST_BYTES_MAX, "request"))
    keyset = wanted.keyset
    if charter is not None or network is not None:
        ground = ground_of(charter or Path("charter.toml"), network, trust)
        if ground.epoch.network != wanted.network:
            raise CommandError("is of another network than the charter", str(file), "name that network's charter")
        governance_signer(governance_key, ground.key_of(keyset.member), keyset.member)
    cold = keys.load_signer(governance_key, keys.Purpose.GOVERNANCE)
    if cold.public != wanted.governance:
        raise CommandError("is not the governance key that the request is for", str(governance_key), "name it")
    raw = seal(wanted, cold, _now_ms()).raw
    target = out or file.with_suffix(".cbor")
    write_sealed(target, raw)
    if output == "json":
        say_json({"sealed": str(target), "member": keyset.member, "version": keyset.version})
        return OK
    say(
        f"Sealed {target}: version {keyset.version} of {keyset.member} in network {wanted.network.hex()[:16]}…",
        f"  attestation {keyset.attestation.hex()}",
        f"  transport   {', '.join(keyset.transport) or 'none'}",
        f"  good for    {until(keyset.expires_ms)}",
        f"Next, at the node: tocsin key rotate --sealed {target.name}",
    )
    return OK


@key_app.command
def revoke(
    member: str,
    /,
    *,
    governance_key: Path = Path("governance.key"),
    charter: Path = Path("charter.toml"),
    network: Path | None = None,
    trust: str = "",
    known: Files = None,
    above: int = 0,
    key_out: Path | None = None,
    drop_transport: Switch = False,
    term: str = "365d",
    out: Path | None = None,
    output: Output = "human",
) -> int:
    """Stolen key: with the governance key alone, on any machine, make every word under it count for nothing.

    Example: `tocsin key revoke lender-a --governance-key governance.key --charter charter.toml`, then, at any member's
    node: `tocsin key publish lender-a-2.cbor`

    Parameters
    ----------
    member
        Whose keys; your own seat's name.
    governance_key
        Its cold key.
    charter
        The network's charter.
    network
        In its place, of who joined later or moved its governance key: what `tocsin network export` wrote.
    trust
        With --network: the hash of an epoch that you trust.
    known
        A KeySet file (keyset-N.cbor) that is newer than the charter's. Several times.
    above
        The newest version, where no file of it is here (`tocsin key show` at any node); a higher one may be skipped to.
    key_out
        Make the next key here and keep it in this file, to be carried to the node; without it nobody holds it.
    drop_transport
        The libp2p identity was stolen too: nobody lets it in any more.
    term
        How long it is good for, at most a year.
    out
        The file that any member's node can carry; MEMBER-VERSION.cbor where absent.
    """
    target, wanted = _revoked(
        member, governance_key, (charter, network, trust), (known or (), above, key_out), out, term, drop=drop_transport
    )
    if output == "json":
        facts = {"sealed": str(target), "member": member, "version": wanted.keyset.version}
        say_json({**facts, "key": str(key_out or "")})
    else:
        _tell_revoked(target, wanted, key_out)
    return OK


def _revoked(
    member: str,
    governance_key: Path,
    grounds: tuple[Path, Path | None, str],
    held: tuple[Sequence[Path], int, Path | None],
    out: Path | None,
    term: str,
    *,
    drop: bool,
) -> tuple[Path, KeySetRequest]:
    """`grounds` and `held`: the options of their names, in the command's order."""
    from node.commands.rotating import (
        governance_signer,
        ground_of,
        read_sealed,
        revocation,
        seal,
        term_ms_of,
        write_sealed,
    )
    from protocol.ids import MemberName

    known, above, key_out = held
    term_ms, ground = term_ms_of(term), ground_of(*grounds)
    cold = governance_signer(governance_key, ground.key_of(member), member)
    raws = [read_sealed(path) for path in known]
    expires_ms = _now_ms() + term_ms
    wanted = revocation(
        ground, MemberName(member), raws, above, expires_ms, key_out, drop_transport=drop, now_ms=_now_ms()
    )
    target = out or Path(f"{member}-{wanted.keyset.version}.cbor")
    write_sealed(target, seal(wanted, cold, _now_ms()).raw)
    return target, wanted


def _tell_revoked(target: Path, wanted: KeySetRequest, key_out: Path | None) -> None:
    version, member = wanted.keyset.version, wanted.keyset.member
    held = ", ".join(map(str, wanted.held))
    say(
        f"Sealed {target}: version {version} of {member}. Nothing under an older version counts where it is known.",
        f"Versions known here: {held}. If others were delegated since, name them with --known or --above: of two "
        "KeySets of one version the lower hash holds.",
        f"Now, at any member's node, this one's or another's: tocsin key publish {target}",
    )
    if key_out is not None:
        say(f"Then, at the node: tocsin key rotate --sealed {target} --key {key_out}")
    else:
        say("Nobody holds its key: when the node is clean again, tocsin key rotate gives it one.")


@key_app.command
def publish(file: Path, /, *, person: Person = "", config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """Have this node say a sealed KeySet, of any member, in its own feed: the whole network applies it.

    Example: `tocsin key publish lender-a-2.cbor --config venue/node.toml`

    Parameters
    ----------
    file
        What `tocsin key revoke` or `tocsin key sign` wrote.
    """
    from node.commands.rotating import read_sealed
    from protocol.envelope import keyset_owner
    from protocol.errors import ProtocolError

    raw = read_sealed(file)
    try:
        owner = keyset_owner(raw)
    except ProtocolError as error:
        raise CommandError(f"is no sealed KeySet: {error.detail}", str(file), "name what was sealed") from None
    with connect(config) as control:
        said = control.publish(raw, a_person(person))
    if output == "json":
        say_json({**said, "member": owner})
    else:
        say(f"Said. The KeySet of {owner} is in force at every node that hears it.")
    return OK
