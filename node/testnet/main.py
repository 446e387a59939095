"""`tocsin testnet`: one command, from a forged message to contained assets. Prints within the first second."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import Any

from node.commands.common import USAGE
from node.testnet.options import CHAINLESS, Options
from node.testnet.runfile import clean_up_after_the_dead, make_run_dir


def run(options: Options) -> int:
    """0: every fact is as it should be. 1: it is not, or the run failed (said in one line). 2: cannot be played so."""
    human = options.output == "human"
    if human:
        _say(f"tocsin testnet: {options.members} members, scenario {options.scenario}, seed {options.seed}")
    for told in clean_up_after_the_dead():
        _say(told, human)
    # a shell's `&` starts programs with SIGINT ignored; SIGTERM comes in by the same door
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    chainless = CHAINLESS.get(options.scenario)
    if chainless and not _playable(chainless, options):
        return USAGE
    scenario = None if chainless else _scenario(options)
    if not chainless and scenario is None:
        return 1
    run_dir = make_run_dir(options.keep)
    try:
        if chainless:
            return int(import_module(chainless).play(options, run_dir, human))
        return _forked(options, scenario, run_dir, human)
    except KeyboardInterrupt:
        sys.stderr.write("tocsin: interrupted; every process of the run was ended\n")
        return 1
    finally:
        if options.keep is None:
            shutil.rmtree(run_dir, ignore_errors=True)
        elif human:
            _say(f"kept: {run_dir}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    """As Ctrl-C: an exception of our own, raised inside trio's own loop, would tear it apart."""
    signal.raise_signal(signal.SIGINT)


def _say(text: str, aloud: bool = True) -> None:
    if aloud:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _scenario(options: Options) -> Any:
    from node.testnet.scenario import ScenarioFaults, load

    try:
        scenario = load(options.scenario)
    except ScenarioFaults as error:
        for fault in error.faults:
            sys.stderr.write(f"tocsin: {error.source}: {fault}\n")
        return None
    if options.members < scenario.members_min:
        least = scenario.members_min
        sys.stderr.write(f"tocsin: {scenario.id} needs {least} members at least; use --members {least}\n")
        return None
    return _realised(options, scenario) if options.targets == "real" else scenario


def _realised(options: Options, scenario: Any) -> Any:
    from node.testnet.real import packages
    from node.testnet.real.pack import packages_of, realised

    if options.packages is not None:
        packages.look_in(options.packages)
    real = realised(scenario)
    needed = packages_of(real)
    fault = next((why for name in needed if (why := packages.missing(name))), "")
    if not needed:
        fault = f"{scenario.id} has no lending market that could stand on real contracts; use --targets own"
    if fault:
        sys.stderr.write(f"tocsin: {fault}\n")
        return None
    return real


def _playable(module: str, options: Options) -> bool:
    fault: str = import_module(module).fault_of(options)
    if fault:
        sys.stderr.write(f"tocsin: {fault}\n")
    return not fault


def _forked(options: Options, scenario: Any, run_dir: Any, human: bool) -> int:
    """Imports, forks the zygote while this process has no loop and no thread, then supervises on trio."""
    import trio

    from node.testnet.zygote import fork_zygote

    zygote, asks, answers = fork_zygote()
    from node.testnet.chain_process import ChainStartError
    from node.testnet.opinions import recording_text
    from node.testnet.processes import Processes
    from node.testnet.report import report, verdict_json
    from node.testnet.story import Story
    from node.testnet.supervisor import RunFailed, Supervisor

    processes = Processes(zygote, asks, answers, run_dir)
    story = Story(options, scenario, aloud=human and not options.check)
    supervisor = Supervisor(options, scenario, processes, run_dir, story.heard, story.say, story.deed)
    story.begin(supervisor)
    try:
        facts = trio.run(supervisor.run)
    except BaseException as error:
        processes.close()
        failed = _first(error, (RunFailed, ChainStartError))
        if failed is not None:
            sys.stderr.write(f"tocsin: {failed}\n")
            return 1
        if _first(error, KeyboardInterrupt) is not None:
            raise KeyboardInterrupt from None
        raise
    if options.opinions is not None:
        options.opinions.write_text(recording_text(scenario.id, facts.told, *_played(facts, options.speed)), "utf-8")
    result = verdict_json(options, facts)
    if human:
        _say(report(options, facts, result))
    else:
        _say(json.dumps(result))
    return 0 if all(check["ok"] for check in result["checks"]) else 1


def _played(facts: Any, speed: float) -> tuple[int, dict[str, str]]:
    """When the attacker began, in ms of the wall clock (0: there is none), and what the subjects are in the pack."""
    from node.testnet.registry import PRICED

    first = min((one.at_s for one in facts.scenario.events if one.who == "attacker"), default=None)
    began_ms = 0 if first is None else facts.start_ms + int(facts.scenario.play_s(first, speed) * 1000)
    priced = [one.name for one in facts.scenario.things.values() if one.kind in PRICED]
    return began_ms, {str(subject): name for name in priced for subject in facts.world.subjects(name)}


def _first(error: BaseException, kind: type[BaseException] | tuple[type[BaseException], ...]) -> BaseException | None:
    """The first of a kind inside nested exception groups."""
    if isinstance(error, kind):
        return error
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            found = _first(one, kind)
            if found is not None:
                return found
    return None
