"""What whoever started the node is told on standard error: the log is for machines, and may be a file."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from node.drill.mark import WORD, drill_of
from node.mark import MarkError
from node.parts import StartFault
from node.store import StoreError
from node.transport.host import ListenFailedError

if TYPE_CHECKING:
    from node.app import Node

log = logging.getLogger("tocsin.node")
STOP_S_MAX = 10.0
"""For an orderly stop; then the process ends as if it had been killed, which it is built for."""


def end_now() -> None:
    """Something does not let go (a client that reads no answer, a copy on a dead disk): the stop was asked for."""
    line = f"did not stop in order within {STOP_S_MAX:g} s: ended; what stands, stands until its lease"
    log.critical(line)
    tell([line])
    os._exit(1)


def known(group: BaseExceptionGroup[BaseException]) -> Iterator[str]:
    """What ended the node where that is no fault of the program: the port is taken, the disk is full or torn."""
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from known(one)
        elif isinstance(one, StartFault):
            yield from one.faults
        elif isinstance(one, ListenFailedError):
            yield f"{one}; stop what holds it, or change `listen` in node.toml"
        elif isinstance(one, StoreError | MarkError):
            yield str(one)


def tell(lines: Sequence[str]) -> None:
    """Each with the name of the program; a closed standard error stops nothing."""
    with suppress(OSError, ValueError):
        for line in lines:
            sys.stderr.write(f"tocsin: {line}\n")
        sys.stderr.flush()


def hello(node: Node) -> list[str]:
    config, charter = node.parts.config, node.parts.charter
    where = ", ".join(node.transport.listening) or config.listen or "no address (it dials)"
    lines = [
        f"{config.member} of network {charter.network.hex()[:16]}… is up on {where}, policy on "
        f"{node.parts.policy.mode.name.lower()}; tocsin status --config {config.path}"
    ]
    if of := drill_of(charter.parameters.name):
        lines.append(f"{WORD}: a drill network of {of[:16]}…: levers are planned and simulated here, and never pulled")
    if node.parts.stopped_why:
        lines.append(f"SIGNS NOTHING: {node.parts.stopped_why}")
    return lines
