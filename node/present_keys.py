"""Who delegated what, as `tocsin key show` reads it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from node.machine.expiry import own_warning
from node.machine.state import State
from protocol.envelope import SealedKeySet
from protocol.ids import MemberName

Json = dict[str, Any]


def keys(state: State) -> Json:
    """By member, newest last. `in_use`: the version that this node's own key is of."""
    held = (one for versions in state.keysets.values() for one in versions.values())
    rows = rows_of(held, state.equivocations)
    for row in rows:
        row["replaced"] = state.keysets_replaced.get((row["member"], row["version"]), 0)
    return {
        "member": state.me,
        "network": state.epoch.network.hex(),
        "in_use": state.setup.key_version,
        "signs": state.may_sign() or "yes",
        "warning": own_warning(state),
        "keysets": rows,
    }


def rows_of(held: Iterable[SealedKeySet], forked: Iterable[tuple[MemberName, int]]) -> list[Json]:
    """`forked`: the feeds of which two payloads under one number were proven."""
    ordered = sorted(held, key=lambda one: (one.keyset.member, one.keyset.version))
    newest = {one.keyset.member: one.keyset.version for one in ordered}
    proven = set(forked)
    return [
        {
            "member": one.keyset.member,
            "version": one.keyset.version,
            "in_force": one.keyset.version == newest[one.keyset.member],
            "attestation": one.keyset.attestation.hex(),
            "evm": "0x" + one.keyset.evm.hex() if one.keyset.evm else "",
            "transport": list(one.keyset.transport),
            "expires_ms": one.keyset.expires_ms,
            "hash": one.hash.hex(),
            "sealed": one.raw.hex(),
            "forked": (one.keyset.member, one.keyset.version) in proven,
            "replaced": 0,
        }
        for one in ordered
    ]
