"""Where every node is dead: what ends by its target ends, what ends by a node stands until one is back."""

from dataclasses import replace

from adapters.api import ExpiresBy
from tests.integration.levers.outlive import Outlived, human, table


def test_every_restriction_outlives_its_nodes_as_it_declares():
    rows = table()
    assert len(rows) >= 7 and all(one.as_declared for one in rows), human(rows)
    assert {one.call for one in rows if one.expires_by == ExpiresBy.TARGET.value and one.after} == set()


def test_a_declaration_that_says_otherwise_is_told():
    ends = Outlived("x.y", ExpiresBy.TARGET.value, True, False, False, True)
    stays = Outlived("x.y", ExpiresBy.NODE.value, True, True, True, True)
    assert ends.as_declared and stays.as_declared and "NOT as declared" not in human([ends, stays])
    for wrong in (replace(ends, after=True, day_after=True), replace(stays, after=False), replace(stays, within=False)):
        assert not wrong.as_declared and "NOT as declared" in human([wrong])
