"""A founded network of four with evm keys, a chain in this process, and `tocsin registry` run by its members."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.evm.client import TrioProvider
from adapters.evm.eip712 import Domain
from adapters.evm.evm_key import EvmKey
from adapters.evm.registry import countersigned
from governance.ballots import Ballot, Vote, cast
from governance.charter import Parameters, create, parse, sign
from governance.epochs import EpochCertificate, check, pack_epoch_certificate
from governance.proposals import KIND_OF, Change, Proposal, seal_proposal
from governance.values import Value, pack_value, value_hash
from node import keys
from node.commands.home import Home, founder_of, make_home
from node.config_identity import evm_address_of
from node.records import EpochCertified, KeySetLearned, pack_record
from node.store import Store
from node.store_rows import Batch, RecordRow
from node.testnet.chain_evm import EmbeddedChain
from node.testnet.chain_rpc import Rpc
from protocol.crypto import Signer, sha256
from protocol.envelope import Entry, seal_entry, seal_keyset
from protocol.ids import ZERO_HASH, SourceId
from protocol.membership import Epoch, Source
from protocol.messages import Attestation, Basis, Commit, KeySet, Level, Tlp
from protocol.quorum import Certificate, pack_certificate
from protocol.subjects import asset
from tests.unit.cli.world import Ran, run

MEMBERS = ("a", "b", "c", "d")
CONNECTION = '[[connection]]\nid = "{id}"\nchain = "eip155:1"\nurl = "http://127.0.0.1:1/s3cret"\n'


TOKEN = asset("eip155:1", b"\x11" * 20)


def evm_key(member: str) -> EvmKey:
    return EvmKey(sha256(b"evm key of " + member.encode()))


def address(member: str) -> str:
    return "0x" + evm_key(member).address.hex()


class Site:
    """A founded network of four, member a's directory, and a chain in this process behind both its connections."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch, keyed: str = "abcd", founded_ms: int = 0) -> None:
        self.homes: dict[str, Home] = {}
        for member in MEMBERS:
            evm = address(member) if member in keyed else ""
            self.homes[member] = make_home(base / member, member, "", (), evm, seed=sha256(member.encode()))
        sources = tuple(Source(SourceId(f"{member}-home"), member, "eip155:1") for member in MEMBERS)
        text = create(
            [home.card for home in self.homes.values()], Parameters("net", founded_ms or now_ms(), sources=sources)
        )
        for member, home in self.homes.items():
            founder = founder_of(home.directory, None, "365d", now_ms())
            text = sign(text, member, founder.governance, founder.keyset)
        self.home = self.homes["a"]
        (self.home.directory / "charter.toml").write_text(text)
        with self.home.config_path.open("a") as file:
            file.write(CONNECTION.format(id="a-home") + CONNECTION.format(id="a-other"))
        secret = keys.load_secret(keys.key_path(self.home.directory / "data", keys.Purpose.LEVER), keys.Purpose.LEVER)
        self.payer = evm_address_of(secret.reveal())
        self.chain = EmbeddedChain(1, {bytes.fromhex(self.payer[2:]): 10**18})
        self._monkeypatch = monkeypatch
        self.answer_from(self.chain)

    def answer_from(self, chain: EmbeddedChain) -> None:
        rpc = Rpc(chain)

        async def body(provider: Any, asked: bytes) -> bytes:
            return rpc.answer(asked) or b""

        self._monkeypatch.setattr(TrioProvider, "_body", body)

    def said(self, capsys: pytest.CaptureFixture[str], *words: object) -> Ran:
        return run(capsys, "registry", *words, "--config", self.home.config_path)

    def deployed(self, capsys: pytest.CaptureFixture[str]) -> str:
        return str(self.said(capsys, "deploy", "--send", "-o", "json").json["contract"])

    def certificate(self, folder: Path, contract: str, signing: str = "abc", issued_ms: int = 0) -> Path:
        """An ISOLATE of a, b and c, as exported; of these, who is in `signing` signed for the registry too."""
        charter = parse((self.home.directory / "charter.toml").read_text())
        epoch, domain = charter.epoch0(), Domain(1, bytes.fromhex(contract[2:]))
        at_ms, raws = issued_ms or now_ms(), []
        for member in "abc":
            home = self.homes[member]
            path = keys.key_path(home.directory / "data", keys.Purpose.ATTESTATION)
            own = (SourceId(f"{member}-home"),)
            body = Attestation(
                epoch.hash,
                TOKEN,
                34,
                Level.ISOLATE,
                Basis.OBSERVED,
                (),
                own,
                "",
                "",
                at_ms,
                at_ms + 3_600_000,
                True,
                Tlp.GREEN,
            )
            entry = Entry(home.card.name, 1, 0, ZERO_HASH, at_ms, 1, body)
            if member in signing:
                body = replace(body, evm_sig=countersigned(domain, evm_key(member), charter.network, entry))
            signer = keys.load_signer(path, keys.Purpose.ATTESTATION)
            seat = {"author": home.card.name, "key_version": 1, "seq": 0, "prev": ZERO_HASH}
            raws.append(seal_entry(charter.network, signer, **seat, issued_ms=at_ms, body=body).raw)
        sealed = tuple(sorted(one.raw for one in charter.keysets if one.keyset.member in "abc"))
        path = folder / "alarm.cert"
        path.write_bytes(pack_certificate(Certificate(epoch.hash, TOKEN, 34, Level.ISOLATE, tuple(raws), sealed)))
        return path

    def learn(self, member: str, version: int, evm: bytes | None, sealed_by: str = "") -> None:
        """A later KeySet of a member, as the store of a has learned it."""
        self.learn_at("a", member, version, evm, sealed_by)

    def learn_at(self, where: str, member: str, version: int, evm: bytes | None, sealed_by: str = "") -> None:
        network = parse((self.home.directory / "charter.toml").read_text()).network
        governance = keys.load_signer(self.homes[sealed_by or member].governance_path, keys.Purpose.GOVERNANCE)
        fresh = Signer(sha256(f"{member} {version}".encode())).public
        keyset = KeySet(self.homes[member].card.name, version, fresh, evm, (), now_ms() + 1_000_000)
        store = Store.open(self.homes[where].directory / "data" / "store.sqlite")
        record = pack_record(KeySetLearned(seal_keyset(network, governance, keyset).raw))
        store.commit(Batch(records=[RecordRow(*record)]))
        store.close()


def now_ms() -> int:
    return int(time.time() * 1000)


DAY_MS = 86_400_000


class Signing(Site):
    """The same, founded a month ago; each member's node sees the chain and holds its evm key."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(base, monkeypatch, founded_ms=now_ms() - 30 * DAY_MS)
        charter = (self.home.directory / "charter.toml").read_text()
        for member, home in self.homes.items():
            keys.write_key(
                home.directory / "data", keys.Purpose.EVM, keys.Secret(sha256(b"evm key of " + member.encode()))
            )
            if member != "a":
                (home.directory / "charter.toml").write_text(charter)
                with home.config_path.open("a") as file:
                    file.write(CONNECTION.format(id="a-home") + CONNECTION.format(id="a-other"))
        self.charter = parse(charter)

    def by(self, member: str, capsys: pytest.CaptureFixture[str], *words: object) -> Ran:
        return run(capsys, "registry", *words, "--config", self.homes[member].config_path)

    def signed(self, capsys: pytest.CaptureFixture[str], folder: Path, members: str, *words: object) -> list[Path]:
        """The words of these members, a file each."""
        files = []
        for member in members:
            path = folder / f"{words[0]}.{member}.json"
            ran = self.by(member, capsys, "sign", *words, "--out", path)
            assert ran.code == 0, ran.err
            files.append(path)
        return files

    def decides(self, change: Change, at: str = "abcd", of: Epoch | None = None) -> Epoch:
        """The epoch after `of` (the first), as the stores of these members hold it; some days ago."""
        epoch = of or self.charter.epoch0()
        opened_ms = max(now_ms() - 29 * DAY_MS, epoch.activates_ms + 1)
        made = Proposal(
            epoch.hash, self.homes["a"].card.name, opened_ms, opened_ms + DAY_MS, KIND_OF[type(change)], change
        )
        on = seal_proposal(epoch.network, self._cold("a"), made)
        value = Value(epoch.hash, epoch.number + 1, (on.hash,), (), opened_ms + 8 * DAY_MS)
        ballots = [
            cast(
                epoch.network,
                self._cold(one),
                Ballot(on.hash, self.homes[one].card.name, 0, Vote.YES, opened_ms + 1, ""),
            )
            for one in "abc"
        ]
        commits = [self._says(one, Commit(epoch.hash, 0, value_hash(value)), opened_ms) for one in "abc"]
        sealed = sorted(one.raw for one in self.charter.keysets if one.keyset.member in "abc")
        certificate = EpochCertificate(
            pack_value(value), (on.raw,), tuple(one.raw for one in ballots), (), tuple(commits), tuple(sealed)
        )
        raw = pack_epoch_certificate(certificate)
        for member in at:
            store = Store.open(self.homes[member].directory / "data" / "store.sqlite")
            store.commit(Batch(records=[RecordRow(*pack_record(EpochCertified(raw, now_ms())))]))
            store.close()
        return check(certificate, epoch).epoch

    def _cold(self, member: str) -> Signer:
        return keys.load_signer(self.homes[member].governance_path, keys.Purpose.GOVERNANCE)

    def _says(self, member: str, body: Commit, at_ms: int) -> bytes:
        home = self.homes[member]
        path = keys.key_path(home.directory / "data", keys.Purpose.ATTESTATION)
        signer = keys.load_signer(path, keys.Purpose.ATTESTATION)
        seat = {"author": home.card.name, "key_version": 1, "seq": 0, "prev": ZERO_HASH}
        return seal_entry(self.charter.network, signer, **seat, issued_ms=at_ms, body=body).raw
