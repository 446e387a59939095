"""Files of a later version of this program: none of them is guessed at, none is changed, and each says what to run."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from node import app, mark
from node.config import ConfigFaults, load
from node.store import Batch, RecordRow, Store
from protocol.codec import decode, encode
from protocol.crypto import sha256
from tests.integration.faults.flips import MARK, STORE, Copies, start

NEWER = "or a later one"


@pytest.fixture
def folder(copies: Copies, tmp_path: Path) -> Path:
    return Path(shutil.copytree(copies.closed, tmp_path / "m0"))


def schema(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "data" / STORE)) as file, file:
        file.execute("UPDATE alembic_version SET version_num = '0777'")


def record(kind: int, version: int) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        store = Store.open(folder / "data" / STORE)
        store.commit(Batch((RecordRow(kind, version, b"\xa0"),)))
        store.close()

    return change


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (schema, "the store is of a newer version (schema 0777, known 0001)"),
        (record(99, 1), "a record of kind 99, version 1: a newer node wrote it"),
        (record(2, 2), "a record of kind 2, version 2: a newer node wrote it"),
    ],
    ids=["schema", "kind", "version"],
)
def test_a_newer_store_starts_nothing_and_stays_as_it_is(
    folder: Path, change: Callable[[Path], None], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folder)
    before = (folder / "data" / STORE).read_bytes()
    assert app.run(load(folder / "node.toml")) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tocsin: ") and what in line and "un the version of tocsin that wrote it, " + NEWER in line
    assert (folder / "data" / STORE).read_bytes() == before


def test_a_newer_mark_signs_nothing(folder: Path) -> None:
    path = folder / "data" / MARK
    fields = dict(decode(path.read_bytes(), bytes_max=1 << 20)[0])
    fields[1] = fields[1].replace("1", "2")
    path.write_bytes(encode([fields, sha256(encode(fields))]))
    with pytest.raises(mark.MarkError, match="the mark is of another version"):
        mark.read(path)
    assert "Run the version of tocsin that wrote it, " + NEWER in start(folder).silent


def test_a_newer_configuration_is_a_fault_of_its_line(folder: Path) -> None:
    path = folder / "node.toml"
    path.write_text(path.read_text().replace("node = 1", "node = 2"))
    with pytest.raises(ConfigFaults, match="node: "):
        load(path)
