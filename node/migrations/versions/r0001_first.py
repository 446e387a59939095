"""The first tables: meta, records, entries, blobs, certificates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.String(32), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("checksum", sa.LargeBinary(32), nullable=False),
    )
    op.create_table(
        "records",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("chain", sa.LargeBinary(32), nullable=False),
    )
    _entries()
    op.create_table(
        "blobs",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("checksum", sa.LargeBinary(32), nullable=False),
    )
    _certificates()


def _entries() -> None:
    op.create_table(
        "entries",
        sa.Column("author", sa.String(32), primary_key=True),
        sa.Column("key_version", sa.BigInteger, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True),
        sa.Column("hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("own", sa.Boolean, nullable=False),
        sa.Column("received_ms", sa.BigInteger, nullable=False),
        sa.Column("checksum", sa.LargeBinary(32), nullable=False),
    )
    op.create_index(
        "own_once",
        "entries",
        ["author", "key_version", "seq"],
        unique=True,
        sqlite_where=sa.text("own"),
        postgresql_where=sa.text("own"),
    )


def _certificates() -> None:
    op.create_table(
        "certificates",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("subject", sa.LargeBinary, nullable=False),
        sa.Column("threat", sa.Integer, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("epoch", sa.LargeBinary(32), nullable=False),
        sa.Column("ends_ms", sa.BigInteger, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("received_ms", sa.BigInteger, nullable=False),
        sa.Column("checksum", sa.LargeBinary(32), nullable=False),
    )
    op.create_index("certificates_by_arrival", "certificates", ["received_ms", "digest"])
