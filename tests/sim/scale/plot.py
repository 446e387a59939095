"""scale.svg, written by hand: log n across, certificate on all ÷ the two-delay bound upwards."""

from __future__ import annotations

import math
from typing import Any

from tests.sim.scale.report import TITLES, goal_p50
from tests.sim.scale.run import COMMITTEE

WIDTH, HEIGHT = 900, 560
LEFT, RIGHT, TOP, BOTTOM = 72, 252, 64, 62
N_MIN, N_MAX = 5, 1000
Y_MIN, Y_MAX = 1.0, 30.0
N_TICKS = (5, 7, 13, 19, 31, 50, 100, 200, 500, 1000)
Y_TICKS = (1, 1.5, 2, 3, 5, 10, 20, 30)
COLOURS = {
    "collectors": "c2", "one-signature": "c3", "tree": "c4", "committee": "c5", "gossip": "c6", "all-to-all": "c1",
}  # fmt: skip
"""In the order of drawing: the shipped one on top."""
LABEL_GAP = 30

LIGHT = ("#1b1f24", "#59636e", "#d5dae0", "#ffffff", "#0a58ca", "#b35900", "#1a7f37", "#8250df", "#bf3989", "#6e7781")
DARK = ("#e6edf3", "#9aa5b1", "#333b44", "#0d1117", "#6cb0ff", "#f0a04b", "#56d364", "#b392f0", "#f778ba", "#a5b0bb")
"""Ink, soft ink, grid, ground, then one per pattern. Plain classes, for viewers that know no variables."""
SHAPES = """
  text { font-family: "Segoe UI", "Helvetica Neue", Arial, sans-serif; font-size: 13px; }
  .title { font-size: 17px; font-weight: 600; } .small { font-size: 11.5px; } .name { font-weight: 600; }
  .grid { stroke-width: 1; } .p50 { fill: none; stroke-width: 2.4; stroke-linejoin: round; }
  .p99 { fill: none; stroke-width: 1.3; stroke-dasharray: 5 4; opacity: .85; }
  .goal { fill: none; stroke-width: 1.4; stroke-dasharray: 1.5 4; }
  .lead { fill: none; stroke-width: 1; opacity: .55; }
"""


def colours(palette: tuple[str, ...]) -> str:
    ink, soft, grid, ground, *lines = palette
    rules = [f".ink {{ fill: {ink}; }} .soft {{ fill: {soft}; }} .grid {{ stroke: {grid}; }}"]
    rules.append(f".back {{ fill: {ground}; }} .goal {{ stroke: {ink}; }}")
    rules += [f".{name} {{ stroke: {line}; }} .{name}t {{ fill: {line}; }}" for name, line in zip(
        sorted(COLOURS.values()), lines, strict=True
    )]  # fmt: skip
    return "\n  ".join(rules)


def style(palette: tuple[str, ...] | None = None) -> str:
    """Both palettes, the viewer's preference choosing; or one of them alone."""
    if palette is not None:
        return SHAPES + "  " + colours(palette)
    return f"{SHAPES}  {colours(LIGHT)}\n  @media (prefers-color-scheme: dark) {{ {colours(DARK)} }}\n"


def x_of(n: float) -> float:
    share = math.log(n / N_MIN) / math.log(N_MAX / N_MIN)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def y_of(ratio: float) -> float:
    share = math.log(min(max(ratio, Y_MIN), Y_MAX) / Y_MIN) / math.log(Y_MAX / Y_MIN)
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def path(points: list[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def spread(wanted: list[tuple[float, str]]) -> dict[str, float]:
    """Labels at their lines' ends, pushed apart, and back up where the lowest left the picture."""
    placed: list[tuple[float, str]] = []
    for y, name in sorted(wanted):
        placed.append((max(y, placed[-1][0] + LABEL_GAP) if placed else y, name))
    floor = float(HEIGHT - BOTTOM)
    for at in range(len(placed) - 1, -1, -1):
        placed[at] = (min(placed[at][0], floor), placed[at][1])
        floor = placed[at][0] - LABEL_GAP
    return {name: y for y, name in placed}


def svg(results: dict[str, Any], palette: tuple[str, ...] | None = None) -> str:
    """Needs all patterns of `results["plain"]` at `N_TICKS`."""
    lines = {
        name: [
            (int(n), row["p50"], row["p99"])
            for n, row in results["plain"][name].items()
            if name != "committee" or int(n) >= COMMITTEE
        ]
        for name in COLOURS
    }
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-labelledby="title">',
        '<title id="title">Certificate on all nodes divided by the two-delay bound, by control groups</title>',
        f"<style>{style(palette)}</style>",
        f'<rect class="back" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title ink" x="{LEFT - 50}" y="28">From the first word to the certificate on all nodes, '
        "as a multiple of two message delays</text>",
        f'<text class="soft" x="{LEFT - 50}" y="48">solid: median alarm · dashed: p99 · dotted: goal P1 for the median'
        " · modelled with the CPU costs measured of the shipped code</text>",
        *axes(),
        f'<path class="goal" d="{goal_path()}"/>',
    ]
    labels = spread([(y_of(points[-1][1]), name) for name, points in lines.items()])
    for name, points in lines.items():
        parts += drawn(name, points, labels[name])
    return "\n".join([*parts, "</svg>", ""])


def axes() -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for ratio in Y_TICKS:
        y = y_of(ratio)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="soft" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{ratio:g} ×</text>')
    for n in N_TICKS:
        x = x_of(n)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}"/>')
        parts.append(f'<text class="soft" x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{n}</text>')
    middle = (LEFT + right) / 2
    parts.append(
        f'<text class="ink" x="{middle:.0f}" y="{HEIGHT - 18}" text-anchor="middle">'
        "control groups n (logarithmic)</text>"
    )
    y = (TOP + bottom) / 2
    parts.append(
        f'<text class="ink" x="20" y="{y:.0f}" text-anchor="middle" transform="rotate(-90 20 {y:.0f})">'
        "certificate on all ÷ bound (logarithmic)</text>"
    )
    return parts


def goal_path() -> str:
    """A staircase: the goal holds up to its n."""
    points = []
    for before, n in zip((N_MIN, 19, 50, 100), (19, 50, 100, N_MAX), strict=True):
        points += [(x_of(before), y_of(goal_p50(n))), (x_of(n), y_of(goal_p50(n)))]
    return path(points)


def drawn(name: str, points: list[tuple[int, float, float]], label_y: float) -> list[str]:
    colour = COLOURS[name]
    x, y = x_of(points[-1][0]), y_of(points[-1][1])
    figures = f"{points[-1][1]:.1f} × at n = {points[-1][0]}"
    return [
        f'<path class="p99 {colour}" d="{path([(x_of(n), y_of(p99)) for n, _, p99 in points])}"/>',
        f'<path class="p50 {colour}" d="{path([(x_of(n), y_of(p50)) for n, p50, _ in points])}"/>',
        f'<path class="lead {colour}" d="M{x + 2:.1f} {y:.1f} L{x + 14:.1f} {label_y - 2:.1f}"/>',
        f'<text class="name {colour}t" x="{x + 18:.1f}" y="{label_y - 1:.1f}">{TITLES[name]}</text>',
        f'<text class="soft small" x="{x + 18:.1f}" y="{label_y + 13:.1f}">{figures}</text>',
    ]
