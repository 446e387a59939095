"""What `make interop` installs is named by its hash, and by nobody's registry."""

from __future__ import annotations

import json

from tests.integration.js.node import HERE


def test_every_package_is_pinned_by_hash_and_none_by_address() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text())
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert len(packages) > 100
    assert [name for name, one in packages.items() if not one.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, one in packages.items() if "resolved" in one] == []


def test_no_dependency_of_ours_floats() -> None:
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    lock = json.loads((HERE / "package-lock.json").read_text())["packages"]
    assert lock[""]["dependencies"] == wanted
    assert {name: lock[f"node_modules/{name}"]["version"] for name in wanted} == wanted
