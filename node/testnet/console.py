"""One member's page, switched on as its operator would: a line in node.toml, a token that is good for one sign-in."""

from __future__ import annotations

import socket
from collections.abc import Collection, Sequence

from node import people
from node.config import PEOPLE_NAME
from node.testnet.compose import Seat

PERSON = "you"


def open_console(seats: Sequence[Seat], apart: Collection[str]) -> str:
    """The page's address, of a member with levers that is none of `apart` (to be killed, or a liar). What stands
    behind # is sent to nobody: the page itself spends it."""
    seat = min(seats, key=lambda seat: (seat.name in apart, not seat.role.levers))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with seat.config.open("a", encoding="utf-8") as file:
        file.write(f'\n[console]\nlisten = "127.0.0.1:{port}"\n')
    token = people.add(seat.folder / "data" / PEOPLE_NAME, PERSON, "viewer", once=True)
    return f"http://127.0.0.1:{port}/#once={token}"
