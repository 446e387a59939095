"""`tocsin replay`: an incident against one's own exposure and policy, before joining or after; nothing is sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from node.commands.common import (
    FAILED,
    OK,
    CommandError,
    Output,
    all_faults,
    load_config,
    read_text,
    say,
    say_json,
    usage,
)

if TYPE_CHECKING:
    from adapters.policy import Policy
    from adapters.policy.check import Declarations
    from node.config import NodeConfig
    from node.replay.incident import Incident
    from node.replay.network import Sources
    from protocol.membership import Epoch

BLOCK_MS_MAX = 3_600_000
Checked = Literal["verified", "unable", "contradicted", "none"]


def replay(
    incident: str,
    /,
    *,
    exposure: Annotated[Path, Parameter(name=["--exposure", "-e"])],
    policy: Path | None = None,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    charter: Path | None = None,
    on: Annotated[str, Parameter(name="--as")] = "",
    words: str = "",
    block: str = "12s",
    own: Checked = "verified",
    output: Output = "human",
) -> int:
    """Play an incident against your own exposure: when you would have acted, and what of yours has no lever.

    Needs no node, no key and no network. Exit 1 where nothing of yours would have moved.

    Example: `tocsin replay forged-bridge-release --exposure mine.csv`

    Example: `tocsin replay forged-bridge-release --exposure mine.csv --config node.toml --as weth`

    Parameters
    ----------
    incident
        A pack by name, a pack's file, what `tocsin testnet --opinions` wrote, a real incident's timeline, a node's
        own log, or the answer of its /v1/events.
    exposure
        CSV: name,asset,usd and, where known, unit_usd,utilisation,levers,ways_out.
    policy
        Yours; without it and without --config one is drafted from the column levers.
    config
        A node's configuration: its policy, its charter, and what its own targets declare.
    charter
        Whose members and thresholds count; as many as spoke then where absent.
    on
        Play it on this asset of yours instead of the one that was hit.
    words
        The pack or recording whose members' words are taken, where an incident has none of its own.
    block
        Your chain's block time: that long until anybody sees it, and again until a lever stands.
    own
        What your node's own check would have said.
    """
    block_ms = _block_ms(block)
    loaded = load_config(config) if config is not None else None
    rules = _policy(policy, loaded, charter)
    members = charter or (loaded.charter if loaded is not None else None)
    told, ignored = _told(incident, words, exposure, rules, members, block_ms, on, own)
    if output == "json":
        say_json(told)
    else:
        from node.replay.answer import sentences

        say(*sentences(told))
        say(*(f"Nobody reads the column {one} of {exposure}." for one in ignored))
    return OK if told["acted_ms"] is not None or told["asked_ms"] is not None else FAILED


def _told(
    incident: str,
    words: str,
    exposure: Path,
    rules: tuple[Policy | None, Declarations | None],
    charter: Path | None,
    block_ms: int,
    on: str,
    own: Checked,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(the answer, columns that nobody reads)."""
    from adapters.policy import Own
    from governance.packs import played as given
    from node.replay.answer import answer
    from node.replay.holdings import CSV_BYTES_MAX, HoldingFaults, read_holdings
    from node.replay.incident import IncidentFault, load
    from node.replay.owner import hold_against
    from node.replay.played import play

    try:
        rows, ignored = read_holdings(read_text(exposure, CSV_BYTES_MAX, "list of exposures").lstrip("\ufeff"))
        found = load(incident, words)
        epoch, sources = _network(charter, found.recording.seats)
        held = hold_against(found, rows, *rules, on=on, own=Own(own), groups=epoch.q)
        said = given(found.recording, epoch, epoch, sources, _first_word_ms(found, block_ms))
        return answer(found, held, play(said, epoch, held.owner), epoch, block_ms), ignored
    except HoldingFaults as error:
        raise CommandError(all_faults(error.faults), str(exposure)) from None
    except (IncidentFault, ValueError) as error:
        raise CommandError(str(error)) from None


def _first_word_ms(incident: Incident, block_ms: int) -> int:
    """Since what times count from: words that a node heard came after the block was seen."""
    return 0 if incident.by_words else block_ms + (incident.after_ms or 0)


def _block_ms(written: str) -> int:
    from governance.durations import parse_duration

    try:
        found = parse_duration(written)
    except ValueError:
        found = -1
    if not 0 <= found <= BLOCK_MS_MAX:
        raise usage(f"--block {written!r} is no block time", 'write it like "12s" or "250ms", at most 1h')
    return found


def _network(charter: Path | None, seats: int) -> tuple[Epoch, Sources]:
    from node.commands.founding import read_charter
    from node.replay.network import of_charter, supposed

    return of_charter(read_charter(charter).epoch0()) if charter is not None else supposed(seats)


def _policy(
    path: Path | None, config: NodeConfig | None, charter: Path | None
) -> tuple[Policy | None, Declarations | None]:
    """Read as `tocsin policy check` reads it; with a configuration its levers are what their adapters declare."""
    from node.check_policy import PolicyReport, declarations, read_policy
    from node.commands.founding import read_charter

    wanted = path or (config.policy if config is not None else None)
    if wanted is None:
        return None, None
    policy = read_policy(wanted)
    if isinstance(policy, PolicyReport):
        raise CommandError(all_faults(policy.faults), str(wanted))
    if config is None:
        return policy, None
    declared = declarations(config, read_charter(charter or config.charter))
    if isinstance(declared, PolicyReport):
        raise CommandError(all_faults(declared.faults), str(config.path))
    return policy, declared
