"""The token bucket, on a clock that only sleeping moves."""

from __future__ import annotations

import pytest

from fuzzy_pipeline.sources.iqfeed.rate_limit import TokenBucket


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


def test_one_seconds_worth_may_go_out_at_once_and_the_next_waits_for_its_token() -> None:
    clock = Clock()
    bucket = TokenBucket(4.0, clock, clock.sleep)
    for _ in range(4):
        bucket.take()
    assert clock.sleeps == []
    bucket.take()
    assert clock.sleeps == [pytest.approx(0.25)]


def test_the_long_run_rate_is_kept() -> None:
    clock = Clock()
    bucket = TokenBucket(50.0, clock, clock.sleep)
    for _ in range(50 + 200):
        bucket.take()
    assert clock.now - 100.0 == pytest.approx(200 / 50.0)


def test_idle_time_does_not_save_up_more_than_one_second() -> None:
    clock = Clock()
    bucket = TokenBucket(2.0, clock, clock.sleep)
    clock.now += 3600.0
    for _ in range(3):
        bucket.take()
    assert clock.sleeps == [pytest.approx(0.5)]


def test_a_rate_below_one_still_lets_single_requests_through() -> None:
    clock = Clock()
    bucket = TokenBucket(0.5, clock, clock.sleep)
    bucket.take()
    bucket.take()
    assert clock.sleeps == [pytest.approx(2.0)]
