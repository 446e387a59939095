"""The three venues of the story, set up and funded."""

from types import SimpleNamespace

from tests.unit.contracts.world import ATTACKER, E18, ENDPOINT, GUARDIAN, HONEST, MOST, OWNER, World

ORACLE, PROVIDER = OWNER, OWNER


def bridge() -> SimpleNamespace:
    """Escrow at home with 157,000 locked; the twin, of the same world, with as much minted for it."""
    world = World()
    rs = world.token("rs", owner=200_000)
    escrow = world.deploy("Escrow", rs.address, ENDPOINT, GUARDIAN)
    rs("approve", escrow.address, MOST)
    escrow("lock", 157_000 * E18, HONEST)
    twin = world.deploy("Twin", "rs", "rs", ENDPOINT)
    twin("deliver", 1, HONEST, 157_000 * E18, by=ENDPOINT)
    return SimpleNamespace(world=world, rs=rs, escrow=escrow, twin=twin)


def lending() -> SimpleNamespace:
    """Collateral rs and st at price 1, LTV 75 %; 10,000 WETH provided; two people with 1,000 of each."""
    world = World()
    rs = world.token("rs", attacker=1_000, honest=1_000)
    st = world.token("st", attacker=1_000, honest=1_000)
    weth = world.token("weth", owner=10_000, honest=1_000, attacker=10)
    market = world.deploy("Lending", weth.address, ORACLE, GUARDIAN)
    for asset in (rs, st):
        market("add_collateral", asset.address, E18, 7_500)
    for token in (rs, st, weth):
        for who in (OWNER, ATTACKER, HONEST):
            token("approve", market.address, MOST, by=who)
    market("provide", 10_000 * E18)
    return SimpleNamespace(world=world, rs=rs, st=st, weth=weth, market=market)


def venue() -> SimpleNamespace:
    """A market on rs at 10 % initial margin over a pushed oracle at 1; rs counts at 80 % as margin; pool 5,000."""
    world = World()
    rs = world.token("rs", attacker=1_000, honest=1_000)
    weth = world.token("weth", owner=10_000, honest=1_000, attacker=1_000)
    oracle = world.deploy("Oracle", OWNER, E18)
    perp = world.deploy("Perp", weth.address, rs.address, 8_000, GUARDIAN)
    perp("add_market", rs.address, oracle.address, 1_000)
    for token in (rs, weth):
        for who in (OWNER, ATTACKER, HONEST):
            token("approve", perp.address, MOST, by=who)
    perp("fund_pool", 5_000 * E18)
    return SimpleNamespace(world=world, rs=rs, weth=weth, oracle=oracle, perp=perp)
