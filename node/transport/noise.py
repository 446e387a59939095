"""Noise after the handshake: one read of the socket for all records that came, one write for all that goes.

The library reads the length and the body of each record by themselves, through six layers with two locks, and
writes through as many. Here sealing and handing over are one step that nothing can come between, so that the order
of nonces is the order of bytes without any lock, and whoever is cancelled while he waits has spoilt nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import trio
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.security.secure_session import SecureSession

from node.transport.limits import READ_BYTES, RECEIVE_WINDOW, RECORD_MAX, RECORDS_AT_ONCE
from node.transport.tcp import ask_again_soon

_LENGTH = 2


def _nobody(why: str) -> None:
    """Nobody is told."""


class RecordSession(SecureSession):  # type: ignore[misc]
    """Takes over the connection of a finished handshake. `plain` holds what has been opened and not been read;
    `accuse` is told what the peer did that ends the connection."""

    def __init__(self, secured: Any, accuse: Callable[[str], None] = _nobody) -> None:
        super().__init__(
            local_peer=secured.local_peer,
            local_private_key=secured.local_private_key,
            remote_peer=secured.remote_peer,
            remote_permanent_pubkey=secured.remote_permanent_pubkey,
            is_initiator=secured.is_initiator,
            conn=secured.conn,
        )
        protocol = secured.conn.noise_state.noise_protocol
        sealing, opening = protocol.cipher_state_encrypt, protocol.cipher_state_decrypt
        self._seal, self._seal_nonce = sealing.cipher.cipher.encrypt, sealing.n
        self._open, self._open_nonce = opening.cipher.cipher.decrypt, opening.n
        before = secured.conn.read_writer.read_write_closer.stream
        self._socket = before.stream.socket
        ask_again_soon(self._socket)
        self._closed_records = bytes(before.rest)
        self._unsent = bytearray()
        self._sending = trio.Lock()
        self.plain = bytearray()
        self.accuse = accuse

    # ---- reading: one task

    async def read(self, n: int | None = None) -> bytes:
        """`n` bytes, or what there is. Raises ConnectionClosedError at the end of the connection, and where more was
        announced than a window holds."""
        if n is not None and n > RECEIVE_WINDOW:
            self.accuse("announced more bytes than a window holds")
            raise ConnectionClosedError(f"{n} bytes were announced at once", transport="tcp")
        while len(self.plain) < (1 if n is None else n):
            await self.more()
        data = bytes(self.plain if n is None else self.plain[:n])
        del self.plain[: len(data)]
        return data

    async def more(self) -> None:
        """Wait until `plain` has grown. Raises ConnectionClosedError; for a forged record, what the cipher raises."""
        before = len(self.plain)
        while len(self.plain) == before:
            if self._open_whole():
                # A burst of tiny records is not opened in one go: others have a turn between.
                await trio.lowlevel.checkpoint()
            else:
                self._closed_records += await self._receive()
                self._open_whole()

    async def _receive(self) -> bytes:
        while True:
            try:
                await trio.lowlevel.wait_readable(self._descriptor())
                data = os.read(self._descriptor(), READ_BYTES)
            except BlockingIOError:
                continue
            except (OSError, trio.ClosedResourceError) as error:
                raise ConnectionClosedError(f"the connection broke: {error}", transport="tcp") from error
            if not data:
                raise ConnectionClosedError("the peer closed the connection", transport="tcp")
            return data

    def _open_whole(self) -> bool:
        """Open the whole records that have come, up to a bound; whether there were any."""
        raw, at = self._closed_records, 0
        for _ in range(RECORDS_AT_ONCE):
            body = at + _LENGTH
            end = body + int.from_bytes(raw[at:body], "big")
            if len(raw) < end or len(raw) < body:
                break
            nonce = b"\0\0\0\0" + self._open_nonce.to_bytes(8, "little")
            self.plain += self._open(nonce, raw[body:end], b"")
            self._open_nonce += 1
            at = end
        if at:
            self._closed_records = raw[at:]
        return at > 0

    # ---- writing: any task

    @property
    def blocked(self) -> bool:
        """Whether the kernel has not taken all yet: who may wait should."""
        return bool(self._unsent)

    def push(self, data: bytes) -> None:
        """Seal, and hand to the kernel what it takes; the rest goes with `flushed`. Raises ConnectionClosedError."""
        for at in range(0, len(data), RECORD_MAX):
            part = data[at : at + RECORD_MAX] if len(data) > RECORD_MAX else data
            nonce = b"\0\0\0\0" + self._seal_nonce.to_bytes(8, "little")
            self._seal_nonce += 1
            sealed = self._seal(nonce, part, b"")
            record = len(sealed).to_bytes(_LENGTH, "big") + sealed
            sent = 0 if self._unsent else self._send(record)
            if sent < len(record):
                self._unsent += record[sent:]

    async def write(self, data: bytes) -> None:
        """Seal and send everything, waiting for the kernel if need be. Raises ConnectionClosedError."""
        self.push(data)
        await self.flushed()

    async def flushed(self) -> None:
        """Wait until the kernel has taken all. Raises ConnectionClosedError."""
        while self._unsent:
            async with self._sending:
                if self._unsent:
                    try:
                        await trio.lowlevel.wait_writable(self._descriptor())
                    except trio.ClosedResourceError as error:
                        raise ConnectionClosedError("the connection was closed", transport="tcp") from error
                    del self._unsent[: self._send(self._unsent)]

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._descriptor(), data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise ConnectionClosedError(f"the connection broke: {error}", transport="tcp") from error

    def _descriptor(self) -> int:
        """Looked up each time: the number of a closed socket may be another's by now, and trio takes -1 for one."""
        number = int(self._socket.fileno())
        if number < 0:
            raise ConnectionClosedError("the connection was closed", transport="tcp")
        return number
