"""What `[target.NAME]` may say of a database and of a program: every fault with its key, and no secret in any."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from adapters.api import ExpiresBy, Instances
from adapters.catalog import CatalogFaults, build
from adapters.postgres.door import PostgresFault, Server, _fault, _json
from adapters.postgres.secret_file import FreshPassword, Password, SecretFault, read_password
from protocol.messages import Level


def made(text: str) -> Instances:
    return build(tomllib.loads(text), lambda: None, lambda name: b"", print)  # type: ignore[arg-type, return-value]


def faults(text: str) -> list[str]:
    with pytest.raises(CatalogFaults) as seen:
        made(text)
    return seen.value.faults


@pytest.fixture
def postgres(tmp_path: Path) -> str:
    tmp_path.chmod(0o700)
    secret = tmp_path / "node.pass"
    secret.write_text("s3cret\n")
    secret.chmod(0o600)
    return f"""
[target.shop]
kind = "postgres"
lever = "credential"
mandate = "app-key"
host = "127.0.0.1"
port = 5433
database = "shop"
user = "tocsin_node"
password_file = "{secret}"
new_password_file = "{tmp_path}/app.pass"
rung = "ISOLATE"
closes = ["orders"]
blocks_exit = false
max = "1h"
cooldown = "1h"
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    tmp_path.chmod(0o755)
    path = tmp_path / "lever.sh"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return f"""
[target.flag]
kind = "program"
command = ["{path}", "/srv/shop/closed"]
environment = ["API_URL"]
step = "4s"
rung = "GUARD"
closes = ["orders"]
expires_by = "node"
max = "6h"
cooldown = "90m"
"""


def test_a_database_gives_one_lever_as_its_owner_declares_it(postgres: str):
    found = made(postgres)
    said = found.levers["shop:postgres.credential"].declared
    assert len(found.levers) == 1 and not found.readers
    assert (said.rung, said.closes, said.blocks_exit, said.reversible) == (Level.ISOLATE, {"orders"}, False, True)
    assert (said.max_ms, said.cooldown_ms, said.expires_by) == (3_600_000, 3_600_000, ExpiresBy.NODE)
    assert found.levers["shop:postgres.credential"].slot == "postgres/127.0.0.1:5433/shop/app-key"


def test_a_program_is_irreversible_unless_its_owner_says_otherwise(program: str):
    said = made(program).levers["flag:program.run"].declared
    assert (said.rung, said.blocks_exit, said.reversible, said.expires_by) == (Level.GUARD, True, False, ExpiresBy.NODE)
    assert made(f"{program}reversible = true\n").levers["flag:program.run"].declared.reversible


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"credential"', '"drop"', "lever: 'drop' must be one of revoke, nologin, read_only, credential"),
        ('"app-key"', '"App"', "mandate: must be a name of tocsin.mandate"),
        ('"127.0.0.1"', '"a,b"', "host: must be a name, an address"),
        ("5433", "0", "port: must be a whole number"),
        ('user = "tocsin_node"\n', "", "user: is missing"),
        ('rung = "ISOLATE"', 'rung = "WATCH"', "rung: 'WATCH' must be one of"),
        ('max = "1h"', 'max = "25h"', "max: must be a duration"),
        ('lever = "credential"', 'lever = "revoke"', "new_password_file: is no key here"),
        ('lever = "credential"', 'password = "s3cret"\nlever = "credential"', "password: is no key here"),
    ],
)
def test_what_a_database_target_may_not_say(postgres: str, old: str, new: str, says: str):
    assert old in postgres
    fault, *_ = faults(postgres.replace(old, new))
    assert fault.startswith(f"target.shop.{says}") and "s3cret" not in fault


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_password_that_others_may_read_is_a_fault_that_does_not_tell_it(postgres: str, tmp_path: Path, mode: int):
    (tmp_path / "node.pass").chmod(mode)
    (fault,) = faults(postgres)
    assert "password_file" in fault and "nobody else may read" in fault and "s3cret" not in fault


@pytest.mark.parametrize("raw", [b"", b"\n", b"two\nlines\n", b"\xff\xfe", b"x" * 2_000, b"nul\0"])
def test_a_password_file_of_another_form_is_refused_without_being_told(tmp_path: Path, raw: bytes):
    path = tmp_path / "p"
    path.write_bytes(raw)
    path.chmod(0o600)
    with pytest.raises(SecretFault, match="one line with a password is expected"):
        read_password(path)


def test_a_link_a_folder_and_nothing_are_no_password_files(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("x\n")
    secret.chmod(0o600)
    (tmp_path / "link").symlink_to(secret)
    for name in ("link", ".", "none"):
        with pytest.raises(SecretFault):
            read_password(tmp_path / name)
    assert read_password(secret).reveal() == "x"


def test_a_password_is_not_shown(tmp_path: Path):
    assert "s3cret" not in f"{Password('s3cret')!r} {Password('s3cret')}"
    with pytest.raises(TypeError):
        Password("s3cret").__reduce__()


def test_a_new_password_is_left_only_where_nobody_else_writes(postgres: str, tmp_path: Path):
    assert FreshPassword(tmp_path / "app.pass").fault() == ""
    tmp_path.chmod(0o777)
    (fault,) = faults(postgres)
    assert "new_password_file" in fault and "chmod 700" in fault


@pytest.mark.parametrize("text", [None, "", "nonsense", "[1]", '"x"', "NaN", "1" * 200_000, "[" * 90_000])
def test_an_answer_in_no_known_form_is_said(text: str | None):
    with pytest.raises(PostgresFault, match=r"run setup\.sql again"):
        _json(text)


def test_what_may_pass_by_itself_is_tried_again_and_a_missing_right_is_not():
    import psycopg

    server = Server("127.0.0.1", 5432, "shop", "node")
    passing = (psycopg.errors.LockNotAvailable, psycopg.errors.InternalError_, psycopg.errors.DeadlockDetected)
    lasting = (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction, psycopg.errors.SyntaxError)
    for kind in passing + lasting:
        assert _fault(kind("x"), server).retryable is (kind in passing), kind


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("command = [", 'command = ["lever.sh", ', "command: lever.sh: must start with /"),
        ("lever.sh", "none.sh", "command: "),
        ('["API_URL"]', '["API-URL"]', "environment: 'API-URL' is no name of a variable"),
        ('["API_URL"]', "[1]", "environment: must be a list of texts"),
        ('step = "4s"', 'step = "7s"', "step: must be a duration"),
        ('step = "4s"', "memory_mib = 1", "memory_mib: must be a whole number"),
        ('step = "4s"', 'directory = "here"', "directory: here: must start with /"),
        ('expires_by = "node"', 'expires_by = "nobody"', "expires_by: 'nobody' must be one of target, guard, node"),
        ('expires_by = "node"\n', "", "expires_by: is missing"),
        ('step = "4s"', "reversible = 1", "reversible: must be true or false"),
        ('step = "4s"', 'shell = "sh"', "shell: is no key here"),
    ],
)
def test_what_a_program_target_may_not_say(program: str, old: str, new: str, says: str):
    assert old in program
    (fault,) = faults(program.replace(old, new))
    assert fault.startswith(f"target.flag.{says}")


def test_a_program_does_not_load_what_a_database_needs(program: str):
    code = (
        "import sys, tomllib, adapters.catalog as c\n"
        f"c.build(tomllib.loads({program!r}), lambda: None, lambda n: b'', print)\n"
        "sys.exit('psycopg' in sys.modules or 'web3' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0
