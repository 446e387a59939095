"""The container's files name what is there. No engine runs here: it was linted and read, not built."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from node.cli import build_app

ROOT = Path(__file__).resolve().parents[3]
CONTAINERFILE = (ROOT / "deploy" / "Containerfile").read_text("utf-8")
COMPOSE = {name: (ROOT / "deploy" / name).read_text("utf-8") for name in ("compose.yaml", "compose.testnet.yaml")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def copied() -> list[str]:
    """Sources of every COPY from the build's context."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", CONTAINERFILE, re.MULTILINE)
    return [word for line in lines for word in line.split()[:-1]]


def test_what_is_copied_exists_and_is_let_into_the_build() -> None:
    let_in = (ROOT / "deploy" / "Containerfile.dockerignore").read_text("utf-8").split()
    assert copied()
    assert [name for name in copied() if not (ROOT / name).exists() or f"!{name}" not in let_in] == []


def test_every_package_of_the_wheel_is_copied() -> None:
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packages) <= set(copied())


def test_what_comes_from_the_index_has_hashes() -> None:
    installs = re.findall(r"pip install ([^\\\n]+)", CONTAINERFILE)
    assert len(installs) == 3
    assert all("--require-hashes -r /src/" in one or "--no-index" in one for one in installs)


def test_the_image_runs_as_nobody_special_on_a_python_that_will_do() -> None:
    bases = re.findall(r"^FROM python:(\d+)\.(\d+)-", CONTAINERFILE, re.MULTILINE)
    assert len(set(bases)) == 1 and (int(bases[0][0]), int(bases[0][1])) >= (3, 11)
    last = CONTAINERFILE.rpartition("\nFROM ")[2]
    assert "\nUSER 10001:10001\n" in last and "PYTHONOPTIMIZE" not in CONTAINERFILE


@pytest.mark.parametrize("name", COMPOSE)
def test_a_service_has_no_rights_and_a_root_that_nobody_writes(name: str) -> None:
    for wanted in ("read_only: true", "cap_drop: [ALL]", '"no-new-privileges:true"', 'user: "10001:10001"'):
        assert wanted in COMPOSE[name], wanted
    assert (ROOT / "deploy" / Path(*re.findall(r"dockerfile: (\S+?)}", COMPOSE[name])[:1]).name).is_file()


def commands() -> list[list[str]]:
    texts = [CONTAINERFILE, *COMPOSE.values()]
    found = [json.loads(one) for text in texts for one in re.findall(r"(?:^CMD|command:|  CMD) (\[.*\])", text, re.M)]
    found += [json.loads(one)[1:] for text in texts for one in re.findall(r"test: (\[.*\])", text)]
    # as they are written in the remarks ahead of the files
    found += [line.split() for line in re.findall(r"--rm testnet (testnet .+)$", COMPOSE["compose.testnet.yaml"], re.M)]
    return [one[1:] if one and one[0] == "tocsin" else one for one in found]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_parses(words: list[str]) -> None:
    build_app().parse_args(words, exit_on_error=False, print_error=False)


def test_the_commands_were_found() -> None:
    assert len(commands()) == 7
