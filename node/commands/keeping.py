"""`tocsin backup | restore | explain | doctor | config check | policy check | version`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from cyclopts import App

from node.commands.common import (
    FAILED,
    NODE_TOML,
    OK,
    CommandError,
    ConfigFile,
    Output,
    all_faults,
    an_id,
    connect,
    exercise_lines,
    load_config,
    say,
    say_json,
    usage,
)
from node.commands.listing import ListOutput, say_rows

config_app = App(name="config", help="The node's configuration.")
policy_app = App(name="policy", help="The owner's policy.")


def backup(dest: Path, /, *, config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """Copy the store, whether the node runs or not. Keys and the mark are never part of it.

    Example: `tocsin backup /backups/lender-a.sqlite`

    Parameters
    ----------
    dest
        A new file.
    """
    from node.control import NodeUnreachable

    loaded = load_config(config)
    dest = dest.absolute()
    try:
        with connect(config) as control:
            said = control.backup(dest)
    except NodeUnreachable:
        from node.backup import backup as copy

        said = {"path": str(dest), "records": copy(loaded.store, dest).records}
    if output == "json":
        say_json(said)
    else:
        say(f"Copied the store to {dest}. Keep it apart from the keys; the mark stays where it is, on purpose.")
    return OK


def restore(
    file: Path | None = None,
    /,
    *,
    fresh_key: bool = False,
    governance_key: Path | None = None,
    move_aside: bool = False,
    term: str = "365d",
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Put a backup in place under a fresh attestation key of the governance key's, so that nothing is signed twice.

    Example: `tocsin restore /backups/lender-a.sqlite --governance-key /media/cold/governance.key`

    Example: `tocsin restore --fresh-key --governance-key /media/cold/governance.key`

    Parameters
    ----------
    file
        What `tocsin backup` wrote; none with --fresh-key alone.
    fresh_key
        Leave the store, only delegate a fresh key.
    governance_key
        Where the cold key lies; beside node.toml where absent.
    move_aside
        Rename a store that stands there; nothing is deleted.
    term
        How long the fresh key is good for, at most a year.
    """
    from node.commands.recovery import recover

    if file is None and not fresh_key:
        raise usage("nothing to restore is named", "tocsin restore FILE, or tocsin restore --fresh-key")
    loaded = load_config(config)
    done = recover(loaded, file, governance_key, term, move_aside=move_aside, now_ms=int(time.time() * 1000))
    if output == "json":
        say_json({"key_version": done.key_version, "moved_aside": str(done.aside) if done.aside else None})
        return OK
    if done.aside is not None:
        say(f"The store that stood there is now {done.aside}.")
    say(f"{loaded.member} has attestation key version {done.key_version}; members hear of it when the node starts.")
    say("Nothing sealed under an older version counts any more. Put the governance key away; then `tocsin up`.")
    return OK


def explain(any_id: str, /, *, config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """What is claimed, by whom, who re-ran it, what it means here, what was done and why, when it ends, what is next.

    Example: `tocsin explain 3fa9c1d2`

    Parameters
    ----------
    any_id
        The id of an alarm, action or certificate, or at least 6 digits of it.
    """
    with connect(config) as control:
        told = control.explain(an_id(any_id))
    if output == "json":
        say_json(told)
    else:
        say(*exercise_lines(control))
        for part in told.get("sections") or ():
            say(part["title"], *(f"  {one}" for one in part["sentences"] or ["Nothing."]), "")
    return OK


_SIGNS = {True: "ok   ", False: "FAULT", None: "note "}


def doctor(*, config: ConfigFile = NODE_TOML, output: ListOutput = "human") -> int:
    """Look for everything that would keep this node from starting, signing or acting; each with its cure.

    Example: `tocsin doctor --config lender-a/node.toml`
    """
    from node.check import examine
    from node.check_types import real_probes

    findings = examine(config, real_probes())
    sick = any(one.ok is False for one in findings)
    rows = [{"name": one.name, "ok": one.ok, "says": one.says, "do": one.do} for one in findings]
    if output == "json":
        say_json({"ok": not sick, "findings": rows})
    elif output == "jsonl":
        say_rows(rows)
    else:
        for one in findings:
            say(f"{_SIGNS[one.ok]}  {one.name:<8} {one.says}{f'; {one.do}' if one.do else ''}")
    return FAILED if sick else OK


@config_app.command(name="check")
def check_config(*, config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """Read node.toml and the environment over it; every fault at once.

    Example: `tocsin config check --config lender-a/node.toml`
    """
    loaded = load_config(config)
    facts = {
        "ok": True,
        "member": loaded.member,
        "charter": str(loaded.charter),
        "data_dir": str(loaded.data_dir),
        "policy": str(loaded.policy) if loaded.policy else None,
        "listen": loaded.listen,
        "observers": [{"name": one.name, "peer_id": one.peer_id, "tlp": one.tlp} for one in loaded.observers],
        "control": str(loaded.control),
        "connections": [{"id": one.id, "chain": one.chain, "host": one.shown_url} for one in loaded.connections],
        "targets": sorted(loaded.targets),
        "sensors": sorted(loaded.sensors),
    }
    if output == "json":
        say_json(facts)
    else:
        counts = f"{len(loaded.connections)} connections, {len(loaded.targets)} targets, {len(loaded.sensors)} sensors"
        say(f"{loaded.path} is whole: {loaded.member} on {loaded.listen or 'no address'}, {counts}")
    return OK


@policy_app.command(name="check")
def check_policy(file: Path | None = None, /, *, config: Path | None = None, output: Output = "human") -> int:
    """Every fault of a policy with its line, and in sentences what it would do.

    Example: `tocsin policy check --config lender-a/node.toml`

    Example: `tocsin policy check policy.toml`

    Parameters
    ----------
    file
        A policy; the one that --config names where absent.
    config
        The node that it is for: its targets and its network. Without it only the form is checked.
    """
    from node.check_policy import PolicyReport, judge_policy, read_policy
    from node.commands.founding import read_charter

    if file is None and config is None:
        config = NODE_TOML
    if config is None and file is not None:
        read = read_policy(file)
        form = "The form holds. With --config node.toml it is held against targets and network too."
        report = read if isinstance(read, PolicyReport) else PolicyReport((), (form,))
    else:
        loaded = load_config(config or NODE_TOML)
        path = file or loaded.policy
        if path is None:
            raise CommandError("names no policy", str(loaded.path), 'add policy = "policy.toml"')
        file = path
        report = judge_policy(path, loaded, read_charter(loaded.charter))
    return _tell_policy(file or NODE_TOML, report, output)


def _tell_policy(path: Path, report: Any, output: str) -> int:
    if output == "json":
        say_json({"ok": not report.faults, "faults": list(report.faults), "sentences": list(report.sentences)})
        return FAILED if report.faults else OK
    say(*report.sentences)
    if report.faults:
        raise CommandError(all_faults(report.faults), str(path))
    return OK


def version_text() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tocsin")
    except PackageNotFoundError:
        return "unknown (run from a checkout that is not installed)"


def version(*, output: Output = "human") -> int:
    """Say which tocsin this is.

    Example: `tocsin version`
    """
    if output == "json":
        say_json({"tocsin": version_text(), "python": sys.version.split()[0]})
    else:
        say(f"tocsin {version_text()} on Python {sys.version.split()[0]}")
    return OK
