from __future__ import annotations

from node.config_identity import evm_address_of, peer_id_of


def test_the_peer_id_is_the_one_that_libp2p_derives() -> None:
    # computed once with libp2p 0.8.1, which takes two seconds to import
    assert peer_id_of(b"\x01" * 32) == "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"


def test_the_lever_account_is_the_one_that_ethereum_derives() -> None:
    assert evm_address_of(b"\x01" * 32) == "0x1a642f0e3c3af545e7acbd38b07251b3990914f1"
