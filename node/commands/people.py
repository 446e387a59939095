"""`tocsin person add | list | remove`: who may use this node's console and API over TCP."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from cyclopts import App

from node.commands.common import (
    NODE_TOML,
    OK,
    CommandError,
    ConfigFile,
    Output,
    clean,
    load_config,
    say,
    say_json,
)
from node.commands.listing import ListOutput, say_list

person_app = App(name="person", help="Who may use the console and the API over TCP, and what they may do.")


def _path(config: Path) -> Path:
    loaded = load_config(config)
    if not loaded.data_dir.is_dir():
        raise CommandError("there is no such directory yet", str(loaded.data_dir), "run `tocsin init` first")
    return loaded.people


@person_app.command
def add(
    name: str,
    *,
    role: Literal["viewer", "operator", "releaser"],
    another: bool = False,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Make a token for a person. It is shown once; only its hash is kept. A running node takes it at once.

    Example: `tocsin person add anna --role operator`

    Parameters
    ----------
    name
        Under which what the person does is recorded.
    role
        A viewer sees; an operator also raises, withdraws, approves and refuses; a releaser also releases and lifts.
    another
        One more token of a person who is listed: for another device. Two tokens of one person are still one person.
    """
    from node import people

    loaded = load_config(config)
    try:
        token = people.add(_path(config), name, role, another=another)
    except people.PeopleFault as error:
        raise CommandError(str(error)) from None
    if output == "json":
        say_json({"name": name, "role": role, "token": token})
        return OK
    say(f"{name}: {role}. The token, shown this once:", "", f"  {token}", "")
    if loaded.console is None:
        say('The console is off; switch it on in node.toml: [console] listen = "127.0.0.1:8443"')
    return OK


@person_app.command(name="list")
def list_(*, config: ConfigFile = NODE_TOML, output: ListOutput = "human") -> int:
    """Who may, in which role.

    Example: `tocsin person list`
    """
    from node import people

    try:
        rows = [asdict(one) for one in people.read(_path(config))]
    except people.PeopleFault as error:
        raise CommandError(str(error)) from None
    shown = [{key: row[key] for key in ("name", "role", "id", "made_ms", "once")} for row in rows]

    def row(one: dict[str, object]) -> tuple[object, ...]:
        made = time.strftime("%Y-%m-%d %H:%M", time.gmtime(int(str(one["made_ms"])) / 1000))
        return one["name"], one["role"], one["id"], made + "Z"

    columns = ("name", "role", "token", "made")
    return say_list(lambda: shown, columns, row, "Nobody; tocsin person add", output)


@person_app.command
def remove(name: str, *, config: ConfigFile = NODE_TOML) -> int:
    """Take a person's tokens out of force. A running node knows at its next request, and ends open streams.

    Example: `tocsin person remove anna`
    """
    from node import people

    try:
        found = people.remove(_path(config), name)
    except people.PeopleFault as error:
        raise CommandError(str(error)) from None
    if not found:
        raise CommandError(f"nobody is called {clean(name)}", do="list them: tocsin person list")
    say(f"{name} is a stranger from now on.")
    return OK
