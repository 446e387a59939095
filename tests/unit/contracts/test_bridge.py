"""The bridge: what the endpoint can do, what it cannot, and what stays findable by nonce."""

from tests.unit.contracts.scenes import bridge
from tests.unit.contracts.world import ATTACKER, E18, ENDPOINT, GUARDIAN, HONEST, KEY_A, OWNER, START

FORGED = 116_500 * E18


def test_a_forged_message_releases_without_a_burn() -> None:
    scene = bridge()
    scene.escrow("deliver", 308, ATTACKER, FORGED, by=ENDPOINT)
    assert scene.rs("balanceOf", ATTACKER) == FORGED
    assert scene.escrow("released_amount", 308) == FORGED
    assert scene.twin("burned", 308) == 0


def test_a_release_is_found_by_nonce_and_recipient() -> None:
    scene = bridge()
    scene.escrow("deliver", 308, ATTACKER, FORGED, by=ENDPOINT)
    [event] = scene.escrow.events
    assert (event.name, event.fields) == ("Released", {"nonce": 308, "recipient": ATTACKER, "amount": FORGED})


def test_an_honest_message_leaves_its_burn_under_the_same_nonce() -> None:
    scene = bridge()
    nonce = scene.twin("burn_out", 5 * E18, HONEST, by=HONEST)
    assert [event.name for event in scene.twin.events] == ["Transfer", "BurnedOut"]
    scene.escrow("deliver", nonce, HONEST, 5 * E18, by=ENDPOINT)
    assert scene.twin("burned", nonce) == scene.escrow("released_amount", nonce)
    assert scene.twin("burned_to", nonce) == scene.escrow("released_to", nonce)


def test_only_the_endpoint_delivers() -> None:
    scene = bridge()
    assert scene.escrow.refusal("deliver", 2, ATTACKER, 1, by=ATTACKER) == "not endpoint"
    assert scene.twin.refusal("deliver", 2, ATTACKER, 1, by=ATTACKER) == "not endpoint"


def test_a_nonce_delivers_once() -> None:
    scene = bridge()
    scene.escrow("deliver", 2, HONEST, 1, by=ENDPOINT)
    assert scene.escrow.refusal("deliver", 2, HONEST, 1, by=ENDPOINT) == "nonce used"
    assert scene.twin.refusal("deliver", 1, HONEST, 1, by=ENDPOINT) == "nonce used"


def test_a_pause_refuses_releases_until_its_end() -> None:
    scene = bridge()
    scene.escrow("deliver", 308, ATTACKER, FORGED, by=ENDPOINT)
    scene.escrow("pause_releases", START + 60, False, KEY_A, by=GUARDIAN)
    assert scene.escrow("releases_paused_until") == START + 60
    scene.world.now = START + 59
    assert scene.escrow.refusal("deliver", 309, ATTACKER, 40_000 * E18, by=ENDPOINT) == "paused"
    scene.world.now = START + 60
    assert scene.escrow.refusal("deliver", 309, ATTACKER, 40_000 * E18, by=ENDPOINT) is None


def test_locking_goes_on_while_releases_are_paused() -> None:
    scene = bridge()
    scene.escrow("pause_releases", START + 60, False, KEY_A, by=GUARDIAN)
    assert scene.escrow("lock", E18, HONEST) == 2
    assert scene.escrow("locked_total") == 157_001 * E18


def test_a_plain_burn_is_no_message() -> None:
    scene = bridge()
    scene.twin("burn", E18, by=HONEST)
    assert (scene.twin("burn_count"), scene.twin("burned_total")) == (0, 0)
    assert scene.twin("totalSupply") == 156_999 * E18


def test_counters_add_up() -> None:
    scene = bridge()
    scene.twin("burn_out", 2 * E18, HONEST, by=HONEST)
    scene.twin("burn_out", 3 * E18, HONEST, by=HONEST)
    assert (scene.twin("burn_count"), scene.twin("burned_total")) == (2, 5 * E18)
    assert scene.twin("minted_total") - scene.twin("burned_total") == scene.twin("totalSupply")
    scene.escrow("deliver", 1, HONEST, 2 * E18, by=ENDPOINT)
    assert scene.rs("balanceOf", scene.escrow.address) == (
        scene.escrow("locked_total") - scene.escrow("released_total")
    )


def test_nobody_burns_or_locks_more_than_they_have() -> None:
    scene = bridge()
    assert scene.twin.refusal("burn_out", 1, ATTACKER, by=ATTACKER) == "balance"
    assert scene.escrow.refusal("lock", 1, ATTACKER, by=ATTACKER) == "allowance"
    assert scene.rs.refusal("mint", ATTACKER, 1, by=ATTACKER) == "not minter"
    assert scene.rs.refusal("transfer", HONEST, MORE_THAN_ALL, by=OWNER) == "balance"


MORE_THAN_ALL = 10**9 * E18
