"""`[tracing]` of node.toml: what it says, what it refuses, and where its secrets do not turn up."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from node.config import ConfigFaults, load
from node.tracing.settings import Settings, TracingFault, headers_of, settings_of
from protocol.messages import Tlp

SECRET = "5ecre7-70ken"
LITTLE = 'node = 1\nmember = "a"\nlisten = "/ip4/127.0.0.1/tcp/4001"\n'
HERE = 'endpoint = "http://127.0.0.1:4318/v1/traces"'


def read(folder: Path, *lines: str, environ: dict[str, str] | None = None) -> Settings | None:
    path = folder / "node.toml"
    path.write_text(LITTLE + "\n".join(("[tracing]", *lines, "")) if lines else LITTLE)
    return settings_of(load(path, environ or {}))


def faults(folder: Path, *lines: str) -> str:
    with pytest.raises(ConfigFaults) as caught:
        read(folder, *lines)
    return "\n".join(map(str, caught.value.faults))


def secret_file(folder: Path, text: str, mode: int = 0o600) -> None:
    path = folder / "data" / "headers"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def test_without_the_section_there_are_no_traces(tmp_path: Path) -> None:
    assert read(tmp_path) is None


def test_an_address_is_enough_and_the_ceiling_is_that_of_sinks(tmp_path: Path) -> None:
    found = read(tmp_path, HERE)
    assert found is not None and found.ceiling is Tlp.AMBER and found.collector.shown == "http://127.0.0.1:4318"
    assert read(tmp_path, HERE, 'tlp = "RED"').ceiling is Tlp.RED  # type: ignore[union-attr]


def test_the_environment_may_name_the_collector(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text(LITTLE)
    environ = {"TOCSIN_TRACING__ENDPOINT": "https://collector.example/v1/traces"}
    found = settings_of(load(tmp_path / "node.toml", environ))
    assert found is not None and found.collector.shown == "https://collector.example"


@pytest.mark.parametrize(
    ("endpoint", "says"),
    [
        ("http://collector.example/v1/traces", "would carry alarms in the clear"),
        ("http://192.0.2.1:4318/v1/traces", "would carry alarms in the clear"),
        ("http://localhost:4318/v1/traces", "would carry alarms in the clear"),
        (f"https://anna:{SECRET}@collector.example/", "put what is secret into headers_file"),
        (f"https://collector.example/?key={SECRET}", "put what is secret into headers_file"),
        (f"grpc://{SECRET}:4317", "is no address of a collector"),
        (f"https://collector.example:{SECRET}/", "is no address of a collector"),
        ("https:///v1/traces", "is no address of a collector"),
        ("https://[::1/v1", "is no address of a collector"),
        ("https://collector.example/ v1", "is no address of a collector"),
    ],
)
def test_an_address_that_shows_alarms_or_secrets_is_refused(tmp_path: Path, endpoint: str, says: str) -> None:
    told = faults(tmp_path, f'endpoint = "{endpoint}"')
    assert says in told and SECRET not in told


def test_a_ceiling_below_what_a_node_says_of_itself_and_unknown_keys_are_refused(tmp_path: Path) -> None:
    told = faults(tmp_path, HERE, 'tlp = "GREEN"', 'headrs_file = "h"')
    assert "'GREEN' is no ceiling; write one of AMBER, AMBER+STRICT, RED" in told and "headers_file" in told
    assert 'add endpoint = "http://127.0.0.1:4318/v1/traces"' in faults(tmp_path, 'tlp = "RED"')


def test_headers_come_from_a_private_file_and_are_never_shown(tmp_path: Path) -> None:
    secret_file(tmp_path, f"# of the collector\n\nAuthorization: Bearer {SECRET}\nx-scope: a:b\n")
    found = read(tmp_path, HERE, 'headers_file = "headers"')
    assert found is not None and SECRET not in repr(found)
    assert headers_of(b"Authorization: Bearer x\nx-scope: a:b\n") == {"authorization": "Bearer x", "x-scope": "a:b"}


def test_a_file_that_others_may_read_or_that_is_not_there_is_refused(tmp_path: Path) -> None:
    secret_file(tmp_path, f"authorization: {SECRET}\n", 0o644)
    with pytest.raises(TracingFault, match="others than its owner") as caught:
        read(tmp_path, HERE, 'headers_file = "headers"')
    assert SECRET not in str(caught.value)
    with pytest.raises(TracingFault, match=r"tracing\.headers_file: "):
        read(tmp_path, HERE, 'headers_file = "nowhere"')


@pytest.mark.parametrize(
    "text",
    [SECRET, f"{SECRET} x: y", f"authorization: {SECRET}\x07", f"host: {SECRET}", f"a: {SECRET}\nA: b", "#\n", "a:"],
)
def test_what_is_no_header_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        headers_of(text.encode())
    assert SECRET not in str(caught.value)


def test_without_the_extra_a_section_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(TracingFault, match=r"pip install 'tocsin\[otel\]'"):
        read(tmp_path, HERE)
    assert read(tmp_path) is None
