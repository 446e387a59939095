"""What the machine says of the news it has people told: which topic, how high, how strict."""

from node.effects import Tell
from node.machine.step import Step
from protocol.messages import Level, Tlp
from tests.unit.machine.world import COIN, OTHER_COIN, THREAT, World, claim


def test_news_name_their_topic_and_the_highest_level_that_is_said_on_it() -> None:
    world = World(4)
    world[0].sense(world.true(claim()))
    world.run(1_000)
    step = Step(world[1].state, world[1].clock())
    for subject in (COIN, OTHER_COIN, None):
        step.tell(subject, THREAT, "look")
    told = [effect for effect in step.effects if isinstance(effect, Tell)]
    assert [(one.about, one.level, one.tlp) for one in told] == [
        (f"{COIN} {int(THREAT)}", Level.ISOLATE, Tlp.AMBER),
        (f"{OTHER_COIN} {int(THREAT)}", Level.NONE, Tlp.AMBER),
        ("", Level.NONE, Tlp.AMBER),
    ]
