"""May this key sign on top of this store? Every way in which the two can disagree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from node import mark
from node.mark import Mark, MarkError, Ruling
from protocol.ids import ZERO_HASH
from tests.unit.keys.feeds import KEY, NETWORK, OTHER_KEY, VERSION, check, feed, mark_after

FEED = feed(6)
TWIN = feed(6, network=type(NETWORK)(b"m" * 32))


def test_mark_and_store_agree() -> None:
    assert check(mark_after(FEED, 2), FEED[5]).ruling is Ruling.MAY_SIGN


def test_a_fresh_key_beside_an_empty_store_may_sign() -> None:
    assert check(mark.nothing_signed(KEY.public, VERSION), None, empty=True).ruling is Ruling.MAY_SIGN


def test_a_fresh_key_beside_a_restored_store_may_sign_its_own_new_feed() -> None:
    assert check(mark.nothing_signed(KEY.public, VERSION), None, empty=False).ruling is Ruling.MAY_SIGN


@pytest.mark.parametrize("carried", [1, 2, 6])
def test_a_crash_between_mark_and_store_is_healed_by_what_the_mark_carries(carried: int) -> None:
    head = FEED[5 - carried] if carried < 6 else None
    verdict = check(mark_after(FEED, carried), head, empty=head is None)
    assert verdict.ruling is Ruling.ADOPT
    assert verdict.raws == tuple(entry.raw for entry in FEED[-carried:])


def test_only_what_the_store_lacks_is_adopted() -> None:
    assert check(mark_after(FEED, 4), FEED[3]).raws == (FEED[4].raw, FEED[5].raw)


REFUSALS = {
    "no mark beside a store": (None, FEED[5], "no mark stands beside a store"),
    "no mark beside an empty store": (None, None, "no mark stands beside"),
    "the mark is unreadable": (MarkError("the mark is torn"), FEED[5], "the mark is torn"),
    "the store is ahead of the mark": (mark_after(FEED[:4], 1), FEED[5], "ahead of the mark"),
    "nothing signed, and yet there is a feed": (mark.nothing_signed(KEY.public, VERSION), FEED[0], "ahead of the mark"),
    "the store is further back than the mark carries": (mark_after(FEED, 2), FEED[2], "rolled back or lost"),
    "the store was deleted": (mark_after(FEED, 2), None, "has nothing of this key"),
    "the mark carries nothing": (replace(mark_after(FEED, 1), raws=()), FEED[4], "rolled back or lost"),
    "the mark names an entry that it does not carry": (
        replace(mark_after(FEED, 2), raws=(FEED[4].raw,)),
        FEED[3],
        "rolled back or lost",
    ),
    "another key": (replace(mark_after(FEED, 1), attestation=OTHER_KEY.public), FEED[5], "of another key"),
    "another version of the key": (replace(mark_after(FEED, 1), key_version=2), FEED[5], "of another key"),
    "two entries of one seq": (replace(mark_after(FEED, 1), hash=b"x" * 32), FEED[5], "different entries of seq 5"),
    "the carried entry does not follow the head": (
        mark_after(FEED, 1),
        feed(5, network=type(NETWORK)(b"m" * 32))[4],
        "does not follow",
    ),
    "the carried entry is of another network": (mark_after(TWIN, 1), TWIN[4], "does not hold"),
    "the carried entry is sealed by another key": (
        replace(mark_after(feed(6, signer=OTHER_KEY), 1), attestation=KEY.public),
        FEED[4],
        "does not hold",
    ),
    "the carried entry is garbage": (replace(mark_after(FEED, 1), raws=(b"\xff",)), FEED[4], "does not hold"),
}


@pytest.mark.parametrize("story", REFUSALS)
def test_the_node_signs_nothing_when(story: str) -> None:
    found, head, why = REFUSALS[story]
    verdict = check(found, head, empty=head is None)
    assert verdict.ruling is Ruling.REFUSE
    assert why in verdict.reason
    assert verdict.raws == ()


MARKS = {"nothing signed": mark.nothing_signed(KEY.public, VERSION), "three entries": mark_after(FEED, 3)}


@pytest.mark.parametrize("name", MARKS)
def test_a_mark_reads_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / mark.NAME
    mark.write(path, MARKS[name])
    assert mark.read(path) == MARKS[name]
    assert [file.name for file in tmp_path.iterdir()] == [mark.NAME]
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_mark_is_no_error(tmp_path: Path) -> None:
    assert mark.read(tmp_path / mark.NAME) is None


def test_any_changed_byte_of_a_mark_is_found(tmp_path: Path) -> None:
    path = tmp_path / mark.NAME
    mark.write(path, mark_after(FEED, 1))
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(MarkError, match="torn or was changed"):
            mark.read(path)


@pytest.mark.parametrize("kept", [0, 1, 40, 200])
def test_a_torn_mark_is_found(tmp_path: Path, kept: int) -> None:
    path = tmp_path / mark.NAME
    mark.write(path, mark_after(FEED, 1))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(MarkError, match="torn or was changed"):
        mark.read(path)


def test_a_half_written_new_mark_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / mark.NAME
    mark.write(path, mark_after(FEED[:5], 1))
    (tmp_path / "mark.cbor.new").write_bytes(b"half")
    assert mark.read(path) == mark_after(FEED[:5], 1)
    mark.write(path, mark_after(FEED, 1))
    assert mark.read(path) == mark_after(FEED, 1)


def test_the_mark_is_durable_before_it_takes_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(mark.os, name)
        monkeypatch.setattr(mark.os, name, lambda *a, real=real, name=name, **k: (steps.append(name), real(*a, **k))[1])
    mark.write(tmp_path / mark.NAME, mark_after(FEED, 1))
    assert steps == ["fsync", "replace", "fsync"]


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(MarkError, match="Nothing of this batch may leave"):
        mark.write(tmp_path / "gone" / mark.NAME, mark_after(FEED, 1))


def test_a_batch_of_more_own_entries_than_a_mark_holds_is_refused(tmp_path: Path) -> None:
    big = Mark(KEY.public, VERSION, 0, ZERO_HASH, (b"x",) * (mark.OWN_BATCH_MAX + 1))
    with pytest.raises(MarkError, match="Commit smaller batches"):
        mark.write(tmp_path / mark.NAME, big)


def test_the_largest_mark_that_can_be_written_can_be_read(tmp_path: Path) -> None:
    raws = (b"x" * mark.ENTRY_BYTES_MAX,) * mark.OWN_BATCH_MAX
    mark.write(tmp_path / mark.NAME, Mark(KEY.public, VERSION, 0, ZERO_HASH, raws))
    found = mark.read(tmp_path / mark.NAME)
    assert found is not None and found.raws == raws


def test_a_key_that_has_signed_is_never_called_fresh_again(tmp_path: Path) -> None:
    path = tmp_path / mark.NAME
    mark.write(path, mark_after(FEED, 1))
    with pytest.raises(MarkError, match="has signed up to seq 5"):
        mark.write_first(path, KEY.public, VERSION)
    mark.write_first(path, OTHER_KEY.public, 2)
    assert mark.read(path) == mark.nothing_signed(OTHER_KEY.public, 2)
