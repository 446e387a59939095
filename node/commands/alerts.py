"""`tocsin alert …`: the alarms that a node knows, and a person's own word on them (feed entries)."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

from governance.durations import parse_duration
from governance.faults import nearest
from node.commands.common import (
    NO_QUORUM,
    NODE_TOML,
    OK,
    CommandError,
    ConfigFile,
    Output,
    Person,
    a_person,
    a_sentence,
    an_id,
    asked_lines,
    connect,
    exercise_lines,
    moment,
    say,
    say_json,
    say_table,
    until,
    usage,
)
from node.commands.listing import Again, ListOutput, say_list

if TYPE_CHECKING:
    from node.control import Control

alert_app = App(name="alert", help="Alarms: list, acknowledge, re-run, raise, withdraw, release.")
POLL_S = 1.0
RERUN_POLL_S = 0.2
RERUN_S_MAX = 45.0
"""Sixteen claims, four at once, ten seconds each at most, and some for the way."""


@alert_app.command(name="list")
def list_(*, watch: Again = False, config: ConfigFile = NODE_TOML, output: ListOutput = "human") -> int:
    """Every alarm that somebody's live opinion speaks of.

    Example: `tocsin alert list`
    """
    columns = ("id", "level", "threat", "subject", "groups", "certificate", "we say")
    with connect(config) as control:
        ahead = partial(exercise_lines, control)
        return say_list(control.alerts, columns, _row, "No alarm.", output, watch, ahead)


def _row(alert: dict[str, Any]) -> tuple[object, ...]:
    certificate, own = alert.get("certificate"), alert.get("own")
    return (
        str(alert.get("id", ""))[:12],
        alert.get("level"),
        alert.get("threat"),
        alert.get("subject"),
        f"{len(alert.get('groups') or ())} of {alert.get('needed')}",
        f"{certificate.get('level')}, {until(certificate.get('ends_ms'))}" if certificate else "-",
        own.get("verdict") if own else "-",
    )


@alert_app.command
def show(
    alert_id: str, /, *, export: Path | None = None, config: ConfigFile = NODE_TOML, output: Output = "human"
) -> int:
    """One alarm: who says what on which evidence.

    Example: `tocsin alert show 3fa9c1d2 --export rseth.cert`

    Parameters
    ----------
    alert_id
        An id of `tocsin alert list`, or at least 6 digits of it.
    export
        Write the certificate, whole, for `tocsin verify` anywhere.
    """
    with connect(config) as control:
        alert = control.alert(an_id(alert_id))
        if export is not None:
            _export(control, alert, export)
    if output == "json":
        say_json(alert)
        return OK
    say(*exercise_lines(control), *_lines(alert))
    rows = [_opinion(opinion) for opinion in alert.get("opinions") or ()]
    if rows:
        say_table(("author", "group", "level", "basis", "since", "until", "sources", "claims"), rows)
    if export is not None:
        say(f"Wrote {export}. Anybody with the charter can check it: tocsin verify {export} --charter charter.toml")
    return OK


def _lines(alert: dict[str, Any]) -> list[str]:
    certificate, own = alert.get("certificate"), alert.get("own")
    seen = [
        f"{one.get('person')} {_clock(one.get('at_ms'))} ({one.get('level')})" for one in alert.get("seen_by") or ()
    ]
    lines = [
        f"{alert.get('threat')} on {alert.get('subject')}: {alert.get('level')}",
        f"  id {alert.get('id')}",
        f"  groups {', '.join(alert.get('groups') or ()) or 'none'} ({alert.get('needed')} needed)",
    ]
    if certificate:
        ends = until(certificate.get("ends_ms"))
        lines.append(f"  certificate {certificate.get('level')} {certificate.get('digest')}, {ends}")
    if own:
        why = f" ({own['why']})" if own.get("why") else ""
        lines.append(f"  our own verdict: {own.get('verdict')}{why}")
    lines += [f"  {_came_out(one)}" for one in alert.get("reruns") or ()]
    if alert.get("rerunning"):
        lines.append(f"  {alert['rerunning']} claims are being re-run")
    over = [f"{one.get('member')} {_clock(one.get('through_ms'))}" for one in alert.get("releases") or ()]
    if over:
        lines.append(f"  said to be over by {', '.join(over)} ({alert.get('release_needed')} groups end it)")
    unseen = f"nobody yet: tocsin alert ack {str(alert.get('id'))[:12]}"
    lines.append(f"  seen by {', '.join(seen) or unseen}")
    return lines + asked_lines(alert.get("asked"))


def _clock(at_ms: float | None) -> str:
    return time.strftime("%d %b %H:%M:%S", time.gmtime((at_ms or 0) / 1000))


def _opinion(opinion: dict[str, Any]) -> tuple[object, ...]:
    claims = [f"{claim.get('type')} {str(claim.get('id', ''))[:8]}" for claim in opinion.get("claims") or ()]
    person = " by a person" if opinion.get("by_person") else ""
    return (
        opinion.get("author"),
        opinion.get("group"),
        opinion.get("level"),
        f"{opinion.get('basis')}{person}",
        _clock(opinion.get("since_ms")),
        "released" if opinion.get("released") else until(opinion.get("expires_ms")),
        ", ".join(map(str, opinion.get("sources") or ())) or "-",
        ", ".join(claims) or "-",
    )


def _export(control: Control, alert: dict[str, Any], path: Path) -> None:
    certificate = alert.get("certificate")
    if not certificate:
        raise CommandError("this alarm has no certificate to export", do="wait until enough groups say so")
    raw = control.certificate(str(certificate.get("digest")))
    try:
        with path.open("xb") as file:
            file.write(raw)
    except OSError as error:
        raise CommandError(f"cannot be written: {error.strerror}", str(path), "name a new file") from None


@alert_app.command(name="raise")
def raise_(
    subject: str,
    threat: str,
    level: str,
    /,
    *,
    lease: str = "",
    incident: str = "",
    person: Person = "",
    wait: str = "",
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Say to the network that a subject is in danger. One member's word moves nobody's lever above its policy.

    Example: `tocsin alert raise eip155:1/erc20:0xa1290d69c65a6fe4df752f95823fae25cb99e5a7 bridge-forgery ISOLATE`

    Parameters
    ----------
    subject
        CAIP-2, CAIP-10, CAIP-19, or tx:, market:, bridge:, oracle:, domain:, pkg:, credential:.
    threat
        For example bridge-forgery, unbacked-supply, oracle-manipulation, key-compromise.
    level
        WATCH, GUARD, ISOLATE or HALT.
    lease
        How long it holds, within the charter's bound; the bound where absent.
    incident
        A name to group several alarms under.
    wait
        Wait that long (60s, 5m) for a certificate of this level; exit 4 when none forms.
    """
    check_words(subject, threat, level)
    lease_s = whole_seconds("--lease", lease) if lease else None
    wait_s = whole_seconds("--wait", wait) if wait else 0
    with connect(config) as control:
        said = control.raise_alert(subject, threat, level.upper(), a_person(person), lease_s, incident or None)
        if output == "json" and not wait_s:
            say_json(said)
            return OK
        if output == "human":
            say(f"Said {level.upper()} on {subject} ({threat}): alarm {said.get('id', '')}")
        return _await_level(control, said, level.upper(), wait_s, output) if wait_s else OK


def check_words(subject: str, threat: str, level: str) -> None:
    from protocol.errors import ProtocolError
    from protocol.messages import Level, Threat, threat_from_word
    from protocol.subjects import from_text

    if threat_from_word(threat) is None:
        raise usage(f"{threat!r} is no threat", nearest(threat, [one.word for one in Threat]))
    levels = [one.name for one in Level if one is not Level.NONE]
    if level.upper() not in levels:
        raise usage(f"{level!r} is no level", f"one of {', '.join(levels)}; `tocsin alert withdraw` takes a word back")
    try:
        from_text(subject)
    except ProtocolError as error:
        raise usage(error.detail, "write it like eip155:1/erc20:0x…; all kinds: tocsin alert raise --help") from None


def whole_seconds(option: str, written: str) -> int:
    try:
        seconds = parse_duration(written) // 1000
    except ValueError as error:
        raise usage(f"{option}: {error}", f"write it like {option} 90s") from None
    if seconds < 1:
        raise usage(f"{option}: {written!r} is under a second", f"write it like {option} 90s")
    return seconds


_ORDER = ("NONE", "WATCH", "GUARD", "ISOLATE", "HALT")


def _await_level(control: Control, said: dict[str, Any], level: str, wait_s: int, output: str) -> int:
    """WATCH needs no certificate: there the network's level decides."""
    deadline = time.monotonic() + wait_s
    alert: dict[str, Any] = {}
    while True:
        alert = control.alert(str(said.get("id", "")))
        certificate = alert.get("certificate") or {}
        reached = alert.get("level") if level == "WATCH" else certificate.get("level")
        if reached in _ORDER and _ORDER.index(str(reached)) >= _ORDER.index(level):
            break
        if time.monotonic() >= deadline:
            needed = (alert.get("thresholds") or {}).get(level, alert.get("needed"))
            groups = f"{len(alert.get('groups') or ())} of {needed} groups say so"
            what = f"no certificate of {level} after {wait_s} s: {groups}"
            raise CommandError(
                what, do="your word stands until its lease; `tocsin alert show` says who agrees", exit_code=NO_QUORUM
            )
        time.sleep(POLL_S)
    if output == "json":
        say_json(alert)
    else:
        say(*_lines(alert))
    return OK


@alert_app.command(name="ack")
def acknowledge(
    alert_id: str, /, *, person: Person = "", config: ConfigFile = NODE_TOML, output: Output = "human"
) -> int:
    """Say that you have seen it: recorded with your name and the time, and told with the alert.

    Example: `tocsin alert ack 3fa9c1d2`

    Parameters
    ----------
    alert_id
        An id of `tocsin alert list`, or at least 6 digits of it.
    """
    with connect(config) as control:
        said = control.acknowledge(an_id(alert_id), a_person(person))
    if output == "json":
        say_json(said)
    else:
        say("Acknowledged; nothing else changes.")
    return OK


@alert_app.command
def rerun(alert_id: str, /, *, person: Person = "", config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """Have its evidence re-run now, through your own node's connections, and say what comes out. Each claim once in
    10 s. Another verdict than before takes no word back and moves no lever that stands: it is told to people.

    Example: `tocsin alert rerun 3fa9c1d2`

    Parameters
    ----------
    alert_id
        An id of `tocsin alert list`, or at least 6 digits of it.
    """
    id_, deadline = an_id(alert_id), time.monotonic() + RERUN_S_MAX
    with connect(config) as control:
        said = control.rerun(id_, a_person(person))
        alert = control.alert(id_)
        while alert.get("rerunning") and time.monotonic() < deadline:
            time.sleep(RERUN_POLL_S)
            alert = control.alert(id_)
    reruns = alert.get("reruns") or []
    newest = max((one.get("asked_ms") or 0 for one in reruns), default=0)
    came = [one for one in reruns if one.get("asked_ms") == newest]
    if output == "json":
        say_json({**said, "reruns": came, "rerunning": alert.get("rerunning") or 0})
    else:
        say(*exercise_lines(control), a_sentence(said.get("says")), *map(_came_out, came))
    if alert.get("rerunning"):
        what = f"{alert['rerunning']} claims have not come out after {RERUN_S_MAX:.0f} s"
        raise CommandError(what, do="`tocsin alert show` says what came out")
    return OK


VERDICTS = {"supports": "holds", "refuted": "DOES NOT HOLD", "undecided": "COULD NOT BE TOLD"}


def _came_out(one: dict[str, Any]) -> str:
    claim, verdict, before = one.get("claim") or {}, one.get("verdict"), one.get("before")
    same = ", as before" if one.get("same") else f"; before: {before}" if before else ""
    who = f"re-run for {one.get('person')} {_clock(one.get('at_ms'))}"
    name = f"{claim.get('type')} {str(claim.get('id', ''))[:8]}"
    return f"{who}: {name} {VERDICTS.get(str(verdict), verdict)}{same}: {one.get('why')}"


@alert_app.command
def withdraw(alert_id: str, /, *, person: Person = "", config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """Take your own member's opinion back. Restrictions already applied keep their lease.

    Example: `tocsin alert withdraw 3fa9c1d2`

    Parameters
    ----------
    alert_id
        An id of `tocsin alert list`, or at least 6 digits of it.
    """
    with connect(config) as control:
        said = control.withdraw(an_id(alert_id), a_person(person))
    if output == "json":
        say_json(said)
    else:
        say("Withdrawn: our opinion on it is NONE from now on. Levers keep the lease that they were pulled for.")
    return OK


@alert_app.command
def release(
    alert_id: str,
    /,
    *,
    through: str = "",
    take_back: bool = False,
    person: Person = "",
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Say that what was said up to a moment no longer holds. With Q groups that say so, restrictions lift. Where the
    policy wants two people (`release = { need = 2 }`) the first asks and another carries it out.

    Example: `tocsin alert release 3fa9c1d2 --through 2026-04-18T19:00:00Z`

    Parameters
    ----------
    alert_id
        An id of `tocsin alert list`, or at least 6 digits of it.
    through
        Milliseconds since 1970 or an ISO time with its zone; now where absent. Never later than now.
    take_back
        Take back what one person asked and no second one has said.
    """
    through_ms = moment(through, "--through") if through else None
    with connect(config) as control:
        said = control.release(an_id(alert_id), a_person(person), through_ms, take_back)
    if output == "json":
        say_json(said)
    elif take_back or not said.get("done", True):
        say(a_sentence(said.get("says")))
    else:
        say("Released for our group. Restrictions lift when Q groups have; your own lever: `tocsin action lift`.")
    return OK
