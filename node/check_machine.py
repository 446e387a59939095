"""Preflight of what a node stands on: the machine's clock and disk, and files that nobody else should read."""

from __future__ import annotations

import ssl
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from node import people
from node.check_types import Facts, Finding

FREE_BYTES_LEAST = 16 * 1024 * 1024
FREE_BYTES_WANTED = 256 * 1024 * 1024
SYNC_MS_MOST = 50.0
"""Each own word is durable twice before it leaves: above this the disk is what an alarm waits for."""


def _time(facts: Facts) -> Iterator[Finding]:
    kept = facts.probes.synchronised()
    if kept is None:
        yield Finding("time", None, "whether anything keeps this machine's clock cannot be told", "look: timedatectl")
    elif kept:
        yield Finding("time", True, "this machine's clock is kept")
    else:
        what = "nothing keeps this machine's clock: once it is too far off, this node signs nothing"
        yield Finding("time", None, what, "install chrony, or: systemctl enable --now systemd-timesyncd")


def _disk(facts: Facts) -> Iterator[Finding]:
    path = facts.config.data_dir
    free = facts.probes.free_bytes(path)
    if free is None:
        yield Finding(
            "disk", False, f"{path} cannot be looked at", "run `tocsin init`, or mend `data_dir` and its rights"
        )
        return
    cure = "make room there, or move data_dir to a larger disk while the node is down"
    if free < FREE_BYTES_WANTED:
        what = f"{path} has {free >> 20} MiB left: a full disk stops the node"
        yield Finding("disk", None if free >= FREE_BYTES_LEAST else False, what, cure)
    sync_ms = facts.probes.sync_ms(path)
    if sync_ms is None:
        yield Finding(
            "disk", False, f"nothing can be written into {path}", f"make it this user's own: chown, chmod 700 {path}"
        )
    elif sync_ms > SYNC_MS_MOST:
        what = f"a durable write into {path} takes {sync_ms:.0f} ms, and each word waits for two"
        yield Finding("disk", None, what, "put data_dir on a local SSD, not on a network's disk")
    elif free >= FREE_BYTES_WANTED:
        yield Finding("disk", True, f"{free >> 20} MiB left; a durable write takes {sync_ms:.1f} ms")


def _control(facts: Facts) -> Iterator[Finding]:
    path = facts.config.control
    try:
        mode = path.lstat().st_mode
    except OSError:
        mode = None
    if mode is not None and not stat.S_ISSOCK(mode):
        what = f"{path} is no socket: the node will not take its place"
        yield Finding("control", False, what, "move it away, or name another path in node.toml: control = …")
    elif not path.parent.is_dir():
        yield Finding("control", False, f"{path.parent} is not there", f"make it: mkdir -m 700 {path.parent}")


def _files(facts: Facts) -> Iterator[Finding]:
    config = facts.config
    tokens = any(one.url != one.shown_url for one in config.connections)
    held = [(config.path, "node.toml names addresses with access tokens", tokens)]
    if config.console is not None and config.console.key:
        held.append((Path(config.console.key), "the console's TLS key", True))
    for path, what, secret in held:
        if secret and _open_to_others(path, 0o077):
            yield Finding("files", None, f"{what}, and others can read it ({path})", f"chmod 600 {path}")
    if _open_to_others(config.data_dir, 0o022):
        what = f"others can write into {config.data_dir}: they could put an older store or mark there"
        yield Finding("files", False, what, f"chmod 700 {config.data_dir}")


def _open_to_others(path: Path, bits: int) -> bool:
    try:
        return bool(path.stat().st_mode & bits)
    except OSError:
        return False


def _console(facts: Facts) -> Iterator[Finding]:
    config = facts.config
    try:
        listed = people.read(config.people)
    except people.PeopleFault as error:
        yield Finding("console", False, f"nobody can sign in: {error}")
        return
    if config.console is None:
        return
    address, port = config.console.endpoint
    why = facts.probes.port(address, port) if facts.status is None else ""
    if why:
        cure = "stop what holds it, or change [console] listen in node.toml"
        yield Finding("console", False, f"{config.console.listen}: {why}", cure)
    if config.console.cert and config.console.key:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(config.console.cert, config.console.key)
        except (OSError, ssl.SSLError) as error:
            what = f"{config.console.cert} and {config.console.key} are no certificate and its key: {error}"
            yield Finding("console", False, what, "name the pair in [console] cert and key, both in PEM")
    if not listed:
        yield Finding(
            "console", None, "the console is on and nobody may sign in", "tocsin person add NAME --role viewer"
        )


MACHINE_CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (_time, _disk, _control, _files, _console)
