"""The lever that `adapters/README.md` shows is one: its files, taken from the text, pass the suite and are loaded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from adapters import catalog
from protocol.ids import EpochHash, NetworkId
from protocol.membership import Epoch

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"```(python|toml)\n(.*?)```", re.S)


def epoch() -> Epoch:
    return Epoch(NetworkId(bytes(32)), 0, EpochHash(bytes(32)), 0, ())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As its author would have installed it."""
    text = (ROOT / "adapters" / "README.md").read_text("utf-8")
    section = text.partition("## Write a lever in ten minutes\n")[2].partition("\n## ")[0]
    lever, test, project, node = (body for _, body in BLOCK.findall(section))
    (tmp_path / "acme_flag.py").write_text(lever)
    (tmp_path / "test_acme_flag.py").write_text(test)
    (tmp_path / "node.toml").write_text(node)
    installed = tmp_path / "acme_flag-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-flag\nVersion: 1\n")
    ((group, points),) = tomllib.loads(project)["project"]["entry-points"].items()
    lines = [f"{name} = {where}" for name, where in points.items()]
    (installed / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
    return tmp_path


def test_it_passes_the_suite(folder: Path):
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "test_acme_flag.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"2\d passed, 2 skipped", ran.stdout), ran.stdout


def test_its_kind_is_found_by_its_entry_point(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(folder))
    config = tomllib.loads((folder / "node.toml").read_text())
    built = catalog.build(config, epoch, lambda name: b"", lambda text: None)
    assert list(built.levers) == ["service:flag.stop"]
    config["target"]["service"]["fodler"] = config["target"]["service"].pop("folder")
    with pytest.raises(catalog.CatalogFaults) as seen:
        catalog.build(config, epoch, lambda name: b"", lambda text: None)
    assert len(seen.value.faults) == 2
