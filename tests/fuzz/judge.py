"""One input, judged: nothing but the declared refusals escapes, within 10 ms and 1 MB."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from governance import ballots, proposals
from protocol import envelope, quorum
from tests.fuzz.targets import TARGETS, Target

MS_MOST = 10.0
BYTES_MOST = 1_000_000
AGAIN = 3
"""An offender is run again, and its least counts: another process on the machine is no finding."""
FUZZ = Path(__file__).parent
CORPUS = FUZZ / "corpus"
FOUND = FUZZ / "found"
FILE_BYTES_MOST = 4096


def files_of(target: str) -> list[Path]:
    """The corpus and what was found and mended, in the order of their names."""
    kept = [*(CORPUS / target).glob("*"), *FOUND.glob(f"{target}-*")]
    return sorted(path for path in kept if path.is_file())


def forget() -> None:
    """Readers remember the last few inputs; what an input costs is what it costs a stranger."""
    remembering = (
        envelope.parse_entry,
        envelope._parse_keyset,
        quorum.parse_certificate,
        proposals.parse_proposal,
        ballots.parse_ballot,
    )
    for remembers in remembering:
        remembers.cache_clear()


def fault_of(target: Target, raw: bytes) -> str:
    """What escaped, or ""."""
    try:
        target.run(raw)
    except target.allowed:
        return ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def milliseconds(target: Target, raw: bytes) -> float:
    """CPU time of this thread: what it waited for others does not count."""
    forget()
    start = time.thread_time_ns()
    fault_of(target, raw)
    return (time.thread_time_ns() - start) / 1e6


def peak_bytes(target: Target, raw: bytes) -> int:
    """The most that it held at once, beside the input. Tracing must be on."""
    forget()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    fault_of(target, raw)
    return tracemalloc.get_traced_memory()[1] - before


@dataclass(frozen=True)
class Verdict:
    path: Path
    what: str


def judge(target: Target, inputs: Iterable[tuple[Path, bytes]]) -> list[Verdict]:
    """Every broken promise. Two passes, because tracing makes everything slower."""
    inputs = list(inputs)
    verdicts = []
    for path, raw in inputs:
        forget()
        start = time.thread_time_ns()
        fault = fault_of(target, raw)
        spent = (time.thread_time_ns() - start) / 1e6
        if fault:
            verdicts.append(Verdict(path, fault))
        elif spent > MS_MOST:
            gc.collect()
            least = min(milliseconds(target, raw) for _ in range(AGAIN))
            if least > MS_MOST:
                verdicts.append(Verdict(path, f"took {least:.1f} ms, at most {MS_MOST:g} are promised"))
    return verdicts + heavy(target, inputs)


def heavy(target: Target, inputs: Iterable[tuple[Path, bytes]]) -> list[Verdict]:
    verdicts = []
    tracemalloc.start()
    try:
        for path, raw in inputs:
            if peak_bytes(target, raw) > BYTES_MOST:
                least = min(peak_bytes(target, raw) for _ in range(AGAIN))
                if least > BYTES_MOST:
                    verdicts.append(Verdict(path, f"held {least} bytes, at most {BYTES_MOST} are promised"))
    finally:
        tracemalloc.stop()
    return verdicts


def replay(name: str) -> list[Verdict]:
    """The whole corpus of one target."""
    return judge(TARGETS[name], [(path, path.read_bytes()) for path in files_of(name)])
