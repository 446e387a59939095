"""`tocsin survey`: what a protocol's contracts can close today, by whom, and what stays open. No key, no network."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from node.commands.common import OK, CommandError, Output, load_config, say, say_json, usage

if TYPE_CHECKING:
    from adapters.evm.client import Connection
    from adapters.evm.survey.facts import Survey

Urls = Annotated[
    list[str] | None, Parameter(name="--rpc", help="A JSON-RPC endpoint of the chain; several must agree.")
]
Addresses = Annotated[
    list[str] | None, Parameter(name="--address", help="0x…: a pool, its addresses provider, a Safe, any contract.")
]


def survey(
    *,
    rpc: Urls = None,
    address: Addresses = None,
    asset: list[str] | None = None,
    holder: list[str] | None = None,
    from_block: int = 0,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    policy: Path | None = None,
    output: Output = "human",
) -> int:
    """Say who can pause or freeze what on a chain, by which right, and which ways out nothing closes.

    It reads, and tries calls without sending any: no key, no membership, no network of ours is needed.

    Example: `tocsin survey --rpc http://127.0.0.1:8545 --address 0x… --policy policy.toml`

    Parameters
    ----------
    asset
        Of a market, this asset alone; may be given again.
    holder
        An address to try as a holder of rights too, where the endpoints do not give events of the past.
    from_block
        Where roles began to be given; the events before it are not asked for.
    config
        A node's configuration instead: its connections, and the contracts of its targets.
    policy
        Write a first policy in observe to this file, and what node.toml needs beside it to FILE.targets.toml.
    """
    places = _octets("--address", address)
    asked = _configured(config, places) if config is not None else _named(rpc, places)
    assets, holders = _octets("--asset", asset), _octets("--holder", holder)
    found = [_surveyed(connections, where, assets, holders, from_block) for connections, where in asked]
    if output == "json":
        say_json({"chains": [_plain(one) for one in found]})
    else:
        from adapters.evm.survey.say import lines_of

        for one in found:
            say(*lines_of(one))
    return _write(policy, found, output) if policy is not None else OK


Asked = tuple["tuple[Connection, ...] | list[str]", Sequence[bytes]]
"""Connections of one chain, or endpoints whose chain is asked; and what to look at there."""


def _named(urls: Sequence[str] | None, places: Sequence[bytes]) -> list[Asked]:
    if not urls or not places:
        raise usage("nothing to look at", "give --rpc and --address, or --config node.toml")
    return [(list(urls), places)]


def _configured(config: Path, places: Sequence[bytes]) -> list[Asked]:
    from adapters.evm.client import Connection
    from protocol.ids import SourceId

    loaded = load_config(config)
    seen: dict[str, list[Connection]] = {}
    for one in loaded.connections:
        if one.url.startswith("http"):
            seen.setdefault(one.chain, []).append(Connection(SourceId(one.id), one.chain, one.url))
    found: list[Asked] = []
    for chain, connections in sorted(seen.items()):
        held = [str(one.get("contract", "")) for one in loaded.targets.values() if one.get("chain") == chain]
        where = dict.fromkeys((*_octets("contract", [one for one in held if one]), *places))
        if where:
            found.append((tuple(connections), tuple(where)))
    if not found:
        raise CommandError(
            "no target on a chain that a [[connection]] sees by http", where=str(config), do="name --rpc and --address"
        )
    return found


def _octets(option: str, written: Sequence[str] | None) -> tuple[bytes, ...]:
    for one in written or ():
        if not re.fullmatch(r"0x[0-9a-fA-F]{40}", one):
            raise usage(f"{option} {one}: no address", "write 0x and 40 hex digits")
    return tuple(bytes.fromhex(one[2:]) for one in written or ())


def _surveyed(
    asked: tuple[Connection, ...] | list[str],
    addresses: Sequence[bytes],
    assets: Sequence[bytes],
    holders: Sequence[bytes],
    since: int,
) -> Survey:
    import trio

    from adapters.evm.client import ChainClient
    from adapters.evm.errors import ChainError
    from adapters.evm.survey.look import Looker
    from adapters.evm.survey.run import survey as look_round
    from adapters.evm.unregistered import connections_of

    async def looked() -> Survey:
        links = asked if isinstance(asked, tuple) else await connections_of(asked)
        client = ChainClient(links)
        try:
            return await look_round(Looker(client, links[0].chain, holders, since), addresses, frozenset(assets))
        finally:
            await client.aclose()

    try:
        return trio.run(looked)
    except ChainError as broken:
        raise CommandError(str(broken), do="give another endpoint, or ask again") from None


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _write(path: Path, found: Sequence[Survey], output: Output) -> int:
    """Never over a file that stands there: it may be somebody's policy."""
    from adapters.evm.survey.draft import policy_text, targets_text

    if not any(place.assets for one in found for place in one.places):
        raise CommandError("no market of a known kind was found", do="write the policy by hand")
    beside = path.with_name(f"{path.name}.targets.toml")
    for file, text in ((path, policy_text(found)), (beside, targets_text(found))):
        try:
            with file.open("x", encoding="utf-8") as out:
                out.write(text)
        except FileExistsError:
            raise CommandError("stands there already", where=str(file), do="name another file") from None
    if output == "human":
        say("", f"Wrote {path} (observe: moves nothing) and {beside}.")
    return OK
