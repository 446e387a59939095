"""The costs that the model is fed with: measured by `measure`, kept in `costs.json`, put into straight lines.

What taking in the k-th word on a topic costs depends on k, for the shipped machine counts anew at each word. Three
lines say it: below GUARD's row of f + 1, up to ISOLATE's of Q, beyond; and two say what making a certificate adds.
The wire format holds 256 members: a machine is measured up to 250, and the same lines are used above.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("costs.json")

Line = tuple[float, float]
"""(at 0, per 1), ms."""


@dataclass(frozen=True)
class Costs:
    """All in ms of one core, unless said otherwise."""

    first: float
    """The first word with its blob, through the machine."""
    judged: float
    """The claim judged (what was read from chains is at hand), the verdict in, the own word sealed, packed, counted."""
    below: Line
    """A word taken in as the k-th of its topic: parse, verify, count."""
    guard: Line
    beyond: Line
    make_guard: Line
    make_isolate: Line
    check: Line
    """A certificate of k signers that were never seen."""
    batch: float
    """Packing one record for the store."""
    shown: float
    tick: Line
    """One tick of a machine among n."""
    send: float
    """One frame to one peer: queue, yamux, Noise, socket, and the task switches between them."""
    receive: float
    send_per_kib: float
    receive_per_kib: float
    send_more: float
    """Each further frame to the same peer in the same write; and as it is received."""
    receive_more: float
    commit: float
    """Waiting for the disk, wall: a transaction; more for each entry in it; the mark before an own word leaves."""
    commit_per_entry: float
    mark: float
    verify: float
    garbage: float
    """A word with a false seal, through the machine."""
    entry_bytes: int
    certificate_per_signer: float
    """Bytes, KeySets by their hash."""

    def word(self, k: int, f: int, q: int) -> float:
        """Taking in the k-th word, with what it makes."""
        guard_at = max(2, f + 1)
        line = self.below if k < guard_at else self.guard if k < q else self.beyond
        if k == guard_at:
            return self._at(self.below, k) + self._at(self.make_guard, k)
        if k == q:
            return self._at(self.guard, k) + self._at(self.make_isolate, k)
        return self._at(line, k)

    def own_word(self, k: int, f: int, q: int) -> float:
        """The own word as the k-th: its sealing, and the counting that any word costs."""
        return self.judged + self.word(k, f, q) - self._at(self.below, 2)

    def checking(self, k: int) -> float:
        return self._at(self.check, k)

    @staticmethod
    def _at(line: Line, k: int) -> float:
        return line[0] + line[1] * k


FREE = Costs(
    **{
        name: (0.0, 0.0) if kind == "Line" else 0.0  # type: ignore[arg-type]
        for name, kind in Costs.__annotations__.items()
        if name not in ("entry_bytes", "certificate_per_signer")
    },
    entry_bytes=366,
    certificate_per_signer=380,
)
"""A CPU without end: what is left is the physics."""


def counting_for_nothing(costs: Costs) -> Costs:
    """What if a word were counted in constant time: every word costs what the first ones do."""
    flat = (costs.below[0], 0.0)
    return replace(costs, below=flat, guard=flat, beyond=flat)


def leaner_wire(costs: Costs, share: float = 0.25) -> Costs:
    """What if sending and receiving a frame cost this share of what the library and its tasks cost now."""
    return replace(counting_for_nothing(costs), send=costs.send * share, receive=costs.receive * share)


def slower(costs: Costs, factor: float) -> Costs:
    """All CPU `factor` times as dear; disk and bytes as they are."""
    kept = ("commit", "commit_per_entry", "mark", "entry_bytes", "certificate_per_signer")
    changed = {
        name: tuple(factor * part for part in value) if isinstance(value, tuple) else factor * value
        for name, value in asdict(costs).items()
        if name not in kept
    }
    return replace(costs, **changed)


def fitted(points: Sequence[tuple[float, float]]) -> Line:
    """Least squares, never falling."""
    n = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
    slope = max(0.0, slope)
    return round(max(0.0, mean_y - slope * mean_x), 5), round(slope, 7)


def from_measured(found: dict[str, Any]) -> Costs:
    """`found`: what `costs.json` holds."""
    rows = {int(n): row for n, row in found["machine"].items()}
    parts: dict[str, list[tuple[float, float]]] = {
        name: [] for name in ("below", "guard", "beyond", "make_guard", "make_isolate")
    }
    for n, row in rows.items():
        _sort_in(parts, n, row["entries"])
    lines = {name: fitted(parts[name]) for name in ("below", "guard", "beyond")}
    for name, under in (("make_guard", "below"), ("make_isolate", "guard")):
        at0, per1 = lines[under]
        lines[name] = fitted([(k, ms - at0 - per1 * k) for k, ms in parts[name]])
    middle = sorted(rows)[len(rows) // 2]
    return Costs(
        first=rows[middle]["first"], judged=rows[middle]["judged"] + found["floors"]["claim"],
        batch=rows[middle]["batch"],
        shown=rows[middle]["shown"], tick=fitted([(n, row["tick"]) for n, row in rows.items()]),
        check=fitted([(row["signers"], row["check"]) for row in rows.values()]),
        certificate_per_signer=rows[max(rows)]["short_bytes"] / rows[max(rows)]["signers"],
        verify=found["floors"]["verify"], garbage=rows[middle]["garbage"], entry_bytes=found["entry_bytes"],
        **lines, **found["wire"], **found["disk"],
    )  # fmt: skip


def _sort_in(parts: dict[str, list[tuple[float, float]]], n: int, entries: Sequence[float]) -> None:
    """The first of `entries` was the third word: after the first one and the own."""
    f = (n - 1) // 3
    q, guard_at = n - f, max(2, f + 1)
    for k, spent in enumerate(entries, 3):
        name = "below" if k < guard_at else "make_guard" if k == guard_at else "guard" if k < q else "beyond"
        parts["make_isolate" if k == q else name].append((k, spent))


def load() -> Costs:
    """What was measured last. Raises FileNotFoundError where nothing ever was."""
    return from_measured(json.loads(FILE.read_text("utf-8")))


def provenance() -> dict[str, str]:
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = (line.partition(":") for line in cpuinfo.read_text("utf-8").splitlines())
        model = next((value.strip() for key, _, value in lines if key.strip() == "model name"), model)
    return {"cpu": model, "machine": platform.machine(), "python": platform.python_version()}


def measure() -> dict[str, Any]:
    """Runs everything of `measure`, about a minute, and keeps it in `costs.json`."""
    from tests.sim.scale import measure as shipped

    stage = shipped.Stage(7)
    entry_bytes = len(stage.frames[0])
    machine = {}
    for n in shipped.SIZES:
        row = shipped.measured_machine(n, 3 if n > 50 else 9)
        machine[str(n)] = {
            name: [round(ms, 4) for ms in value] if name == "entries" else round(value, 5)
            for name, value in row.items()
        }
    rounded = {
        name: {key: round(value, 5) for key, value in part.items()}
        for name, part in (("floors", shipped.floors()), ("disk", shipped.disk()), ("wire", shipped.wire(entry_bytes)))
    }
    rounded["disk"] = _quieter(rounded["disk"])
    found = {"measured_on": provenance(), "unit": "ms", "entry_bytes": entry_bytes, **rounded, "machine": machine}
    text = json.dumps(found, indent=1)
    FILE.write_text(_compact(text) + "\n", "utf-8")
    return found


def _quieter(disk: dict[str, float]) -> dict[str, float]:
    """Of what was measured before on this CPU and now, the quieter: others' work on a disk only ever adds to it."""
    if not FILE.is_file():
        return disk
    found: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    before: dict[str, float] = found["disk"]
    same = found["measured_on"] == provenance()
    return before if same and before["commit"] + before["mark"] < disk["commit"] + disk["mark"] else disk


def _compact(text: str) -> str:
    """Numbers of one list on one line."""
    out: list[str] = []
    for line in text.splitlines():
        if out and out[-1].rstrip().endswith(("[", ",")) and line.strip().rstrip(",").replace(".", "").isdigit():
            out[-1] += line.strip() if out[-1].endswith("[") else " " + line.strip()
        elif out and line.strip() in ("]", "],") and out[-1].rstrip()[-1].isdigit():
            out[-1] += line.strip()
        else:
            out.append(line)
    return "\n".join(out)


def as_rows(costs: Costs) -> list[tuple[str, str]]:
    """Name → figure, as RESULT.md prints them."""
    return [
        (name, f"{value[0]:.3f} + {value[1]:.5f} · k" if isinstance(value, tuple) else f"{value:.4g}")
        for name, value in asdict(costs).items()
    ]
