"""A certificate's evm signatures as one call of a registry: checked as the network does, then by the registry."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.evm.account import Account
from adapters.evm.client import ChainClient
from adapters.evm.eip712 import domain_of
from adapters.evm.mirror import REGISTRY, read_mirror, read_standing
from adapters.evm.registry import ShortError, alarm_call, alarm_values
from adapters.evm.sending import Sender
from node import keys
from node.commands.certificates import read_certificate
from node.commands.common import CommandError
from node.commands.registry_site import Place, Site
from protocol.messages import Level
from protocol.quorum import CheckedCertificate


@dataclass(frozen=True)
class Submission:
    """A call that the registry would take now."""

    place: Place
    level: Level
    subject: str
    threat: int
    votes: int
    until_s: int
    """When the first of the words in it expires, in seconds."""
    sender: str
    gas: int
    most_wei: int
    balance_wei: int
    call: tuple[Any, ...] = field(repr=False)
    site: Site = field(repr=False)
    account: Account = field(repr=False)

    def send(self) -> tuple[str, int]:
        """(transaction, end in seconds as read back from the registry)."""

        async def go(client: ChainClient) -> tuple[str, int]:
            chain, contract = self.place
            sender = Sender(client, chain, self.account)
            receipt = await sender.transact(contract, REGISTRY, "alarm", self.call)
            standing = await read_standing(client, chain, contract, self.call[1], self.call[2])
            return "0x" + receipt.tx.hex(), standing.until_s[self.level]

        return self.site.on_chain(self.place[0], go)


def prepare_submission(site: Site, place: Place, file: Path, key: Path | None) -> Submission:
    """CommandError where the certificate proves nothing, too few of its words are signed for contracts, or the registry
    refuses it: then with the registry's own reason."""
    checked = read_certificate(file, [site.known.epoch], site.known.keyset, site.config.charter)
    path = key or keys.key_path(site.config.data_dir, keys.Purpose.LEVER)
    account = Account(keys.load_secret(path, keys.Purpose.LEVER).reveal())
    chain, contract = place
    domain = domain_of(chain, contract)

    async def prepare(client: ChainClient) -> Submission:
        mirror = await read_mirror(client, chain, contract)
        try:
            call = alarm_call(domain, mirror.words, mirror.row, checked.certificate.level, _said(checked, site))
        except ShortError as short:
            do = "their nodes sign where [sensor.*] of kind evm.registry has a key_file"
            raise CommandError(f"{short}", str(file), do) from None
        sender = Sender(client, chain, account)
        costs = await sender.price_of(contract, REGISTRY, "alarm", call)
        certificate, votes = checked.certificate, call[-1]
        return Submission(
            place,
            certificate.level,
            str(certificate.subject),
            certificate.threat,
            len(votes),
            -(-min(vote[6] for vote in votes) // 1000),
            "0x" + account.address.hex(),
            costs.gas,
            costs.most,
            costs.balance,
            call,
            site,
            account,
        )

    return site.on_chain(chain, prepare)


def _said(checked: CheckedCertificate, site: Site) -> list[tuple[dict[str, Any], bytes]]:
    network = site.known.epoch.network
    return [
        (alarm_values(network, one.entry, one.raw), one.body.evm_sig)
        for one in checked.opinions
        if one.body.evm_sig is not None
    ]
