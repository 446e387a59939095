from __future__ import annotations

from pathlib import Path

import pytest

from node.config import ConfigFaults, NodeConfig, load

WHOLE = """\
node = 1
member = "lender-a"
charter = "charter.toml"
data_dir = "data"
policy = "policy.toml"
listen = "/ip4/127.0.0.1/tcp/4001"
control = "control.sock"
log = "node.log"
[[peer]]
member = "issuer"
addrs = ["/ip4/127.0.0.1/tcp/4002"]
[[connection]]
id = "lender-a-home"
chain = "eip155:1"
url = "http://user:hunter2@127.0.0.1:8545/v3/s3cret-token"
[target.lending]
kind = "evm.lending"
address = "0x00"
[sensor.release]
kind = "evm.release_without_burn"
[clock]
skew_max_ms = 20000
"""


def read(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> NodeConfig:
    path = tmp_path / "node.toml"
    path.write_text(text)
    return load(path, environ or {})


def faults_of(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        read(tmp_path, text, environ)
    return [str(fault) for fault in caught.value.faults]


def test_a_whole_file_is_read_with_paths_beside_it(tmp_path: Path) -> None:
    config = read(tmp_path, WHOLE)
    assert config.charter == tmp_path / "charter.toml"
    assert config.control == tmp_path / "data" / "control.sock"
    assert config.store == tmp_path / "data" / "store.sqlite"
    assert config.log == tmp_path / "node.log"
    assert config.peers[0].addrs == ["/ip4/127.0.0.1/tcp/4002"]
    assert config.targets["lending"]["kind"] == "evm.lending"
    assert config.clock.skew_max_ms == 20_000


def test_little_is_needed(tmp_path: Path) -> None:
    config = read(tmp_path, 'node = 1\nmember = "a"\nlisten = "/ip4/0.0.0.0/tcp/0"\n')
    assert (config.policy, config.log, config.clock.skew_max_ms) == (None, None, 30_000)


def test_a_connection_shows_its_host_and_never_its_token(tmp_path: Path) -> None:
    config = read(tmp_path, WHOLE)
    assert config.connections[0].shown_url == "http://127.0.0.1:8545"
    assert "s3cret" not in repr(config)
    assert "hunter2" not in repr(config)


def test_all_faults_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    text = (
        WHOLE.replace('"lender-a"', '"Lender A"')
        .replace("skew_max_ms", "skew_max")
        .replace("/tcp/4001", "/udp/4001")
        .replace('chain = "eip155:1"', 'chian = "eip155:1"')
        .replace('policy = "policy.toml"', 'polcy = "policy.toml"')
    )
    faults = faults_of(tmp_path, text, {"TOCSIN_LISTN": "x"})
    for says in (
        "member: 'Lender A' is no name; use 1 to 32",
        "clock.skew_max: is an unknown key; did you mean 'skew_max_ms'?",
        "listen: '/ip4/127.0.0.1/udp/4001' is no TCP multiaddr; write it like",
        "connection[0].chian: is an unknown key; did you mean 'chain'?",
        'connection[0].chain: is missing; add chain = "eip155:1"',
        "polcy: is an unknown key; did you mean 'policy'?",
        "TOCSIN_LISTN: is an environment variable that fits no key; did you mean 'listen'?",
    ):
        assert any(says in fault for fault in faults), (says, faults)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("node = 1", "node = 2", "node: input should be less than or equal to 1"),
        ("node = 1", 'node = "1"', "node: input should be a valid integer"),
        ("/tcp/4001", "/tcp/70000", "is no TCP multiaddr"),
        ("skew_max_ms = 20000", "skew_max_ms = 60000", "clock.skew_max_ms: input should be less than"),
        ('"http://user', '"ftp://user', "connection[0].url: is no http(s)"),
        ('member = "issuer"', 'member = "lender-a"', "peer: lender-a is this node itself"),
        ('"control.sock"', f'"{"x" * 120}"', "a Unix socket's path has at most 107"),
        ("[clock]", "[canary]\nevery_s = 5\n[clock]", "canary.every_s: 5 is too often; write 10 or more seconds"),
        ("[clock]", "[[clock]]", "clock: input should be a valid dictionary"),
        ('addrs = ["/ip4/127.0.0.1/tcp/4002"]', "addrs = []", "peer[0].addrs: list should have at least 1"),
        ("node = 1", "node = ", "not TOML"),
        ('data_dir = "data"', 'data_dir = ""', "data_dir: is no path"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in WHOLE
    faults = faults_of(tmp_path, WHOLE.replace(old, new, 1))
    assert any(says in fault for fault in faults), faults


def test_no_fault_shows_an_access_token(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, WHOLE.replace("http://user", "htp://user"))
    assert "s3cret" not in str(faults)


@pytest.mark.parametrize("key", ["peer", "connection"])
def test_one_name_twice_is_a_fault(tmp_path: Path, key: str) -> None:
    start = WHOLE.index(f"[[{key}]]")
    row = WHOLE[start : WHOLE.index("[", start + 12 if key == "connection" else WHOLE.index("tcp/4002") + 10)]
    assert any("stands 2 times" in fault for fault in faults_of(tmp_path, WHOLE + row))


def test_a_missing_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults, match="tocsin init"):
        load(tmp_path / "nowhere.toml", {})


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"\x00", b"[" * 20_000, b"x" * 2_000_000])
def test_garbage_is_faults_and_never_another_exception(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "node.toml"
    path.write_bytes(raw)
    with pytest.raises(ConfigFaults):
        load(path, {})


def test_the_environment_stands_over_the_file(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        WHOLE,
        {
            "TOCSIN_LISTEN": "/ip4/10.0.0.1/tcp/9",
            "TOCSIN_CLOCK__SKEW_MAX_MS": "500",
            "TOCSIN_CANARY__EVERY_S": "0",
            "TOCSIN_CONNECTION__LENDER_A_HOME__URL": "https://rpc.example/another",
            "TOCSIN_TARGET__LENDING__POLL_MS": "250",
            "OTHER": "left alone",
        },
    )
    assert config.listen == "/ip4/10.0.0.1/tcp/9"
    assert config.clock.skew_max_ms == 500
    assert config.canary.every_s == 0
    assert config.connections[0].shown_url == "https://rpc.example"
    assert config.targets["lending"]["poll_ms"] == 250


@pytest.mark.parametrize(
    "variable",
    [
        "TOCSIN_CLOK__SKEW_MAX_MS",
        "TOCSIN_CLOCK__SKEW",
        "TOCSIN_CONNECTION__NOBODY__URL",
        "TOCSIN_TARGET__X__Y",
        "TOCSIN_",
    ],
)
def test_a_misspelt_variable_is_refused(tmp_path: Path, variable: str) -> None:
    assert any(variable in fault for fault in faults_of(tmp_path, WHOLE, {variable: "1"}))


EYE = "12D3KooWGjH27LzQpZLZpNMGdyEDPjnSCo4YhkQFGsLLShAYgMfR"
WATCHED = WHOLE + f'[[observer]]\nname = "exchange-x"\npeer_id = "{EYE}"\ntlp = "CLEAR"\n'


def test_observers_are_listed_with_a_ceiling(tmp_path: Path) -> None:
    (one,) = read(tmp_path, WATCHED).observers
    assert (one.name, one.peer_id, one.ceiling.name) == ("exchange-x", EYE, "CLEAR")
    (other,) = read(tmp_path, WATCHED.replace('tlp = "CLEAR"\n', "")).observers
    assert other.ceiling.name == "GREEN"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"CLEAR"', '"AMBER"', "observer[0].tlp: 'AMBER' is no ceiling; write CLEAR or GREEN"),
        (EYE, EYE[:-1], "is no Ed25519 peer id; write the 12D3KooW"),
        (EYE, "Q" + EYE[1:], "is no Ed25519 peer id"),
        (EYE, EYE[:-1] + "0", "is no Ed25519 peer id"),
        (EYE, "1" + "z" * 51, "is no Ed25519 peer id"),
        ("name = ", "nmae = ", "observer[0].nmae: is an unknown key"),
    ],
)
def test_a_wrong_observer_is_said_with_its_cure(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert any(says in fault for fault in faults_of(tmp_path, WATCHED.replace(old, new)))


def test_an_observer_stands_once(tmp_path: Path) -> None:
    twice = WATCHED + f'[[observer]]\nname = "exchange-x"\npeer_id = "{EYE}"\n'
    faults = faults_of(tmp_path, twice)
    assert any("exchange-x stands 2 times" in one for one in faults)
    assert any(f"{EYE} stands 2 times" in one for one in faults)


def test_a_node_behind_nat_listens_nowhere(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE.replace('"/ip4/127.0.0.1/tcp/4001"', '"none"', 1)).listen is None


def test_metrics_stay_on_this_machine_unless_more_is_meant(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE).metrics.listen is None
    near = read(tmp_path, WHOLE + '[metrics]\nlisten = "[::1]:9464"\n')
    assert near.metrics.listen == "[::1]:9464"
    far = WHOLE + '[metrics]\nlisten = "0.0.0.0:9464"\n'
    with pytest.raises(ConfigFaults) as seen:
        read(tmp_path, far)
    (fault,) = seen.value.faults
    assert fault.where == "metrics.listen" and "beyond_this_machine = true" in fault.cure
    assert read(tmp_path, far + "beyond_this_machine = true\n").metrics.listen == "0.0.0.0:9464"


@pytest.mark.parametrize("listen", ["9464", "localhost:9464", "127.0.0.1:0", "127.0.0.1:70000", "1.2.3:1", "[::1:9464"])
def test_where_metrics_are_shown_is_an_address_with_a_port(tmp_path: Path, listen: str) -> None:
    with pytest.raises(ConfigFaults) as seen:
        read(tmp_path, WHOLE + f'[metrics]\nlisten = "{listen}"\n')
    assert [one.where for one in seen.value.faults] == ["metrics.listen"]
