"""Which networks are drills, and of which network each is. Pure."""

from __future__ import annotations

import re

from protocol.ids import NetworkId

_NAME = re.compile(r"drill-of-([0-9a-f]{32})\Z")
WORD = "EXERCISE"
"""Ahead of everything that people are told of a drill."""

LEASE_MS = 600_000
"""The longest opinion and restriction in a drill network: an exercise on the same subject begins where the last one
ended, else what stands from it would be renewed and no step be taken again."""


def name_for(network: NetworkId) -> str:
    """Of the drill network of this one; half of its id, for a charter's name has room for no more."""
    return f"drill-of-{network.hex()[:32]}"


def drill_of(network_name: str) -> str:
    """The half of the id of the network that this is a drill of; "" where it is no drill."""
    found = _NAME.match(network_name)
    return found[1] if found else ""


def is_drill_of(network_name: str, network: NetworkId) -> bool:
    return drill_of(network_name) == network.hex()[:32]
