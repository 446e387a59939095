"""What a connection may say before it has a name, and on each stream before that has a protocol: little.

The library reads a handshake byte by byte, each byte two turns of the scheduler and a hundred more where the peer has
hung up, and refuses one unknown protocol after another for as long as somebody asks. Here what has come is read at
once, and both the bytes and the questions are counted.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import trio
from libp2p.io.abc import ReadWriteCloser
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.protocol_muxer.exceptions import MultiselectCommunicatorError
from libp2p.protocol_muxer.multiselect import DEFAULT_NEGOTIATE_TIMEOUT, Multiselect

from node.transport.limits import HANDSHAKE_BYTES_MAX, HANDSHAKE_READ_BYTES, NEGOTIATION_LINES_MAX

ENDLESS_TALK = "asked for one protocol after another"


class EndlessTalkError(Exception):
    """A peer goes on naming protocols that are not offered."""


class HandshakeStream(ReadWriteCloser):  # type: ignore[misc]
    """A TCP connection until Noise has finished; `rest` is what came after that, for whoever reads on."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.rest = bytearray()
        self._left = HANDSHAKE_BYTES_MAX
        self._peer: tuple[str, int] | None = None
        with suppress(OSError):
            self._peer = stream.socket.getpeername()[:2]

    async def read(self, n: int | None = None) -> bytes:
        """Up to `n` bytes, at least one. Raises ConnectionClosedError at the end of the connection, or of what a
        handshake takes."""
        wanted = HANDSHAKE_READ_BYTES if n is None else n
        if wanted > self._left:
            raise ConnectionClosedError("more was said than a handshake takes", transport="tcp")
        if not self.rest and wanted:
            try:
                self.rest += await self.stream.receive_some(HANDSHAKE_READ_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise ConnectionClosedError(f"the connection broke: {error}", transport="tcp") from error
            if not self.rest:
                raise ConnectionClosedError("the peer closed the connection", transport="tcp")
        data = bytes(self.rest[:wanted])
        del self.rest[: len(data)]
        self._left -= len(data)
        return data

    async def write(self, data: bytes) -> None:
        """Raises ConnectionClosedError."""
        try:
            await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionClosedError(f"the connection broke: {error}", transport="tcp") from error

    async def close(self) -> None:
        """See trio."""
        await self.stream.aclose()

    def get_remote_address(self) -> tuple[str, int] | None:
        """IP address and port, also after the end."""
        return self._peer


class BriefMultiselect(Multiselect):  # type: ignore[misc]
    """The library's, but that it hears a peer out only so long."""

    async def negotiate(self, communicator: Any, negotiate_timeout: int = DEFAULT_NEGOTIATE_TIMEOUT) -> Any:
        """See the library. Raises EndlessTalkError too; whose name is known is accused."""
        return await super().negotiate(_Counted(communicator), negotiate_timeout)


def _nobody(why: str) -> None:
    """Nobody is told: whoever speaks has no name yet, or the stream's owner says it."""


class _Counted:
    def __init__(self, communicator: Any) -> None:
        self._behind = communicator
        self._left = NEGOTIATION_LINES_MAX

    async def read(self) -> str:
        self._left -= 1
        if self._left < 0:
            getattr(self._behind.read_writer, "accuse", _nobody)(ENDLESS_TALK)
            raise EndlessTalkError(ENDLESS_TALK)
        try:
            return str(await self._behind.read())
        except UnicodeDecodeError as error:
            raise MultiselectCommunicatorError("a name of a protocol is no text") from error

    async def write(self, line: str) -> None:
        await self._behind.write(line)


def brief(owner: Any) -> None:
    """Puts a BriefMultiselect in the place of an owner's Multiselect, with the same handlers."""
    owner.multiselect = BriefMultiselect(owner.multiselect.handlers)
