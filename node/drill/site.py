"""A member's drill node beside its real one: a directory of its own with keys of its own, and `drill.toml`.

`drill.toml` lies beside node.toml, so that every file that a section names is found from there too. Sections that say
what is looked at and could be moved are taken over as they are written; the node is told of none of the real keys,
unless its owner says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from governance.card import Card
from governance.charter import Charter, Parameters, found
from governance.writing import Scalar, lines_of
from node.config import NodeConfig
from node.drill.mark import LEASE_MS, is_drill_of, name_for

FOLDER, CONFIG, CHARTER = "drill", "drill.toml", "charter.toml"
KEPT = ("connection", "target", "sink", "clock")
_HEADER = re.compile(r"\s*\[{1,2}\s*([A-Za-z0-9_-]+)[^\]]*\]{1,2}\s*(#.*)?$")
_KEY_FILE = re.compile(r'^(\s*key_file\s*=\s*)"([^"/][^"]*)"', re.MULTILINE)


def config_text(real: NodeConfig, written: str, listen: str, *, lever_keys: bool) -> str:
    """`written`: the real node.toml. `lever_keys`: levers are simulated as the account that has the right."""
    fields: dict[str, Scalar] = {"node": 1, "member": real.member, "charter": f"{FOLDER}/{CHARTER}"}
    fields |= {"data_dir": f"{FOLDER}/data", "listen": listen, "control": "control.sock", "log": f"{FOLDER}/node.log"}
    if real.policy is not None:
        fields["policy"] = str(real.policy)
    kept = "\n".join(_kept(written))
    if lever_keys:
        kept = _KEY_FILE.sub(lambda one: f'{one[1]}"{real.data_dir / one[2]}"', kept)
    head = "# The drill node of this member: it plans and simulates and never pulls a lever.\n"
    return f"{head}{lines_of(fields)}\n[canary]\nevery_s = 0\n\n{kept}\n"


def _kept(written: str) -> Iterator[str]:
    """Lines of the sections that a drill has too."""
    inside = False
    for line in written.splitlines():
        header = _HEADER.match(line)
        if header:
            inside = header[1] in KEPT
        if inside:
            yield line


def same_sections(real: NodeConfig, drill: NodeConfig) -> list[str]:
    """Sections that were not taken over whole: a form of TOML that lines do not show. Keys' places may differ."""
    pairs = {
        "connection": (real.connections, drill.connections),
        "target": (_without_keys(real.targets), _without_keys(drill.targets)),
        "sink": (real.sinks, drill.sinks),
    }
    return [name for name, (one, other) in pairs.items() if one != other]


def _without_keys(targets: object) -> object:
    if not isinstance(targets, dict):
        return targets
    return {
        name: {key: one for key, one in dict(table).items() if key != "key_file"} for name, table in targets.items()
    }


def drill_charter(real: Charter, cards: list[Card], now_ms: int) -> Charter:
    """The same seats, groups, thresholds and sources; other keys, another name and thus another id."""
    leases = {level: min(one, LEASE_MS) for level, one in real.parameters.lease_ms.items()}
    told: Parameters = replace(real.parameters, name=name_for(real.network), created_ms=now_ms, lease_ms=leases)
    return found(cards, told)


def charter_faults(real: Charter, drill: Charter) -> list[str]:
    """Why this is not the drill of that network among the same members."""
    faults = []
    if not is_drill_of(drill.parameters.name, real.network):
        faults.append(
            f"its name is {drill.parameters.name!r}, and the drill of this network is {name_for(real.network)!r}"
        )
    seats = {one.name: one.group for one in real.members}
    theirs = {one.name: one.group for one in drill.members}
    faults += [f"{name} has a seat there and not here" for name in sorted(theirs.keys() - seats.keys())]
    faults += [f"{name} has no seat there" for name in sorted(seats.keys() - theirs.keys())]
    both = sorted(seats.keys() & theirs.keys())
    faults += [
        f"{name} is of group {theirs[name]} there, {seats[name]} here" for name in both if seats[name] != theirs[name]
    ]
    reused = {one.governance_key for one in real.members} & {one.governance_key for one in drill.members}
    faults += [f"{one.hex()[:16]}… is a governance key of the real network" for one in sorted(reused)]
    return faults
