"""`tocsin alert export` and `tocsin intel …`: alarms for others' tools, and theirs for our people.

An import raises nothing. It is shown as what somebody outside says, and a person who believes it says so under the
member's own name, with `tocsin alert raise`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from node.commands.alerts import alert_app
from node.commands.common import (
    NODE_TOML,
    OK,
    CommandError,
    ConfigFile,
    Output,
    an_id,
    connect,
    counted,
    load_config,
    say,
    say_json,
    tell_error,
    usage,
    write_text,
)
from node.commands.listing import ListOutput, say_list
from node.commands.sealing import now_ms

if TYPE_CHECKING:
    from adapters.intel.read import Item

intel_app = App(name="intel", help="What others' tools say, to look at: nothing here moves a lever or counts.")
_ALERT_ID = "give the id of one alarm, or --all"


@alert_app.command
def export(
    alert_id: str = "",
    /,
    *,
    all_: Annotated[bool, Parameter(name="--all", negative="")] = False,
    format_: Annotated[Literal["stix", "misp"], Parameter(name="--format")] = "stix",
    tlp: Literal["clear", "green", "amber"] = "clear",
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    config: ConfigFile = NODE_TOML,
) -> int:
    """Write alarms for others' tools: STIX 2.1 or a MISP event. What is marked above --tlp stays here.

    Example: `tocsin alert export --all --tlp green -o alarms.stix.json`

    Parameters
    ----------
    alert_id
        An id of `tocsin alert list`, or at least 6 digits of it.
    all_
        Every alarm that this node knows.
    format_
        stix (a bundle) or misp (an event, or a list of them).
    tlp
        What the recipients may have: clear is for everybody. AMBER+STRICT and RED are never written.
    out
        A new file.
    """
    if bool(alert_id) == all_:
        raise usage("name one alarm or all" if all_ else "no alarm is named", _ALERT_ID)
    from adapters.intel.model import CEILINGS, Author
    from node.sharing import as_format, shared

    with connect(config) as control:
        alerts = control.alerts() if all_ else [control.alert(an_id(alert_id))]
        actions, network = control.actions(), control.network()
    alarms, whole, words = shared(alerts, actions, CEILINGS[tlp])
    if not alarms:
        enough = next((word for word, ceiling in CEILINGS.items() if shared(alerts, actions, ceiling)[0]), "")
        raise CommandError(_nothing(whole, tlp), do=_higher(whole, enough))
    value = as_format(format_, alarms, Author(str(network["network"]), str(network["member"])), now_ms())
    write_text(out, json.dumps(value, indent=2, sort_keys=True) + "\n")
    say(f"Wrote {out}: {counted(len(alarms), 'alarm')}, nothing in it above TLP:{tlp.upper()}.")
    if whole or words:
        say(f"Held back: {counted(whole, 'alarm')} and {counted(words, 'word')} of members, marked above it.")
    return OK


def _nothing(whole: int, tlp: str) -> str:
    if not whole:
        return "there is no alarm to write"
    return f"nothing may be written: all that is said on {counted(whole, 'alarm')} is marked above TLP:{tlp.upper()}"


def _higher(whole: int, enough: str) -> str:
    if not whole:
        return "list them: tocsin alert list"
    return f"for recipients who may have it: --tlp {enough}" if enough else "it is not for others to have"


@intel_app.command(name="import")
def import_(file: Path, /, *, config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """Read a STIX 2.1 bundle or MISP events of others and keep what they name, to look at. It raises no alarm.

    Example: `tocsin intel import partner.stix.json`
    """
    from adapters.intel.read import FILE_BYTES_MAX, read
    from node import kept_intel

    data_dir = load_config(config).data_dir
    if not data_dir.is_dir():
        raise CommandError("there is no such directory yet", str(data_dir), "run `tocsin init` first")
    try:
        with file.open("rb") as opened:
            raw = opened.read(FILE_BYTES_MAX + 1)
        outside = read(raw)
    except OSError as error:
        raise CommandError(f"cannot be read: {error.strerror}", str(file), "check path and rights") from None
    except ValueError as error:
        raise CommandError(str(error), str(file), "ask who sent it for a STIX 2.1 bundle or a MISP event") from None
    if not outside.items:
        raise CommandError("names nothing that a member could look at", str(file), "it is not kept")
    try:
        id_ = kept_intel.keep(data_dir, raw, outside, now_ms())
    except kept_intel.IntelFault as fault:
        raise CommandError(str(fault)) from None
    ours = sum(1 for item in outside.items if item.subject)
    if output == "json":
        say_json({"id": id_, "items": len(outside.items), "subjects": ours, "left_out": outside.left_out})
        return OK
    say(f"Kept as {id_}: {counted(len(outside.items), 'item')}, {ours} on a subject that an alarm can be about.")
    if outside.left_out:
        say(f"Left out: {outside.left_out} that were taken back or are of a kind that is not read.")
    say("It raised nothing. Look at it: tocsin intel list")
    return OK


@intel_app.command(name="list")
def list_(*, config: ConfigFile = NODE_TOML, output: ListOutput = "human") -> int:
    """What was imported, what of it we are exposed to, and how a person raises it.

    Example: `tocsin intel list`
    """
    from node import kept_intel

    try:
        imports = kept_intel.kept(load_config(config).data_dir)
    except kept_intel.IntelFault as fault:
        raise CommandError(str(fault)) from None
    exposed = _exposed(config) if imports else {}
    rows = [_told(one["id"], item, exposed) for one in imports for item in one["items"]]
    columns = ("import", "they name", "ours", "they say", "who", "tlp", "ends")
    say_list(lambda: rows, columns, _row, "Nothing was imported.", output)
    if rows and output == "human":
        say("", "Whoever believes one says so as this member: tocsin alert raise SUBJECT THREAT WATCH")
    return OK


@intel_app.command
def drop(import_id: str, /, *, config: ConfigFile = NODE_TOML) -> int:
    """Take one import away.

    Example: `tocsin intel drop 3fa9c1d2`
    """
    from node import kept_intel

    try:
        kept_intel.drop(load_config(config).data_dir, an_id(import_id))
    except kept_intel.IntelFault as fault:
        raise CommandError(str(fault)) from None
    say("Taken away.")
    return OK


def _exposed(config: Path) -> dict[str, list[str]] | None:
    """Subject → the names of exposures that it touches; None where no node answers."""
    from node.control import ControlError, NodeUnreachable

    try:
        with connect(config) as control:
            told = control.exposures()
    except (ControlError, NodeUnreachable):
        tell_error("no node answers: what of it we are exposed to is not known; start it with `tocsin up`")
        return None
    found: dict[str, list[str]] = {}
    for exposure in told:
        for subject in exposure["subjects"]:
            found.setdefault(subject, []).append(exposure["name"])
    return found


def _told(id_: str, item: Item, exposed: dict[str, list[str]] | None) -> dict[str, Any]:
    from dataclasses import asdict

    ours = None if exposed is None else exposed.get(item.subject, [])
    return {**asdict(item), "import": id_, "item": item.id, "ours": ours}


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    ours = "?" if one["ours"] is None else ", ".join(one["ours"]) or "-"
    named = one["subject"] or f"{one['value'][:60]} (no subject of ours)"
    said = one["threat"] or one["name"][:60]
    return (one["import"][:8], named, ours, said, one["source"], one["tlp"] or "not marked", one["until"] or "-")
