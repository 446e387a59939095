"""An exported certificate, read and checked without a node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from node.commands.common import CommandError
from protocol.errors import ProtocolError
from protocol.limits import CERTIFICATE_BYTES_MAX
from protocol.membership import Epoch
from protocol.quorum import CheckedCertificate, KeySetLookup, check_certificate, parse_certificate


def read_certificate(file: Path, epochs: Sequence[Epoch], keysets: KeySetLookup, where: Path) -> CheckedCertificate:
    """What `tocsin alert show --export` wrote, of one of these epochs, which `where` tells of. CommandError where it
    cannot be read or proves nothing."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(CERTIFICATE_BYTES_MAX + 1)
    except OSError as error:
        raise CommandError(f"cannot be read: {error.strerror}", str(file), "check path and rights") from None
    try:
        certificate = parse_certificate(raw)
        epoch = next((one for one in epochs if one.hash == certificate.epoch), epochs[-1])
        return check_certificate(certificate, raw, epoch, keysets)
    except ProtocolError as error:
        do = f"is {where} of its network? A chain of epochs is checked with --from HASH"
        raise CommandError(f"proves nothing: {error}", str(file), do) from None
