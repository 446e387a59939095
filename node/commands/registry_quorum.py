"""`tocsin registry sign | submit`: members' words for a registry, and a quorum of them as one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from node.commands.common import NODE_TOML, OK, ConfigFile, Output, say, say_json, usage, write_text

if TYPE_CHECKING:
    from node.commands.registry_site import Place, Site

Chain = Annotated[str, Parameter(help="CAIP-2, of a [[connection]]; may be left out where there is only one.")]
Contract = Annotated[str, Parameter(help="The registry's address; that of [sensor.*] kind evm.registry where absent.")]


def sign(
    what: Literal["epoch", "keys", "lift"],
    subject: str = "",
    threat: str = "",
    /,
    *,
    out: Path | None = None,
    through: int = 0,
    evm_key: Path | None = None,
    wallet: bool = False,
    signature: str = "",
    chain: Chain = "",
    contract: Contract = "",
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """This member's word for a registry: on its next epoch, on the keys of replaced KeySets, or on lifting a
    restriction. A quorum's words, gathered, are what `tocsin registry submit` sends.

    Example: `tocsin registry sign epoch --out epoch.lender-a.json`

    Parameters
    ----------
    out
        The file to write; WHAT.MEMBER.json where absent.
    through
        Of a lift: what was said through then, in milliseconds since 1970; the chain's newest block where absent.
    evm_key
        data/keys/evm.key where absent.
    wallet
        Only print the typed data (EIP-712), for a wallet that holds the key.
    signature
        What the wallet gave for it. A lift takes the same --through then.
    """
    from adapters.evm.eip712 import domain_of
    from adapters.evm.registry_words import for_wallet, word_text
    from node.commands.registry_site import read_registry, site_of
    from node.commands.registry_words import checked_through, epoch_word, keys_word, lift_word, sealed

    if (what == "lift") != bool(subject and threat):
        raise usage("a lift names SUBJECT and THREAT, an epoch and keys name none", "tocsin registry sign --help")
    site = site_of(config)
    place = site.place_of(chain, contract)
    mirror, standing = read_registry(site, place, subject, threat)
    if standing is not None:
        through_ms = checked_through(through or standing.chain_s * 1000, standing.chain_s)
        values = lift_word(site, mirror, subject, threat, through_ms)
    else:
        values = epoch_word(site, mirror) if what == "epoch" else keys_word(site, mirror)
    kind = what.capitalize()
    if wallet:
        say_json(for_wallet(domain_of(*place), kind, values))
        return OK
    word = sealed(site, place, kind, values, evm_key, signature, subject)
    path = out or Path(f"{what}.{site.config.member}.json")
    write_text(path, word_text(word))
    if output == "json":
        say_json({"file": str(path), "type": kind, "signer": "0x" + (word.by() or b"").hex()})
        return OK
    named = _named(kind, values) + (f" of {threat} on {subject}" if subject else "")
    say(f"{path}: the word of {site.config.member} on {named}; give it to who submits.")
    return OK


def _named(kind: str, values: dict[str, Any]) -> str:
    from node.present import when

    if kind == "Epoch":
        groups = f"{values['n']} groups and {len(values['keys'])} keys"
        return f"epoch {values['number']}, {values['hash'].hex()[:16]}, of {groups}"
    if kind == "Keys":
        return f"{len(values['keys'])} keys, their version {values['version']}"
    return f"releasing what was said through {when(values['through'])}"


def submit(
    first: Path,
    /,
    *more: Path,
    chain: Chain = "",
    contract: Contract = "",
    key: Path | None = None,
    send: bool = False,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Show what a certificate, or the words of a quorum, would do in a registry; with --send, do it. A certificate
    within ten minutes of its oldest word.

    Example: `tocsin registry submit rseth.cert`, then the same with `--send`; `tocsin registry submit epoch.*.json`

    Parameters
    ----------
    first
        What `tocsin alert show --export` wrote; or, with `more`, what members wrote with `tocsin registry sign`.
    key
        The lever key whose account pays; data/keys/lever.key where absent. Anybody may submit.
    send
        Send the transaction and wait for it.
    """
    from node.commands.registry_site import site_of

    site = site_of(config)
    place = site.place_of(chain, contract)
    if more or _is_word(first):
        return _submit_words(site, place, (first, *more), key, send, output)
    return _submit_certificate(site, place, first, key, send, output)


def _is_word(path: Path) -> bool:
    """By its first byte; what cannot be read is said by who reads it whole."""
    try:
        with path.open("rb") as opened:
            return opened.read(1) == b"{"
    except OSError:
        return False


def _submit_words(site: Site, place: Place, files: Sequence[Path], key: Path | None, send: bool, output: Output) -> int:
    from node.commands.registry_site import price_lines
    from node.commands.registry_words import gather

    planned = gather(site, place, files, key)
    tx, says = planned.send() if send else ("", "")
    if output == "json":
        facts = {name: getattr(planned, name) for name in ("function", "votes", "sender", "gas", "most_wei")}
        say_json(facts | {"what": planned.what, "sent": send, "tx": tx, "says": says})
        return OK
    if send:
        say(f"Done, read back: {says}. {tx}")
        return OK
    say(
        f"Would {planned.what}, by {planned.votes} signed words (nothing is sent without --send)", *price_lines(planned)
    )
    return OK


def _submit_certificate(site: Site, place: Place, file: Path, key: Path | None, send: bool, output: Output) -> int:
    from node.commands.registry_site import price_lines
    from node.commands.registry_submit import prepare_submission
    from node.present import when

    planned = prepare_submission(site, place, file, key)
    tx, until_s = planned.send() if send else ("", planned.until_s)
    if output == "json":
        facts = {name: getattr(planned, name) for name in ("subject", "threat", "votes", "sender", "gas", "most_wei")}
        say_json(facts | {"level": planned.level.name, "until_s": until_s, "sent": send, "tx": tx})
        return OK
    what = f"{planned.level.name} on {planned.subject}, {planned.votes} signed words"
    if send:
        say(f"Restricted: {what}; until {when(until_s * 1000)}, read back. {tx}")
        return OK
    say(
        f"Would restrict (nothing is sent without --send): {what}; until {when(until_s * 1000)} at most",
        *price_lines(planned),
    )
    return OK
