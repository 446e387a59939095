"""The exposition format, read back by somebody else's reader."""

from __future__ import annotations

import math

import pytest

from node.metrics.counted import Histogram
from node.metrics.text import LABEL_CHARS_MAX, SAMPLES_MAX, Family, Samples, number, written

parser = pytest.importorskip("prometheus_client.parser")
GAUGE = Family("tocsin_things", "gauge", ("who",), "Things.")


def read(family: Family, samples: Samples) -> dict[tuple[str, ...], float]:
    (found,) = parser.text_string_to_metric_families(written([(family, samples)]))
    assert (found.name, found.type, found.documentation) == (family.name, family.kind, family.help)
    return {(one.name, *one.labels.values()): one.value for one in found.samples}


@pytest.mark.parametrize("who", ['a"b', "a\\b", "a\nb", '\\"\n', "}", "a,b=c", "ü", ""])
def test_a_label_comes_back_as_it_was(who: str) -> None:
    assert read(GAUGE, {(who,): 1}) == {("tocsin_things", who): 1}


def test_a_label_that_would_draw_on_a_screen_or_has_no_end_is_made_harmless() -> None:
    ((_, who),) = read(GAUGE, {("\x1b[31m" + "x" * 1_000,): 1})
    assert who == "?[31m" + "x" * (LABEL_CHARS_MAX - 5)


def test_a_family_has_so_many_samples_and_no_more() -> None:
    many: Samples = {(str(one),): one for one in range(SAMPLES_MAX + 50)}
    assert len(read(GAUGE, many)) == SAMPLES_MAX


def test_what_nobody_knows_has_no_sample_and_keeps_its_name() -> None:
    assert written([(GAUGE, {})]) == "# HELP tocsin_things Things.\n# TYPE tocsin_things gauge\n"


@pytest.mark.parametrize("value", [0, 1, -1, 0.1, 1e300, 5e-324, 2**53, math.inf, -math.inf, True])
def test_numbers_come_back_as_they_were(value: float) -> None:
    assert read(GAUGE, {("a",): value}) == {("tocsin_things", "a"): value}


def test_what_is_no_number_is_written_as_the_format_wants() -> None:
    assert number(math.nan) == "NaN"


def test_a_histogram_counts_what_is_at_most_each_bound() -> None:
    one = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        one.observe(value)
    found = read(Family("tocsin_t_seconds", "histogram", (), "T."), {(): one.spread()})
    buckets = {key[1]: value for key, value in found.items() if key[0].endswith("_bucket")}
    assert buckets == {"0.1": 2, "1": 3, "+Inf": 4}
    assert found[("tocsin_t_seconds_count",)] == 4
    assert found[("tocsin_t_seconds_sum",)] == pytest.approx(7.65)
