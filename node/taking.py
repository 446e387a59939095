"""A fresh key of this node's own, found on the disk and checked before the machine is asked to go on under it."""

from __future__ import annotations

from node import rotation
from node.api_surface import Refused
from node.events import TakeKey
from node.keys import KeyFault
from node.machine.state import State
from node.machine.statements import fault_of_key
from node.parts import Parts
from protocol.envelope import keyset_owner, open_keyset
from protocol.errors import ProtocolError


def next_key(parts: Parts, state: State, raw: bytes) -> TakeKey:
    """The KeySet is on the disk when this returns: a crash from here on ends in a start that takes the key. Refused:
    whatever keeps it from being taken, in words."""
    try:
        if keyset_owner(raw) != state.me:
            raise Refused(409, "refused", f"it is a KeySet of {keyset_owner(raw)} and not of {state.me}")
        sealed = open_keyset(raw, state.epoch.network, state.epoch.by_name[state.me].governance_key)
        command = TakeKey(rotation.next_signer(parts.config.data_dir, sealed.keyset), sealed)
        fault = fault_of_key(state, command)
        if sealed.keyset.expires_ms <= state.now_ms:
            fault = "it has expired already"
        if fault:
            raise Refused(409, "refused", fault)
        rotation.keep_keyset(parts.config.data_dir, sealed)
    except ProtocolError as error:
        raise Refused(409, "refused", f"it is not taken: {error.detail}") from None
    except (KeyFault, OSError) as error:
        raise Refused(409, "refused", str(error)) from None
    return command
