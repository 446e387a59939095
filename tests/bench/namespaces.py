"""Members in network namespaces of their own, joined by a bridge: loss, partitions and bandwidth by the kernel.

Nothing of the machine's own network is touched, and nothing has a name outside: each namespace is held by an open
file of this process (and by whoever runs in it), so that it ends with them, however they end. Needs root, or
`unshare -rn` in front of the command; `ip` and `tc` (iproute2), `nft` (Debian package nftables).
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CLONE_NEWNET = 0x4000_0000
NET = "10.77"
DEVICE = "eth0"
TOOLS = {"ip": "iproute2", "tc": "iproute2", "nft": "nftables"}
MEMBERS_MOST = 200
THOUSAND = 1000
TABLE = """
table inet tocsin {{
    set deaf {{ type ipv4_addr; }}
    chain input {{
        type filter hook input priority 0; policy accept;
        iifname "lo" accept
        meta nfproto ipv6 drop
        ip saddr @deaf counter drop
        {loss}
    }}
}}
"""


class NoNamespaces(Exception):
    """Why this machine does not allow them, in one line, with what to do."""


def _libc(function: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def enter(path: str) -> None:
    """Moves the calling thread into the namespace that `path` stands for; what it starts or opens is there too.
    For a forked child: its whole life. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _libc("setns", file, CLONE_NEWNET)
    finally:
        os.close(file)


def _fresh() -> int:
    """An open file that holds a new, empty namespace; the calling thread is back where it was."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _libc("unshare", CLONE_NEWNET)
        try:
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _libc("setns", here, CLONE_NEWNET)
    finally:
        os.close(here)


@dataclass
class Bridge:
    """`addresses`: member → its IPv4 address, reachable from every other member and from nowhere else."""

    addresses: Mapping[str, str]
    _files: dict[str, int]
    _loss: dict[str, float] = field(default_factory=dict)
    _deaf: dict[str, set[str]] = field(default_factory=dict)

    def path(self, name: str) -> str:
        """For `enter`, in any process of the same user while this one lives; also for `nsenter --net=`."""
        return f"/proc/{os.getpid()}/fd/{self._files[name]}"

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Whatever process this thread starts, or socket it opens, meanwhile is the member's. Do not await in it."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _libc("setns", self._files[name], CLONE_NEWNET)
            try:
                yield
            finally:
                _libc("setns", here, CLONE_NEWNET)
        finally:
            os.close(here)

    def drop(self, percent: float, names: Sequence[str] = ()) -> None:
        """Each packet that reaches one of these (default: all) is lost with this chance. 0: none. ValueError outside
        0 to 100."""
        if not 0 <= percent <= 100:
            raise ValueError(f"a loss of {percent} percent is outside 0 to 100")
        for name in names or self.addresses:
            self._loss[name] = percent
            self._rules(name)

    def partition(self, *groups: Sequence[str]) -> None:
        """Only members of the same group hear each other; one that is in no group hears nobody."""
        for name in self.addresses:
            mine = next((set(group) for group in groups if name in group), {name})
            self._deaf[name] = set(self.addresses) - mine
            self._rules(name)

    def deafen(self, name: str, to: Sequence[str]) -> None:
        """`name` no longer receives from these; they still receive from it: a one-way partition."""
        self._deaf[name] = set(to)
        self._rules(name)

    def heal(self) -> None:
        """Everybody hears everybody again; loss and rates stay."""
        for name, deaf in self._deaf.items():
            if deaf:
                self._deaf[name] = set()
                self._rules(name)

    def rate(self, kbit_per_s: int | None, names: Sequence[str] = ()) -> None:
        """What each of these (default: all) may send, all together; None: as much as it can."""
        for name in names or self.addresses:
            with self.inside(name):
                if kbit_per_s is None:
                    subprocess.run(["tc", "qdisc", "del", "dev", DEVICE, "root"], capture_output=True, check=False)
                else:
                    # a bucket holds what flows between two ticks of the kernel's clock, or the rate is never reached
                    burst = max(32, kbit_per_s // 50)
                    shape = f"root tbf rate {kbit_per_s}kbit burst {burst}kbit latency 400ms"
                    run_tool(["tc", "qdisc", "replace", "dev", DEVICE, *shape.split()])

    def _rules(self, name: str) -> None:
        lost = round(self._loss.get(name, 0) * THOUSAND / 100)
        chance = f"numgen random mod {THOUSAND} < {lost}" if lost < THOUSAND else ""
        loss = f"{chance} counter drop" if lost else ""
        rules = "table inet tocsin\ndelete table inet tocsin\n" + TABLE.format(loss=loss)
        if deaf := sorted(self.addresses[one] for one in self._deaf.get(name, ())):
            rules += f"add element inet tocsin deaf {{ {', '.join(deaf)} }}\n"
        with self.inside(name):
            run_tool(["nft", "-f", "-"], rules)

    def _close(self) -> None:
        for file in self._files.values():
            with suppress(OSError):
                os.close(file)
        self._files.clear()


def run_tool(command: list[str], text: str = "") -> None:
    """NoNamespaces with what it said where it fails."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoNamespaces(f"{' '.join(command)}: {' '.join((done.stderr or done.stdout).split())[:300]}")


def refusal() -> str:
    """ "" where namespaces, the packet filter and the shaper work here; else why not, in one line."""
    if sys.platform != "linux":
        return f"network namespaces are Linux's, this is {sys.platform}"
    missing = [f"{tool} (Debian package {package})" for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        return f"network namespaces need {', '.join(missing)}"
    try:
        with bridge(("a", "b")) as two:
            two.drop(1)
            two.partition(("a",), ("b",))
            two.rate(1000)
    except NoNamespaces as error:
        return str(error)
    return ""


@contextmanager
def unwired(names: Sequence[str]) -> Iterator[Bridge]:
    """One namespace for each name and one without a name, none with a device yet; for `bridge` and other wires."""
    if not 0 < len(names) <= MEMBERS_MOST:
        raise ValueError(f"{len(names)} namespaces are outside 1 to {MEMBERS_MOST}")
    made = Bridge({name: f"{NET}.0.{number + 1}" for number, name in enumerate(names)}, {})
    try:
        try:
            for name in ("", *names):
                made._files[name] = _fresh()
        except OSError as error:
            why = f"network namespaces are not allowed here ({error.strerror})"
            raise NoNamespaces(f"{why}: run as root, or put `unshare -rn` in front") from None
        yield made
    finally:
        made._close()


@contextmanager
def bridge(names: Sequence[str]) -> Iterator[Bridge]:
    """One namespace for each name, all on one bridge. Raises NoNamespaces. End what runs in them before leaving."""
    with unwired(names) as made:
        _wire(made)
        yield made


def _wire(made: Bridge) -> None:
    """The bridge lies in a namespace without a name; from it one cable goes to each member."""
    with made.inside(""):
        lines = ["link set lo up", "link add hub type bridge", "link set hub up"]
        for number, name in enumerate(made.addresses):
            lines.append(f"link add c{number} type veth peer name {DEVICE} netns {made.path(name)}")
            lines.append(f"link set c{number} master hub up")
        run_tool(["ip", "-batch", "-"], "\n".join(lines) + "\n")
    for name, address in made.addresses.items():
        with made.inside(name):
            lines = ["link set lo up", f"address add {address}/16 dev {DEVICE}", f"link set {DEVICE} up"]
            run_tool(["ip", "-batch", "-"], "\n".join(lines) + "\n")
