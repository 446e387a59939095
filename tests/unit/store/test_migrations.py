"""One way up, in one step or none, with a copy of what was there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import node.store_engine
from node.store import Store, StoreError
from node.store_check import check_file
from node.tables import METADATA, REVISIONS
from tests.unit.store.rows import NETWORK, batch_of, record

MIGRATIONS = Path(node.store_engine.__file__).parent / "migrations"


def test_the_revisions_named_are_the_revisions_there() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    there = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(there)) == REVISIONS


def test_the_migrations_end_in_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store.sqlite")
    with store._transaction(reads=True) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_a_newer_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    Store.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreError, match="newer version"):
        Store.open(path)
    assert check_file(path).revision == "9999"


def test_an_interrupted_creation_is_finished_by_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.sqlite"

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr("alembic.command.upgrade", power_cut)
        with pytest.raises(KeyboardInterrupt):
            Store.open(path)
    Store.open(path).commit(batch_of(0))


LATER = """
import sqlalchemy as sa
from alembic import op
revision = "0002"
down_revision = "0001"
def upgrade():
    with op.batch_alter_table("blobs") as table:
        table.add_column(sa.Column("kept_until_ms", sa.BigInteger))
    {then}
"""


def later_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str) -> None:
    """As if this were the next version of tocsin, with one revision more."""
    package = tmp_path / "later"
    (package / "migrations" / "versions").mkdir(parents=True)
    for name in ("env.py", "versions/r0001_first.py"):
        (package / "migrations" / name).write_text((MIGRATIONS / name).read_text())
    (package / "migrations" / "versions" / "r0002_later.py").write_text(LATER.format(then=then))
    monkeypatch.setattr("node.store_engine.__file__", str(package / "store_engine.py"))
    monkeypatch.setattr("node.store_engine.REVISIONS", ("0001", "0002"))


def an_old_store(tmp_path: Path) -> Path:
    path = tmp_path / "store.sqlite"
    store = Store.open(path)
    store.bind_network(NETWORK, "alpha")
    store.commit(batch_of(0))
    store.close()
    return path


def test_an_older_store_is_copied_and_then_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = an_old_store(tmp_path)
    later_version(tmp_path, monkeypatch, "pass")
    store = Store.open(path)
    assert list(store.records()) == [(1, record(0))]
    store.close()
    assert check_file(path).revision == "0002"
    copy = tmp_path / "store.sqlite.before-0002-from-0001"
    assert check_file(copy, every_row=True).revision == "0001"
    assert copy.stat().st_mode & 0o777 == 0o600


def test_a_migration_that_fails_leaves_the_old_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = an_old_store(tmp_path)
    later_version(tmp_path, monkeypatch, 'raise RuntimeError("half-way")')
    for _ in range(2):
        with pytest.raises(RuntimeError, match="half-way"):
            Store.open(path)
    monkeypatch.undo()
    assert list(Store.open(path).records()) == [(1, record(0))]
