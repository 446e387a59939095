"""An application that obeys a file, and a node's lever that is one of the example programs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import deploy
from adapters.api import ExpiresBy
from adapters.declared import Owned
from adapters.program.lever import ProgramLever
from adapters.program.run import Limits, Program
from protocol.messages import Level

EXAMPLES = Path(deploy.__path__[0]) / "examples" / "levers"
LIMITS = Limits(step_s=6, cpu_s=5, memory_mib=4096, file_mib=1, processes=10_000)
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class App:
    """`works` is what the attacker tries; `person` closes it by hand, or opens it again."""

    name: str
    command: tuple[str, ...]
    folder: Path
    works: Callable[[], bool]
    person: Callable[[bool], None]

    def lever(self) -> ProgramLever:
        said = Owned(Level.ISOLATE, ("orders",), False, HOUR_MS, HOUR_MS).declare(
            "program.run", f"{self.name} acts, which closes", expires_by=ExpiresBy.NODE, reversible=True
        )
        return ProgramLever(self.name, said, Program(self.command, self.folder, (), LIMITS))

    @property
    def state(self) -> dict[str, str]:
        """What the application itself reads."""
        files = ("closed", "settings.json")
        return {one: (self.folder / one).read_text() for one in files if (self.folder / one).exists()}


def _example(name: str, folder: Path) -> str:
    """A copy that only this user may write, as an operator would install it."""
    installed = folder / name
    shutil.copyfile(EXAMPLES / name, installed)
    installed.chmod(0o755)
    return str(installed)


def flag_app(folder: Path) -> App:
    """Refuses while a file is there."""
    flag, done = folder / "closed", folder / "done"
    done.mkdir(mode=0o755)

    def person(closes: bool) -> None:
        if closes:
            flag.write_text("by hand\n")
        else:
            flag.unlink()

    command = (_example("closed_flag.sh", folder), str(flag), str(done))
    return App("closed_flag.sh", command, folder, lambda: not flag.exists(), person)


def switch_app(folder: Path) -> App:
    """Asks its settings at each request."""
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"withdrawals": "daily", "deposits": True}, indent=1) + "\n")

    def person(closes: bool) -> None:
        now = json.loads(settings.read_text())
        settings.write_text(json.dumps({**now, "withdrawals": False if closes else "hourly"}, indent=1) + "\n")

    command = (str(shutil.which("node")), _example("feature_switch.mjs", folder), str(settings), "withdrawals")
    return App(
        "feature_switch.mjs", command, folder, lambda: bool(json.loads(settings.read_text())["withdrawals"]), person
    )


APPS: dict[str, Callable[[Path], App]] = {"closed_flag.sh": flag_app, "feature_switch.mjs": switch_app}


def missing(name: str) -> str:
    """Why an example cannot be run here, "" where it can."""
    if name.endswith(".mjs") and shutil.which("node") is None:
        return "no Node.js is installed here"
    return ""
