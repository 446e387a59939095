"""`tocsin vote …`: what is open, who voted, what is missing; ballots are sealed where the cold key is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from cyclopts import App

from node.commands.common import (
    NODE_TOML,
    OK,
    ConfigFile,
    Output,
    a_person,
    an_id,
    connect,
    say,
    say_json,
    say_table,
    until,
    usage,
)
from node.commands.listing import Again, ListOutput, say_list
from node.commands.sealing import GovernanceKey, cold_signer, hand_over, here, now_ms, read_sealed

vote_app = App(name="vote", help="Proposals and ballots: list, show, cast, sign, tally.")
Word = Literal["yes", "no"]


@vote_app.command(name="list")
def list_(*, watch: Again = False, config: ConfigFile = NODE_TOML, output: ListOutput = "human") -> int:
    """Every proposal that this node knows and that may still make an epoch.

    Example: `tocsin vote list`
    """
    columns = ("id", "what", "by", "yes", "no", "stands", "closes")
    with connect(config) as control:
        return say_list(control.proposals, columns, _row, "Nothing is open.", output, watch)


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    return (
        one["id"][:12],
        one["says"],
        one["author"],
        f"{len(one['yes'])} of {one['needed']}",
        len(one["no"]),
        one["stands"],
        until(one["closes_ms"]),
    )


@vote_app.command
def show(proposal_id: str, /, *, config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """One proposal: what it changes, who voted how, what is missing, when it passes, what it would have changed.

    Example: `tocsin vote show 3fa9c1d2`

    Parameters
    ----------
    proposal_id
        An id of `tocsin vote list`, or at least 6 digits of it.
    """
    with connect(config) as control:
        one = control.proposal(an_id(proposal_id))
    if output == "json":
        say_json(one)
        return OK
    say(*one["sentences"], f"Its whole id, for a machine without a network: {one['id']}")
    rows = [(b["member"], b["group"], b["vote"], b["ballot_no"], b["counts"], b["conflict"]) for b in one["ballots"]]
    if rows:
        say_table(("member", "group", "vote", "ballot", "counts", "declared interest"), rows)
    return OK


@vote_app.command
def tally(proposal_id: str, /, *, config: ConfigFile = NODE_TOML, output: Output = "human") -> int:
    """The count alone: exit code 0 where it has passed, 1 where it has not.

    Example: `tocsin vote tally 3fa9c1d2`
    """
    from node.commands.common import FAILED

    with connect(config) as control:
        one = control.proposal(an_id(proposal_id))
    if output == "json":
        say_json({key: one[key] for key in ("id", "yes", "no", "needed", "missing", "vetoes", "stands", "passed_ms")})
    else:
        say(
            f"{len(one['yes'])} of {one['needed']} groups say yes ({', '.join(one['yes']) or 'none'}); {one['stands']}."
        )
    return OK if one["passed_ms"] is not None else FAILED


@vote_app.command
def sign(
    proposal_id: str,
    word: Word,
    /,
    *,
    out: Path,
    governance_key: Path,
    charter: Path = Path("charter.toml"),
    member: str = "",
    no: int = 0,
    conflict: str = "",
    output: Output = "human",
) -> int:
    """Seal a ballot on a machine without a network: the charter and the proposal's id are all it needs.

    Example: `tocsin vote sign 3fa9…64 digits… yes --member lender-a --governance-key /media/cold/governance.key
    --charter charter.toml --out ballot.cbor`

    Parameters
    ----------
    proposal_id
        All 64 digits: what is not read whole is not signed.
    word
        yes or no.
    out
        A new file; carry it to a node and `tocsin vote cast FILE` there.
    governance_key
        Where the cold key lies.
    charter
        The network's charter.
    member
        Your seat.
    no
        The ballot's number: a higher one replaces what you said before, up to 15.
    conflict
        An interest of your own in the outcome, declared and shown beside your vote.
    """
    from node import keys

    place = here(Path(), charter, member=member)
    signer = keys.load_signer(governance_key, keys.Purpose.GOVERNANCE)
    sealed = _ballot(place, signer, _whole(proposal_id), word, no, conflict)
    hand_over(sealed, out, Path())
    if output == "json":
        say_json({"wrote": str(out), "proposal": proposal_id, "vote": word, "ballot_no": no})
    else:
        say(
            f"Wrote {out}: {word} of {place.member} on {proposal_id[:12]}…, ballot {no}.",
            f"Next: tocsin vote cast {out}",
        )
    return OK


def _whole(proposal_id: str) -> bytes:
    from node.commands.sealing import a_hash

    return a_hash(proposal_id, "the proposal's id", "`tocsin vote show`")


def _ballot(place: Any, signer: Any, proposal: bytes, word: str, no: int, conflict: str) -> bytes:
    from governance.ballots import BALLOT_NO_MAX, CONFLICT_CHARS_MAX, Ballot, Vote, cast
    from protocol.ids import Digest

    if not 0 <= no <= BALLOT_NO_MAX:
        raise usage(f"a ballot's number is 0 to {BALLOT_NO_MAX}", "your last one stands")
    if len(conflict) > CONFLICT_CHARS_MAX or not (conflict.isprintable() or not conflict):
        raise usage(f"--conflict has at most {CONFLICT_CHARS_MAX} printable characters", "say it shorter")
    vote = Vote.YES if word == "yes" else Vote.NO
    return cast(place.network, signer, Ballot(Digest(proposal), place.member, no, vote, now_ms(), conflict)).raw


@vote_app.command(name="cast")
def cast_(
    what: str,
    word: Word | None = None,
    /,
    *,
    governance_key: GovernanceKey = None,
    conflict: str = "",
    config: ConfigFile = NODE_TOML,
    output: Output = "human",
) -> int:
    """Hand a ballot to the own node, which says it to all members: a file of `vote sign`, or sealed here and now.

    Example: `tocsin vote cast ballot.cbor`

    Example: `tocsin vote cast 3fa9c1d2 yes --governance-key /media/cold/governance.key`

    Parameters
    ----------
    what
        A file that `tocsin vote sign` wrote, or a proposal's id.
    word
        yes or no, with an id.
    """
    if word is None:
        with connect(config) as control:
            done = control.publish(read_sealed(Path(what)), a_person(""))
    else:
        done = _cast_here(an_id(what), word, governance_key, conflict, config)
    if output == "json":
        say_json(done)
    else:
        say("The ballot is in this node's feed; all members hear of it.", *_stands(done))
    return OK


def _stands(done: dict[str, Any]) -> list[str]:
    return [str(done["says"])] if done.get("says") not in (None, "", "done") else []


def _cast_here(proposal_id: str, word: str, governance_key: Path | None, conflict: str, config: Path) -> dict[str, Any]:
    place, signer = here(config), cold_signer(governance_key, config)
    with connect(config) as control:
        one = control.proposal(proposal_id)
        mine = [b["ballot_no"] for b in one["ballots"] if b["member"] == place.member]
        no = max(mine, default=-1) + 1
        sealed = _ballot(place, signer, bytes.fromhex(one["id"]), word, no, conflict)
        return control.publish(sealed, a_person(""))
