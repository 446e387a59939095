"""SIGKILL at every named point around a durable write, a send and a call of a lever: one effect, a true journal, no
number signed twice, serving again within two seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.kill9.points import POINTS
from tests.integration.kill9.scene import SERVING_S, build
from tests.integration.kill9.story import kill_at_each


@pytest.mark.network
def test_a_node_killed_at_any_point_acts_once_and_signs_once(tmp_path: Path) -> None:
    scene = build(tmp_path, len(POINTS))
    try:
        deaths = kill_at_each(scene, POINTS)
        assert [died.point for died in deaths if not died.reached] == []
        assert [died for died in deaths if died.again_s > SERVING_S] == []
        assert scene.signed_once() >= len(POINTS)
    finally:
        scene.close()
