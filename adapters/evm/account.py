"""Keys that send transactions. The only importer of eth_account."""

from __future__ import annotations

import sys
from typing import Any

from eth_account import Account as EthAccount

FRAMES_MAX = 1_000
# py_ecc, which comes with eth_account and web3, raises Python's limit of recursion to 100 000: a deeply nested answer
# of a provider then overflows the stack and ends the process.
sys.setrecursionlimit(FRAMES_MAX)


class Account:
    """A secp256k1 key that signs transactions. The key is in no repr, log or error."""

    def __init__(self, key: bytes) -> None:
        try:
            self._signer = EthAccount.from_key(key)
        except Exception:  # the library's own text may quote the key
            raise ValueError("not a secp256k1 private key: 32 bytes, or 64 hex digits, below the group order") from None
        self.address = bytes.fromhex(self._signer.address[2:])

    def __repr__(self) -> str:
        return f"Account(0x{self.address.hex()})"

    def sign(self, transaction: dict[str, Any]) -> tuple[bytes, bytes]:
        """(raw signed transaction, its hash); the hash is computed here, no provider can name another."""
        signed = self._signer.sign_transaction(transaction)
        return bytes(signed.raw_transaction), bytes(signed.hash)
