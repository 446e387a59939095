"""node.toml as frozen models: form only, strict, no unknown keys. Paths stay texts; `node.config` resolves them."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from adapters.catalog import RELAY_PUBLIC_AFTER_S, RELAY_PUBLIC_AFTER_S_MAX
from node.config_identity import is_peer_id
from protocol.errors import ProtocolError
from protocol.limits import LABEL_CHARS_MAX, MEMBERS_MAX, NAME_CHARS_MAX, SKEW_MS_MAX
from protocol.messages import NAME_ALPHABET, Tlp
from protocol.subjects import Kind, from_text

_LISTEN = re.compile(
    r"/(ip4|ip6|dns|dns4|dns6)/(?P<host>[^/\s]{1,253})/tcp/(?P<port>\d{1,5})(/p2p/[A-Za-z0-9]{8,64})?\Z"
)
_URL = re.compile(r"(https?|wss?)://[^\s/?#]+\S*\Z")
NOWHERE = "none"
"""As `listen`: nobody can dial this node, behind NAT for example; it dials the others."""
CONNECTIONS_MAX = 64
RELAYS_MAX = 16
OBSERVERS_MAX = 64
ADDRESSES_MAX = 8
HOSTS_MAX = 8
CANARY_S_LEAST, CANARY_S_MOST = 10, 3_600


def _name(value: str) -> str:
    if not 1 <= len(value) <= NAME_CHARS_MAX or not set(value) <= set(NAME_ALPHABET):
        raise ValueError(f"{value!r} is no name: use 1 to {NAME_CHARS_MAX} characters of a-z, 0-9 and -")
    return value


def _multiaddr(value: str) -> str:
    split_multiaddr(value)
    return value


def _listen(value: str) -> str:
    return value if value == NOWHERE else _multiaddr(value)


def _peer_id(value: str) -> str:
    if not is_peer_id(value):
        raise ValueError(f"{value!r} is no Ed25519 peer id: write the 12D3KooW… that the peer's owner told you")
    return value


def _ceiling(value: str) -> str:
    if value not in CEILINGS:
        raise ValueError(f"{value!r} is no ceiling: write CLEAR or GREEN; AMBER and RED stay among members")
    return value


def split_multiaddr(value: str) -> tuple[str, int]:
    """(host, port) of `/ip4/127.0.0.1/tcp/4001`; ValueError with an example for anything else."""
    found = _LISTEN.match(value)
    if found is None or int(found["port"]) > 65_535:
        raise ValueError(f'{value!r} is no TCP multiaddr: write it like "/ip4/127.0.0.1/tcp/4001"')
    return found["host"], int(found["port"])


def _chain(value: str) -> str:
    try:
        subject = from_text(value)
    except ProtocolError:
        subject = None
    if subject is None or subject.kind is not Kind.CHAIN:
        raise ValueError(f'{value!r} is no chain: write a CAIP-2 name like "eip155:1"')
    return value


def _url(value: str) -> str:
    # the value itself may hold an access token: never in a message
    if _URL.match(value) is None:
        raise ValueError('is no http(s) or ws(s) address: write it like "http://127.0.0.1:8545"')
    return value


def _path(value: str) -> str:
    if not value or "\x00" in value:
        raise ValueError("is no path")
    return value


Name = Annotated[str, AfterValidator(_name)]
CEILINGS = {"CLEAR": Tlp.CLEAR, "GREEN": Tlp.GREEN}
OWN_CEILINGS = {"AMBER": Tlp.AMBER, "AMBER+STRICT": Tlp.AMBER_STRICT, "RED": Tlp.RED}
"""Of what is told to the owner's own systems: what a node says of itself is AMBER at least."""
Listen = Annotated[str, AfterValidator(_listen)]
PeerId = Annotated[str, AfterValidator(_peer_id)]
Ceiling = Annotated[str, AfterValidator(_ceiling)]
Multiaddr = Annotated[str, AfterValidator(_multiaddr)]
Chain = Annotated[str, AfterValidator(_chain)]
PathText = Annotated[str, AfterValidator(_path)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class PeerConfig(_Frozen):
    """Where another member listens, where this differs from the charter's contact."""

    member: Name
    addrs: Annotated[list[Multiaddr], Field(min_length=1, max_length=ADDRESSES_MAX)]


def _shown(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host = re.split(r"[/?#]", rest)[0].rpartition("@")[2]
    return f"{scheme}://{host}"


class ConnectionConfig(_Frozen):
    """One chain endpoint; `id` is the source's id in the charter's register. The url may hold an access token."""

    id: Annotated[str, Field(min_length=1, max_length=LABEL_CHARS_MAX)]
    chain: Chain
    url: Annotated[str, Field(repr=False), AfterValidator(_url)]

    @property
    def shown_url(self) -> str:
        """Scheme and host: what may be printed and logged."""
        return _shown(self.url)


def _private_url(value: str, what: str, example: str, shows: str) -> str:
    """Encrypted, or never on a wire. The value is never in a message: it may hold what is secret."""
    try:
        parts = urlsplit(value)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or not re.fullmatch(r"[!-~]+", value):
        raise ValueError(f'is no address of a {what}: write it like "{example}"')
    if parts.scheme == "http" and not _is_here(parts.hostname or ""):
        raise ValueError(f"would {shows}: https://, or an address of this machine like 127.0.0.1")
    return value


def _relay_url(value: str) -> str:
    return _private_url(value, "relay", "https://rpc.flashbots.net/fast", "show transactions to the wire")


class RelayConfig(_Frozen):
    """Whom a chain's transactions are given in private; all [[relay]] of one chain are, and no connection. The url may
    hold an access token."""

    chain: Chain
    url: Annotated[str, Field(repr=False), AfterValidator(_relay_url)]
    public_after_s: Annotated[int, Field(ge=1, le=RELAY_PUBLIC_AFTER_S_MAX)] = RELAY_PUBLIC_AFTER_S
    """Seconds; what no block has by then is given to the connections too."""
    never_public: bool = False

    @property
    def shown_url(self) -> str:
        """Scheme and host: what may be printed and logged."""
        return _shown(self.url)


class ObserverConfig(_Frozen):
    """Who may connect and read certificates up to `tlp`, at a small rate; it signs nothing that counts."""

    name: Name
    peer_id: PeerId
    tlp: Ceiling = "GREEN"

    @property
    def ceiling(self) -> Tlp:
        return CEILINGS[self.tlp]


class ClockConfig(_Frozen):
    skew_max_ms: Annotated[int, Field(ge=100, le=SKEW_MS_MAX)] = SKEW_MS_MAX


def _every(value: int) -> int:
    if value and value < CANARY_S_LEAST:
        raise ValueError(f"{value} is too often: write {CANARY_S_LEAST} or more seconds, or 0 for never")
    return value


class CanaryConfig(_Frozen):
    """How often the node looks at its own way, sensor to lever; 0: never."""

    every_s: Annotated[int, Field(ge=0, le=CANARY_S_MOST), AfterValidator(_every)] = 300


def _endpoint(value: str) -> str:
    split_endpoint(value)
    return value


def split_endpoint(value: str) -> tuple[str, int]:
    """(address, port) of `127.0.0.1:8443` or `[::1]:8443`; ValueError for anything else: a name could be anybody's."""
    host, _, port = value.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(bare)
        sound = (
            port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535 and (address.version == 6) == (bare != host)
        )
    except ValueError:
        sound = False
    if not sound:
        raise ValueError(f'{value!r} is no address and port: write it like "127.0.0.1:8443"')
    return bare, int(port)


class MetricsConfig(_Frozen):
    """Where /v1/metrics, /v1/health and /v1/ready are shown beside the control socket; absent: nowhere. They name
    members, levers and exposures, so another address than this machine's own must be meant."""

    listen: Annotated[str, AfterValidator(_endpoint)] | None = None
    beyond_this_machine: bool = False


def _host(value: str) -> str:
    if re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", value) is None:
        raise ValueError(f'{value!r} is no host name: write it like "tocsin.example.org", without scheme and port')
    return value


class ConsoleConfig(_Frozen):
    """The console and the API over TCP. Off where it is absent; beyond loopback it needs a certificate."""

    listen: Annotated[str, AfterValidator(_endpoint)]
    cert: PathText | None = None
    key: PathText | None = None
    hosts: Annotated[list[Annotated[str, AfterValidator(_host)]], Field(max_length=HOSTS_MAX)] = []
    """Names that it goes by besides its address."""

    @property
    def endpoint(self) -> tuple[str, int]:
        return split_endpoint(self.listen)

    @property
    def loopback(self) -> bool:
        return ipaddress.ip_address(self.endpoint[0]).is_loopback

    @property
    def anywhere(self) -> bool:
        return ipaddress.ip_address(self.endpoint[0]).is_unspecified


def _collector(value: str) -> str:
    """What may be secret stands in headers_file."""
    example = "http://127.0.0.1:4318/v1/traces"
    parts = urlsplit(_private_url(value, "collector", example, "carry alarms in the clear"))
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("holds more than host, port and path: put what is secret into headers_file")
    return value


def _is_here(host: str) -> bool:
    """A name could be anybody's."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _own_ceiling(value: str) -> str:
    if value not in OWN_CEILINGS:
        raise ValueError(f"{value[:60]!r} is no ceiling: write one of {', '.join(OWN_CEILINGS)}")
    return value


class TracingConfig(_Frozen):
    """Where traces go (OTLP over HTTP); absent: nowhere. What is above `tlp` is told without subject, incident and
    claims."""

    endpoint: Annotated[str, Field(repr=False), AfterValidator(_collector)]
    headers_file: PathText | None = None
    """Below data_dir."""
    tlp: Annotated[str, AfterValidator(_own_ceiling)] = "AMBER"

    @property
    def ceiling(self) -> Tlp:
        return OWN_CEILINGS[self.tlp]


class NodeFile(_Frozen):
    node: Annotated[int, Field(ge=1, le=1)]
    member: Name
    charter: PathText = "charter.toml"
    data_dir: PathText = "data"
    policy: PathText | None = None
    listen: Listen
    control: PathText = "control.sock"
    log: PathText = "-"
    peer: Annotated[list[PeerConfig], Field(max_length=MEMBERS_MAX)] = []
    observer: Annotated[list[ObserverConfig], Field(max_length=OBSERVERS_MAX)] = []
    connection: Annotated[list[ConnectionConfig], Field(max_length=CONNECTIONS_MAX)] = []
    relay: Annotated[list[RelayConfig], Field(max_length=RELAYS_MAX)] = []
    target: dict[str, dict[str, Any]] = {}
    sensor: dict[str, dict[str, Any]] = {}
    sink: dict[str, dict[str, Any]] = {}
    clock: ClockConfig = ClockConfig()
    metrics: MetricsConfig = MetricsConfig()
    canary: CanaryConfig = CanaryConfig()
    console: ConsoleConfig | None = None
    tracing: TracingConfig | None = None


EXAMPLES = {
    "node": "node = 1",
    "member": 'member = "lender-a"',
    "listen": 'listen = "/ip4/127.0.0.1/tcp/4001"',
    "addrs": 'addrs = ["/ip4/127.0.0.1/tcp/4002"]',
    "name": 'name = "exchange-x"',
    "peer_id": 'peer_id = "12D3KooW…"',
    "id": 'id = "lender-a-home"',
    "chain": 'chain = "eip155:1"',
    "url": 'url = "http://127.0.0.1:8545"',
    "endpoint": 'endpoint = "http://127.0.0.1:4318/v1/traces"',
}
"""How a key that must be there is written."""
