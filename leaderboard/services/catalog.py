"""Definitions and keys, held in the process: a submit looks them up without I/O.

They may be `max_age_ms` old. Nothing wrong can come of it: every commit names the version that it was
checked against and is refused if that is not the present one (`StaleCatalog`), and whoever does not find
a board or key looks again in SQL before saying so.

A process that sees a new version takes the document from the shared cache, where one process puts it: a version is
never given out twice, so what is found under it is what SQL would say.
"""

import asyncio
import logging
import time
from collections import defaultdict
from datetime import datetime

from leaderboard.cache import Kind, Notice
from leaderboard.cache.redis import Cache
from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import InvalidDefinition, LeaderboardNotFound, StoreUnavailable
from leaderboard.domain.score import BoardId
from leaderboard.domain.season import Schedule, parse_schedule
from leaderboard.store import Catalog, KeyRecord, Store

log = logging.getLogger(__name__)

CATALOG = Kind("catalog", Catalog, life_s=600.0)  # by version


class View:
    """One version of the catalog, arranged for look-ups. Immutable."""

    def __init__(self, catalog: Catalog) -> None:
        self.version = catalog.version
        self.games = catalog.games
        self._schedules: dict[int, Schedule] = {}
        usable = [definition for definition in catalog.definitions if self._schedule_of(definition)]
        self.definitions = {definition.id: definition for definition in usable}
        self.by_slug = {definition.slug: definition for definition in usable}
        self.keys: dict[bytes, KeyRecord] = {key.digest: key for key in catalog.keys}
        self.keys_by_prefix: dict[str, KeyRecord] = {key.prefix: key for key in catalog.keys}
        self._by_game: dict[int, list[Definition]] = defaultdict(list)
        for definition in sorted(usable, key=lambda definition: definition.slug):
            if definition.is_active:
                self._by_game[definition.game_id].append(definition)

    def _schedule_of(self, definition: Definition) -> bool:
        """Keep its schedule. One that can't be read (a time zone that is gone) must not take the other boards along."""
        try:
            self._schedules[definition.id] = parse_schedule(definition.reset_schedule, definition.time_zone)
        except InvalidDefinition as refusal:
            log.error("leaderboard left out: %s", refusal, extra={"leaderboard": definition.slug})
            return False
        return True

    def boards_of(self, game_id: int) -> list[Definition]:
        """The active leaderboards of a game, by slug."""
        return self._by_game.get(game_id, [])

    def schedule(self, definition: Definition) -> Schedule:
        return self._schedules[definition.id]

    def board(self, definition: Definition, now: datetime) -> BoardId:
        """The leaderboard in the season that `now` is in."""
        return BoardId(definition.id, self._schedules[definition.id].season_at(now))


class Catalogs:
    """The present view, and how it is kept present. One load at a time; others wait for it."""

    def __init__(self, store: Store, cache: Cache, *, max_age_ms: int) -> None:
        self._store, self._cache = store, cache
        self._max_age = max_age_ms / 1000
        self._view: View | None = None
        self._checked_at = 0.0
        self._loading: asyncio.Task[View] | None = None
        self._cleared = False
        cache.listen(self._take_up)

    async def view(self) -> View:
        """A view at most `max_age_ms` old; without I/O if one is held. While SQL is away, the last one: reads go on from the index."""
        if self._view is not None and time.monotonic() - self._checked_at < self._max_age:
            return self._view
        try:
            return await self.refresh()
        except StoreUnavailable:
            if self._view is None:
                raise
            self._checked_at = time.monotonic()
            return self._view

    def held(self) -> View | None:
        """The view without waiting, if it is at most twice `max_age_ms` old; past once it is loaded anew beside the requests."""
        age = time.monotonic() - self._checked_at
        if self._view is None or age > 2 * self._max_age:
            return None
        if age > self._max_age and (self._loading is None or self._loading.done()):
            self._loading = asyncio.create_task(self._load())
            self._loading.add_done_callback(_look_at)
        return self._view

    async def refresh(self) -> View:
        """A view that is not older than this call (or than a load that was under way)."""
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load())
        return await asyncio.shield(self._loading)

    async def definition(self, slug: str) -> tuple[View, Definition]:
        """Raises LeaderboardNotFound, after having looked in SQL."""
        view = await self.view()
        found = view.by_slug.get(slug)
        if found is None:
            view = await self.refresh()
            found = view.by_slug.get(slug)
        if found is None or not found.is_active:
            raise LeaderboardNotFound(f"There is no leaderboard {slug!r}.")
        return view, found

    async def share(self) -> View:
        """The present view, with its document where every process finds it."""
        view = await self.refresh()
        await self._document(view.version)
        return view

    async def drop(self) -> None:
        """Have the present document loaded anew by who needs it next. Raises CacheUnavailable."""
        await self._cache.drop(CATALOG, [str(await self._store.catalog_version())])

    def generation(self, leaderboard_id: int) -> int:
        """See `leaderboard.cache`: what was made of this board's rows under another number is to be made anew."""
        return self._cache.generation(leaderboard_id)

    async def _load(self) -> View:
        """The version's check is also when the process hears what was cleared."""
        asked_at = time.monotonic()
        version, _ = await asyncio.gather(self._store.catalog_version(), self._cache.hear())
        if self._view is None or self._cleared or version != self._view.version:
            self._view = View(await self._document(version))
            self._cleared = False
        self._checked_at = asked_at
        return self._view

    async def _document(self, version: int) -> Catalog:
        async def load(keys: list[str]) -> dict[str, Catalog]:
            return dict.fromkeys(keys, await self._store.catalog())

        found = (await self._cache.fill(CATALOG, [str(version)], load)).get(str(version))
        if found is None or found.version < version:  # newer is right: it changed between the check and the load
            return await self._store.catalog()
        return found

    def _take_up(self, notice: Notice) -> None:
        self._cleared = self._cleared or notice.everything or bool(notice.boards)


def _look_at(loading: "asyncio.Task[View]") -> None:
    """Its failure is not lost: whoever needs a younger view loads it and is told."""
    if not loading.cancelled():
        loading.exception()
