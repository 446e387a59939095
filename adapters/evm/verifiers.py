"""Re-runs claims about EVM chains through our own connections: reads here, the verdict in `protocol.evidence`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainError
from adapters.evm.readings import read_backing, read_deviation, read_log, read_release
from adapters.evm.trail import Trail
from protocol.errors import Code, ProtocolError
from protocol.evidence import (
    TYPE_OF,
    Inputs,
    Judgement,
    LogSeen,
    OracleDeviation,
    ReleaseWithoutBurn,
    SupplyAboveBacking,
    bridge_for,
    judge_backing,
    judge_deviation,
    judge_log,
    judge_release,
    open_claim,
    oracle_for,
    refuted,
    undecided,
)
from protocol.membership import Epoch
from protocol.messages import Claim


class EvmVerifier:
    """`sources` of a judgement: the connections that agreed on every read of their chain."""

    claim_types = frozenset(
        TYPE_OF[kind] for kind in (ReleaseWithoutBurn, SupplyAboveBacking, LogSeen, OracleDeviation)
    )

    def __init__(self, client: ChainClient, epoch: Callable[[], Epoch]) -> None:
        self._client, self._epoch = client, epoch

    async def verify(self, claim: Claim, blob: bytes) -> Judgement:
        """Never raises: a bad blob is REFUTED, a chain that is down, behind or disputed UNDECIDED."""
        try:
            inputs = open_claim(claim, blob)
        except ProtocolError as bad:
            return undecided(str(bad)) if bad.code is Code.UNKNOWN_CLAIM_TYPE else refuted(str(bad))
        return await self.judge(inputs)

    async def judge(self, inputs: Inputs) -> Judgement:
        """What sensors use too, so that nobody reports what others would refute."""
        trail = Trail(self._client)
        try:
            judgement = await self._judge(inputs, trail)
        except ChainError as broken:
            return undecided(str(broken))
        except ProtocolError as bad:
            # inputs of a right shape that name something no subject can be
            return refuted(str(bad))
        return replace(judgement, sources=trail.sources)

    async def _judge(self, inputs: Inputs, trail: Trail) -> Judgement:
        epoch = self._epoch()
        if isinstance(inputs, LogSeen):
            return judge_log(inputs, await read_log(trail, inputs))
        if isinstance(inputs, OracleDeviation):
            feed = oracle_for(epoch, inputs)
            if feed is None:
                return refuted("no registered price feed has this address")
            return judge_deviation(inputs, await read_deviation(trail, inputs, feed), feed)
        bridge = bridge_for(epoch, inputs)
        if bridge is None:
            return refuted("no registered bridge has this escrow and this twin")
        if isinstance(inputs, ReleaseWithoutBurn):
            return judge_release(inputs, await read_release(trail, inputs, bridge), bridge)
        return judge_backing(inputs, await read_backing(trail, inputs, bridge), bridge)
