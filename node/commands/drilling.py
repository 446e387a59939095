"""`tocsin drill …`: an exercise among the same members, in a network of its own, up to the last step."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from node.commands.common import (
    NO_QUORUM,
    OK,
    CommandError,
    ConfigFile,
    Output,
    Person,
    a_person,
    connect,
    load_config,
    say,
    say_json,
    say_table,
    usage,
    write_text,
)

if TYPE_CHECKING:
    from node.control import Control
    from node.drill.score import Score

drill_app = App(name="drill", help="Exercises with the same members in a network of their own; no lever is pulled.")
DRILL_TOML = Path("drill.toml")
NODE_TOML = Path("node.toml")
POLL_S = 0.5
WAIT_S_MAX = 86_400
DrillFile = Annotated[Path, Parameter(name=["--config", "-c"], help="The drill node's configuration.")]


@drill_app.command
def init(
    *,
    addr: str,
    lever_keys: Annotated[bool, Parameter(negative=())] = False,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Make this member's drill node beside the real one: drill.toml, and drill/ with keys of its own.

    Example: `tocsin drill init --addr /ip4/192.0.2.1/tcp/4101`

    Parameters
    ----------
    addr
        Where the other members reach the drill node: not the real node's address.
    lever_keys
        Let it read the real keys of levers, so that simulations run as the account that has the right; as `tocsin lever
        test` does. Without it they run as an account without rights, and say so.
    """
    from governance.charter import Charter
    from node.commands.founding import read_charter
    from node.commands.home import listen_at, make_home
    from node.config import load
    from node.drill.mark import drill_of
    from node.drill.site import CONFIG, FOLDER, config_text, same_sections

    loaded = load_config(config)
    real: Charter = read_charter(loaded.charter)
    if drill_of(real.parameters.name):
        raise CommandError("is a drill node already", str(config), "name the real node's file with --config")
    # who joined the real network by a vote joins its drill by one
    seat = real.by_name.get(loaded.member)
    base = loaded.path.parent
    if addr != "none" and listen_at(addr) == loaded.listen:
        raise usage(f"--addr {addr} is the real node's own address", "name another port: the two run side by side")
    if (base / CONFIG).exists():
        raise CommandError("exists and is not overwritten", str(base / CONFIG), "move it and drill/ away")
    home = make_home(base / FOLDER, loaded.member, seat.group if seat is not None else "", (addr,))
    home.config_path.unlink()
    home.policy_path.unlink()
    text = config_text(loaded, loaded.path.read_text("utf-8"), listen_at(addr), lever_keys=lever_keys)
    write_text(base / CONFIG, text)
    lost = same_sections(loaded, load(base / CONFIG))
    if lost:
        raise CommandError(f"lacks {', '.join(lost)} of {loaded.path}", str(base / CONFIG), "write them there by hand")
    facts = {"config": str(base / CONFIG), "card": str(home.card_path), "lever_keys": lever_keys}
    if output == "json":
        say_json(facts)
        return OK
    say(
        f"Made {base / CONFIG}; hand {home.card_path} to the other members.",
        f"  one of them: tocsin drill found CARD… --charter {loaded.charter.name} --out {FOLDER}/charter.toml",
        f"  everybody, in turn: tocsin charter sign {FOLDER}/charter.toml --dir {FOLDER}",
        f"  everybody: tocsin up --config {CONFIG}",
    )
    return OK


@drill_app.command
def found(*cards: Path, charter: Path, out: Path, output: Output = "human") -> int:
    """Write the unsigned charter of the drill network of a real one: same members and rules, an id of its own.

    Example: `tocsin drill found a/drill/card.toml b/drill/card.toml --charter charter.toml --out drill-charter.toml`

    Parameters
    ----------
    cards
        Every member's card of `tocsin drill init`.
    charter
        The real network's.
    out
        The charter to write.
    """
    from governance.charter import check, write
    from node.commands.founding import read_card, read_charter
    from node.drill.site import charter_faults, drill_charter

    real = read_charter(charter)
    made = drill_charter(real, [read_card(path) for path in cards], _now_ms())
    faults = [*charter_faults(real, made), *map(str, check(made, _now_ms(), signatures=False).faults)]
    if faults:
        raise CommandError("\n  ".join(["no charter was written:", *faults]))
    write_text(out, write(made))
    if output == "json":
        say_json({"charter": str(out), "network": made.network.hex(), "drill_of": real.network.hex()})
    else:
        say(f"Wrote {out}: network {made.network.hex()}, a drill of {real.network.hex()}.")
        say(f"Next: every member compares and signs it, in turn: tocsin charter sign {out} --dir drill")
    return OK


@drill_app.command
def start(
    subject: str = "",
    threat: str = "bridge-forgery",
    level: str = "ISOLATE",
    /,
    *,
    wait: str = "60s",
    config: DrillFile = DRILL_TOML,
    output: Output = "human",
) -> int:
    """Begin an exercise and wait for what the members make of it; exit 4 where no quorum ran it again in time.

    Example: `tocsin drill start --wait 5m`

    Parameters
    ----------
    subject
        What it is about; the first asset of this node's own policy where absent.
    threat
        As in `tocsin alert raise`.
    level
        GUARD or ISOLATE.
    wait
        How long to wait for every member; its people acknowledge with `tocsin drill ack`.
    """
    from node.commands.alerts import check_words, whole_seconds
    from node.drill.exercise import ID_BYTES, LEVELS, parse_order, write_order

    wait_s = min(whole_seconds("--wait", wait), WAIT_S_MAX)
    loaded = load_config(config)
    subject = subject or _own_subject(config)
    check_words(subject, threat, level)
    if level.upper() not in [one.name for one in LEVELS]:
        raise usage(f"{level!r} is no level of an exercise", "GUARD or ISOLATE: a halt is people's judgement")
    id_ = secrets.token_bytes(ID_BYTES)
    order = parse_order({"id": id_.hex(), "subject": subject, "threat": threat, "level": level.upper()})
    with drill_node(config) as control:
        known = _ended(_exercises(control), subject)
        write_order(loaded.data_dir, order, threat)
        found_ = _await(control, known, wait_s)
        network = control.network()
    _tell(found_, output)
    groups = {one["name"]: one["group"] for one in network["members"]}
    verified = {groups[one.member] for one in found_.rows if one.verified_ms is not None}
    return OK if len(verified) >= network["epoch"]["q"] else NO_QUORUM


@drill_app.command
def ack(*, person: Person = "", config: DrillFile = DRILL_TOML, output: Output = "human") -> int:
    """Say, as a person, that the exercise was seen, and what this node decided.

    Example: `tocsin drill ack --person anna`
    """
    from node.drill.score import claim_named, label

    with drill_node(config) as control:
        last = _last(control)
        claim = claim_named(last)
        words = label(claim, control.actions(), last["subject"])
        control.raise_alert(last["subject"], last["threat"], last["level"], a_person(person), None, words)
    if output == "json":
        say_json({"exercise": claim, "says": words})
    else:
        say(f"Acknowledged exercise {claim}: {words.partition(': ')[2]}.")
    return OK


@drill_app.command
def score(*, config: DrillFile = DRILL_TOML, output: Output = "human") -> int:
    """Who verified, decided, planned and acknowledged the last exercise, and when, as this node heard it.

    Example: `tocsin drill score -o json`
    """
    with drill_node(config) as control:
        _tell(_score(control, _last(control)), output)
    return OK


@contextmanager
def drill_node(config: Path) -> Iterator[Control]:
    """The control socket of a node of a drill network, and of no other."""
    with connect(config) as control:
        if not control.status().get("drill_of"):
            do = "`tocsin drill init` makes a drill node; exercises are begun there"
            raise CommandError("is a node of a real network", str(config), do)
        yield control


def _own_subject(config: Path) -> str:
    from node.check_policy import PolicyReport, read_policy

    path = load_config(config).policy
    policy = read_policy(path) if path is not None else None
    if policy is None or isinstance(policy, PolicyReport) or not policy.assets:
        raise usage("this node's policy names no asset", "name the subject: tocsin drill start SUBJECT")
    return str(next(iter(policy.assets.values()))[0])


def _events(control: Control) -> list[dict[str, Any]]:
    return [one for one in control.events(0).get("events") or () if "issued_ms" in one]


def _exercises(control: Control) -> list[Any]:
    from node.drill.score import exercises

    return exercises(_events(control))


def _ended(begun: list[Any], subject: str) -> int:
    """How many there were; CommandError where the last one on this subject still runs."""
    from node.drill.mark import LEASE_MS

    last_ms = max((one["issued_ms"] for one in begun if one["subject"] == subject), default=0)
    left_ms = last_ms + LEASE_MS - _now_ms()
    if left_ms > 0:
        do = f"begin the next in {left_ms // 1000} s, or on another subject; `tocsin drill score` shows the last"
        raise CommandError("the last exercise on this subject still runs", do=do)
    return len(begun)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _last(control: Control) -> Any:
    found_ = _exercises(control)
    if not found_:
        raise CommandError("no exercise was heard since this node started", do="`tocsin drill start` begins one")
    return found_[-1]


def _score(control: Control, first: Any) -> Score:
    from node.drill.score import score as scored

    members = sorted(one["name"] for one in control.network()["members"])
    return scored(_events(control), first, members)


def _await(control: Control, known: int, wait_s: int) -> Score:
    """Until every member has all points, or the time is over; CommandError where it never began."""
    from node.drill.score import POINTS_MAX

    deadline = time.monotonic() + wait_s
    while True:
        begun = _exercises(control)
        done = _score(control, begun[-1]) if len(begun) > known else None
        if done is not None and all(one.points == POINTS_MAX for one in done.rows):
            return done
        if time.monotonic() >= deadline:
            if done is None:
                raise CommandError("the exercise did not begin", do="`tocsin status --config drill.toml` says why")
            return done
        time.sleep(POLL_S)


def _tell(found_: Score, output: str) -> None:
    from node.drill.score import POINTS_MAX, as_json

    if output == "json":
        say_json(as_json(found_))
        return
    at = time.strftime("%d %b %H:%M:%S", time.gmtime(found_.begun_ms / 1000))
    say(f"EXERCISE {found_.claim}, begun by {found_.begun_by} on {at} UTC: {found_.threat} {found_.level}")
    rows = [
        (
            row.member,
            _after(row.verified_ms),
            row.decided or "-",
            _after(row.planned_ms) if row.planned_ms is not None else "nothing to plan" if row.planned else "-",
            _after(row.acknowledged_ms),
            f"{row.points} of {POINTS_MAX}",
        )
        for row in found_.rows
    ]
    say_table(("member", "verified", "decided", "planned", "acknowledged", "score"), rows)
    say(f"{found_.points} of {POINTS_MAX * len(found_.rows)} points. Nothing was sent to any target.")


def _after(at_ms: int | None) -> str:
    return "-" if at_ms is None else f"+{at_ms / 1000:.1f} s"
