"""What the rounds ask of this node: the value that it would order, and whether it takes another's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from governance.values import pack_value, parse_value
from protocol.errors import ProtocolError

if TYPE_CHECKING:
    from node.machine.state import State


class Asked:
    """Answers as of the step under way. `State.restricted` is looked up by whoever begins a step of the rounds."""

    def __init__(self, state: State) -> None:
        self._state = state

    def value(self, turn: int = 0) -> bytes | None:
        state = self._state
        found = state.ledger.ready(state.now_ms, state.restricted, turn)
        return pack_value(found) if found is not None else None

    def valid(self, value: bytes, prepared: bool) -> bool:
        state = self._state
        try:
            return not state.ledger.acceptable(parse_value(value), state.now_ms, state.restricted, prepared)
        except ProtocolError:
            return False
