"""The usual faults, each planted, each told with its cure; those of keys, charter and seat are in test_doctor."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node import check_types, mark, people
from node.check_machine import SYNC_MS_MOST
from node.check_types import Moves
from tests.integration.shell.process import free_port
from tests.unit.cli.test_doctor import CHAINED, Site, _name_policy

SECOND = """
[[connection]]
id = "b-home"
chain = "eip155:1"
url = "http://127.0.0.1:8546"
"""
HEALTHY = {
    "skew_ms": 3,
    "signing": {"may": True, "why": ""},
    "epoch": {"number": 0, "elsewhere": []},
    "quorum": {"n": 4, "f": 1, "hears": 4, "needed": 3, "blind": False, "silent_since_ms": {}},
    "peers": [],
    "sensors": [],
    "escalated": [],
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def probing(site: Site, **probes: Any) -> None:
    site.probes = dataclasses.replace(site.probes, **probes)


def runs(site: Site, **more: Any) -> None:
    probing(site, status=lambda path: {**HEALTHY, **more})


def told(site: Site, *oks: bool | None) -> list[str]:
    return [f"{one.name}: {one.says}; {one.do}" for one in site.findings() if one.ok in oks]


def _full_disk(site: Site) -> None:
    probing(site, free_bytes=lambda path: 5 << 20)


def _unwritable(site: Site) -> None:
    probing(site, sync_ms=lambda path: None)


def _gone_disk(site: Site) -> None:
    probing(site, free_bytes=lambda path: None)


def _others_write(site: Site) -> None:
    site.data.chmod(0o777)


def _people_open(site: Site) -> None:
    people.add(site.data / "people.json", "anna", "viewer")
    (site.data / "people.json").chmod(0o644)


def _control(site: Site, path: str) -> None:
    config = site.home.config_path
    lines = [f'control = "{path}"' if "control =" in line else line for line in config.read_text().splitlines()]
    config.write_text("\n".join(lines) + "\n")


def _long_socket(site: Site) -> None:
    _control(site, f"{'d' * 120}/c.sock")


def _file_for_socket(site: Site) -> None:
    _control(site, "c.sock")
    (site.data / "c.sock").write_text("")


def _no_folder_for_socket(site: Site) -> None:
    _control(site, "run/c.sock")


def _console_port_taken(site: Site) -> None:
    site.add('[console]\nlisten = "127.0.0.1:8443"\n')
    probing(site, port=lambda host, port: "cannot be listened on: in use" if port == 8443 else "")


def _console_without_certificate(site: Site) -> None:
    site.add('[console]\nlisten = "127.0.0.1:8443"\ncert = "c.pem"\nkey = "k.pem"\n')


def _strange_sensor(site: Site) -> None:
    site.add('[sensor.eye]\nkind = "no.such"\n')


TRACED = '[tracing]\nendpoint = "https://collector.example/v1/traces"\n'


def _no_headers(site: Site) -> None:
    site.add(f'{TRACED}headers_file = "nowhere"\n')


def _headers_open(site: Site) -> None:
    _no_headers(site)
    (site.data / "nowhere").write_text("authorization: Bearer 5ecre7\n")
    (site.data / "nowhere").chmod(0o644)


def _collector_in_the_clear(site: Site) -> None:
    site.add(TRACED.replace("https", "http"))


def _lever_without_right(site: Site) -> None:
    site.add(CHAINED)
    site.moves = [Moves("ltv0", False, "the target refuses: caller is no risk admin")]


def _other_members_store(site: Site) -> None:
    from governance.charter import parse
    from node.store import Store

    store = Store.open(site.data / "store.sqlite")
    charter = parse((site.home.directory / "charter.toml").read_text())
    store.bind_network(bytes(charter.network), "b")
    store.close()


def _mark_ahead(site: Site) -> None:
    from governance.charter import parse
    from node.store import Store

    store = Store.open(site.data / "store.sqlite")
    charter = parse((site.home.directory / "charter.toml").read_text())
    store.bind_network(bytes(charter.network), "a")
    store.close()
    mark.write(site.data / "mark.cbor", mark.Mark(site.home.card.attestation, 1, 7, bytes(32), ()))


def _rpcs_disagree(site: Site) -> None:
    site.add(CHAINED + SECOND)
    site.answers["eth_blockNumber"] = "0x64"
    site.answers["eth_getBlockByNumber"] = lambda url, *of: {"hash": "0x" + ("aa" if "8545" in url else "bb") * 32}


def _blind(site: Site) -> None:
    quorum = {**HEALTHY["quorum"], "hears": 1, "blind": True, "silent_since_ms": {"b": 0, "c": 1000}}  # type: ignore[dict-item]
    runs(site, quorum=quorum, peers=[{"member": "b", "dialling": "attempt 4: refused"}])


def _epoch_behind(site: Site) -> None:
    runs(site, epoch={"number": 2, "elsewhere": ["b", "c"]})


FAULTS: list[tuple[Callable[[Site], None], str, str]] = [
    (_full_disk, "disk: ", "has 5 MiB left: a full disk stops the node; make room there"),
    (_unwritable, "disk: nothing can be written into ", "chown, chmod 700"),
    (_gone_disk, "disk: ", "cannot be looked at; run `tocsin init`"),
    (_others_write, "files: others can write into ", "chmod 700"),
    (_people_open, "console: nobody can sign in: ", "chmod 600"),
    (_long_socket, "config: control: the socket's path has ", "write control ="),
    (_file_for_socket, "control: ", "c.sock is no socket: the node will not take its place; move it away"),
    (_no_folder_for_socket, "control: ", "is not there; make it: mkdir -m 700"),
    (_console_port_taken, "console: 127.0.0.1:8443: cannot be listened on: in use", "change [console] listen"),
    (_console_without_certificate, "console: ", "are no certificate and its key"),
    (_strange_sensor, "adapter: ", "no.such"),
    (_no_headers, "tracing: tracing.headers_file: no key is here", "correct the path"),
    (_headers_open, "tracing: tracing.headers_file: others than its owner can read", "chmod 600"),
    (_collector_in_the_clear, "config: tracing.endpoint: would carry alarms in the clear", "https://, or an address"),
    (_lever_without_right, "lever: ltv0 would not move: the target refuses", "then: tocsin lever test ltv0"),
    (_other_members_store, "store: the store is b's", "each member has a data_dir of its own"),
    (_mark_ahead, "the store ends at seq -1: it is an older copy", "tocsin restore --fresh-key"),
    (_rpcs_disagree, "chain: the connections to eip155:1 disagree on block 92", "one of them follows a fork or lies"),
    (_blind, "peers: blind, hears 1 of 4 groups, 3 needed: nothing above GUARD can form; silent: b since 00:00:00 "
             "(attempt 4: refused), c since 00:00:01", "open the port of `listen`"),
    (_epoch_behind, "epoch: b, c live in an epoch that this node, in epoch 2, does not know", "look in its log"),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "says", "cure"), FAULTS, ids=[one[0].__name__[1:] for one in FAULTS])
def test_a_fault_is_told_with_its_cure(site: Site, plant: Callable[[Site], None], says: str, cure: str) -> None:
    assert site.faults() == []
    plant(site)
    faults = told(site, False)
    assert any(says in one and cure in one for one in faults), faults
    assert not any(one.endswith("; ") and one.count(";") == 1 for one in faults), faults


def _unkept_clock(site: Site) -> None:
    probing(site, synchronised=lambda: False)


def _unknown_clock(site: Site) -> None:
    probing(site, synchronised=lambda: None)


def _little_room(site: Site) -> None:
    probing(site, free_bytes=lambda path: 200 << 20)


def _slow_disk(site: Site) -> None:
    probing(site, sync_ms=lambda path: SYNC_MS_MOST * 4)


def _token_open(site: Site) -> None:
    site.add(CHAINED)
    site.home.config_path.chmod(0o644)


def _nobody_may_sign_in(site: Site) -> None:
    site.add('[console]\nlisten = "127.0.0.1:8443"\n')


def _observes(site: Site) -> None:
    _name_policy(site)
    (site.home.directory / "own.toml").write_text('policy = 1\nmode = "observe"\n')


def _one_provider(site: Site) -> None:
    site.add(CHAINED)


def _provider_behind(site: Site) -> None:
    site.add(CHAINED + SECOND)
    site.answers["eth_blockNumber"] = lambda url: "0x100" if "8545" in url else "0x10"
    site.answers["eth_getBlockByNumber"] = {"hash": "0x" + "aa" * 32}


def _one_silent(site: Site) -> None:
    runs(site, quorum={**HEALTHY["quorum"], "hears": 3, "silent_since_ms": {"b": 0}})  # type: ignore[dict-item]


def _one_elsewhere(site: Site) -> None:
    runs(site, epoch={"number": 2, "elsewhere": ["b"]})


def _sensor_blind(site: Site) -> None:
    runs(site, sensors=[{"name": "release", "says": "refused since 12:00"}])


def _needs_a_person(site: Site) -> None:
    runs(site, escalated=[{"key": "ab" * 32, "lever": "ltv0", "subject": "x", "says": "no gas"}])


def _collector_away(site: Site) -> None:
    site.add(TRACED)
    probing(site, collector=lambda collector: "Connection refused")


NOTES: list[tuple[Callable[[Site], None], str, str]] = [
    (_unkept_clock, "time: nothing keeps this machine's clock", "install chrony"),
    (_unknown_clock, "time: whether anything keeps this machine's clock cannot be told", "timedatectl"),
    (_little_room, "disk: ", "has 200 MiB left: a full disk stops the node; make room"),
    (_slow_disk, "takes 200 ms, and each word waits for two", "a local SSD"),
    (_token_open, "files: node.toml names addresses with access tokens, and others can read it", "chmod 600"),
    (_nobody_may_sign_in, "console: the console is on and nobody may sign in", "tocsin person add"),
    (_observes, "policy: mode observe: every decision is told, no lever moves", 'mode = "ask"'),
    (_one_provider, "chain: one connection to eip155:1: whoever runs a-home decides", "of another operator"),
    (_provider_behind, "chain: b-home is 240 blocks of eip155:1 behind the others", "still synchronises"),
    (_one_silent, "peers: hears 3 of 4 groups, 3 needed; silent: b since 00:00:00", "tocsin status"),
    (_one_elsewhere, "epoch: b live in an epoch that this node", "look in its log"),
    (_sensor_blind, "sensor: release sees nothing now: refused since 12:00", "mend what it names"),
    (_collector_away, "tracing: the collector at https://collector.example takes no traces: Connection refused",
     "start it, or mend endpoint and headers_file of [tracing]"),
    (_needs_a_person, "action: ltv0 on x waits for a person: no gas", "tocsin explain abababababab"),
    (lambda site: None, "sensor: no sensor: this node sees nothing by itself", "add a [sensor.NAME]"),
    (lambda site: None, "sink: no sink: nobody is told", "add [sink.NAME]"),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "says", "cure"), NOTES)
def test_what_is_no_fault_and_should_be_known_is_a_note(
    site: Site, plant: Callable[[Site], None], says: str, cure: str
) -> None:
    plant(site)
    notes = told(site, None)
    assert any(says in one and cure in one for one in notes), notes
    assert site.faults() == []


def test_a_healthy_node_that_runs_says_so(site: Site) -> None:
    runs(site)
    well = {one.name for one in site.findings() if one.ok}
    assert {"time", "disk", "clock", "peers"} <= well
    assert told(site, False) == []


def test_a_collector_that_takes_a_request_without_spans_is_well(site: Site) -> None:
    site.add(TRACED)
    assert "tracing: the collector at https://collector.example takes traces; " in told(site, True)


def test_traces_without_the_extra_are_a_fault_that_says_what_to_install(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    site.add(TRACED)
    assert told(site, False) == ["tracing: [tracing] needs what is not installed; pip install 'tocsin[otel]'"]


def test_two_providers_that_agree_say_so(site: Site) -> None:
    site.add(CHAINED + SECOND)
    site.answers |= {"eth_blockNumber": "0x64", "eth_getBlockByNumber": {"hash": "0x" + "aa" * 32}}
    assert "chain: 2 connections to eip155:1 agree on block 92; " in told(site, True)


@pytest.mark.parametrize("answer", [OSError("gone"), ValueError("no JSON"), {"hash": 7}, [], None])
def test_a_provider_that_answers_nonsense_about_a_block_is_no_traceback(site: Site, answer: Any) -> None:
    site.add(CHAINED + SECOND)
    site.answers |= {"eth_blockNumber": "0x64", "eth_getBlockByNumber": answer}
    assert site.faults() == []


def test_the_disk_is_asked_and_left_as_it_was(tmp_path: Path) -> None:
    took_ms, free = check_types.sync_ms(tmp_path), check_types.free_bytes(tmp_path)
    assert took_ms is not None and took_ms > 0
    assert free is not None and free > 0
    assert list(tmp_path.iterdir()) == []
    assert check_types.sync_ms(tmp_path / "none") is None
    assert check_types.free_bytes(tmp_path / "none") is None


def test_the_kernel_is_asked_about_its_clock() -> None:
    assert check_types.clock_is_kept() in (True, False)


POLICY = """
policy = 1
mode = "act"
[asset]
rs = ["eip155:1/erc20:0x2222222222222222222222222222222222222222"]
[exposure]
pool = { asset = "rs", read = "lending.reserve", target = "lending", max_age = "5m", ways_out = ["borrow"] }
[lever.stop]
on = "pool"
call = "lending.ltv_zero"
closes = ["borrow"]
expires_by = "target"
max = "6h"
cooldown = "2h"
[rule]
guard = { asset = "rs", level = "GUARD", basis = "VERIFIED", own = "verified", groups = 2, do = ["stop"], for = "65s" }
"""


def test_levers_are_tried_at_their_real_targets(site: Site) -> None:
    # nobody listens there
    site.add(CHAINED.replace("127.0.0.1:8545", f"127.0.0.1:{free_port()}"))
    _name_policy(site)
    (site.home.directory / "own.toml").write_text(POLICY)
    probing(site, levers=check_types.try_levers)
    (fault,) = [one for one in told(site, False) if one.startswith("lever: stop")]
    assert "would not move: eip155:1 gives no answer" in fault
    assert "s3cret" not in fault
