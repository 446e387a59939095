"""One case, step by step, forward and back: `python -m tests.sim.replay FILE [-e 'break S1; c; s m0; d 100 120 m0']`.

A step is one decision of one node. Without -e it reads commands, one a line (`h` names them).
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.sim import replay_words as words
from tests.sim.checks import NAMES, Violation
from tests.sim.replay_state import full_lines, page
from tests.sim.replay_story import ReplayError as ReplayError
from tests.sim.replay_story import Step, kept_for
from tests.sim.replay_story import Story as Story
from tests.sim.replay_story import load as load
from tests.sim.replay_story import save as save
from tests.sim.replay_story import tell as tell
from tests.sim.run import deed_numbers

HELP = """n [K]          the next step, or the next K
b [K]          back one step, or K
g K            go to step K (0: before the first)
c              continue to the next break or violation, or to the end
break WHAT [NODE]  WHAT: how an invariant's name begins (S1), or a type of event, record or effect (FrameArrived)
break          the breaks there are; `break off` takes all away
v              every violation of the run, with the step after which it was found
s NODE         the node's state after this step
d K1 K2 [NODE] what differs between the states after two steps, of one node or of all
t              the trace around here
q              the end"""
AROUND = (8, 5)
"""Lines of the trace before and after."""


@dataclass(frozen=True)
class Break:
    """`invariant`: how its name begins; else `kind`: a type of event, record or effect. `node` "": any."""

    invariant: str = ""
    kind: str = ""
    node: str = ""

    def on(self, step: Step) -> bool:
        return bool(self.kind) and self.kind in step.kinds and self.node in ("", step.node)

    def about(self, found: Violation) -> bool:
        return bool(self.invariant) and _begins(found.invariant, self.invariant) and self.node in ("", found.who)

    def __str__(self) -> str:
        return " ".join(filter(None, (self.invariant or self.kind, self.node)))


def _begins(name: str, prefix: str) -> bool:
    """By whole words: S1 is not S10."""
    name, prefix = name.lower(), prefix.lower()
    return name.startswith(prefix) and not (name[len(prefix) :][:1].isalnum() and prefix[-1:].isdigit())


class Debugger:
    """`at`: the step that was decided last; 0 before the first. Each command gives the text that answers it."""

    def __init__(self, story: Story, kept_for: str = "") -> None:
        self.story, self.at, self.over, self.kept_for = story, 0, False, kept_for
        self.breaks: list[Break] = []
        self._table: dict[str, Callable[[list[str]], str]] = {
            "n": self._next, "b": self._back, "g": self._go, "c": self._continue, "break": self._break,
            "v": self._violations, "s": self._state, "d": self._difference, "t": self._trace, "q": self._quit,
            "h": lambda rest: HELP,
        }  # fmt: skip

    def say(self, line: str) -> str:
        """ReplayError for what cannot be done; the debugger then stands where it stood."""
        word, *rest = line.split() or [""]
        if not word:
            return ""
        if word not in self._table:
            raise ReplayError(f"no command {word!r}; there are {' '.join(self._table)}, and h explains them")
        return self._table[word](rest)

    def opening(self) -> str:
        story, result = self.story, self.story.result
        liars = ", ".join(f"{name} ({script})" for name, script in story.liars.items()) or "none"
        numbered = zip(deed_numbers(story.case), result.deeds)
        deeds = ", ".join(f"{number} {one.kind} at {one.at_ms / 1000:.3f} s" for number, one in numbered) or "none"
        kept = f"kept because it broke {self.kept_for}\n" if self.kept_for else ""
        return (
            f"{story.case.line()}\n{kept}{result.options.words()}\ndeeds: {deeds}\n"
            f"{story.last} steps of {' '.join(story.nodes)}; liars: {liars}; {len(story.found)} violations"
        )

    # where we are
    def _next(self, rest: list[str]) -> str:
        many = _number(rest, 1, "n takes how many steps: n 10", least=1)
        first, last = self.at + 1, self._within(self.at + many)
        self.at = last
        return "\n".join(self._told(number) for number in range(first, last + 1))

    def _back(self, rest: list[str]) -> str:
        many = _number(rest, 1, "b takes how many steps: b 10", least=1)
        return self._stand(self.at - many)

    def _go(self, rest: list[str]) -> str:
        return self._stand(_number(rest, None, "g takes the number of a step: g 100"))

    def _stand(self, number: int) -> str:
        self.at = self._within(number)
        return self._told(number) if number else "before the first step"

    def _within(self, number: int) -> int:
        if not 0 <= number <= self.story.last:
            said = f"there is no step {number}: the run has steps 1 to {self.story.last}"
            raise ReplayError(f"{said}, here is {self.at}. g {self.story.last} goes to the last, g 0 before the first.")
        return number

    def _told(self, number: int) -> str:
        found = [f"  VIOLATION of {one}" for one in self.story.after(number)]
        if number == self.story.last and self.story.broke:
            found.append(f"  It broke when {self.story.broke}")
        return "\n".join([self.story.steps[number - 1].told(), *found])

    def _continue(self, rest: list[str]) -> str:
        """Stops at invariants that a break names, or at all of them where none does."""
        _none(rest, "c")
        named = [one for one in self.breaks if one.invariant]
        broken = {at for at, one in self.story.found if not named or any(each.about(one) for each in named)}
        for step in self.story.steps[self.at :]:
            if step.number in broken or any(one.on(step) for one in self.breaks):
                return self._stand(step.number)
        self.at = self.story.last
        return f"the end, nothing more stops it\n{self._told(self.at)}"

    # what stops it
    def _break(self, rest: list[str]) -> str:
        if not rest:
            return "\n".join(map(str, self.breaks)) or "no breaks: c stops at every violation"
        if rest == ["off"]:
            self.breaks.clear()
            return "no breaks"
        node = rest.pop() if len(rest) > 1 and rest[-1] in self.story.nodes else ""
        what = " ".join(rest)
        if kind := words.NAMES.get(what.lower()):
            found = Break("", kind, node)
        elif any(_begins(name, what) for name in (*NAMES, "X0 nothing leaves the machine")):
            found = Break(what, "", node)
        else:
            self._check_break(rest)
            there = " ".join(sorted(words.NAMES.values()))
            raise ReplayError(f"no invariant begins with {what!r} and nothing is of that type; types are: {there}")
        self.breaks.append(found)
        return f"breaks on {found}"

    def _check_break(self, rest: list[str]) -> None:
        """Where all but the last word would do, the last was to be a node."""
        first = " ".join(rest[:-1])
        if first and (first.lower() in words.NAMES or any(_begins(name, first) for name in NAMES)):
            self._node(rest[-1])

    def _violations(self, rest: list[str]) -> str:
        _none(rest, "v")
        return "\n".join(f"#{at}: {one}" for at, one in self.story.found) or "no violations"

    # what is so
    def _state(self, rest: list[str]) -> str:
        if len(rest) != 1:
            raise ReplayError(f"s takes one node: s {self.story.nodes[0]}")
        name = self._node(rest[0])
        now_ms, facts = self.story.states(self._has_state(self.at))[0][name]
        return "\n".join([f"{name} after step {self.at}, its clock at {words.seconds(now_ms)}", *page(facts, now_ms)])

    def _difference(self, rest: list[str]) -> str:
        usage = "d takes two steps, and a node or none: d 100 120 m0"
        if len(rest) not in (2, 3):
            raise ReplayError(usage)
        one, other = (self._has_state(self._within(_number([word], None, usage))) for word in rest[:2])
        names = [self._node(rest[2])] if len(rest) == 3 else list(self.story.nodes)
        before, after = self.story.states(one, other)
        told: list[str] = []
        for name in names:
            was, now = (full_lines(there[name][1]) for there in (before, after))
            told += difflib.unified_diff(was, now, f"{name} after {one}", f"{name} after {other}", lineterm="", n=0)
        return "\n".join(told) or f"nothing differs between {one} and {other}"

    def _has_state(self, number: int) -> int:
        if not number:
            raise ReplayError("before the first step no node has a state; n goes to the first")
        return number

    def _node(self, name: str) -> str:
        if name in self.story.liars:
            raise ReplayError(f"{name} is a liar ({self.story.liars[name]}) and has no state of a node")
        if name not in self.story.nodes:
            raise ReplayError(f"no node {name!r}; there are {' '.join(self.story.nodes)}")
        return name

    def _trace(self, rest: list[str]) -> str:
        _none(rest, "t")
        here = self.story.steps[self.at - 1].lines if self.at else 0
        first, last = max(0, here - AROUND[0]), here + AROUND[1]
        every = self.story.result.lines
        shown = [f"  {line}" for line in every[first:here]] + [f"> step {self.at}"]
        return "\n".join(shown + [f"  {line}" for line in every[here:last]])

    def _quit(self, rest: list[str]) -> str:
        self.over = True
        return ""


def _number(rest: list[str], default: int | None, usage: str, least: int = 0) -> int:
    if not rest and default is not None:
        return default
    if len(rest) != 1 or not rest[0].isascii() or not rest[0].isdigit() or len(rest[0]) > 9 or int(rest[0]) < least:
        raise ReplayError(f"{usage} (not {' '.join(rest)!r})" if rest else usage)
    return int(rest[0])


def _none(rest: list[str], word: str) -> None:
    if rest:
        raise ReplayError(f"{word} takes nothing after it (not {' '.join(rest)!r})")


# the command line
def main(path: str | Path, argv: Sequence[str]) -> int:
    """0 at the end, 2 where something asked cannot be done. At a terminal it says so and goes on."""
    asked = argparse.ArgumentParser(prog="python -m tests.sim.replay FILE", description=__doc__, epilog=HELP)
    asked.formatter_class = argparse.RawDescriptionHelpFormatter
    asked.add_argument("-e", action="append", metavar="COMMANDS", help="commands between semicolons, then the end")
    told = asked.parse_args(argv)
    try:
        debugger = Debugger(tell(load(path)), kept_for(path))
        if told.e is None and sys.stdin.isatty():
            _converse(debugger)
        else:
            given = [one for line in told.e for one in line.split(";")] if told.e is not None else sys.stdin
            _follow(debugger, given)
        sys.stdout.flush()
    except ReplayError as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    return 0


def _follow(debugger: Debugger, commands: Iterable[str]) -> None:
    print(debugger.opening())
    for line in commands:
        if said := debugger.say(line):
            print(f"\n{line.strip()}\n{said}")
        if debugger.over:
            return


def _converse(debugger: Debugger) -> None:
    with contextlib.suppress(ImportError):
        import readline as readline  # lines can be edited and called back
    print(f"{debugger.opening()}\nh explains the commands")
    while not debugger.over:
        try:
            said = debugger.say(input(f"({debugger.at}) "))
        except EOFError:
            return
        except ReplayError as error:
            said = str(error)
        if said:
            print(said)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print("usage: python -m tests.sim.replay FILE [-e COMMANDS]; FILE holds the case of a seed", file=sys.stderr)
        sys.exit(2 if sys.argv[1:] not in (["-h"], ["--help"]) else 0)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
