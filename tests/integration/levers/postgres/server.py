"""A real PostgreSQL server of our own on loopback, for the tests and the check: made, started, frozen, killed."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

import adapters.postgres

SETUP = Path(adapters.postgres.__file__).with_name("setup.sql")
BASE = "base"
"""A database with the setup script run, of which scenes are copies."""


@functools.cache
def binaries() -> Path | None:
    """Where initdb and postgres lie, None where they do not."""
    found = [Path(one).parent for one in [shutil.which("initdb") or ""] if one]
    config = shutil.which("pg_config")
    if config:
        told = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        found.append(Path(told))
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: float(one.parent.name), reverse=True)
    return next((one for one in found if all((one / name).is_file() for name in ("initdb", "postgres", "psql"))), None)


def missing() -> str:
    """Why no server can be started here, "" where one can."""
    if binaries() is None:
        return "no PostgreSQL server is installed here (initdb, postgres, psql)"
    if os.geteuid() == 0 and _owner() is None:
        return "PostgreSQL does not run as root, and there is no user postgres"
    return ""


def _owner() -> pwd.struct_passwd | None:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return None


def _as_owner() -> dict[str, Any]:
    owner = _owner()
    if os.geteuid() or owner is None:
        return {}
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Server:
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        told = (self.folder / "log").open("ab")
        command = [str((binaries() or Path()) / "postgres"), "-D", str(self.folder / "data")]
        self.process = subprocess.Popen(
            command, stdout=told, stderr=told, cwd=self.folder, start_new_session=True, **_as_owner()
        )
        told.close()
        until = time.monotonic() + 20
        while True:
            try:
                self.people().close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise
                time.sleep(0.02)

    def kill(self, how: int = signal.SIGKILL) -> None:
        """The whole session of processes that we started, at once: as a machine that lost its power."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, how)
                for child in self._children():
                    os.kill(child, how)
            if how == signal.SIGKILL:
                self.process.wait()
                self.process = None

    def _children(self) -> list[int]:
        """Backends lead sessions of their own."""
        if self.process is None:
            return []
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(one) for one in listed.read_text().split()] if listed.exists() else []

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        self.kill()

    def people(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """As the superuser, over the socket that only its own user and root reach."""
        return psycopg.connect(
            host=str(self.folder), port=self.port, user="people", dbname=database, autocommit=True, connect_timeout=5
        )

    def run_setup(self, database: str) -> None:
        psql = str((binaries() or Path()) / "psql")
        where = ["-h", str(self.folder), "-p", str(self.port), "-U", "people", "-d", database]
        script = ["-1", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(SETUP)]
        done = subprocess.run([psql, "-X", *where, *script], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)


HBA = "local all people trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
CONF = """
listen_addresses = '127.0.0.1'
fsync = off
max_connections = 40
shared_buffers = 16MB
autovacuum = off
wal_level = minimal
max_wal_senders = 0
password_encryption = scram-sha-256
"""


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """A fresh one in a folder of its own, both gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-pg-", dir="/tmp"))
    owner = _as_owner()
    if owner:
        os.chown(folder, owner["user"], owner["group"])
    data, server = folder / "data", Server(folder, _free_port())
    command = ["-D", str(data), "-U", "people", "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale"]
    try:
        subprocess.run(
            [str((binaries() or Path()) / "initdb"), *command], check=True, capture_output=True, cwd=folder, **owner
        )
        (data / "pg_hba.conf").write_text(HBA)
        with (data / "postgresql.conf").open("a") as file:
            file.write(f"{CONF}port = {server.port}\nunix_socket_directories = '{folder}'\n")
        server.start()
        with server.people() as people:
            people.execute(f"CREATE DATABASE {BASE}")
        server.run_setup(BASE)
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
