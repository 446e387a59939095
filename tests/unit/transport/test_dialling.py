"""Sockets and names, before anything is dialled."""

from __future__ import annotations

import socket

import pytest
import trio
from multiaddr import Multiaddr

from node.transport.dialling import look_up
from node.transport.tcp import ask_again_soon, asks_again_soon

TCP_RTO_MAX_MS = 44


def test_what_got_lost_is_sent_again_within_a_second_where_the_system_can() -> None:
    with socket.socket() as one:
        try:
            before = one.getsockopt(socket.IPPROTO_TCP, TCP_RTO_MAX_MS)
        except OSError:
            pytest.skip("this kernel is older than Linux 6.15")
        assert ask_again_soon(one) and asks_again_soon()
        assert (before > 1_000, one.getsockopt(socket.IPPROTO_TCP, TCP_RTO_MAX_MS)) == (True, 1_000)


def test_a_socket_that_knows_no_such_option_is_left_as_it_is() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert not ask_again_soon(one)
        one.send(b"x")
        assert other.recv(1) == b"x"


def test_an_address_is_itself_and_an_unknown_name_says_so() -> None:
    address = Multiaddr("/ip6/::1/tcp/4001")
    assert trio.run(look_up, address) == [address]

    async def unknown() -> None:
        with pytest.raises(OSError, match=r"."):
            await look_up(Multiaddr("/dns4/no.invalid/tcp/1"))

    trio.run(unknown)
