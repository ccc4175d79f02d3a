"""The race of a board's best: their scores over the last minutes, made from the kept sessions and held for some seconds.

A race is dear beside other reads, so a process makes one at a time, whoever asks for the same one gets the same bytes, and an answer
may be HELD_S old, or older if it was dear: it says until when it tells.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from leaderboard.cache.flights import Flights
from leaderboard.domain.errors import InvalidParameter, Overloaded, StoreUnavailable
from leaderboard.domain.race import Race, Racer, line, thinned
from leaderboard.domain.score import Rules
from leaderboard.domain.season import ALL_TIME, EVER, NEVER, season_start
from leaderboard.feed import Feed
from leaderboard.services.answers import Encoded, encoded
from leaderboard.services.catalog import Catalogs
from leaderboard.services.players import Players
from leaderboard.services.rows import rfc3339
from leaderboard.services.standings import Board, Known, board_of, heading
from leaderboard.store import Player, Store
from leaderboard.store.rows import EPOCH, MILLISECOND, milliseconds

LIMIT_MAX = 10
MINUTES_MAX = 1440

HELD_S = 5.0
HELD_TIMES = 20  # at least so many times as long as it took to make: a twentieth of a process's time goes into one race at most
HELD = 128  # answers, of 50 KB at most
WAITING = 32  # different races; beyond it who asks is told to come again
FILL_S = 5.0


class _Held(NamedTuple):
    answer: Encoded
    until: float


class Races:
    """For one event loop at a time."""

    def __init__(self, *, store: Store, feed: Feed, catalogs: Catalogs, players: Players, monotonic: Callable[[], float]) -> None:
        self._store, self._feed, self._catalogs, self._players, self._monotonic = store, feed, catalogs, players, monotonic
        self._held: OrderedDict[Hashable, _Held] = OrderedDict()  # the oldest first
        self._flights: Flights[Hashable, Encoded] = Flights()
        self._turn, self._waiting = asyncio.Semaphore(1), 0

    async def race(self, known: Known, *, limit: int, minutes: int, now: datetime) -> Encoded:
        """The first `limit` of the present season, each with its score over the last `minutes`. Raises InvalidParameter or Overloaded."""
        _check(limit=limit, minutes=minutes)
        board = board_of(known, "current", now)
        key = (known.view.version, self._catalogs.generation(known.definition.id), board.id, limit, minutes)
        held = self._held.get(key)
        if held is not None and self._monotonic() < held.until:
            return held.answer
        fill = partial(self._fill, known=known, board=board, limit=limit, since=now - timedelta(minutes=minutes), now=now)
        return (await self._flights.join([key], partial(_one, fill)))[key]

    async def aclose(self) -> None:
        await self._flights.aclose()

    async def _fill(self, key: Hashable, *, known: Known, board: Board, limit: int, since: datetime, now: datetime) -> Encoded:
        if self._waiting >= WAITING:
            raise Overloaded
        self._waiting += 1
        try:
            async with asyncio.timeout(FILL_S), self._turn:
                begun = self._monotonic()
                answer = encoded(await self._made(known, board, limit=limit, since=since, now=now))
        except TimeoutError as error:
            raise StoreUnavailable from error
        finally:
            self._waiting -= 1
        ended = self._monotonic()
        self._keep(key, _Held(answer, ended + max(HELD_S, (ended - begun) * HELD_TIMES)))
        return answer

    async def _made(self, known: Known, board: Board, *, limit: int, since: datetime, now: datetime) -> dict[str, Any]:
        season = board.id.season
        begins = EVER if season == ALL_TIME else season_start(season)
        ends = known.view.schedule(known.definition).ends(season) or NEVER
        race = Race(known.definition, board.id, begins, ends, max(since, begins), limit)
        position = await self._feed.ask_position(known.definition.id)
        racers = await self._store.race(race)
        players = await self._players.by_id([racer.entry.user_id for racer in racers])
        told = []
        for rank, racer in enumerate(racers, 1):
            await asyncio.sleep(0)  # a line of many plays takes a few ms: others come in between
            told.append(_told(rank, racer, players.get(racer.entry.user_id), known.definition.rules, race.since))
        return {**heading(board, position), "since": rfc3339(race.since), "until": rfc3339(now), "players": told}

    def _keep(self, key: Hashable, held: _Held) -> None:
        self._held.pop(key, None)
        self._held[key] = held
        while len(self._held) > HELD:
            self._held.popitem(last=False)


async def _one(fill: Callable[[Hashable], Any], keys: list[Hashable]) -> dict[Hashable, Encoded]:
    """As `Flights` loads."""
    return {key: await fill(key) for key in keys}


def _told(rank: int, racer: Racer, player: Player | None, rules: Rules, since: datetime) -> dict[str, Any]:
    found = line(rules, racer, since_ms=milliseconds(since))
    return {
        "player": player.username if player is not None else f"#{racer.entry.user_id}",
        "name": player.name if player is not None else f"#{racer.entry.user_id}",
        "rank": rank,
        "complete": found.is_complete,
        "points": [(rfc3339(EPOCH + at_ms * MILLISECOND), score) for at_ms, score in thinned(found.points)],
    }


def _check(**asked: int) -> None:
    """Raises InvalidParameter."""
    for name, most in (("limit", LIMIT_MAX), ("minutes", MINUTES_MAX)):
        if not 1 <= asked[name] <= most:
            raise InvalidParameter(f"{name} must be from 1 to {most}.", errors=[{"field": name, "detail": f"1..{most}"}])
