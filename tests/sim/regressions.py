"""Cases that failed once: shortened, kept, and played in every build."""

from __future__ import annotations

import json
from pathlib import Path

from tests.sim.replay_story import load
from tests.sim.run import Case

KEPT = Path(__file__).parent / "kept"


def keep(case: Case, what: str) -> str:
    """Writes the case and what it broke; the name says both."""
    KEPT.mkdir(exist_ok=True)
    path = KEPT / f"seed-{case.seed}-n-{case.n}.json"
    path.write_text(json.dumps(_plain(case, what), indent=1) + "\n", encoding="utf-8")
    return _shown(path)


def _shown(path: Path) -> str:
    return str(path.relative_to(KEPT.parent.parent.parent))


def _plain(case: Case, what: str) -> dict[str, object]:
    deeds = None if case.deeds is None else list(case.deeds)
    return {"seed": case.seed, "n": case.n, "without": list(case.without), "deeds": deeds, "broke": what}


def kept() -> list[tuple[str, Case]]:
    """(name, case) of all that were kept, by name."""
    return [(path.stem, load(path)) for path in sorted(KEPT.glob("*.json"))]
