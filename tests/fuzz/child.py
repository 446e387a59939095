"""One fuzzing process: `python -m tests.fuzz.child TARGET AGAIN SUSPECTS-DIR [libFuzzer arguments]`. Needs atheris.

AGAIN: an executable that starts this very process again.

It never stops at a finding: the input is put aside, once per kind and place, and the parent judges it again without
instrumentation.
"""

from __future__ import annotations

import hashlib
import sys
import time
import traceback
from pathlib import Path

import atheris

MS_SUSPECT = 10.0
SUSPECTS_MOST = 40
READERS = ("protocol", "governance", "adapters.policy", "node")


def main() -> None:
    name, again, suspects = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    with atheris.instrument_imports(include=list(READERS), enable_loader_override=False):
        from tests.fuzz.finding import Finding
        from tests.fuzz.mutate import Mutator, TextMutator
        from tests.fuzz.seeds import SEEDS
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    pool = list(dict.fromkeys(SEEDS[name]()))
    mutate = TextMutator(pool) if target.text else Mutator(pool, framed=name == "frame")
    seen: set[str] = set()

    def aside(raw: bytes, kind: str) -> None:
        if kind not in seen and len(seen) < SUSPECTS_MOST:
            seen.add(kind)
            (suspects / hashlib.sha256(raw).hexdigest()[:20]).write_bytes(raw)

    def one_input(raw: bytes) -> None:
        start = time.thread_time_ns()
        try:
            target.run(raw)
        except target.allowed:
            pass
        except Exception as error:
            aside(raw, f"{type(error).__name__} {_place(error)} {error if isinstance(error, Finding) else ''}")
        spent_ms = (time.thread_time_ns() - start) / 1e6
        if spent_ms > MS_SUSPECT:
            aside(raw, f"slow {spent_ms // 10}")

    def changed(raw: bytes, most: int, seed: int) -> bytes:
        return mutate(raw, most, seed, lambda data, length: bytes(atheris.Mutate(data, length)))

    atheris.Setup([again, *sys.argv[4:]], one_input, custom_mutator=changed)
    atheris.Fuzz()


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


if __name__ == "__main__":
    main()
