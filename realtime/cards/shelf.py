"""The cards that were drawn. A drawing takes some tenths of a second of CPU: one at a time, in a thread, and rarely."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b

from leaderboard.domain.errors import Overloaded
from realtime.cards.shown import Shown

FRESH_S = 30  # a board that changes is drawn no more often
ROOM = 128  # cards: some 100 KB each
WAITING = 32  # boards whose card is being made or waits for it


@dataclass(slots=True)
class Card:
    shown: Shown
    png: bytes
    tag: bytes  # as an ETag has it
    fresh_until: float


class Shelf:
    """`draw` makes the picture, in a thread; `monotonic` is in seconds. For one event loop at a time."""

    def __init__(self, draw: Callable[[Shown], bytes], monotonic: Callable[[], float]) -> None:
        self._draw, self._monotonic = draw, monotonic
        self._held: dict[int, Card] = {}  # those made last at the end
        self._making: dict[int, asyncio.Task[Card]] = {}
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="cards")

    async def card(self, leaderboard: int, read: Callable[[], Awaitable[Shown]]) -> Card:
        """The card, at most FRESH_S old; older where too many wait. Whoever asks at the same time gets the same one.

        Raises Overloaded if too many wait and there is none, and what `read` raises.
        """
        held = self._held.get(leaderboard)
        if held is not None and self._monotonic() < held.fresh_until:
            return held
        making = self._making.get(leaderboard)
        if making is None:
            if len(self._making) >= WAITING:
                return _or_overloaded(held)
            making = self._making[leaderboard] = asyncio.get_running_loop().create_task(self._make(leaderboard, read))
            making.add_done_callback(lambda _: self._making.pop(leaderboard, None))
        return await asyncio.shield(making)  # who hangs up takes nothing from the others

    async def _make(self, leaderboard: int, read: Callable[[], Awaitable[Shown]]) -> Card:
        shown = await read()
        held = self._held.pop(leaderboard, None)
        if held is None or held.shown != shown:
            png = await asyncio.get_running_loop().run_in_executor(self._executor, self._draw, shown)
            held = Card(shown, png, b'"%s"' % blake2b(png, digest_size=12).hexdigest().encode(), 0.0)
        held.fresh_until = self._monotonic() + FRESH_S
        self._held[leaderboard] = held
        while len(self._held) > ROOM:
            del self._held[next(iter(self._held))]
        return held


def _or_overloaded(held: Card | None) -> Card:
    if held is None:
        raise Overloaded("Too many pictures are being drawn.")
    return held
