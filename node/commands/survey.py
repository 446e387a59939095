"""`tocsin survey`: what a protocol's contracts can close today, by whom, and what stays open. No key, no network."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from node.commands.common import FAILED, OK, CommandError, Output, say, say_json, usage

if TYPE_CHECKING:
    from adapters.evm.survey.facts import Survey

Urls = Annotated[list[str], Parameter(name="--rpc", help="A JSON-RPC endpoint of the chain; several must agree.")]
Addresses = Annotated[
    list[str], Parameter(name="--address", help="0x…: a pool, its addresses provider, a token, a Safe, any contract.")
]
PATIENCE_S = 20.0


def survey(
    *,
    rpc: Urls,
    address: Addresses,
    asset: list[str] | None = None,
    holder: list[str] | None = None,
    from_block: int = 0,
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
    policy
        Write a first policy in observe to this file, and what node.toml needs beside it to FILE.targets.toml.
    """
    found = _surveyed(
        rpc, _octets("--address", address), _octets("--asset", asset), _octets("--holder", holder), from_block
    )
    if output == "json":
        say_json(_plain(found))
    else:
        from adapters.evm.survey.say import lines_of

        say(*lines_of(found))
    return _write(policy, found, output) if policy is not None else OK


def _octets(option: str, written: Sequence[str] | None) -> tuple[bytes, ...]:
    for one in written or ():
        if not re.fullmatch(r"0x[0-9a-fA-F]{40}", one):
            raise usage(f"{option} {one}: no address", "write 0x and 40 hex digits")
    return tuple(bytes.fromhex(one[2:]) for one in written or ())


def _surveyed(
    urls: Sequence[str], addresses: Sequence[bytes], assets: Sequence[bytes], holders: Sequence[bytes], since: int
) -> Survey:
    import trio

    from adapters.evm.errors import ChainError
    from adapters.evm.survey.look import Looker
    from adapters.evm.survey.run import survey as look_round
    from adapters.evm.unregistered import client_of_urls

    async def looked() -> Survey:
        client, chain = await client_of_urls(urls)
        try:
            return await look_round(Looker(client, chain, holders, since), addresses, frozenset(assets))
        finally:
            await client.aclose()

    try:
        return trio.run(looked)
    except ChainError as broken:
        raise CommandError(str(broken), do="give another --rpc, or ask again") from None


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _write(path: Path, found: Survey, output: Output) -> int:
    """Never over a file that stands there: it may be somebody's policy."""
    from adapters.evm.survey.draft import policy_text, targets_text

    if not any(place.assets for place in found.places):
        raise CommandError("no market of a known kind was found", do="write the policy by hand", exit_code=FAILED)
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
