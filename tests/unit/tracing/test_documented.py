"""TRACING.md against the spans: every name that a collector may see, and none besides."""

from __future__ import annotations

import re
from pathlib import Path

from node.tracing.alarm import SPANS_MAX
from node.tracing.sender import BACKOFF_S, STOP_S_MAX, WAITING_MAX
from node.tracing.story import ALARMS_MAX
from protocol.messages import Level, Tlp
from tests.unit.machine.cast import TOPIC
from tests.unit.tracing.stage import CLAIM, LEVER, freezes, ns, over, says, story, word

TEXT = (Path(__file__).resolve().parents[3] / "node" / "TRACING.md").read_text("utf-8")


def rows(heading: str) -> list[list[str]]:
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    found = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in found[2:]]


def documented() -> dict[str, set[str]]:
    """Span → attributes; `all` is every span's."""
    found: dict[str, set[str]] = {}
    for names, on, _ in rows("Attributes"):
        for span in on.removesuffix(", guarded").split(", "):
            found.setdefault(span, set()).update(re.findall(r"`([\w.]+)`", names))
    found["lever"].add("tocsin.lever")
    return found


def told() -> dict[str, set[str]]:
    one = story(ceiling=Tlp.RED)
    says(one, 0, word())
    alarm = one.at(TOPIC, ns(1))
    alarm.asked(CLAIM, ns(1))
    alarm.judged(CLAIM, "supports", "so", ns(2))
    alarm.asked(CLAIM, ns(3))
    alarm.certificate(Level.GUARD, Tlp.GREEN, ("m0",), True, ns(3), ns(4))
    freezes(one, 5)
    alarm.step_begun(bytes(32), "undo", LEVER, ns(50))
    for number in range(SPANS_MAX):
        says(one, 60, word("m1", number))
    found: dict[str, set[str]] = {}
    for span in over(one, 200_000).spans:
        found.setdefault(span.name.split()[0], set()).update(span.attributes)
    return found


def test_the_table_has_each_attribute_where_it_stands_and_no_other() -> None:
    table = documented()
    everywhere = table.pop("all")
    table.pop("resource")
    assert {span: names | everywhere for span, names in table.items()} == told()


def test_the_table_of_spans_has_each_name() -> None:
    named = {name for row in rows("The spans") for name in re.findall(r"`([a-z_ ]+)`", row[0])}
    steps = {"simulate", "apply", "read_back", "undo", "expire"}
    assert named == {"alarm", "entry", "claim", "certificate", "decision", "action", "lever plan", *steps}


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"at most {ALARMS_MAX} alarms" in TEXT and f"of {SPANS_MAX} spans each" in " ".join(TEXT.split())
    assert f"a row of {WAITING_MAX:,} for".replace(",", " ") in TEXT and f"waits {STOP_S_MAX:g} s" in TEXT
    tries = ", ".join(f"{one:g}" for one in BACKOFF_S[:-1])
    assert f"{tries}, then every {BACKOFF_S[-1]:g} s" in " ".join(TEXT.split())
