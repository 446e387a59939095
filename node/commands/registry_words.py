"""What members sign for a registry beside their alarms, and several such words as one call of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.evm.account import Account
from adapters.evm.client import ChainClient
from adapters.evm.eip712 import digest, domain_of
from adapters.evm.evm_key import EvmKey, signer_of
from adapters.evm.mirror import REGISTRY, Mirror, differences, read_mirror, read_standing
from adapters.evm.registry import Call, ShortError, epoch_values, key_words, keys_values, lift_call, row_of
from adapters.evm.registry_words import (
    WORD_BYTES_MAX,
    Word,
    WordFault,
    advance_call,
    keys_call,
    parse_word,
)
from adapters.evm.sending import Sender
from node import keys
from node.commands.common import CommandError, read_text, usage
from node.commands.registry_site import Place, Site, read_registry, topic_of
from node.present import when
from node.watch import threat_word
from protocol.membership import Epoch
from protocol.onchain import author_word

Values = dict[str, Any]


def next_epoch(site: Site, mirror: Mirror) -> Epoch:
    """The one that follows the registry's. CommandError where none is known here."""
    row = mirror.row
    found = next((one for one in site.known.epochs if one.number == row.number + 1), None)
    if found is None:
        what = f"the registry is at epoch {row.number} and this directory knows {site.known.epoch.number} as the newest"
        raise CommandError(what, str(site.config.charter), "nothing to sign; `tocsin registry compare` says more")
    if found.parent is None or bytes(found.parent) != row.hash:
        what = f"epoch {found.number} as known here follows another epoch than the registry's {row.hash.hex()[:16]}"
        raise CommandError(what, str(site.config.charter), "sign nothing; ask the other members what they see")
    return found


def words_of(site: Site, epoch: Epoch) -> tuple[int, ...]:
    known, now_ms = site.known, int(time.time() * 1000)
    try:
        return key_words(epoch, known.evm if epoch is known.epoch else known.evm_in(epoch, now_ms))
    except ValueError as same_key:
        raise CommandError(str(same_key), str(site.config.charter)) from None


def epoch_word(site: Site, mirror: Mirror) -> Values:
    after = next_epoch(site, mirror)
    return epoch_values(row_of(after), words_of(site, after))


def keys_word(site: Site, mirror: Mirror) -> Values:
    row = mirror.row
    if row.hash != bytes(site.known.epoch.hash):
        what = f"the registry is at epoch {row.number}, this directory at {site.known.epoch.number}"
        raise CommandError(what, str(site.config.charter), "its epoch first: tocsin registry sign epoch")
    words = words_of(site, site.known.epoch)
    if words == mirror.words:
        raise CommandError("the registry has the keys that the newest KeySets name", "", "nothing to sign")
    return keys_values(row.network, row.hash, mirror.keys_version + 1, words)


def lift_word(site: Site, mirror: Mirror, subject: str, threat: str, through_ms: int) -> Values:
    about, number = topic_of(subject, threat)
    return {
        "network": mirror.row.network,
        "epoch": mirror.row.hash,
        "author": author_word(site.config.member),
        "subject": about,
        "threat": number,
        "through": through_ms,
    }


def checked_through(through_ms: int, chain_s: int) -> int:
    """What is released now cannot blind the network for what is said later: not after the chain's newest block, which
    alone it would take, and not after this machine's clock, for a provider may lie about that block."""
    most_ms = min(chain_s * 1000, int(time.time() * 1000))
    if not 0 < through_ms <= most_ms:
        raise usage(f"--through {through_ms} is not between 1 and {most_ms}", "nobody releases what is said later")
    return through_ms


def sealed(
    site: Site, place: Place, name: str, values: Values, key: Path | None, signature: str, about: str = ""
) -> Word:
    """By the member's evm key, or with what a wallet made of the same typed data. CommandError where the signature is
    of a key that is not this member's."""
    chain, contract = place
    hashed = digest(domain_of(chain, contract), name, values)
    if signature:
        raw = bytes.fromhex(signature[2:]) if _is_hex(signature) else b""
    else:
        path = key or keys.key_path(site.config.data_dir, keys.Purpose.EVM)
        raw = EvmKey(keys.load_secret(path, keys.Purpose.EVM).reveal()).sign(hashed)
    who, own = signer_of(hashed, raw), site.known.evm.get(site.config.member)
    if who is None:
        raise usage("--signature is none", "0x and the 130 hexadecimal digits that the wallet gave; low s, v 27 or 28")
    if who != own:
        named = f"0x{own.hex()}" if own is not None else "no evm key"
        what = f"0x{who.hex()} signed, and the newest KeySet of {site.config.member} names {named}"
        raise CommandError(what, "", "sign with that key, or delegate this one first: tocsin key rotate")
    return Word(chain, contract, name, values, raw, about)


def _is_hex(text: str) -> bool:
    try:
        return text.startswith("0x") and bool(bytes.fromhex(text[2:]))
    except ValueError:
        return False


def read_words(files: Sequence[Path], place: Place) -> list[Word]:
    """All of one type, for this registry. CommandError."""
    found: list[Word] = []
    for path in files:
        try:
            word = parse_word(read_text(path, WORD_BYTES_MAX, "word for a registry"))
        except WordFault as fault:
            raise CommandError(str(fault), str(path), "have it made anew: tocsin registry sign") from None
        if (word.chain, word.contract) != place:
            raise CommandError(f"is for 0x{word.contract.hex()} on {word.chain}", str(path), "leave it out")
        if found and word.type != found[0].type:
            raise CommandError(f"is a word on {word.type}, the first is on {found[0].type}", str(path), "submit apart")
        found.append(word)
    return found


@dataclass(frozen=True)
class Gathered:
    """A call that the registry would take now."""

    place: Place
    function: str
    what: str
    votes: int
    sender: str
    gas: int
    most_wei: int
    balance_wei: int
    call: Call = field(repr=False)
    site: Site = field(repr=False)
    account: Account = field(repr=False)

    def send(self) -> tuple[str, str]:
        """(transaction, what the registry says then)."""

        async def go(client: ChainClient) -> tuple[str, str]:
            chain, contract = self.place
            receipt = await Sender(client, chain, self.account).transact(contract, REGISTRY, self.function, self.call)
            tx = "0x" + receipt.tx.hex()
            if self.function == "lift":
                standing = await read_standing(client, chain, contract, self.call[1], self.call[2])
                return tx, f"released through {when(standing.released_through_ms)}"
            mirror = await read_mirror(client, chain, contract)
            left = differences(mirror, self.site.known.epoch, self.site.known.evm)
            says = f"it is at epoch {mirror.row.number} with {len(mirror.words)} keys"
            return tx, "; ".join([says, *(one.says for one in left)])

        return self.site.on_chain(self.place[0], go)


def gather(site: Site, place: Place, files: Sequence[Path], key: Path | None) -> Gathered:
    """CommandError where too few have signed what this directory finds right, or the registry refuses it."""
    said = read_words(files, place)
    path = key or keys.key_path(site.config.data_dir, keys.Purpose.LEVER)
    account = Account(keys.load_secret(path, keys.Purpose.LEVER).reveal())
    mirror, _ = read_registry(site, place)
    try:
        function, call, what = _CALLS[said[0].type](site, mirror, said)
    except ShortError as short:
        raise CommandError(
            f"{short}{_others(site, mirror, said)}", "", "gather more words and give all files"
        ) from None

    async def price(client: ChainClient) -> Gathered:
        costs = await Sender(client, place[0], account).price_of(place[1], REGISTRY, function, call)
        sender = "0x" + account.address.hex()
        return Gathered(
            place, function, what, len(call[-1]), sender, costs.gas, costs.most, costs.balance, call, site, account
        )

    return site.on_chain(place[0], price)


def _advance(site: Site, mirror: Mirror, said: list[Word]) -> tuple[str, Call, str]:
    after = next_epoch(site, mirror)
    row, signatures = row_of(after), [one.signature for one in said]
    domain = said[0].domain
    call = advance_call(domain, mirror.words, mirror.row.q, row, words_of(site, after), signatures)
    return "advance", call, f"move it to epoch {row.number}, {row.hash.hex()[:16]}, of {row.n} groups"


def _change_keys(site: Site, mirror: Mirror, said: list[Word]) -> tuple[str, Call, str]:
    values = keys_word(site, mirror)
    version, words = values["version"], values["keys"]
    call = keys_call(said[0].domain, mirror.words, mirror.row, version, words, [one.signature for one in said])
    return "change_keys", call, f"put {len(words)} keys there, their version {version}"


def _lift(site: Site, mirror: Mirror, said: list[Word]) -> tuple[str, Call, str]:
    now_ms = int(time.time() * 1000)
    foreign = [one for one in said if one.values["network"] != mirror.row.network or one.values["through"] > now_ms]
    if foreign:
        who = ", ".join("0x" + (one.by() or b"").hex() for one in foreign)
        raise CommandError(
            f"words by {who} are of another network, or release what is said later", "", "leave them out"
        )
    if len({(one.about, one.values["threat"]) for one in said}) > 1:
        # those that count alone would make the call, and the first would be shown
        raise CommandError("the words are on several subjects or threats", "", "submit each apart")
    call = lift_call(said[0].domain, mirror.words, mirror.row, [(one.values, one.signature) for one in said])
    through_ms = min(through for _, through, _ in call[-1])
    what = f"{threat_word(said[0].values['threat'])} on {said[0].about}"
    return "lift", call, f"release what was said of {what} through {when(through_ms)}"


_CALLS = {"Epoch": _advance, "Keys": _change_keys, "Lift": _lift}


def _others(site: Site, mirror: Mirror, said: list[Word]) -> str:
    """Who signed something else than this directory finds right, and what differs."""
    if said[0].type == "Lift":
        return ""
    right = epoch_word(site, mirror) if said[0].type == "Epoch" else keys_word(site, mirror)
    names = {address: member for member, address in site.known.evm.items()}
    told = []
    for one in said:
        differs = sorted(name for name, value in one.values.items() if value != right[name])
        if differs:
            who = one.by() or b""
            told.append(f"{names.get(who, '0x' + who.hex())} signed other {', '.join(differs)}")
    return "; " + "; ".join(told) if told else ""
