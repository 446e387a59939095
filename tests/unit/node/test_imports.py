"""What a node does not carry."""

from __future__ import annotations

import subprocess
import sys

ASKED = "import sys, node.app; print(sorted({'rich', 'pygments', 'click'} & set(sys.modules)))"


def test_a_node_carries_no_command_line_of_a_library() -> None:
    """httpx's would be 4 MB of each."""
    told = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
