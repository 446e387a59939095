"""What the commands of members and votes share: the cold key, files of sealed statements, the node that says them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from node.commands.common import CommandError, connect, load_config, usage

if TYPE_CHECKING:
    from protocol.crypto import Signer
    from protocol.ids import EpochHash, MemberName, NetworkId

STATEMENT_FILE_BYTES_MAX = 16 * 1024
GovernanceKey = Annotated[Path | None, Parameter(help="Where the cold key lies; beside node.toml where absent.")]
Charter = Annotated[Path | None, Parameter(help="The network's charter, where no node is at hand.")]
OutFile = Annotated[Path | None, Parameter(help="Write the sealed statement there instead of handing it to the node.")]


@dataclass(frozen=True)
class Place:
    """Where a statement is made: whose network, which epoch is in force, who speaks."""

    network: NetworkId
    epoch: EpochHash
    member: MemberName


def here(config: Path, charter: Path | None = None, epoch: str = "", member: str = "") -> Place:
    """From the running node; with `charter` from files and what is said, so that it works where no network is."""
    from protocol.ids import EpochHash, MemberName, NetworkId

    if charter is None:
        with connect(config) as control:
            facts = control.network()
        name = member or str(facts["member"])
        return Place(
            NetworkId(bytes.fromhex(facts["network"])),
            EpochHash(bytes.fromhex(facts["epoch"]["hash"])),
            MemberName(name),
        )
    from node.commands.founding import read_charter

    founding = read_charter(charter)
    if not member:
        raise usage("nobody is named who speaks", "add --member NAME")
    hash_ = EpochHash(a_hash(epoch, "--epoch")) if epoch else founding.epoch0().hash
    return Place(founding.network, hash_, MemberName(member))


def a_hash(written: str, what: str, shown: str = "`tocsin network show`") -> bytes:
    try:
        raw = bytes.fromhex(written.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise usage(f"{what} is no hash of 32 bytes in hexadecimal", f"copy it whole, as {shown} prints it")
    return raw


def cold_signer(governance_key: Path | None, config: Path) -> Signer:
    """KeyFault where it is not there, not private or another key."""
    from node import keys
    from node.commands.home import GOVERNANCE_NAME

    path = governance_key or load_config(config).path.parent / GOVERNANCE_NAME
    return keys.load_signer(path, keys.Purpose.GOVERNANCE)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def hand_over(sealed: bytes, out: Path | None, config: Path) -> dict[str, Any]:
    """To a file, or to the own node, which checks it and says it to all members."""
    if out is not None:
        write_sealed(out, sealed)
        return {"wrote": str(out)}
    with connect(config) as control:
        return control.publish(sealed)


def write_sealed(path: Path, sealed: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(sealed)
    except FileExistsError:
        raise CommandError(
            "exists and is not overwritten", str(path), "name another file or move this one away"
        ) from None
    except OSError as error:
        raise CommandError(f"cannot be written: {error.strerror}", str(path), "check path and rights") from None


def read_sealed(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(STATEMENT_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise CommandError(f"cannot be read: {error.strerror}", str(path), "check path and rights") from None
    if not raw or len(raw) > STATEMENT_FILE_BYTES_MAX:
        raise CommandError("is no sealed statement", str(path), "name a file that `tocsin vote sign` or another wrote")
    return raw
