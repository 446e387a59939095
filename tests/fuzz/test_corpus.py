"""Every input that fuzzing kept is read again, on every build: nothing escapes, and none is dear."""

from __future__ import annotations

import random
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from protocol import codec
from protocol.errors import ProtocolError
from tests.fuzz import judge, stage
from tests.fuzz.__main__ import digest
from tests.fuzz.mutate import Mutator, TextMutator
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS
from tests.property.test_protocol_bytes import WORST

FILES_LEAST = 500
TOTAL_BYTES_MOST = 1_500_000
ROOT = Path(__file__).resolve().parents[2]


def native(raw: bytes, most: int) -> bytes:
    """In the place of libFuzzer's own mutation: one bit."""
    return bytes([*raw[:-1], raw[-1] ^ 1])[:most] if raw else b"\0"


@pytest.mark.parametrize("name", TARGETS)
def test_every_file_of_the_corpus_is_read_or_refused_in_time_and_bounds(name: str) -> None:
    assert [(one.path.name, one.what) for one in judge.replay(name)] == []


def test_the_corpus_is_large_in_number_and_small_in_bytes() -> None:
    files = [path for name in TARGETS for path in (judge.CORPUS / name).iterdir()]
    sizes = [path.stat().st_size for path in files]
    assert len(files) >= FILES_LEAST
    assert max(sizes) <= judge.FILE_BYTES_MOST
    assert sum(sizes) <= TOTAL_BYTES_MOST


def test_every_file_is_named_by_its_content() -> None:
    files = [path for name in TARGETS for path in (judge.CORPUS / name).iterdir()]
    assert [path.name for path in files if path.name != digest(path.read_bytes())] == []


@pytest.mark.parametrize("name", ["codec", "envelope", "certificate", "sync", "evidence", "machine"])
def test_a_reader_that_lets_a_foreign_exception_out_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.node_before(False)

    def faulty(self: Any) -> None:
        raise ValueError("planted")

    monkeypatch.setattr(codec, "_scan", faulty)
    found = judge.judge(TARGETS[name], [(path, path.read_bytes()) for path in judge.files_of(name)[:20]])
    assert any(one.what == "ValueError: planted" for one in found)


def test_a_reader_that_is_slow_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_scan", lambda raw: sum(range(2_000_000)))
    (found,) = judge.judge(TARGETS["codec"], [(Path("one"), b"\x00")])
    assert found.what.startswith("took ")


def test_a_reader_that_hoards_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_scan", lambda raw: bytes(2_000_000))
    (found,) = judge.judge(TARGETS["codec"], [(Path("one"), b"\x00")])
    assert found.what.startswith("held ")


def test_two_byte_strings_for_one_value_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_scan", lambda raw: None)
    (found,) = judge.judge(TARGETS["codec"], [(Path("one"), b"\x18\x01")])
    assert "two byte strings" in found.what


@pytest.mark.parametrize("what", WORST)
def test_the_largest_input_of_each_kind_is_held_in_a_megabyte(what: str) -> None:
    opens, raw = WORST[what]
    judge.forget()
    tracemalloc.start()
    try:
        opens(raw)
    except ProtocolError:
        pass
    finally:
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert held <= judge.BYTES_MOST


def test_mutations_reach_the_rules_behind_the_signature() -> None:
    """Of changed and resealed entries a good part verifies; of changed bytes none would."""
    pool = list(SEEDS["envelope"]())
    mutate, rng = Mutator(pool), random.Random(1)
    through = set()
    for seed in range(300):
        raw = mutate(rng.choice(pool), 4096, seed, native)
        try:
            TARGETS["envelope"].run(raw)
        except ProtocolError:
            continue
        through.add(raw)
    assert len(through - set(pool)) >= 30


@pytest.mark.parametrize("name", SEEDS)
def test_the_mutator_takes_its_own_children(name: str) -> None:
    pool = [raw for raw in dict.fromkeys(SEEDS[name]()) if len(raw) <= 4096][:20]
    mutate = TextMutator(pool) if TARGETS[name].text else Mutator(pool, framed=name == "frame")
    raw = pool[0]
    for seed in range(60):
        raw = mutate(raw, 4096, seed, native) or pool[seed % len(pool)]
        assert len(raw) <= 4096


def test_where_the_fuzzer_is_not_installed_it_says_what_to_do() -> None:
    code = "import sys; sys.modules['atheris'] = None; from tests.fuzz.__main__ import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "make fuzz" in done.stderr


def test_the_fuzzers_lock_carries_hashes_and_no_addresses() -> None:
    text = (ROOT / "fuzz.lock").read_text("utf-8")
    assert "atheris==" in text
    assert text.count("--hash=sha256:") > 100
    assert "://" not in text
