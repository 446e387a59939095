"""From `[target.NAME] kind = "program"` to one lever."""

from __future__ import annotations

import re
from pathlib import Path

from adapters.api import ExpiresBy, Instances
from adapters.catalog import Shop
from adapters.declared import owned
from adapters.program.lever import CALL, ProgramLever
from adapters.program.run import Limits, Program
from adapters.program.trusted import fault_of, folder_fault
from adapters.section import NAMES_MAX, Section

STEP_MS, STEP_MS_MAX = 5_000, 6_000
"""An apply asks three times, and a step of a node ends after 20 s."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")


def target(name: str, keys: Section, shop: Shop) -> Instances:
    keys.text("kind")
    program, said = _program(keys), owned(keys)
    ends = keys.word("expires_by", [one.value for one in ExpiresBy])
    # nothing here can prove that it can be undone, and what cannot is pulled by people alone
    reversible = keys.flag("reversible", False)
    if program is None or said is None or ends is None:
        return Instances()
    what = f"the program {program.command[0]} acts, which closes"
    declared = said.declare(CALL, what, expires_by=ExpiresBy(ends), reversible=reversible)
    return Instances(levers={f"{name}:{CALL}": ProgramLever(name, declared, program)})


def _program(keys: Section) -> Program | None:
    command, names = keys.lines("command", NAMES_MAX), keys.lines("environment", NAMES_MAX, needed=False)
    folder = Path(keys.text("directory", needed=False) or "/")
    step_ms = keys.duration("step", STEP_MS_MAX, needed=False) or STEP_MS
    limits = Limits(
        step_ms / 1000,
        keys.whole("cpu_s", 5, 1, 60),
        keys.whole("memory_mib", 512, 16, 1 << 20),
        keys.whole("file_mib", 16, 1, 1 << 20),
        keys.whole("processes", 512, 1, 1 << 20),
    )
    for one in names:
        if not _NAME.match(one):
            keys.fault("environment", f"{one[:60]!r} is no name of a variable")
    if not command:
        return None
    fault = fault_of(command) if command[0].startswith("/") else f"{command[0][:60]}: must start with /"
    if fault:
        keys.fault("command", fault)
    elsewhere = folder_fault(folder) if folder.is_absolute() else f"{str(folder)[:60]}: must start with /"
    if elsewhere:
        keys.fault("directory", elsewhere)
    return None if fault or elsewhere else Program(command, folder, names, limits)
