"""A disk that is really full, with the mark failing first, the store after the mark, and the log amid its growth."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.kill9.forks import ROOT

pytestmark = pytest.mark.network

FREE_PAGES = (0, 1, 8)
APART = (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"])


def apart(folder: Path) -> list[str]:
    """What runs a command where it may mount and nobody else sees it."""
    for prefix in APART:
        try:
            tried = subprocess.run(
                [*prefix, "mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True, timeout=10, check=False
            )
        except OSError:
            continue
        if tried.returncode == 0:
            return prefix
    pytest.skip("no mount of a small disk is allowed here; test_disk has the same faults without one")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each start and each death said, the totals last."""
    folder = tmp_path_factory.mktemp("full")
    asked = [sys.executable, "-m", "tests.integration.faults.full_disk", str(folder / "m0"), *map(str, FREE_PAGES)]
    done = subprocess.run([*apart(folder), *asked], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_node_stops_says_so_and_what_to_do(told: list[dict[str, Any]]) -> None:
    *deaths, _ = told
    assert [one["free_pages"] for one in deaths] == list(FREE_PAGES)
    for one in deaths:
        assert one["code"] == 1 and one["said"].count("tocsin: ") == 1 and "Traceback" not in one["said"], one
        assert "ree space" in one["said"]
    assert "mark cannot be written" in deaths[0]["said"] and "disk is full" in deaths[1]["said"]


def test_a_start_on_the_full_disk_says_it_too(told: list[dict[str, Any]]) -> None:
    assert told[0]["again"] == 1 and "Traceback" not in told[0]["again_said"]
    assert "ree space" in told[0]["again_said"].splitlines()[-1]


def test_with_room_again_it_signs_on_and_no_number_twice(told: list[dict[str, Any]]) -> None:
    """Checked by the story itself, on what had left and what the store holds."""
    assert told[-1]["entries"] >= len(FREE_PAGES) and told[-1]["left"] > 0
