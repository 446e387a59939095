"""Each sabotage makes the whole story end with 1 and name itself. Minutes: `make sabotage`, not `make test`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.integration.network.site import ROOT, environment
from tests.integration.sabotage.acts import ACTS


@pytest.mark.long
@pytest.mark.parametrize("name", ACTS)
def test_the_story_fails_and_names_what_was_spoilt(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.sabotage", name],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1, done.stderr
    failed = {check["name"] for check in json.loads(done.stdout)["checks"] if not check["ok"]}
    assert failed & ACTS[name].caught_by, failed


def test_a_name_that_is_no_sabotage_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.sabotage", "x"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (1, f"name one of {', '.join(ACTS)}\n")
