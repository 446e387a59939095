"""Members on a bridge of their own: who reaches whom is what was asked for, and nothing is left of it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.bench.namespaces import Bridge, NoNamespaces, bridge, refusal
from tests.bench.wire import wire

PORT = 4001
PATIENCE_S = 0.15
WHY_NOT = refusal()
needs_namespaces = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@pytest.fixture
def three() -> Iterator[Bridge]:
    with bridge(("a", "b", "c")) as made, ExitStack() as open_:
        for name, address in made.addresses.items():
            with made.inside(name):
                open_.enter_context(socket.create_server((address, PORT)))
        yield made


def reaches(made: Bridge, one: str, other: str) -> bool:
    with made.inside(one), socket.socket() as there:
        there.settimeout(PATIENCE_S)
        try:
            there.connect((made.addresses[other], PORT))
        except OSError:
            return False
        return True


@needs_namespaces
def test_members_reach_each_other_until_they_are_parted_and_after_the_heal(three: Bridge) -> None:
    assert reaches(three, "a", "c")
    three.partition(("a", "b"), ("c",))
    assert reaches(three, "a", "b")
    assert not reaches(three, "a", "c")
    three.heal()
    assert reaches(three, "a", "c")


@needs_namespaces
def test_who_loses_every_packet_is_reached_by_nobody_and_loss_outlives_a_heal(three: Bridge) -> None:
    three.drop(100, ("c",))
    three.heal()
    assert not reaches(three, "a", "c")
    three.drop(0, ("c",))
    assert reaches(three, "a", "c")


@needs_namespaces
def test_a_member_is_deaf_to_one_and_hears_the_other(three: Bridge) -> None:
    three.deafen("a", ("b",))
    assert not reaches(three, "b", "a")
    assert reaches(three, "c", "a")


@needs_namespaces
def test_a_rate_is_set_and_lifted(three: Bridge) -> None:
    def shaped() -> bool:
        with three.inside("a"):
            return "tbf" in subprocess.run(["tc", "qdisc"], capture_output=True, text=True, check=True).stdout

    three.rate(800, ("a",))
    assert shaped()
    three.rate(None, ("a",))
    assert not shaped()


@needs_namespaces
def test_nothing_is_left_and_this_process_is_where_it_was() -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    here, before = Path("/proc/self/ns/net").readlink(), open_files()
    with bridge(("a", "b")):
        pass
    assert Path("/proc/self/ns/net").readlink() == here
    assert open_files() == before


def test_an_impossible_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="outside 0 to 100"):
        Bridge({"a": "10.77.0.1"}, {}).drop(101)


def test_a_machine_that_allows_none_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden() -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("tests.bench.namespaces._fresh", forbidden)
    with pytest.raises(NoNamespaces, match="unshare -rn"), bridge(("a", "b")):
        pass


def test_a_wire_takes_its_time_and_packets_come_whole() -> None:
    try:
        with wire(("a", "b"), delay_ms=40) as made:
            assert ask_there(made) == (b"b heard a", True)
    except NoNamespaces as error:
        pytest.skip(str(error))


def ask_there(made: Bridge) -> tuple[bytes, bool]:
    """What b answers a, and whether that took the way there and back at least."""
    with made.inside("b"):
        there = socket.socket()
    with made.inside("a"):
        here = socket.socket()
    with there, here:
        there.settimeout(5)
        there.bind((made.addresses["b"], PORT))
        there.listen()
        here.settimeout(5)
        here.connect((made.addresses["b"], PORT))
        answering, _ = there.accept()
        with answering:
            began_s = time.monotonic()
            here.sendall(b"a")
            answering.sendall(b"b heard " + answering.recv(1))
            answer = here.recv(9)
            return answer, time.monotonic() - began_s >= 0.08
