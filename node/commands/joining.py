"""`tocsin network …` and `tocsin join`: the chain of epochs as a file, and a seat beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from node.commands.common import NODE_TOML, OK, CommandError, ConfigFile, Output, connect, counted, say, say_json, usage
from node.commands.sealing import a_hash, now_ms

if TYPE_CHECKING:
    from governance.chain import Chain, Link, Verdict
    from protocol.ids import NetworkId
    from protocol.membership import Epoch

network_app = App(name="network", help="The network's epochs: show, export.")


@network_app.command
def show(*, config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """The epoch in force, what it takes to move it, and what is open.

    Example: `tocsin network show`
    """
    with connect(config) as control:
        facts = control.network()
    if output == "json":
        say_json(facts)
        return OK
    epoch = facts["epoch"]
    needed = ", ".join(f"{name} {count}" for name, count in epoch["thresholds"].items())
    say(
        f"Network {facts['network']}",
        f"  epoch {epoch['number']}  {epoch['hash']}",
        f"  {epoch['n']} control groups, {epoch['f']} may lie, {epoch['q']} are a quorum; groups needed: {needed}",
        f"  {len(facts['members'])} seats; {facts['open']} proposals open",
        *[f"  {one['name']}: {one['stands']}" for one in facts["members"] if one["stands"] != "sits"],
        "Whoever joins or verifies starts from this epoch's hash: read it out to them.",
    )
    return OK


@network_app.command
def export(out: Path, /, *, config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """Write the charter and every epoch since, with what proves them, for `tocsin verify` and `tocsin join`.

    Example: `tocsin network export network.cbor`

    Parameters
    ----------
    out
        A new file. Nothing in it is secret.
    """
    from governance.chain import Chain, pack_chain
    from node.commands.sealing import write_sealed

    with connect(config) as control:
        facts = control.export()
    sealed = (tuple(map(bytes.fromhex, facts[name])) for name in ("certificates", "heartbeats", "keysets"))
    write_sealed(out, pack_chain(Chain(facts["charter"], *sealed)))
    if output == "json":
        say_json({"wrote": str(out), "epoch": facts["epoch"]})
        return OK
    number, hash_ = facts["epoch"]["number"], facts["epoch"]["hash"]
    say(
        f"Wrote {out}: {counted(number + 1, 'epoch')}, up to epoch {number}.",
        f"Anybody can check it: tocsin verify {out} --from {hash_}",
        "Give them the hash over another way than the file.",
    )
    return OK


@dataclass(frozen=True)
class Read:
    network: NetworkId
    epoch: Epoch
    chain: Chain
    verdict: Verdict


def read_network(path: Path, trusted: bytes) -> Read:
    """CommandError where the file is none, or anything in it is false, or the trusted epoch is not on its way."""
    from governance.chain import CHAIN_BYTES_MAX, parse_chain, verify
    from protocol.errors import ProtocolError
    from protocol.ids import EpochHash

    try:
        with path.open("rb") as file:
            raw = file.read(CHAIN_BYTES_MAX + 1)
    except OSError as error:
        raise CommandError(f"cannot be read: {error.strerror}", str(path), "check path and rights") from None
    try:
        chain = parse_chain(raw)
        verdict = verify(chain, EpochHash(trusted), now_ms())
    except ProtocolError as error:
        raise CommandError(f"proves nothing: {error.detail}", str(path), "get it and the hash anew") from None
    return Read(verdict.head.network, verdict.head, chain, verdict)


def verify_network(path: Path, trusted: str, output: str) -> int:
    """`tocsin verify FILE --from HASH`: exit 1 where the chain is false, or cannot be called current."""
    from node.commands.common import FAILED

    read = read_network(path, a_hash(trusted, "--from"))
    verdict = read.verdict
    if output == "json":
        say_json(_facts(read))
    else:
        for link in verdict.links:
            say(*_lines(link))
        for doubt in verdict.doubts:
            say(f"Doubt: {doubt}.")
        if not verdict.doubts:
            say(f"Whole and current: {len(verdict.heard)} groups name epoch {read.epoch.number} in fresh Heartbeats.")
    return FAILED if verdict.doubts else OK


def _lines(link: Link) -> list[str]:
    from node.present_governance import says

    epoch = link.epoch
    lines = [f"epoch {epoch.number}  {epoch.hash.hex()}  {epoch.n} groups, {epoch.q} a quorum"]
    for made in link.made:
        yes = ", ".join(one.member for one in made.ballots) or "nobody: its owner's own affair"
        lines.append(f"  {says(made.proposal.change)}, proposed by {made.proposal.author}; yes: {yes}")
        lines += [f"    {one.member} declared: {one.conflict}" for one in made.ballots if one.conflict]
    lines += [f"  {one.member} suspended: its feed {one.key_version} forked" for one in link.suspended]
    lines += [f"  ordered by {', '.join(link.committed)}"] if link.committed else []
    return lines


def _facts(read: Read) -> dict[str, Any]:
    from node.present_governance import says

    return {
        "ok": not read.verdict.doubts,
        "network": read.network.hex(),
        "doubts": list(read.verdict.doubts),
        "heard": list(read.verdict.heard),
        "epochs": [
            {
                "number": link.epoch.number,
                "hash": link.epoch.hash.hex(),
                "members": [one.name for one in link.epoch.members],
                "suspended": [one.name for one in link.epoch.members if one.suspended],
                "changes": [
                    {
                        "says": says(made.proposal.change),
                        "by": made.proposal.author,
                        "yes": [one.member for one in made.ballots],
                        "conflicts": {one.member: one.conflict for one in made.ballots if one.conflict},
                    }
                    for made in link.made
                ],
                "proofs": [one.member for one in link.suspended],
                "ordered_by": list(link.committed),
            }
            for link in read.verdict.links
        ],
    }


def join(
    network: Path,
    /,
    *,
    directory: Annotated[Path, Parameter(name=["--dir", "-d"])],
    trust: str,
    application: Path | None = None,
    output: Output = "human",
) -> int:
    """Put a network's charter and epochs beside a member's keys, so that `tocsin up` starts from an epoch you trust.

    Example: `tocsin join network.cbor --dir lender-z --trust 9f2c…64 digits… --application lender-z.application.toml`

    Parameters
    ----------
    network
        What a member's `tocsin network export` wrote; peers are asked for what came after.
    directory
        What `tocsin init` made.
    trust
        The epoch's hash, got from somebody you trust, and not with the file.
    application
        What `tocsin member apply` wrote: who is not a member yet starts with it and counts once its epoch begins.
    """
    from node.commands.home import settle

    read = read_network(network, a_hash(trust, "--trust"))
    stale = [doubt for doubt in read.verdict.doubts if doubt.startswith("stale-trust")]
    if stale:
        raise usage(stale[0], "an older hash proves nothing about now")
    home = settle(directory, read.chain, read.epoch, application)
    if output == "json":
        say_json({"config": str(home), "epoch": {"number": read.epoch.number, "hash": read.epoch.hash.hex()}})
        return OK
    say(
        f"{directory} starts from epoch {read.epoch.number} of {read.network.hex()[:16]}….",
        f"Next: tocsin doctor --config {home}, then tocsin up --config {home}",
    )
    return OK
