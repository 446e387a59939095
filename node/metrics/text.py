"""Prometheus' text format 0.0.4. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LABEL_CHARS_MAX = 128
SAMPLES_MAX = 256
"""Of one family and one label's values: an epoch has fewer members, and a configuration fewer levers."""


@dataclass(frozen=True)
class Family:
    """`kind` is counter, gauge or histogram; `labels` the names that each sample carries, in order."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


@dataclass(frozen=True)
class Spread:
    """A histogram's sample: how many were at most each of `bounds`, how many there were, and their sum."""

    bounds: tuple[float, ...]
    at_most: tuple[int, ...]
    count: int
    total: float


Value = float | Spread
Samples = Mapping[tuple[str, ...], Value]
"""Values of the family's labels, in its order → the sample."""


def label(value: str) -> str:
    """Escaped as the format asks; what cannot be seen becomes a question mark, and what is endless is cut."""
    seen = "".join(one if one.isprintable() or one == "\n" else "?" for one in value[:LABEL_CHARS_MAX])
    return seen.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _named(name: str, labels: Iterable[tuple[str, str]], value: float) -> str:
    inner = ",".join(f'{key}="{label(one)}"' for key, one in labels)
    return f"{name}{{{inner}}} {number(value)}" if inner else f"{name} {number(value)}"


def _lines(family: Family, values: tuple[str, ...], sample: Value) -> Iterable[str]:
    pairs = list(zip(family.labels, values, strict=True))
    if not isinstance(sample, Spread):
        yield _named(family.name, pairs, sample)
        return
    for bound, count in zip((*sample.bounds, math.inf), (*sample.at_most, sample.count), strict=True):
        yield _named(f"{family.name}_bucket", [*pairs, ("le", number(bound))], count)
    yield _named(f"{family.name}_sum", pairs, sample.total)
    yield _named(f"{family.name}_count", pairs, sample.count)


def written(found: Iterable[tuple[Family, Samples]]) -> str:
    """A family without a sample is named all the same, so that an alert on it is seen to be about something."""
    lines: list[str] = []
    for family, samples in found:
        lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
        for values in sorted(samples)[:SAMPLES_MAX]:
            lines.extend(_lines(family, values, samples[values]))
    return "\n".join(lines) + "\n"
