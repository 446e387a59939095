"""`tocsin verify`: certificates and chains of epochs, offline, trusting nobody."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from node.commands.common import OK, CommandError, Output, say, say_json, span, usage

if TYPE_CHECKING:
    from governance.charter import Charter
    from protocol.envelope import SealedKeySet
    from protocol.membership import Epoch
    from protocol.quorum import CheckedCertificate


def verify(
    file: Path,
    /,
    *,
    from_: Annotated[str, Parameter(name="--from")] = "",
    network: Path | None = None,
    charter: Path = Path("charter.toml"),
    output: Output = "human",
) -> int:
    """Check an exported certificate, or a whole chain of epochs, offline: no node, no network.

    Example: `tocsin verify network.cbor --from 9f2c…64 digits…`

    Example: `tocsin verify rseth.cert --network network.cbor --from 9f2c…64 digits…`

    Example: `tocsin verify rseth.cert --charter charter.toml`

    Parameters
    ----------
    file
        What `tocsin network export` or `tocsin alert show --export` wrote.
    from_
        The hash of an epoch that you trust, got another way than the file. The charter alone proves nothing once an
        epoch followed it: keys of members long gone could sign another history.
    network
        For a certificate: the chain that holds its epoch, with --from.
    charter
        For a certificate of a network that never changed: its charter.
    """
    from node.commands.certificates import read_certificate
    from node.commands.joining import verify_network
    from node.drill.mark import drill_of

    if from_ and network is None:
        return verify_network(file, from_, output)
    epochs, known, where, founding = _grounds(network, from_, charter)
    checked = read_certificate(file, epochs, lambda member, version: known.get((member, version)), where)
    if output == "json":
        say_json({**_facts(checked), "drill_of": drill_of(founding.parameters.name)})
    else:
        if drill_of(founding.parameters.name):
            say("EXERCISE, no alarm: this is a certificate of a drill network, and means nothing outside it.")
        say(*_lines(checked))
    return OK


Known = dict[tuple[str, int], "SealedKeySet"]


def _grounds(network: Path | None, from_: str, charter: Path) -> tuple[list[Epoch], Known, Path, Charter]:
    """The epochs that a certificate may be of, the KeySets at hand, where they are from, and the network's charter."""
    from governance.charter import parse
    from node.commands.founding import read_charter
    from node.commands.joining import read_network
    from node.commands.sealing import a_hash

    if network is None:
        if not charter.exists():
            do = "name it with --charter; a chain of epochs is checked with --from HASH"
            raise CommandError("no charter is here to hold the file against", str(charter), do)
        founding = read_charter(charter)
        known: Known = {(one.keyset.member, one.keyset.version): one for one in founding.keysets}
        return [founding.epoch0()], known, charter, founding
    if not from_:
        raise usage("a chain is trusted from an epoch's hash", "add --from HASH, got another way than the file")
    read = read_network(network, a_hash(from_, "--from"))
    return [link.epoch for link in read.verdict.links], {}, network, parse(read.chain.charter)


def _facts(checked: CheckedCertificate) -> dict[str, Any]:
    certificate = checked.certificate
    return {
        "ok": True,
        "digest": checked.digest.hex(),
        "level": certificate.level.name,
        "threat": _threat(certificate.threat),
        "subject": str(certificate.subject),
        "groups": list(checked.groups),
        "operators": sorted(checked.operators),
        "newest_issued_ms": checked.newest_issued_ms,
        "ends_ms": checked.ends_ms,
        "runs": checked.ends_ms > time.time() * 1000,
    }


def _threat(number: int) -> str:
    from protocol.messages import Threat

    return next((threat.word for threat in Threat if threat == number), f"threat {number}")


def _lines(checked: CheckedCertificate) -> list[str]:
    certificate, now_ms = checked.certificate, time.time() * 1000
    left_s = (checked.ends_ms - now_ms) / 1000
    ends = f"runs for {span(left_s)} more" if left_s > 0 else f"ended {span(-left_s)} ago"
    return [
        f"Holds: {certificate.level.name}, {_threat(certificate.threat)} on {certificate.subject}",
        f"  said by {len(checked.groups)} groups: {', '.join(checked.groups)}",
        f"  their sources are run by: {', '.join(sorted(checked.operators)) or 'nobody'}",
        f"  {ends}; digest {checked.digest.hex()}",
    ]
