"""The log: one JSON object a line, to a file or standard error. Nothing that holds a secret is ever given to it."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any, TextIO

_RESERVED = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "taskName"}


class Lines(logging.Handler):
    """Library loggers and our own happenings end in the same file."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        line: dict[str, Any] = {
            "at_ms": int(record.created * 1000),
            "level": record.levelname.lower(),
            "where": record.name,
            "says": record.getMessage(),
        }
        line.update({k: v for k, v in record.__dict__.items() if k not in _RESERVED and not k.startswith("_")})
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = f"{record.exc_info[0].__name__}: {record.exc_info[1]}"
        self.write(line)

    def write(self, line: dict[str, Any]) -> None:
        try:
            self._stream.write(json.dumps(line, default=str, separators=(",", ":")) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            # A full disk must not stop a node that still holds levers; the store has its own word on that.
            return


def open_log(path: Path | None) -> Lines:
    """Installs the handler at the root; warnings of libraries and everything of ours pass."""
    # the stream lives as long as the process
    stream = sys.stderr if path is None else path.open("a", encoding="utf-8")
    handler = Lines(stream)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("tocsin").setLevel(logging.INFO)
    return handler
