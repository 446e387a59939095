"""The token bucket."""

from __future__ import annotations

from node.transport.budget import TokenBucket


def test_a_burst_is_spent_once_and_refills_with_time() -> None:
    bucket = TokenBucket(rate_per_s=2, burst=3, tokens=3, at_s=0)
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(1) for _ in range(3)] == [True, True, False]


def test_rest_never_saves_more_than_the_burst() -> None:
    bucket = TokenBucket(rate_per_s=1000, burst=2, tokens=0, at_s=0)
    assert [bucket.take(3600) for _ in range(3)] == [True, True, False]


def test_a_clock_that_steps_back_costs_nothing() -> None:
    bucket = TokenBucket(rate_per_s=1, burst=1, tokens=1, at_s=10)
    assert [bucket.take(5), bucket.take(5.5), bucket.take(6.5)] == [True, False, True]
