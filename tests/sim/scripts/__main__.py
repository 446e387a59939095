"""`python -m tests.sim.scripts NAME` plays one and prints what happened; without a name it lists them; `--table` prints
the table of README.md."""

from __future__ import annotations

import sys

from tests.sim.memo import shared_parsing
from tests.sim.scripts.book import BOOK, table
from tests.sim.scripts.stage import Failed, Scene


def main(names: list[str]) -> int:
    if not names:
        for one in BOOK.values():
            print(f"{one.name:<55} {one.words}")
        return 0
    if names == ["--table"]:
        print(table())
        return 0
    unknown = [name for name in names if name not in BOOK]
    if unknown:
        print(f"no script is named {', '.join(unknown)}; without a name they are listed")
        return 2
    bad = 0
    for name in names:
        found = BOOK[name]
        scene = Scene(name, found.setting)
        print(f"{name}: {found.words}")
        try:
            found.play(scene)
            scene.close()
            said = "as it should"
        except Failed as failed:
            said, bad = f"NOT as it should: {failed}", 1
        print("\n".join(scene.world.history.lines))
        print(said)
    return bad


if __name__ == "__main__":
    with shared_parsing():
        sys.exit(main(sys.argv[1:]))
