"""`tocsin`: the one entry point. Bad input ends in one clear line on stderr and its exit code, never in a traceback.

0 ok, 1 refused or failed, 2 usage, 3 node unreachable, 4 no quorum in time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cyclopts import App, CycloptsError

from node.commands import (
    actions,
    alerts,
    completing,
    drilling,
    founding,
    guard,
    insiders,
    intel,
    joining,
    keeping,
    levers,
    locking,
    members,
    people,
    registry,
    replaying,
    running,
    survey,
    verifying,
    votes,
    watching,
)
from node.commands.common import FAILED, INTERRUPTED, OK, UNREACHABLE, USAGE, CommandError, all_faults, tell_error

Command = Callable[..., int]
_HELP = """When one protocol is breached, every exposed protocol shuts its own gates.

New here: `tocsin testnet`. Founding a network: `tocsin init`, then `tocsin charter create`.

Exit codes: 0 ok, 1 refused or failed, 2 usage, 3 node unreachable, 4 no quorum in time.
"""


def build_app() -> App:
    app = App(
        name="tocsin",
        help=_HELP,
        version=keeping.version_text,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    first: tuple[Command, ...] = (
        founding.init,
        joining.join,
        running.up,
        running.down,
        running.status,
        watching.watch,
        running.testnet,
        survey.survey,
        replaying.replay,
    )
    for command in first:
        app.command(command)
    groups = (
        founding.charter_app,
        alerts.alert_app,
        actions.action_app,
        levers.lever_app,
        intel.intel_app,
        drilling.drill_app,
        people.person_app,
        locking.key_app,
        keeping.config_app,
    )
    voting = (members.member_app, votes.vote_app, joining.network_app)
    for group in (*groups, keeping.policy_app, *voting, registry.registry_app, guard.guard_app):
        app.command(group)
    keep: tuple[Command, ...] = (
        insiders.insiders,
        keeping.backup,
        keeping.restore,
        verifying.verify,
        keeping.explain,
        keeping.doctor,
    )
    last: tuple[Command, ...] = (keeping.version, completing.completion)
    for command in (*keep, *last):
        app.command(command)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code. `arguments` defaults to the process's."""
    if sys.flags.optimize:
        tell_error("python -O strips checks that safety rests on; start it without -O and without PYTHONOPTIMIZE")
        return FAILED
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    app = build_app()
    try:
        result = app(tokens, exit_on_error=False, print_error=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else OK
    except CycloptsError as error:
        tell_error(f"{_one_line(error).rstrip('.')}; see `tocsin {_command_of(app, tokens)}--help`")
        return USAGE
    except CommandError as error:
        _tell_lines(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        tell_error("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # whoever read us has gone; the interpreter must not complain about it at exit
        sys.stdout = None
        return FAILED
    except BaseExceptionGroup as group:
        return _tell_group(group)
    except Exception as error:
        return _tell_known(error)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _command_of(app: App, tokens: Sequence[str]) -> str:
    """The leading words that do name a command, each followed by a space."""
    words = ""
    for token in tokens:
        if token.startswith("-") or token not in app:
            break
        app = app[token]
        words += f"{token} "
    return words


def _tell_lines(text: str) -> None:
    first, *rest = text.split("\n")
    tell_error(first)
    for line in rest:
        sys.stderr.write("".join(one if one.isprintable() else "�" for one in line) + "\n")


def _tell_known(error: Exception) -> int:
    """Errors of ours and of the system, recognised without importing the modules that may raise them."""
    from governance.faults import FileFaults

    kind = type(error).__name__
    if isinstance(error, FileFaults):
        path = getattr(error, "path", None)
        head = f"{path}: " if path else ""
        if len(error.faults) == 1:
            tell_error(f"{head}{error.faults[0]}")
        else:
            _tell_lines(f"{head}{all_faults(error.faults)}")
        return FAILED
    if kind == "NodeUnreachable":
        tell_error(f"no node answers at {error}; start it with `tocsin up`, or name its file with --config")
        return UNREACHABLE
    if kind in ("ControlError", "ProtocolError", "KeyFault", "MarkError", "StoreError"):
        tell_error(_one_line(error))
        return FAILED
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        tell_error(f"{where}{error.strerror or _one_line(error)}; check path, rights and space")
        return FAILED
    tell_error(f"a fault of tocsin itself: {kind}: {_one_line(error)} {_place(error)}; please report this line")
    return FAILED


def _tell_group(group: BaseExceptionGroup[BaseException]) -> int:
    """A nursery wraps what happened in it: each leaf is told, the worst exit code wins."""
    if group.subgroup(KeyboardInterrupt) is not None:
        tell_error("interrupted")
        return INTERRUPTED
    codes = []
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            codes.append(_tell_group(one))
        elif isinstance(one, CommandError):
            _tell_lines(str(one))
            codes.append(one.exit_code)
        elif isinstance(one, Exception):
            codes.append(_tell_known(one))
        else:
            raise one
    return max(codes)


def _place(error: Exception) -> str:
    """The innermost line of ours: where to look, without a traceback."""
    trace, place = error.__traceback__, ""
    ours = Path(__file__).resolve().parents[1]
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(ours) and "site-packages" not in path.parts[len(ours.parts) :]:
            place = f"({path.relative_to(ours)}:{trace.tb_lineno})"
        trace = trace.tb_next
    return place


if __name__ == "__main__":
    sys.exit(main())
