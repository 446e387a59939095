"""The end of our own delegation, told to people in time (node.expiry says when and how)."""

from __future__ import annotations

from node.effects import Tell
from node.expiry import days_of, warning
from node.machine.state import State
from node.machine.step import Step


def own_warning(state: State) -> str:
    own = state.keyset(state.me, state.setup.key_version)
    return warning(own.keyset.expires_ms, state.now_ms) if own is not None else ""


def tell_due(step: Step) -> None:
    """Once at each of the steps, and at each start."""
    state = step.state
    own = state.keyset(state.me, state.setup.key_version)
    if own is None or state.current_version(state.me) != state.setup.key_version:
        return
    said = (state.setup.key_version, days_of(own.keyset.expires_ms, step.now_ms))
    if said != state.expiry_said:
        state.expiry_said = said
        words = warning(own.keyset.expires_ms, step.now_ms)
        if words:
            step.do(Tell(words))
