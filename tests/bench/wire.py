"""A wire between namespaces that takes its time, packet by packet: what netem does, where the kernel has none.

Each member's device is a tun; one process carries the packets, each after the delay, so that TCP itself meets the
distance: a lost packet costs what it costs over that distance. The proxy of the testnet cannot do that: it ends every
connection on the near side, and the kernel then repairs losses at the speed of loopback.
"""

from __future__ import annotations

import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.bench.namespaces import DEVICE, Bridge, NoNamespaces, run_tool, unwired

TUN = "/dev/net/tun"
TUNSETIFF = 0x4004_54CA
IFF_TUN_NO_PI = 0x1001
PACKET_BYTES = 65_535
AT_ONCE = 64
WAITING_MOST = 20_000
"""Packets on their way; further ones are lost, as in a full queue. Seven members' storm over 2 s is a tenth of it."""
DESTINATION = slice(16, 20)
END_S = 3


@contextmanager
def wire(names: Sequence[str], delay_ms: float, jitter_ms: float = 0.0) -> Iterator[Bridge]:
    """As `namespaces.bridge`, with this delay one way between any two; with jitter, packets overtake each other.
    Raises NoNamespaces, also where this machine has no tun."""
    with unwired(names) as made:
        devices = {}
        try:
            for name in names:
                devices[name] = _device(made, name)
            yield from _carried(made, devices, delay_ms, jitter_ms)
        finally:
            for device in devices.values():
                os.close(device)


def _device(made: Bridge, name: str) -> int:
    with made.inside(name):
        try:
            device = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN_NO_PI))
        except OSError as error:
            raise NoNamespaces(f"{TUN} cannot be used here ({error.strerror})") from None
        lines = ["link set lo up", f"address add {made.addresses[name]}/16 dev {DEVICE}", f"link set {DEVICE} up"]
        run_tool(["ip", "-batch", "-"], "\n".join(lines) + "\n")
    return device


def _carried(made: Bridge, devices: dict[str, int], delay_ms: float, jitter_ms: float) -> Iterator[Bridge]:
    table = [[devices[name], address] for name, address in made.addresses.items()]
    job = json.dumps({"devices": table, "delay_ms": delay_ms, "jitter_ms": jitter_ms})
    carrier = subprocess.Popen(
        [sys.executable, "-m", __name__, job], stdin=subprocess.PIPE, pass_fds=tuple(devices.values())
    )
    try:
        yield made
    finally:
        if carrier.stdin is not None:
            carrier.stdin.close()
        try:
            carrier.wait(END_S)
        except subprocess.TimeoutExpired:
            carrier.kill()
            carrier.wait()


def carry(devices: dict[int, bytes], delay_s: float, jitter_s: float, stop: int) -> None:
    """`devices`: open tun → the IPv4 address behind it. Until `stop` can be read."""
    behind = {address: device for device, address in devices.items()}
    waiting: list[tuple[float, int, int, bytes]] = []
    number = 0
    while True:
        patience_s = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select([*devices, stop], [], [], patience_s)
        if stop in ready:
            return
        now_s = time.monotonic()
        for device in ready:
            for packet in _arrived(device):
                target = behind.get(packet[DESTINATION])
                if target is not None and len(waiting) < WAITING_MOST:
                    number += 1
                    due_s = now_s + delay_s + jitter_s * random.random()
                    heapq.heappush(waiting, (due_s, number, target, packet))
        while waiting and waiting[0][0] <= now_s:
            _, _, target, packet = heapq.heappop(waiting)
            try:
                os.write(target, packet)
            except OSError:  # a full queue loses it, and so does a device that has gone
                continue


def _arrived(device: int) -> Iterator[bytes]:
    for _ in range(AT_ONCE):
        try:
            yield os.read(device, PACKET_BYTES)
        except OSError:
            return


def main(job: str) -> None:
    asked = json.loads(job)
    devices = {device: socket.inet_aton(address) for device, address in asked["devices"]}
    carry(devices, asked["delay_ms"] / 1000, asked["jitter_ms"] / 1000, sys.stdin.fileno())


if __name__ == "__main__":
    main(sys.argv[1])
