"""What a released version wrote is read for ever: its frames, its journal, its files. Nothing here asks the clock."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from governance import card, charter
from node import mark, records
from node.records import pack_record, unpack_record
from node.store import Store
from protocol.envelope import parse_entry
from protocol.frames import EpochCertificates, Frame, WantEpochs, pack_frame, parse_frame
from protocol.quorum import check_certificate, parse_certificate
from tests.integration.versions.kept import RELEASES, Release
from tests.integration.versions.make import KEEPER, LISTENER, made_of, manifest

FOREVER = ["first_release"]
"""Every release that was ever kept. A name is added, never taken away."""


@pytest.fixture(params=FOREVER)
def kept(request: pytest.FixtureRequest) -> Release:
    return next(Release(path) for path in RELEASES if path.name == request.param)


def test_every_release_that_was_kept_is_here() -> None:
    assert [path.name for path in RELEASES] == FOREVER


def test_no_byte_of_it_has_changed(kept: Release) -> None:
    assert manifest(kept.folder) == (kept.folder / "manifest.sha256").read_text()


SINCE = {WantEpochs, EpochCertificates}
"""Frames that it did not have."""


def test_its_frames_mean_what_they_meant(kept: Release) -> None:
    raws = [*kept.read("frames.cbor"), *(row[3] for row in kept.read("wire.cbor"))]
    frames = [parse_frame(raw) for raw in raws]
    assert {type(one) for one in frames} == set(Frame.__args__) - SINCE
    assert [pack_frame(one) for one in frames] == raws


def test_whoever_hears_it_again_comes_to_the_same(kept: Release) -> None:
    machine, refused = kept.heard_again(LISTENER)
    assert refused == []
    made, wanted = made_of(machine.state), kept.told["kept"]
    own = f"{LISTENER}/0"
    assert {key: head for key, head in made["feeds"].items() if key != own} == wanted["feeds"]
    for what in ("certificates", "opinions", "keysets", "equivocations", "point_ms"):
        assert made[what] == wanted[what], what


def test_its_records_are_todays(kept: Release) -> None:
    rows = [*kept.read("records.cbor"), *kept.read("spare.cbor")]
    read = [unpack_record(*row) for row in rows]
    assert [list(pack_record(one)) for one in read] == rows
    first = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}
    assert {row[0] for row in rows} == first


def test_a_node_of_today_goes_on_with_its_journal(kept: Release) -> None:
    machine = kept.machine(KEEPER)
    machine.recover(kept.records())
    assert made_of(machine.state) == kept.told["kept"]
    own = [one for one in kept.records() if isinstance(one, records.EntryAccepted) and one.own]
    assert machine.state.own_head()[0] == len(own) - 1


def test_its_store_and_its_mark_open_and_agree(kept: Release, tmp_path: Path) -> None:
    for name in ("store.sqlite", "mark.cbor"):
        shutil.copy(kept.folder / "node" / name, tmp_path / name)
    read = mark.read(tmp_path / "mark.cbor")
    store = Store.open(tmp_path / "store.sqlite")
    try:
        founded = charter.parse((kept.folder / "node" / "charter.toml").read_text())
        assert store.network() == founded.network
        journal = [unpack_record(row.kind, row.version, row.body) for _, row in store.records()]
        assert journal
        own = [
            parse_entry(one.raw, founded.network)
            for one in journal
            if isinstance(one, records.EntryAccepted) and one.own
        ]
        author = own[-1].entry.author
        assert author == store.member()
        assert read is not None and read.seq == own[-1].entry.seq
        served = store.entries(author, own[0].entry.key_version, 0, 100, 1 << 20)
        assert served == [one.raw for one in own]
    finally:
        store.close()


def test_its_charter_and_certificate_prove_what_they_proved(kept: Release) -> None:
    epoch = charter.parse((kept.folder / "node" / "charter.toml").read_text()).epoch0()
    raw = (kept.folder / "node" / "isolate.cert").read_bytes()
    proven = check_certificate(parse_certificate(raw), raw, epoch, lambda member, version: None)
    assert proven.certificate.level.name == "ISOLATE"
    assert sorted(proven.groups) == ["issuer", "lender-a", "lender-b"]
    its = card.parse_card((kept.folder / "node" / "card.toml").read_text())
    assert its.governance == epoch.by_name[its.name].governance_key
