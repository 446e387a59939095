"""`tocsin key lock | unlock | agent`: keys at rest under a passphrase, and who holds it while nobody is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from node.commands.common import NODE_TOML, OK, CommandError, ConfigFile, load_config, say
from node.commands.keying import key_app as key_app

Files = Annotated[list[Path] | None, Parameter(negative=(), consume_multiple=True)]


@key_app.command
def lock(*, file: Files = None, under: Path | None = None, config: ConfigFile = NODE_TOML) -> int:
    """Seal this node's key files under a passphrase: Argon2id and XChaCha20-Poly1305. The keys stay the same.

    Example: `TOCSIN_PASSPHRASE_FILE=/run/tocsin/agent.sock tocsin key lock`

    Parameters
    ----------
    file
        Key files; all of the node's own where absent.
    under
        A private file or agent's socket with the passphrase to seal under, where it is another than the one at hand.
    """
    from node import keys
    from node.passphrase import PassphraseFault, chosen

    paths = _paths(file, config)
    try:
        phrase = chosen(under)
    except PassphraseFault as fault:
        raise CommandError(str(fault)) from None
    for path in paths:
        keys.reseal(path, phrase)
        say(f"Sealed: {path}")
    say("", "From now on the node is started with TOCSIN_PASSPHRASE_FILE, which names the passphrase's private file or")
    say("the socket of `tocsin key agent`. Without the passphrase these keys are lost: keep it apart from the machine.")
    say("Old blocks of the disk may still hold them open: where that matters, rotate them (`tocsin key rotate`).")
    return OK


@key_app.command
def unlock(*, file: Files = None, config: ConfigFile = NODE_TOML) -> int:
    """Write this node's key files open again, for their rights alone to guard.

    Example: `TOCSIN_PASSPHRASE_FILE=passphrase tocsin key unlock`

    Parameters
    ----------
    file
        Key files; all of the node's own where absent.
    """
    from node import keys

    for path in _paths(file, config):
        say(f"Opened: {path}" if keys.reseal(path, None) else f"Was open: {path}")
    return OK


@key_app.command
def agent(socket: Path, /, *, config: ConfigFile = NODE_TOML) -> int:
    """Hold the passphrase in memory and give it to this user's processes, until interrupted. Asked for once.

    Example: `tocsin key agent /run/tocsin/agent.sock`

    Parameters
    ----------
    socket
        Where it is asked, 0600; TOCSIN_PASSPHRASE_FILE names it to the node and to commands.
    """
    import resource
    import signal
    import sys

    from node import keys
    from node.passphrase import PassphraseFault, passphrase, serve

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no dump may hold it
    try:
        phrase = passphrase()
        opened = [path for path in _paths(None, config) if keys.opens(path, phrase)]
    except PassphraseFault as fault:
        raise CommandError(str(fault)) from None
    if not opened:
        raise CommandError("no key here is sealed", do="seal them first: tocsin key lock")
    # whoever stops services says so this way: the socket goes too
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(OK))
    try:
        serve(socket, phrase, lambda: say(_held(len(opened), socket)))
    except OSError as error:
        raise CommandError(f"no socket can be made: {error.strerror}", str(socket), "name another") from None
    return OK


def _held(keys: int, socket: Path) -> str:
    started = f"TOCSIN_PASSPHRASE_FILE={socket.resolve()}"
    return f"Holding the passphrase of {keys} sealed keys. The node is started with {started}"


def _paths(file: list[Path] | None, config: Path) -> list[Path]:
    if file:
        return file
    folder = load_config(config).keys
    found = sorted(folder.glob("*.key")) if folder.is_dir() else []
    if not found:
        raise CommandError("no keys are here", str(folder), "run `tocsin init`, or name them with --file")
    return found
