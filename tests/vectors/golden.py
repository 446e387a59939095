"""The golden files that show what is refused, what counts and what founds a network. `tests/tidy/make_vectors.py`
writes them beside those of single messages."""

from __future__ import annotations

from typing import Any

from governance.genesis import Charter, Parameters, epoch0_hash, identity, signed
from protocol.codec import encode
from protocol.envelope import CHARTER_TAG
from protocol.membership import Bridge, OracleFeed
from protocol.subjects import oracle
from tests.tidy.make_vectors import ESCROW, FAR, FEED, HOME, NOW, TOKEN, TWIN, cold, epoch, keyset, plain, seed
from tests.vectors.alarms import alarms
from tests.vectors.counted import certificates_counted, certificates_counted_by_group
from tests.vectors.governed import governed
from tests.vectors.governed_epochs import epoch_certificates, refused_epoch_certificates, replayed
from tests.vectors.governed_voices import epoch_certificates_of_voices, refused_epoch_certificates_of_voices
from tests.vectors.refused_certificates import refused_certificates
from tests.vectors.refused_entries import refused_entries, refused_keysets
from tests.vectors.refused_others import (
    refused_arrivals,
    refused_claims,
    refused_formulas,
    refused_frames,
    refused_subjects,
)
from tests.vectors.verdicts import verdicts


def founded() -> Charter:
    base = epoch()
    parameters = Parameters(
        name="tocsin vectors",
        created_ms=NOW,
        sources=tuple(reversed(base.sources)),
        bridges=(Bridge(TOKEN, HOME, ESCROW, FAR, TWIN),),
        oracles=(OracleFeed(oracle(HOME, FEED), HOME, FEED, (b"\x02" * 20, b"\x01" * 20)),),
    )
    charter = Charter(parameters=parameters, members=tuple(reversed(base.members)))
    for member in base.members:
        charter = signed(charter, member.name, cold(member.name), keyset(member.name))
    return charter


def charter() -> dict[str, Any]:
    """The rows stand in another order than they are hashed in: the order of a file means nothing."""
    made = founded()
    told = plain(made.parameters) | {"members": plain(made.members)}
    return {
        "charter": told,
        "identity": encode(identity(made.parameters, made.members)).hex(),
        "network": made.network.hex(),
        "epoch": epoch0_hash(made.network).hex(),
        "domain_tag": CHARTER_TAG,
        "founders": {
            member.name: {
                "governance_seed": seed(member.name, "governance").hex(),
                "signature": made.founders[member.name].hex(),
            }
            for member in made.members
        },
        "keysets": {sealed.keyset.member: sealed.raw.hex() for sealed in made.keysets},
    }


def golden() -> dict[str, dict[str, Any]]:
    """File name without suffix → content."""
    return {
        "charter": charter(),
        "certificates-counted": certificates_counted(),
        "certificates-counted-by-group": certificates_counted_by_group(),
        "alarms": alarms(),
        "verdicts": verdicts(),
        "refused-entries": refused_entries(),
        "refused-keysets": refused_keysets(),
        "refused-certificates": refused_certificates(),
        "refused-frames": refused_frames(),
        "refused-claims": refused_claims(),
        "refused-subjects": refused_subjects(),
        "refused-formulas": refused_formulas(),
        "refused-arrivals": refused_arrivals(),
        **governed(),
        "epoch-certificates": epoch_certificates(),
        "refused-epoch-certificates": refused_epoch_certificates(),
        "epoch-certificates-of-voices": epoch_certificates_of_voices(),
        "refused-epoch-certificates-of-voices": refused_epoch_certificates_of_voices(),
        "refused-epoch-certificates-replayed": replayed(),
    }
