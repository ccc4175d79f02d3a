"""Warming what is hot before anybody has to wait for it, and clearing what an operator no longer trusts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from leaderboard.cache import EVERYTHING, Notice
from leaderboard.cache.redis import Cache
from leaderboard.domain.definition import Definition
from leaderboard.domain.score import BoardId
from leaderboard.domain.snapshot import TOPS
from leaderboard.feed import Feed, Position
from leaderboard.index import Index, IndexCold, IndexUnavailable
from leaderboard.services.catalog import Catalogs, View
from leaderboard.services.players import NAME, PLAYER, Players
from leaderboard.store import Store

HOT = TOPS[-1]  # rows of a board whose names are kept warm: those that it publishes
WARM_ANEW = 5  # rounds after which a board that has not moved is looked at again: entries run out


class Warmed(NamedTuple):
    boards: int
    names: int


@dataclass(slots=True)
class Round:
    """When a board was warmed, and where its feed stood."""

    number: int
    position: Position


class Caching:
    def __init__(self, *, store: Store, index: Index, feed: Feed, cache: Cache, catalogs: Catalogs, players: Players) -> None:
        self._store, self._index, self._feed, self._cache = store, index, feed, cache
        self._catalogs, self._players = catalogs, players
        self._round = 0
        self._warmed: dict[int, Round] = {}

    async def warm(self, *, now: datetime, slugs: Sequence[str] = ()) -> Warmed:
        """Share the definitions, and the names on top of every active board, or of those named whatever was warmed before.

        A board that stands where it stood is passed over, but for every WARM_ANEW-th round. Raises FeedUnavailable while Redis
        is away: there is nothing to warm then. Raises LeaderboardNotFound.
        """
        await self._feed.ping()
        view = await self._catalogs.share()
        chosen = [(await self._catalogs.definition(slug))[1] for slug in slugs]
        warmed = names = 0
        for definition in chosen or await self._moved(view):
            hot = await self._hot(view.board(definition, now))
            await self._players.share(hot)
            warmed, names = warmed + 1, names + len(hot)
        return Warmed(warmed, names)

    async def clear(self, *, now: datetime, slugs: Sequence[str] = ()) -> int:
        """Drop what is cached, of these boards or all of it, here and in every process with its next check; how many entries at most.

        Of a board that is its definition, the names on top of it and, in the processes, all names and encoded answers.
        Raises CacheUnavailable, and LeaderboardNotFound before anything is dropped.
        """
        if not slugs:
            dropped = await self._cache.drop_all()
            await self._cache.tell(EVERYTHING)
            return dropped
        found = [await self._catalogs.definition(slug) for slug in slugs]
        hot = {user_id for view, definition in found for user_id in await self._hot(view.board(definition, now))}
        players = await self._store.players(list(hot))
        await self._catalogs.drop()
        await self._cache.drop(PLAYER, [str(user_id) for user_id in players])
        await self._cache.drop(NAME, [player.username for player in players.values()])
        await self._cache.tell(Notice(boards=tuple(definition.id for _, definition in found)))
        return 1 + 2 * len(players)

    async def _moved(self, view: View) -> list[Definition]:
        """The active boards that moved since they were warmed, and those whose turn it is."""
        self._round += 1
        active = [definition for definition in view.definitions.values() if definition.is_active]
        positions = await self._feed.positions([definition.id for definition in active])
        moved = []
        warmed: dict[int, Round] = {}
        for definition, position in zip(active, positions, strict=True):
            last = self._warmed.get(definition.id)
            if last is None or last.position != position or self._round - last.number >= WARM_ANEW:
                moved.append(definition)
                last = Round(self._round, position)
            warmed[definition.id] = last
        self._warmed = warmed
        return moved

    async def _hot(self, board: BoardId) -> list[int]:
        try:
            entries = (await self._index.top(board, limit=HOT)).entries
        except (IndexCold, IndexUnavailable):
            entries = tuple(await self._store.top(board, limit=HOT))
        return [entry.user_id for entry in entries]
