"""What is to be sealed, as it travels to the machine where the governance key lies. Nothing in it is secret."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from governance.faults import FileFault, FileFaults
from governance.reading import TableReader, read_toml
from governance.writing import Scalar, lines_of
from protocol.crypto import is_sound_key
from protocol.ids import MemberName, NetworkId, PublicKey
from protocol.limits import KEYSET_TERM_MS_MAX, KEYSETS_PER_MEMBER_MAX, LABEL_CHARS_MAX, TRANSPORT_KEYS_MAX
from protocol.messages import KeySet

VERSION_MAX = KEYSETS_PER_MEMBER_MAX * 1_000_000
_HEAD = """\
# Tocsin: hot keys to be delegated. Public. Where the governance key lies, without a network:
#   tocsin key sign THIS_FILE --governance-key governance.key
"""


@dataclass(frozen=True)
class KeySetRequest:
    """`governance`: the key that is to seal it. `held`: the member's versions known where it was made."""

    network: NetworkId
    governance: PublicKey
    held: tuple[int, ...]
    keyset: KeySet


class RequestFaults(FileFaults):
    """A request that cannot be used."""


def write_request(request: KeySetRequest) -> str:
    keyset = request.keyset
    fields: dict[str, Scalar] = {
        "keyset_request": 1,
        "network": request.network.hex(),
        "member": keyset.member,
        "governance": request.governance.hex(),
        "held": [str(one) for one in request.held],
        "version": keyset.version,
        "attestation": keyset.attestation.hex(),
        "transport": keyset.transport,
        "expires_ms": keyset.expires_ms,
    }
    if keyset.evm is not None:
        fields["evm"] = "0x" + keyset.evm.hex()
    return _HEAD + lines_of(fields)


def parse_request(text: str) -> KeySetRequest:
    """RequestFaults with every fault of the file."""
    document, faults = read_toml(text)
    if not faults:
        request = _read(TableReader(document, "", faults))
    if faults:
        raise RequestFaults(faults)
    return request


def _read(reader: TableReader) -> KeySetRequest:
    if reader.unsigned("keyset_request", 1) not in (0, 1):
        reader.fault("keyset_request", "is of a version unknown here", "use a newer tocsin")
    held = reader.texts("held", "1", KEYSETS_PER_MEMBER_MAX)
    if not all(one.isascii() and one.isdigit() and len(one) <= 8 for one in held):
        reader.fault("held", "holds what is no version", 'write it like ["1", "2"]')
        held = ()
    request = KeySetRequest(
        network=NetworkId(reader.raw("network", 32, 32)),
        governance=PublicKey(reader.raw("governance", 32, 32)),
        held=tuple(int(one) for one in held),
        keyset=KeySet(
            member=MemberName(reader.name("member")),
            version=reader.unsigned("version", 2, VERSION_MAX),
            attestation=PublicKey(reader.raw("attestation", 32, 32)),
            evm=reader.raw("evm", 20, 20) if reader.has("evm") else None,
            transport=reader.texts("transport", "12D3KooW…", TRANSPORT_KEYS_MAX),
            expires_ms=reader.unsigned("expires_ms", 1_800_000_000_000),
        ),
    )
    if not all(8 <= len(one) <= LABEL_CHARS_MAX for one in request.keyset.transport):
        reader.fault("transport", "holds what is no peer id", 'write it like ["12D3KooW…"]')
    reader.done()
    return request


def faults_of(request: KeySetRequest, now_ms: int) -> list[FileFault]:
    """Why this KeySet would not be taken, or would do harm: asked before anything is sealed."""
    keyset, held = request.keyset, set(request.held)
    found = list(_version_faults(keyset.version, held))
    if not is_sound_key(keyset.attestation):
        cure = "make a fresh key: tocsin key rotate"
        found.append(FileFault("is no point of the prime-order group", "attestation", cure))
    if keyset.attestation == request.governance:
        cure = "keys are apart: make a fresh one with tocsin key rotate"
        found.append(FileFault("is the governance key itself", "attestation", cure))
    if keyset.expires_ms <= now_ms:
        found.append(FileFault("lies in the past", "expires_ms", "choose a longer --term, or set this clock"))
    elif keyset.expires_ms - now_ms > KEYSET_TERM_MS_MAX:
        found.append(FileFault("is over a year ahead", "expires_ms", "choose a shorter --term, or set this clock"))
    return found


def _version_faults(version: int, held: set[int]) -> Iterable[FileFault]:
    newest = max(held, default=0)
    if version in held:
        what = f"{version} is delegated already: of two KeySets of one version the lower hash holds, an equivocation"
        yield FileFault(what, "version", f"seal {newest + 1}")
    elif version < newest:
        yield FileFault(f"{version} would change nothing: {newest} is in force", "version", f"seal {newest + 1}")
    elif version > VERSION_MAX:
        yield FileFault(f"{version} is above {VERSION_MAX}", "version", f"seal {newest + 1}")
    if version not in held and len(held) >= KEYSETS_PER_MEMBER_MAX:
        what = f"{len(held)} versions are delegated in this epoch, and nodes take no more"
        yield FileFault(what, "version", "a change of epoch gives room again")
