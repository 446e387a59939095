"""What every command shares: exit codes, refusals of one line, printing for people and for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.console import Console

    from node.config import NodeConfig
    from node.control import Control

OK, FAILED, USAGE, UNREACHABLE, NO_QUORUM = 0, 1, 2, 3, 4
INTERRUPTED = 130
PIPED_WIDTH = 200

Output = Annotated[
    Literal["human", "json"], Parameter(name=["--output", "-o"], help="`human` for people, `json` for programs.")
]
ConfigFile = Annotated[Path, Parameter(name=["--config", "-c"], help="The node's configuration.")]
Person = Annotated[str, Parameter(help="Who decides; your login name where absent.")]
NODE_TOML = Path("node.toml")


class CommandError(Exception):
    """One line for stderr: what, where, what to do."""

    def __init__(self, what: str, where: str = "", do: str = "", exit_code: int = FAILED) -> None:
        super().__init__(f"{where + ': ' if where else ''}{what}{'; ' + do if do else ''}")
        self.exit_code = exit_code


def usage(what: str, do: str = "") -> CommandError:
    return CommandError(what, do=do, exit_code=USAGE)


def counted(number: int, what: str) -> str:
    """As in "1 fault" and "2 faults"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def all_faults(faults: Sequence[object]) -> str:
    """How many there are, and each on a line of its own."""
    return "\n  ".join([f"{counted(len(faults), 'fault')}:", *map(str, faults)])


def clean(text: object) -> str:
    """Printable: other members' words must not move the cursor or colour the screen."""
    return "".join(one if one.isprintable() else "�" for one in str(text))


def console() -> Console:
    """Standard output; no colour and no cut lines where it is piped. rich itself honours NO_COLOR."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(*lines: object) -> None:
    out = console()
    for line in lines:
        out.print("\n".join(clean(part) for part in str(line).split("\n")))


def say_json(value: Any) -> None:
    # ASCII: every control character is escaped, whoever wrote it
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def say_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A plain table, one row a line."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    out = console()
    out.print(table, soft_wrap=False)


def tell_error(line: str) -> None:
    sys.stderr.write(f"tocsin: {clean(line)}\n")


def load_config(path: Path) -> NodeConfig:
    from node.config import load

    return load(path)


def connect(path: Path) -> Control:
    """The control socket of the node that this configuration is of."""
    from node.control import Control

    return Control(load_config(path).control)


def read_text(path: Path, most: int, kind: str) -> str:
    """CommandError where it cannot be read as UTF-8 text of bounded size."""
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
        if len(raw) > most:
            raise CommandError(f"is over {most} bytes", str(path), f"this is no {kind}")
        return raw.decode("utf-8")
    except OSError as error:
        raise CommandError(f"the {kind} cannot be read: {error.strerror}", str(path), "check path and rights") from None
    except UnicodeDecodeError:
        raise CommandError("is not UTF-8", str(path), f"this is no {kind}") from None


def write_text(path: Path, text: str, *, replace: bool = False) -> None:
    """Whole or not at all. CommandError where the file exists and `replace` is not said."""
    import os

    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        if not replace and path.exists():
            raise CommandError("exists and is not overwritten", str(path), "name another file or move this one away")
        with fresh.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise CommandError(f"cannot be written: {error.strerror}", str(path), "check path and rights") from None


def a_person(said: str) -> str:
    """Who decides, for the record."""
    import getpass

    try:
        person = said or getpass.getuser()
    except (KeyError, OSError):
        person = ""
    if not 1 <= len(person) <= 64 or not person.isprintable():
        raise usage("nobody is named who decides", "add --person NAME (1 to 64 printable characters)")
    return person


def a_sentence(said: object) -> str:
    """What the node said in small letters, for people."""
    text = str(said or "done")
    return f"{text[:1].upper()}{text[1:]}."


EXERCISE = "EXERCISE, no alarm: a node of a drill network; levers are planned and simulated here, and never pulled."


def exercise_lines(node: Control) -> list[str]:
    """Ahead of what a node of a drill network told; known once it has answered."""
    return [EXERCISE] if node.exercise else []


def asked_lines(asked: dict[str, Any] | None) -> list[str]:
    """Of an alert or an action: what waits for a second person."""
    if not asked:
        return []
    what = "to lift it" if asked.get("what") == "lift" else "to say that it is over"
    return [f"  NEEDS A SECOND PERSON: {asked.get('person')} asks {what}; {until(asked.get('until_ms'))}"]


def moment(written: str, option: str) -> int:
    """Milliseconds since 1970."""
    from datetime import datetime

    if written.isascii() and written.isdigit() and len(written) <= 15:
        return int(written)
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise usage(f"{option}: {clean(written)!r} is no moment", "write it like 2026-04-18T19:00:00Z")
    return int(at.timestamp() * 1000)


_ID = re.compile(r"(0x)?[0-9a-fA-F]{6,64}\Z")


def an_id(written: str) -> str:
    """An id or a prefix of one."""
    if _ID.match(written) is None:
        raise usage(f"{clean(written)!r} is no id", "give at least 6 hexadecimal digits, as the lists show them")
    return written.removeprefix("0x").lower()


def span(seconds: float) -> str:
    """`3h 20m`, `45s`: for people, two units at most."""
    left, parts = max(0, int(seconds)), []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def until(at_ms: int | None) -> str:
    """`for 3h 20m more` or `ended`: against this machine's clock."""
    import time

    if not at_ms:
        return "-"
    left_s = at_ms / 1000 - time.time()
    return f"{span(left_s)} more" if left_s > 0 else f"ended {span(-left_s)} ago"
