"""Pulses: how many watch a board, by all processes, and how many scores a minute it takes.

Every two seconds the process says in one call how many of its sockets watch which boards, and learns what the others say and how
many scores there were. Nothing is written for a single socket. Its word has an end, so a process that is killed is not counted for
long. Only who asked for pulses is told, and only what changed. While Redis is away the last pulse stands.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from leaderboard.feed import Attendance, FeedUnavailable
from realtime.board import Subscription
from realtime.limits import Options
from realtime.metrics import Counters
from realtime.protocol import pulse_text
from realtime.source import Source
from realtime.wire import Message

logger = logging.getLogger(__name__)

SPAN_S = 60.0  # how far back a rate looks
KNOWN_AFTER_S = 6.0  # a rate of less is one score's luck


class Rate:
    """Scores per minute, from a count that goes up, looked at now and then."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque()

    def note(self, count: int, now: float) -> None:
        if self._looks and count < self._looks[-1][1]:
            self._looks.clear()  # Redis has lost the count
        self._looks.append((now, count))
        self.forget(now)

    def forget(self, now: float) -> bool:
        """Drop what is too long ago; whether nothing is left."""
        while self._looks and now - self._looks[0][0] > SPAN_S:
            self._looks.popleft()
        return not self._looks

    @property
    def per_minute(self) -> int | None:
        """None while not known yet."""
        if not self._looks:
            return None
        (first, before), (last, count) = self._looks[0], self._looks[-1]
        return round(60 * (count - before) / (last - first)) if last - first >= KNOWN_AFTER_S else None


class Pulse(NamedTuple):
    watching: int
    scores_per_minute: int | None


class _Pulsing:
    """A board whose pulse somebody wants, or wanted within the last minute."""

    def __init__(self) -> None:
        self.elsewhere = 0  # watchers of other processes
        self.rate = Rate()
        self.told: dict[Subscription, tuple[Pulse | None, float]] = {}  # what each who asked was told last, and when


class Pulses:
    """Those of one hub, which runs `run` as a task. `presence` says how many watch which leaderboard here, `now` the time of the loop."""

    def __init__(
        self, source: Source, *, presence: Callable[[], dict[int, int]], counters: Counters, options: Options, now: Callable[[], float]
    ) -> None:
        self._source, self._presence, self._counters, self._options, self._now = source, presence, counters, options, now
        self._process = secrets.token_hex(8)
        self._boards: dict[int, _Pulsing] = {}
        self._has_said = False  # whether others count watchers of this process

    def begin(self, subscription: Subscription) -> None:
        """Tell the pulse as far as it is known, and from now on its changes."""
        board = subscription.board
        pulsing = self._boards.setdefault(board.info.id, _Pulsing())
        pulsing.told[subscription] = (None, float("-inf"))
        pulse = Pulse(pulsing.elsewhere + len(board.subscriptions), pulsing.rate.per_minute)
        self._tell(pulsing, subscription, pulse, _message(board.info.slug, pulse))

    def end(self, subscription: Subscription) -> None:
        """Nothing happens if it has none."""
        pulsing = self._boards.get(subscription.board.info.id)
        if pulsing is not None:
            pulsing.told.pop(subscription, None)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._options.pulse_s)
            try:
                await self.beat()
            except (FeedUnavailable, TimeoutError):
                pass  # the hub says that Redis is away; the last pulse stands
            except Exception:
                logger.exception("a beat of the pulses failed")

    async def beat(self) -> None:
        """Say who watches here, learn who watches anywhere, and tell what changed. Raises FeedUnavailable or TimeoutError."""
        here, asked = self._presence(), [leaderboard for leaderboard, pulsing in self._boards.items() if pulsing.told]
        if here or asked or self._has_said:
            found = await self._attend(here, asked)
            self._has_said = bool(here)
            for leaderboard, (watching, scores) in zip(asked, found, strict=True):
                pulsing = self._boards[leaderboard]
                pulsing.elsewhere = max(0, watching - here.get(leaderboard, 0))
                pulsing.rate.note(scores, self._now())
                await self._tell_all(pulsing, Pulse(watching, pulsing.rate.per_minute))
        self._forget()

    async def leave(self) -> None:
        """This process's watchers are gone: the others need not wait until its word ends."""
        if self._has_said:
            with suppress(FeedUnavailable, TimeoutError):
                await self._attend({}, [])

    async def _attend(self, here: dict[int, int], asked: list[int]) -> Sequence[Attendance]:
        life_ms = int(1000 * self._options.pulse_s * self._options.attended)
        async with asyncio.timeout(self._options.call_timeout_s):
            return await self._source.attend(self._process, here, asked=asked, life_ms=life_ms)

    async def _tell_all(self, pulsing: _Pulsing, pulse: Pulse) -> None:
        """Those who were told something else, and not just now."""
        rested = self._now() - self._options.pulse_s
        due = [subscription for subscription, (told, told_at) in pulsing.told.items() if told != pulse and told_at <= rested]
        message = _message(due[0].board.info.slug, pulse) if due else None
        for count, subscription in enumerate(due, 1):
            if message is not None and subscription in pulsing.told:  # it may have gone meanwhile
                self._tell(pulsing, subscription, pulse, message)
            if count % self._options.notify_batch == 0:
                await asyncio.sleep(0)

    def _tell(self, pulsing: _Pulsing, subscription: Subscription, pulse: Pulse, message: Message) -> None:
        """A socket that has not taken what it was told gets the pulse that there is when it has."""
        if not subscription.outbox.waiting:
            subscription.outbox.tell(message)
            pulsing.told[subscription] = (pulse, self._now())
            self._counters.pulses_sent += 1

    def _forget(self) -> None:
        """Boards that nobody asked about for as long as a rate looks back."""
        now = self._now()
        for leaderboard, pulsing in list(self._boards.items()):
            if not pulsing.told and pulsing.rate.forget(now):
                del self._boards[leaderboard]


def _message(slug: str, pulse: Pulse) -> Message:
    return Message(pulse_text(slug, watching=pulse.watching, scores_per_minute=pulse.scores_per_minute))
