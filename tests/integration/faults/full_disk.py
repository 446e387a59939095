"""`python -m tests.integration.faults.full_disk FOLDER FREE...`: a node whose data lies on a small tmpfs that others
have filled, up to FREE pages; to be run where mounting is allowed (`unshare -m`), so that nobody else sees it.

For each FREE: a life on a roomy disk is told of an alarm when only so much is left, and ends; after the first, another
starts on the full disk; then there is room again, and the last one signs on. Prints a JSON line a death, then the
totals.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.integration.kill9.child import Life
from tests.integration.kill9.forks import Process, Server, fork
from tests.integration.kill9.scene import Scene, bare, subject

SIZE_KIB = 1_024
PAGE = 4_096
ALERTS_MAX = 60
"""Own words until what was left is used up; one takes three pages of the log and more."""


class Here(Server):
    """Lives are forked from this very process: it has imported everything."""

    def __init__(self) -> None:
        self.ended: dict[int, int] = {}

    def start(self, life: Life) -> Process:
        self._pid = fork(life)
        return Process(self, self._pid)

    def listen(self, most_s: float) -> bool:
        end = time.monotonic() + most_s
        while True:
            if self._pid not in self.ended:
                found, status = os.waitpid(self._pid, os.WNOHANG)
                if found:
                    self.ended[found] = os.waitstatus_to_exitcode(status)
                    return True
            if time.monotonic() >= end:
                return False
            time.sleep(0.005)

    def close(self) -> None:
        return


class Disk:
    """A tmpfs at the data directory, and a file of somebody else's that fills it."""

    def __init__(self, data: Path) -> None:
        self.data, self.ballast = data, data / "somebody-elses"
        asked = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_KIB}k,mode=0700", "tmpfs", str(data)]
        subprocess.run(asked, check=True, capture_output=True)

    def fill(self, free_pages: int) -> None:
        there = os.statvfs(self.data)
        with self.ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, there.f_bavail - free_pages) * there.f_frsize)

    def make_room(self) -> None:
        self.ballast.unlink(missing_ok=True)


def dies(scene: Scene, number: int) -> int:
    """The exit code of a life that says one word after another, -1 where it outlived all of them."""
    assert scene.process is not None
    for one in range(ALERTS_MAX):
        topic = str(subject(1_000 + number * ALERTS_MAX + one))
        scene.control(lambda c, topic=topic: c.raise_alert(topic, "bridge-forgery", "WATCH", "ann"))  # type: ignore[misc]
        code = scene.process.join(0.02)
        if code is not None:
            return code
    return -1


def one_round(scene: Scene, disk: Disk, number: int, free_pages: int) -> None:
    errors = scene.folder / "stderr.log"
    scene.begin(number, "")
    scene.wait(scene.signing, 20, "it never signs")
    disk.fill(free_pages)
    errors.write_bytes(b"")
    scene.go()
    code = dies(scene, number)
    said = errors.read_text()
    errors.write_bytes(b"")
    told = {
        "free_pages": free_pages,
        "code": code,
        "said": said,
        "again": None if number else again(scene),
        "again_said": errors.read_text(),
    }
    print(json.dumps(told))
    scene.kill()
    disk.make_room()


def again(scene: Scene) -> int | None:
    """The exit code of a start on the full disk; None where it runs on (nothing made it write)."""
    scene.process = scene.forks.start(Life(str(scene.folder)))
    return scene.process.join(1.0)


def main(folder: str, *free: str) -> int:
    home = Path(folder)
    (home / "data").mkdir(parents=True, mode=0o700)
    disk = Disk(home / "data")
    scene = bare(home, Here())
    try:
        for number, free_pages in enumerate(map(int, free)):
            one_round(scene, disk, number, free_pages)
        scene.begin(-1, "")
        scene.wait(scene.signing, 20, "it never signs again")
        before = said_by(scene)
        scene.control(lambda c: c.raise_alert(str(subject(1)), "bridge-forgery", "WATCH", "ann"))
        scene.wait(lambda: said_by(scene) > before, 5, "it says nothing more")
        scene.stop()
        print(json.dumps({"entries": scene.signed_once(), "left": said_by(scene)}))
    finally:
        scene.close()
    return 0


def said_by(scene: Scene) -> int:
    left = scene.folder / "left.log"
    return len(left.read_text().splitlines()) if left.exists() else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
