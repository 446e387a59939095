"""The book of directed scenarios: each with the story it plays, the rule that answers it, what checks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.sim.scripts.stage import Scene, Setting


@dataclass(frozen=True)
class Script:
    """`story`: its number among the attacks that shaped the rules; 0: no attack, but what must work. `checks`: the
    invariants that would break, by the names in tests/sim/checks; all of them are asked in every script."""

    name: str
    story: int
    rule: str
    checks: str
    play: Callable[[Scene], None]
    setting: Setting

    @property
    def words(self) -> str:
        return " ".join((self.play.__doc__ or "").split())


BOOK: dict[str, Script] = {}


def script(
    story: int, rule: str, checks: str, **setting: Any
) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    def keep(play: Callable[[Scene], None]) -> Callable[[Scene], None]:
        name = play.__name__.replace("_", "-")
        if name in BOOK:
            raise ValueError(f"two scripts are named {name}")
        BOOK[name] = Script(name, story, rule, checks, play, Setting(**setting))
        return play

    return keep


def perform(name: str) -> Scene:
    """Plays it to its end; `stage.Failed` where it does not go as it says."""
    found = BOOK[name]
    scene = Scene(name, found.setting)
    found.play(scene)
    scene.close()
    return scene


def table() -> str:
    """Markdown: story → script → rule → invariant, as it stands in README.md."""
    rows = ["| story | script | what answers it | invariants that would break |", "|---|---|---|---|"]
    for one in sorted(BOOK.values(), key=lambda one: (one.story == 0, one.story, one.name)):
        rows.append(f"| {one.story or ''} | `{one.name}` | {one.rule} | {one.checks} |")
    return "\n".join(rows)
