"""Whether a file may be run as a lever: nobody but its owner, root or this user, may have put something else there."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

LINKS_MOST = 16
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def fault_of(command: Sequence[str]) -> str:
    """Why this command is not run, "" where it is: its program, and every file among its words."""
    program = Path(command[0])
    if any("\0" in word for word in command):
        return "a NUL stands in it"
    try:
        seen = program.resolve(strict=True).stat()
    except (OSError, RuntimeError) as broken:
        return f"{program}: {getattr(broken, 'strerror', None) or 'cannot be found'}"
    if not stat.S_ISREG(seen.st_mode) or not os.access(program, os.X_OK):
        return f"{program}: is no file that this user may run"
    for word in command:
        path = Path(word)
        if path.is_absolute() and path.exists():
            fault = _open_to_others(path)
            if fault:
                return fault
    return ""


def folder_fault(path: Path) -> str:
    if not path.is_dir():
        return f"{path}: is no folder"
    return _open_to_others(path)


def _open_to_others(path: Path, links: int = 0) -> str:
    """From the root down, through every link, as the system walks it: who may rename a folder may replace what is in
    it."""
    if links > LINKS_MOST:
        return f"{path}: leads through too many links"
    for one in (*reversed(path.parents), path):
        try:
            seen = one.lstat()
            leads = one.parent / one.readlink() if stat.S_ISLNK(seen.st_mode) else None
        except OSError as broken:
            return f"{one}: {broken.strerror or 'cannot be read'}"
        if seen.st_uid not in (0, os.geteuid()):
            return f"{one}: belongs to somebody else than root and this user"
        if leads is not None:
            return _open_to_others(leads / path.relative_to(one), links + 1)
        sticky = stat.S_ISDIR(seen.st_mode) and seen.st_mode & stat.S_ISVTX and one != path
        if seen.st_mode & WRITABLE_BY_OTHERS and not sticky:
            return f"{one}: others may write it; chmod go-w"
    return ""
