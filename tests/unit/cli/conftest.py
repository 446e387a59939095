from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli import world


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> world.FakeNode:
    return world.fake_node(tmp_path, monkeypatch)
