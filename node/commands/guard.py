"""`tocsin guard deploy | add | operator | show | act | lapse`: an owner's own policy on a chain. Every command but show
tells what it would do and cost, and sends with --send alone."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from node.commands.common import FAILED, NODE_TOML, OK, CommandError, ConfigFile, Output, say, say_json

if TYPE_CHECKING:
    from adapters.evm.guard_state import Standing
    from node.commands.guard_site import Deed, Guard

guard_app = App(name="guard", help="An owner's guard on a chain: it makes only the calls that were listed, for a time.")
Chain = Annotated[str, Parameter(help="CAIP-2, of a [[connection]]; may be left out where there is only one.")]
Contract = Annotated[str, Parameter(help="The guard's address; that of [target.*] kind evm.guard where absent.")]
Key = Annotated[Path | None, Parameter(help="The key file whose account sends; data/keys/lever.key where absent.")]
Send = Annotated[bool, Parameter(help="Send the transaction and wait for it.")]


@guard_app.command
def deploy(
    owner: str,
    /,
    *,
    through: str = "",
    chain: Chain = "",
    key: Key = None,
    send: Send = False,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Show what a guard of OWNER's would be and cost; with --send, put it there. It begins with no power at all.

    Example: `tocsin guard deploy 0xowner… --chain eip155:1`, read it, then the same with `--send`

    Parameters
    ----------
    through
        The Safe whose module the guard will be; where absent, the right at a target is the guard's own.
    """
    from node.commands.guard_site import NOBODY, address_of, prepare
    from node.commands.registry_site import site_of

    site = site_of(config)
    who, safe = address_of(owner), address_of(through) if through else NOBODY
    says = (
        f"a guard that 0x{who.hex()} owns" + (f", as a module of the Safe 0x{safe.hex()}" if any(safe) else ""),
        "it holds no right, lists no call, has no operator and no delay; whoever pays for it gets no power over it",
    )
    planned = prepare(site, (site.chain_of(chain), NOBODY), "", (who, safe), says, key)
    if not send:
        return _show(planned, output)
    address = planned.send()
    if output == "json":
        say_json(_facts(planned) | {"sent": True, "contract": address})
        return OK
    say(
        f"The guard stands at {address} on {planned.chain}. Its owner goes on:",
        f"  tocsin guard add … --contract {address}        # a call that it may make, with its end and its budget",
        f"  tocsin guard operator 0x… --contract {address} # the node's account, which then may act alone, for less",
        "  and grants it the one right that these calls take, at the target itself.",
    )
    return OK


@guard_app.command
def add(
    *,
    restrict: str,
    lift: str,
    shows: str = "",
    cooldown: str = "12m",
    lease: str = "1h",
    budget: str = "4h",
    alone_lease: str = "0s",
    alone_budget: str = "0s",
    chain: Chain = "",
    contract: Contract = "",
    key: Key = None,
    send: Send = False,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """The owner lists a lever: one call that restricts, one that lifts, and for how long. Live after the guard's delay.

    Example: `tocsin guard add --restrict "0x… pause()" --lift "0x… unpause()" --shows "0x… paused() = true"`

    Parameters
    ----------
    restrict
        The call, its types and arguments; nothing else is ever called by this lever.
    lift
        What takes it back.
    shows
        A view of the target and what it says while it is restricted: without it nobody sees who opened it since.
    lease
        How long a quorum's word may hold it; budget: in any seven days, half of it at once.
    alone_lease
        How long the node's own word may; 0s: a quorum alone.
    """
    from node.commands.guard_site import listing_of_words, place_of, prepare
    from node.commands.registry_site import site_of

    site = site_of(config)
    place = place_of(site, chain, contract)
    listing = listing_of_words(restrict, lift, shows, (cooldown, lease, budget, alone_lease, alone_budget))
    says = (f"list a lever at 0x{place[1].hex()}:", *_listing_lines(listing))
    return _done(prepare(site, place, "add", (listing.values,), says, key), send, output)


@guard_app.command
def operator(
    address: str,
    /,
    *,
    chain: Chain = "",
    contract: Contract = "",
    key: Key = None,
    send: Send = False,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """The owner names the account that acts alone, after the guard's delay; the one before may no more at once."""
    from node.commands.guard_site import address_of, place_of, prepare
    from node.commands.registry_site import site_of

    site = site_of(config)
    place, who = place_of(site, chain, contract), address_of(address)
    says = (f"name 0x{who.hex()} as who acts alone by 0x{place[1].hex()}, within each lever's own lease and budget",)
    return _done(prepare(site, place, "set_operator", (who,), says, key), send, output)


@guard_app.command
def show(
    *,
    chain: Chain = "",
    contract: Contract = "",
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Who may do what by a guard, which calls it lists, how far each may go, and what stands now.

    Example: `tocsin guard show --contract 0x1234…`
    """
    from node.commands.guard_site import place_of, read_guard
    from node.commands.registry_site import site_of

    site = site_of(config)
    guard = read_guard(site, place_of(site, chain, contract))
    if output == "json":
        say_json(_guard_facts(guard))
        return OK
    say(f"Guard 0x{guard.contract.hex()} on {guard.chain}, as {', '.join(guard.sources)} say:", *_power_lines(guard))
    for number, one in enumerate(guard.levers):
        say("", f"lever {number}: {_state_words(one)}", *_listing_lines(one.listing))
    if not guard.levers:
        say("", "It lists no lever, so that it can call nothing: tocsin guard add")
    return OK


@guard_app.command
def act(
    lever: int,
    /,
    *,
    duration: Annotated[str, Parameter(name="--for")] = "10m",
    chain: Chain = "",
    contract: Contract = "",
    key: Key = None,
    send: Send = False,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """The operator restricts by a listed lever, alone and for less than a quorum might; it ends by itself.

    Example: `tocsin guard act 0 --for 10m`, read it, then the same with `--send`
    """
    from node.commands.guard_site import account_of, of_lever, place_of, prepare, read_back, read_guard, seconds_of
    from node.commands.registry_site import site_of
    from node.present import when

    site = site_of(config)
    place = place_of(site, chain, contract)
    found = of_lever(read_guard(site, place), lever)
    until_s = found.chain_s + seconds_of(duration)
    why = found.fault(account_of(site, key).address)
    if not why and until_s > found.most_s:
        why = f"asked for {duration}, and its lease and what is left of its budget go {found.most_s - found.chain_s} s"
    if why:
        raise CommandError(why, f"lever {lever} of 0x{place[1].hex()}", "tocsin guard show")
    says = (
        f"restrict by lever {lever} until {when(until_s * 1000)}, by the chain's clock:",
        *_listing_lines(found.listing),
    )
    planned = prepare(site, place, "act_alone", (lever, until_s, secrets.token_bytes(32)), says, key)
    code = _done(planned, send, output)
    return code if not send else _told(read_back(site, place, lever), lever, output, stands=True)


@guard_app.command
def lapse(
    lever: int,
    /,
    *,
    chain: Chain = "",
    contract: Contract = "",
    key: Key = None,
    send: Send = False,
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Lift what is over: anybody may, with any account that can pay. The operator's own word, before its end, too.

    Example: `tocsin guard lapse 0 --send`
    """
    from node.commands.guard_site import account_of, of_lever, place_of, prepare, read_back, read_guard
    from node.commands.registry_site import site_of

    site = site_of(config)
    place = place_of(site, chain, contract)
    found = of_lever(read_guard(site, place), lever)
    own = account_of(site, key).address == found.operator and found.chain_s < found.alone_s
    if not own and not found.ours:
        raise CommandError("nothing of the guard's stands there", f"lever {lever}", "tocsin guard show")
    fn = "release_alone" if own else "lapse"
    says = (
        f"take the operator's own word on lever {lever} back; a quorum's holds on" if own else f"end lever {lever}:",
        *_listing_lines(found.listing),
    )
    code = _done(prepare(site, place, fn, (lever,), says, key), send, output)
    return code if not send else _told(read_back(site, place, lever), lever, output, stands=False)


def _done(planned: Deed, send: bool, output: Output) -> int:
    if not send:
        return _show(planned, output)
    tx = planned.send()
    if output == "json":
        say_json(_facts(planned) | {"sent": True, "transaction": tx})
    else:
        say(f"sent and mined: {tx}")
    return OK


def _show(planned: Deed, output: Output) -> int:
    from node.commands.registry_site import price_lines

    if output == "json":
        say_json(_facts(planned))
        return OK
    first, *rest = planned.says
    say(f"On {planned.chain}, this would {first}" if planned.fn else f"Would deploy on {planned.chain} {first};", *rest)
    say(*price_lines(planned), "Nothing was sent; the same with --send does it.")
    return OK


def _facts(planned: Deed) -> dict[str, Any]:
    return {
        "chain": planned.chain,
        "contract": "0x" + planned.contract.hex(),
        "call": planned.fn or "deploy",
        "says": list(planned.says),
        "sender": planned.sender,
        "gas": planned.gas,
        "most_wei": planned.most_wei,
        "balance_wei": planned.balance_wei,
        "sent": False,
    }


def _told(found: Standing, lever: int, output: Output, *, stands: bool) -> int:
    """Exit 1 where the target does not show what was meant."""
    if output == "human":
        say(f"read back: lever {lever}: {_state_words(found)}")
    return OK if found.stands == stands and (found.shows != int(not stands)) else FAILED


def _listing_lines(one: Any) -> tuple[str, ...]:
    from governance.durations import format_duration
    from node.commands.guard_site import call_words

    def spell(seconds: int) -> str:
        return format_duration(seconds * 1000)

    alone = f"{spell(one.alone_lease_s)}, {spell(one.alone_budget_s)} a week" if one.alone_lease_s else "never"
    shown = (
        f"{call_words(one.probe)} is {one.closed} while restricted"
        if one.probe
        else "nothing: nobody sees who opened it since"
    )
    return (
        f"  calls    0x{one.target.hex()} {call_words(one.restrict)}; lifts by {call_words(one.lift)}",
        f"  shows    {shown}",
        f"  quorum   {spell(one.lease_s)} at once, {spell(one.budget_s)} in any seven days, half of it at once",
        f"  alone    {alone}; again after {spell(one.cooldown_s)}",
    )


def _state_words(one: Standing) -> str:
    from adapters.evm.guard_state import SHOWN
    from adapters.evm.guard_words import OFF, REMOVED
    from node.present import when

    if one.live_s >= OFF:
        return "removed" if one.live_s == REMOVED else "off: the guard is switched off"
    ends = (("a quorum", one.quorum_s), ("the operator", one.alone_s))
    held = [f"{who} until {when(until_s * 1000)}" for who, until_s in ends if until_s > one.chain_s]
    live = "" if one.live_s <= one.chain_s else f"live from {when(one.live_s * 1000)} on; "
    words = f"held by {' and '.join(held)}" if held else "over, and not lifted yet" if one.ours else "nothing stands"
    return f"{live}{words}; its target shows {SHOWN[one.shows]}"


def _power_lines(guard: Guard) -> tuple[str, ...]:
    from node.present import when

    nobody = bytes(20)
    since = f", from {when(guard.operator_from_s * 1000)} on" if guard.operator_from_s > guard.chain_s else ""
    acts = f"0x{guard.operator.hex()}{since}: restricts by listed levers, for less"
    alone = acts if guard.operator != nobody else "nobody: tocsin guard operator"
    offered = f"; offered to 0x{guard.offered.hex()}" if guard.offered != nobody else ""
    through = f"as a module of the Safe 0x{guard.safe.hex()}" if guard.safe != nobody else "as itself"
    return (
        f"  owner    0x{guard.owner.hex()}: lists, removes, lifts, switches off, names the operator{offered}",
        f"  operator {alone}",
        f"  acts     {through}, with the rights that it was given at the targets; anybody may lift what is over",
        f"  delay    {guard.delay_s} s before anything that is added holds; it is never shortened",
    )


def _guard_facts(guard: Guard) -> dict[str, Any]:
    return {
        "chain": guard.chain,
        "contract": "0x" + guard.contract.hex(),
        "sources": list(guard.sources),
        "owner": "0x" + guard.owner.hex(),
        "offered": "0x" + guard.offered.hex(),
        "delay_s": guard.delay_s,
        "operator": "0x" + guard.operator.hex(),
        "operator_from_s": guard.operator_from_s,
        "safe": "0x" + guard.safe.hex(),
        "levers": [_lever_facts(one) for one in guard.levers],
    }


def _lever_facts(one: Standing) -> dict[str, Any]:
    listing = one.listing
    calls = {name: "0x" + getattr(listing, name).hex() for name in ("target", "restrict", "lift", "probe")}
    times = ("cooldown_s", "lease_s", "budget_s", "alone_lease_s", "alone_budget_s")
    limits = {name: getattr(listing, name) for name in times}
    ends = {"quorum_until_s": one.quorum_s, "alone_until_s": one.alone_s, "most_s": one.most_s, "live_s": one.live_s}
    return {**calls, **limits, **ends, "stands": one.stands, "ours": one.ours, "shows": one.shows}
