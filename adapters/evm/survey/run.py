"""A survey from addresses: each is taken for what it shows itself to be."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.evm.survey import aave, generic
from adapters.evm.survey.facts import Place, Survey
from adapters.evm.survey.look import Looker


async def survey(look: Looker, addresses: Sequence[bytes], assets: frozenset[bytes] = frozenset()) -> Survey:
    """`assets`: of a market, these alone; empty for all. ChainError where the connections give no answer."""
    await look.begin()
    places: list[Place] = []
    markets: set[bytes] = set()
    for address in dict.fromkeys(addresses):
        (code,) = await look.code(address)
        provider = await aave.provider_of(look, address) if code else None
        if provider is None:
            places.append(await generic.place(look, address))
        elif provider not in markets:
            markets.add(provider)
            places.append(await aave.place(look, provider, assets))
    return Survey(look.chain, look.head, look.sources, tuple(places))
