"""`tocsin registry deploy | show | sign | submit | compare`: the network's mirror on a chain; nothing sent without
--send."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

from node.commands.common import (
    FAILED,
    NODE_TOML,
    OK,
    CommandError,
    ConfigFile,
    Output,
    say,
    say_json,
    say_table,
    usage,
)
from node.commands.registry_quorum import Chain, Contract, sign, submit

if TYPE_CHECKING:
    from adapters.evm.mirror import Mirror, Standing
    from node.commands.registry_site import Deployment

registry_app = App(name="registry", help="The network's mirror on a chain: what contracts can ask without a node.")
registry_app.command(sign)
registry_app.command(submit)


@registry_app.command
def deploy(
    *,
    chain: Chain = "",
    key: Path | None = None,
    send: bool = False,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Show what a registry of this network would hold and cost on a chain; with --send, put it there.

    Example: `tocsin registry deploy --chain eip155:1`, read it, then the same with `--send`

    Parameters
    ----------
    key
        The lever key whose account pays; data/keys/lever.key where absent. It gets no power over the registry.
    send
        Send the transaction and wait for it.
    """
    from node.commands.registry_site import prepare_deployment, site_of

    site = site_of(config)
    planned = prepare_deployment(site, site.chain_of(chain), key)
    if not send:
        return _show_plan(planned, output)
    address, differences = planned.send()
    if output == "json":
        say_json(_plan_facts(planned) | {"sent": True, "contract": address, "differences": differences})
    else:
        say(
            f"The registry stands at {address} on {planned.chain}, read back"
            + (f", and DIFFERS: {'; '.join(differences)}" if differences else " and as it should be."),
            "Watch it, in every member's node.toml:",
            "",
            f'[sensor.registry]\nkind = "evm.registry"\nchain = "{planned.chain}"\ncontract = "{address}"',
        )
    return FAILED if differences else OK


def _plan_facts(planned: Deployment) -> dict[str, Any]:
    return {
        "chain": planned.chain,
        "contract": planned.address,
        "sender": planned.sender,
        "gas": planned.gas,
        "most_wei": planned.most_wei,
        "balance_wei": planned.balance_wei,
        "registry": _row_facts(planned.row),
        "keys": _key_facts(planned.keys),
        "without_key": list(planned.without_key),
        "sent": False,
    }


def _row_facts(row: Any) -> dict[str, Any]:
    return {
        "network": row.network.hex(),
        "epoch": {"number": row.number, "hash": row.hash.hex(), "activates_ms": row.activates_ms},
        "groups": row.n,
        "quorum": row.q,
        "needed": {"guard": row.guard, "isolate": row.isolate, "halt": row.halt},
        "lease_ms": {"guard": row.guard_lease_ms, "isolate": row.isolate_lease_ms, "halt": row.halt_lease_ms},
    }


def _key_facts(keys: Any) -> list[dict[str, Any]]:
    return [{"key": one.key, "group": one.group, "suspended": one.suspended, "member": one.member} for one in keys]


def _show_plan(planned: Deployment, output: Output) -> int:
    if output == "json":
        say_json(_plan_facts(planned))
        return OK
    say(f"Would deploy a registry on {planned.chain} (nothing is sent without --send):")
    _say_row(planned.row)
    _say_keys(planned.keys)
    if planned.without_key:
        say(f"without an evm key, so silent there and still counted: {', '.join(planned.without_key)}")
    if planned.row.n < 4:
        say("Fewer than four groups: such a registry takes no alarms.")
    from node.commands.registry_site import price_lines

    sender, gas = price_lines(planned)
    say(
        sender,
        f"to       {planned.address}, where no other transaction of that account comes first",
        gas,
        "It counts groups and cannot see sources; nobody owns it, and nothing can be changed but by the quorum.",
    )
    return OK


def _say_row(row: Any) -> None:
    needed = f"GUARD {row.guard}, ISOLATE {row.isolate}, HALT {row.halt}"
    leases = ", ".join(
        f"{lease // 60_000} min" for lease in (row.guard_lease_ms, row.isolate_lease_ms, row.halt_lease_ms)
    )
    say(
        f"network  {row.network.hex()}",
        f"epoch    {row.number}, {row.hash.hex()}",
        f"groups   {row.n}, quorum {row.q}; needed: {needed}; leases: {leases}",
    )


def _say_keys(keys: Any) -> None:
    rows = [(one.key, one.group, one.member or "-", "suspended" if one.suspended else "") for one in keys]
    say_table(["evm key", "group", "member", ""], rows)


@registry_app.command
def show(
    subject: str = "",
    threat: str = "",
    /,
    *,
    chain: Chain = "",
    contract: Contract = "",
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """What a registry holds, as all connections say; with SUBJECT and THREAT, until when it restricts.

    Example: `tocsin registry show eip155:1/erc20:0xa129… bridge-forgery`
    """
    from node.commands.registry_site import keys_shown, read_registry, site_of

    if bool(subject) != bool(threat):
        raise usage("a subject without a threat", "give both, or none")
    site = site_of(config)
    mirror, standing = read_registry(site, site.place_of(chain, contract), subject, threat)
    keys = keys_shown(mirror, site.known)
    if output == "json":
        say_json(_mirror_facts(mirror) | {"keys": _key_facts(keys), "standing": _standing_facts(standing)})
        return OK
    say(f"Registry 0x{mirror.contract.hex()} on {mirror.chain} at block {mirror.block}, as {_sources(mirror)} say:")
    _say_row(mirror.row)
    _say_keys(keys)
    if standing is not None:
        _say_standing(subject, threat, standing)
    return OK


def _sources(mirror: Mirror) -> str:
    return ", ".join(mirror.sources)


def _mirror_facts(mirror: Mirror) -> dict[str, Any]:
    return {
        "chain": mirror.chain,
        "contract": "0x" + mirror.contract.hex(),
        "block": mirror.block,
        "sources": list(mirror.sources),
        "registry": _row_facts(mirror.row),
        "keys_version": mirror.keys_version,
    }


def _standing_facts(standing: Standing | None) -> dict[str, Any] | None:
    if standing is None:
        return None
    until = {level.name.lower(): until_s for level, until_s in standing.until_s.items()}
    return {"until_s": until, "released_through_ms": standing.released_through_ms, "chain_s": standing.chain_s}


def _say_standing(subject: str, threat: str, standing: Standing) -> None:
    from node.present import when

    for level, until_s in standing.until_s.items():
        ended = "never, or lifted" if not until_s else "ended" if until_s <= standing.chain_s else "restricted"
        say(f"{level.name:8} {ended}{f' until {when(until_s * 1000)}' if until_s else ''}: {threat} on {subject}")
    if standing.released_through_ms:
        say(f"released what was said through {when(standing.released_through_ms)}")


@registry_app.command
def compare(
    *,
    chain: Chain = "",
    contract: Contract = "",
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Whether a registry shows the network that this member's directory knows: exit 0, or 1 with each difference.

    Example: `tocsin registry compare --chain eip155:1 --contract 0x1234…`
    """
    from adapters.evm.mirror import differences
    from node.commands.registry_site import read_registry, site_of

    site = site_of(config)
    mirror, _ = read_registry(site, site.place_of(chain, contract))
    try:
        found = differences(mirror, site.known.epoch, site.known.evm)
    except ValueError as same_key:
        raise CommandError(str(same_key), str(site.config.charter)) from None
    if output == "json":
        said = [{"says": one.says, "urgent": one.urgent} for one in found]
        say_json(_mirror_facts(mirror) | {"differences": said})
    elif found:
        say(f"Registry 0x{mirror.contract.hex()} on {mirror.chain} differs from what is known here:")
        say(*(f"  {'! ' if one.urgent else '  '}{one.says}" for one in found))
        say("Follow neither by itself: ask the other members what they see.")
    else:
        here = f"epoch {mirror.row.number}, {len(mirror.words)} evm keys of {mirror.row.n} groups"
        say(
            f"Registry 0x{mirror.contract.hex()} on {mirror.chain} shows this network: {here},",
            f"as {_sources(mirror)} say.",
        )
    return FAILED if found else OK
