"""What goes wrong on the first day, over real processes: one clear line, the right exit code, nothing lost."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from node.loop import Loop
from node.machine import core
from tests.integration.network.forked import ForkedSite
from tests.integration.network.site import NAMES, SUBJECT, Ran, wait_for

pytestmark = pytest.mark.network


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ForkedSite]:
    one = ForkedSite(tmp_path)
    one.found()
    yield one
    one.close()


def refused(ran: Ran, lines: int = 1) -> str:
    """Exit 1 and that many lines on standard error, nothing else."""
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", lines), ran
    assert ran.err.startswith("tocsin: ")
    return ran.err


def test_a_configuration_with_several_faults_is_told_whole(site: ForkedSite) -> None:
    path = site.config("venue")
    path.write_text(path.read_text().replace("/tcp/", "/udp/") + '\n[clok]\nx = 1\n[[peer]]\nmember = "venue"\n')
    err = refused(site.at("venue", "up"), lines=4)
    for says in ("3 faults:", "is no TCP multiaddr", "clok: is an unknown key; did you mean 'clock'?", "addrs"):
        assert says in err


def test_a_key_that_others_can_read_starts_nothing(site: ForkedSite) -> None:
    (site.folder / "venue" / "data" / "keys" / "attestation.key").chmod(0o644)
    assert "chmod 600" in refused(site.at("venue", "up"))


def test_a_foreign_charter_starts_nothing(site: ForkedSite, tmp_path: Path) -> None:
    other = ForkedSite(tmp_path / "other")
    other.folder.mkdir()
    other.found(("x-one", "x-two", "x-three", "x-four"))
    foreign = (other.folder / "charter.toml").read_text()
    (site.folder / "venue" / "charter.toml").write_text(foreign)
    assert "venue is no member of it; is it another network's charter?" in refused(site.at("venue", "up"))


def test_a_charter_that_somebody_changed_starts_nothing(site: ForkedSite) -> None:
    path = site.folder / "venue" / "charter.toml"
    path.write_text(path.read_text().replace('isolate = "6h"', 'isolate = "5h"'))
    ran = site.at("venue", "up")
    assert ran.code == 1
    assert ran.err.count("its signature does not hold for this id") == 4


def test_a_port_in_use_is_named(site: ForkedSite) -> None:
    with closing(socket.create_server(("127.0.0.1", site.ports["venue"]))):
        err = refused(site.at("venue", "up"))
    assert f"/tcp/{site.ports['venue']}" in err
    assert "change `listen` in node.toml" in err


def test_one_directory_runs_one_node(site: ForkedSite) -> None:
    site.up("venue")
    wait_for("venue runs", lambda: site.status("venue"))
    err = refused(site.at("venue", "up"))
    assert "store.sqlite" in err
    assert site.status("venue") is not None


def test_a_scenario_with_errors_is_told_whole(site: ForkedSite) -> None:
    bad = site.folder / "bad.toml"
    bad.write_text('[run]\nhistory_divided_by = "many"\n[thing.x]\nkind = "no.such"\n')
    ran = site.run("testnet", "--scenario", bad, "-o", "json")
    assert (ran.code, ran.out) == (1, "")
    lines = ran.err.splitlines()
    assert len(lines) > 1
    assert all(line.startswith(f"tocsin: {bad}: ") for line in lines), lines


def test_an_unknown_scenario_names_those_that_are_there(site: ForkedSite) -> None:
    ran = site.run("testnet", "--scenario", "forged-bridge")
    assert ran.code == 1
    for name in ("forged-bridge-release", "oracle-push", "governance", "drill"):
        assert name in ran.err


def test_a_chain_that_is_not_installed_is_said_in_words(site: ForkedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_ANVIL", str(site.folder / "no-such-anvil"))
    ran = site.run("testnet", "--chain", "anvil", "-o", "json")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "tocsin: no anvil binary on PATH or in TOCSIN_ANVIL; install it, or use --chain embedded\n"


def test_a_story_that_cannot_be_played_so_is_usage(site: ForkedSite) -> None:
    ran = site.run("testnet", "--scenario", "governance", "--members", "5", "-o", "json")
    assert (ran.code, ran.out) == (2, "")
    assert "use --members 4, 7, 10, 13, 16 or 19" in ran.err


class Rpc(BaseHTTPRequestHandler):
    """A provider of chain 5 whose accounts have nothing."""

    answers = {"eth_chainId": "0x5", "eth_getBalance": "0x0"}

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        many = asked if isinstance(asked, list) else [asked]
        told = [{"jsonrpc": "2.0", "id": one["id"], "result": self.answers.get(one["method"])} for one in many]
        body = json.dumps(told if isinstance(asked, list) else told[0]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def chain_five() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Rpc)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def connection(name: str, chain: str, port: int) -> str:
    return f'\n[[connection]]\nid = "{name}"\nchain = "{chain}"\nurl = "http://127.0.0.1:{port}/s3cret"\n'


def test_chains_that_are_down_slow_or_another_stop_no_node_and_are_said(site: ForkedSite, chain_five: int) -> None:
    path = site.config("venue")
    with closing(socket.create_server(("127.0.0.1", 0))) as mute, closing(socket.socket()) as closed:
        closed.bind(("127.0.0.1", 0))
        ports = {"down": closed.getsockname()[1], "slow": mute.getsockname()[1], "wrong": chain_five}
        text = "".join(connection(name, "eip155:1", port) for name, port in ports.items())
        path.write_text(path.read_text() + text)
        site.up("venue")

        def said() -> dict[str, str]:
            chains = (site.status("venue") or {}).get("chains", [])
            return {one["id"]: one["says"] for one in chains if one["says"] != "not asked yet"}

        found = wait_for("every chain was asked", lambda: len(said()) == 3 and said())
    assert "cannot connect" in found["down"]
    assert "no answer within 3 s" in found["slow"]
    assert "it serves chain 5" in found["wrong"]
    shown = site.at("venue", "status").out
    assert shown.count("DOWN") == 3
    assert "s3cret" not in shown + (site.folder / "venue" / "node.log").read_text()


def test_the_doctor_names_a_lever_account_without_gas(site: ForkedSite, chain_five: int) -> None:
    path = site.config("venue")
    target = (
        '\n[target.lend]\nkind = "evm.lending"\nchain = "eip155:5"\ncontract = "0x' + "11" * 20 + '"\n'
        'asset = "0x' + "22" * 20 + '"\nusd_per_loan_unit = 3000\nkey_file = "keys/lever.key"\n'
    )
    path.write_text(path.read_text() + connection("venue-five", "eip155:5", chain_five) + target)
    ran = site.at("venue", "doctor")
    assert ran.code == 1
    assert re.search(r"FAULT +lever +target lend: 0x[0-9a-f]{40} has no gas on eip155:5; send it some", ran.out)


def often() -> None:
    """Heartbeats every second, not every minute: a test cannot wait that long for Q of them."""
    core.HEARTBEAT_MS = 1_000


def ahead() -> None:
    """This process's wall clock is 45 s ahead from now on."""
    often()
    real = time.time_ns
    time.time_ns = lambda: real() + 45_000_000_000


def test_a_clock_beyond_the_bound_signs_nothing_and_says_so(site: ForkedSite) -> None:
    others = NAMES[:3]
    for name in others:
        site.up_as(name, often)
    site.up_as("venue", ahead)
    site.meshed(*others, hears=4)

    def why() -> str:
        return str((site.status("venue") or {"signing": {}})["signing"].get("why", ""))

    assert re.search(r"the clock is 4[45]\d\d\d ms from the median", wait_for("venue says so", why))
    ran = site.at("venue", "alert", "raise", SUBJECT, "bridge-forgery", "GUARD", "--person", "cleo")
    assert "the clock is" in refused(ran)
    assert site.status("issuer")["signing"]["may"]  # type: ignore[index]


def test_strangers_who_connect_cost_a_running_network_nothing(site: ForkedSite) -> None:
    site.up(*NAMES)
    site.meshed(*NAMES, hears=4)
    strangers = []
    for number in range(60):
        one = socket.create_connection(("127.0.0.1", site.ports["issuer"]), timeout=2)
        if number % 3 == 0:
            one.sendall(b"GET / HTTP/1.1\r\n\r\n" * 50)
        elif number % 3 == 1:
            one.sendall(b"\x13/multistream/1.0.0\n" + bytes(range(256)) * 8)
        strangers.append(one)
    said = site.at("venue", "alert", "raise", SUBJECT, "bridge-forgery", "WATCH", "--person", "cleo", "--wait", "5s")
    assert said.code == 0
    wait_for("the issuer hears it", lambda: site.level("issuer", "bridge-forgery") == "WATCH", 5)
    for one in strangers:
        one.close()
    told = site.status("issuer")
    assert told is not None
    assert (told["quorum"]["hears"], sorted(one["member"] for one in told["peers"])) == (4, sorted(NAMES[1:]))


DRY = f"""
policy = 1
mode = "act"
asset.rseth = ["{SUBJECT}"]
[exposure]
dry = {{ asset = "rseth", read = "lending.reserve", max_age = "5m", ways_out = ["borrow"] }}
[lever]
note = {{ on = "dry", call = "log.note", closes = [], expires_by = "target", max = "6h", cooldown = "1h" }}
[rule]
shut = {{ asset = "rseth", level = "ISOLATE", own = "any", do = ["note"], for = "1h" }}
other = {{ asset = "any", level = "any", own = "any", do = [], page = true }}
"""
"""A dry run: a lever that only writes a line stands for one that restricts."""


def test_a_lever_is_looked_at_before_it_is_needed(site: ForkedSite) -> None:
    (site.folder / "venue" / "policy.toml").write_text(DRY)
    path = site.config("venue")
    path.write_text(path.read_text() + '\n[target.dry]\nkind = "log"\n')
    (listed,) = json.loads(site.at("venue", "lever", "list", "-o", "json").out)
    assert (listed["name"], listed["at"], listed["rules"]) == ("note", "dry:log.note", ["shut"])
    tried = site.at("venue", "lever", "test")
    assert tried.code == 0 and tried.out.startswith("note: would move")
    assert f"on {SUBJECT}" in site.at("venue", "lever", "plan", "note").out
    assert refused(site.at("venue", "lever", "show", "knot")).endswith("known: note\n")


def test_a_node_that_stops_undoes_nothing_and_says_what_stands(site: ForkedSite) -> None:
    (site.folder / "venue" / "policy.toml").write_text(DRY)
    path = site.config("venue")
    path.write_text(path.read_text() + '\n[target.dry]\nkind = "log"\n')
    site.up(*NAMES)
    site.meshed(*NAMES, hears=4)
    for name in NAMES[:3]:
        words = ("alert", "raise", SUBJECT, "bridge-forgery", "ISOLATE", "--person", "anna")
        assert site.at(name, *words).code == 0
    wait_for("the lever stands", lambda: "effective" in site.at("venue", "action", "list").out, 10)
    ended = site.end("venue")
    assert ended.code == 0
    assert "stopped; nothing was undone; 1 restriction(s) of ours stand" in ended.err
    assert f"note on {SUBJECT} stands until" in ended.err
    site.up("venue")
    wait_for("venue runs", lambda: site.status("venue"))
    assert len(json.loads(site.at("venue", "action", "list", "-o", "json").out)) == 1
    down = site.at("venue", "down")
    assert f"note on {SUBJECT} stands until" in down.out


def test_a_node_that_is_told_to_stop_while_it_starts_stops_in_order(site: ForkedSite) -> None:
    def told_at_once() -> None:
        first = Loop.begin

        async def begin(self: Loop, raws: Sequence[bytes]) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            await first(self, raws)

        Loop.begin = begin  # type: ignore[method-assign]

    site.up_as("venue", told_at_once)
    ended = site.children.pop("venue").wait(10)
    assert ended.code == 0
    assert "stopped; nothing was undone" in ended.err


def test_the_control_socket_is_its_owners_alone(site: ForkedSite) -> None:
    site.up("venue")
    wait_for("venue runs", lambda: site.status("venue"))
    data = site.folder / "venue" / "data"
    assert (data / "control.sock").stat().st_mode & 0o777 == 0o600
    assert site.end("venue").code == 0
