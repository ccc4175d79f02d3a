"""The rule of a token bucket: so much at once, and so much a second in the long run.

A bucket is one number, its debt: the microseconds until it is full again. What is taken adds to it, time pays it off. The twin
of `leaderboard/throttle/take.lua`, to the microsecond.
"""

import math
import re
from dataclasses import dataclass
from typing import NamedTuple

MOST = 1_000_000  # tokens a second, and at once: one more microsecond would be no number of them
_RATE = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,3})?):([0-9]{1,7})")


@dataclass(frozen=True, slots=True)
class Rate:
    per_s: float
    burst: int

    def __post_init__(self) -> None:
        if not (0 < self.per_s <= MOST and 1 <= self.burst <= MOST):
            raise ValueError(f"a rate is above 0 and up to {MOST} a second, its burst 1 to {MOST}")

    def cost_us(self, tokens: int) -> int:
        """The debt that these tokens make."""
        return math.ceil(tokens * 1_000_000 / self.per_s)


class Taken(NamedTuple):
    """What was granted, and the debt afterwards."""

    granted: int
    debt_us: int


def take(rate: Rate, debt_us: int, *, need: int, ahead: int) -> Taken:
    """All that is needed and up to `ahead` tokens more, or nothing."""
    room, cost = rate.cost_us(rate.burst) - debt_us, rate.cost_us(need)
    if cost > room:
        return Taken(0, debt_us)
    granted = need + min(ahead, math.floor((room - cost) * rate.per_s / 1_000_000))
    return Taken(granted, debt_us + rate.cost_us(granted))


def wait_us(rate: Rate, debt_us: int, *, need: int) -> int:
    """How long until so many can be taken; 0: now. For more than the burst: until the bucket is full, which does not help."""
    room = rate.cost_us(rate.burst) - debt_us
    return max(0, rate.cost_us(min(need, rate.burst)) - room)


def read_rate(text: str) -> Rate:
    """Of `per_second:burst`, such as 10:40 or 0.5:20. Raises ValueError."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError("a rate is per_second:burst, such as 10:40")
    return Rate(float(found[1]), int(found[2]))
