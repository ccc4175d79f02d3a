"""The rule of a bucket: never more than the burst and the rate, and nothing lost to rounding but microseconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.domain.throttle import Rate, read_rate, take, wait_us

rates = st.builds(Rate, st.floats(0.001, 1_000_000), st.integers(1, 1_000_000))


@given(rates, st.lists(st.tuples(st.integers(0, 10_000_000), st.integers(0, 2_000), st.integers(0, 2_000)), max_size=30))
def test_over_any_span_no_more_is_granted_than_the_burst_and_the_rate(rate, steps):
    debt, passed, granted = 0, 0, 0
    for pause, need, ahead in steps:
        passed += pause
        taken = take(rate, max(0, debt - pause), need=need, ahead=ahead)
        debt = taken.debt_us
        granted += taken.granted
        assert granted <= rate.burst + rate.per_s * passed / 1_000_000 + 1e-6 * granted


@given(rates, st.integers(1, 2_000), st.integers(0, 2_000), st.integers(0, 10**9))
def test_all_that_is_needed_or_nothing(rate, need, ahead, debt):
    debt = min(debt, rate.cost_us(rate.burst))
    taken = take(rate, debt, need=need, ahead=ahead)
    assert taken == (0, debt) or need <= taken.granted <= need + ahead


@given(rates, st.integers(1, 2_000), st.integers(0, 10**9))
def test_who_comes_when_he_was_told_to_is_let_through_and_not_a_moment_before(rate, need, debt):
    need, debt = min(need, rate.burst), min(debt, rate.cost_us(rate.burst))
    wait = wait_us(rate, debt, need=need)
    assert take(rate, max(0, debt - wait), need=need, ahead=0).granted == need
    if wait:
        assert take(rate, debt - wait + 1, need=need, ahead=0).granted == 0


def test_a_full_bucket_gives_its_burst_and_then_the_rate():
    rate = Rate(10, 40)
    assert take(rate, 0, need=40, ahead=0) == (40, 4_000_000)
    assert take(rate, 4_000_000, need=1, ahead=0) == (0, 4_000_000)
    assert take(rate, 3_900_000, need=1, ahead=5) == (1, 4_000_000)
    assert take(rate, 0, need=41, ahead=0).granted == 0


@pytest.mark.parametrize(("text", "rate"), [("10:40", Rate(10, 40)), ("0.5:20", Rate(0.5, 20)), ("1000000:1000000", Rate(1e6, 10**6))])
def test_a_rate_is_read(text, rate):
    assert read_rate(text) == rate


@pytest.mark.parametrize(
    "text",
    ["", "10", "10:", ":40", "0:40", "10:0", "-1:4", "1e3:4", "10:4.5", "1:1000001", "1000001:1", "10:40:1", "٣:4", "10:40\n", "nan:1"],
)
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ValueError, match="a rate is"):
        read_rate(text)
