"""Which of the configurator's events tell how one number of one reserve moved."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.evm.aave_abi import CONFIGURATOR
from adapters.evm.aave_reserve import AaveTarget, Reserve
from adapters.evm.aave_rows import AaveRow
from adapters.evm.changes import Told
from adapters.evm.wire import Log


def told(target: AaveTarget, row: AaveRow, reserve: Reserve) -> Told:
    event, freezes = CONFIGURATOR.event(row.event), CONFIGURATOR.event("ReserveFrozen").topic

    def moves(logs: Sequence[Log]) -> list[tuple[Log, int | None]]:
        moved = [log for log in logs if log.topics[0] == event.topic]
        if reserve.freeze_moves_ltv and event.topic != freezes:
            # a freeze, and its end, say an LTV in the log before their own: neither is anybody's decision on the LTV
            frozen = {(log.tx, log.index - 1) for log in logs if log.topics[0] == freezes}
            moved = [log for log in moved if (log.tx, log.index) not in frozen]
        fields = [event.decode(log.topics, log.data) for log in moved]
        return [(log, None if said is None else int(said[row.field])) for log, said in zip(moved, fields)]

    asset = b"\0" * 12 + target.asset
    return Told(reserve.configurator, [(event.topic, freezes), asset], moves, reserve.head, reserve.chain_s)
