"""Who players are: names to users and back, held in the process and bounded; what is not held comes from the shared cache or SQL.

A process may hold a name for LIFE_S. Whoever changes one gives notice (`players_changed`), and every process drops it with its next check
of the catalog, within about a second.
"""

import time
from collections.abc import Iterable, Sequence

from leaderboard.cache import Kind, Notice
from leaderboard.cache.redis import Cache
from leaderboard.domain.errors import NotRanked
from leaderboard.domain.text import NAME_LENGTH, normal_form
from leaderboard.store import Player, Store

HELD = 100_000  # players a process remembers: about 30 MB
LIFE_S = 300.0  # how long a changed name may go unseen if the notice of it was lost; the shared entries' too
PAGE = 16  # players that are looked for in the shared cache: SQL finds fewer by their key for what the look costs

PLAYER = Kind("player", Player, life_s=LIFE_S)  # by user id
NAME = Kind("name", Player, life_s=LIFE_S)  # by username


class Players:
    """Two generations: the present one, and the one before, which is dropped whole when its time is over.

    So no player needs a time of its own, and a look-up is one or two dicts.
    """

    def __init__(self, store: Store, cache: Cache) -> None:
        self._store, self._cache = store, cache
        self._names: dict[str, Player] = {}
        self._ids: dict[int, Player] = {}
        self._old_names: dict[str, Player] = {}
        self._old_ids: dict[int, Player] = {}
        self._turns_at = 0.0
        self._newest = 0  # the largest user id seen
        self._notices = 0
        cache.listen(self._take_up)

    def held(self, username: str) -> Player | None:
        """The user of that name if it is known without asking."""
        if time.monotonic() > self._turns_at:
            self._turn()
        return self._names.get(username) or self._old_names.get(username)

    async def ensure(self, wanted: Sequence[tuple[str, str]]) -> dict[str, Player]:
        """Find or create a user per (username, name to show); by username."""
        found: dict[str, Player] = {}
        missing: list[tuple[str, str]] = []
        for username, name in wanted:
            held = self.held(username)
            if held is not None:
                found[username] = held
            else:
                missing.append((username, name))
        return found | await self._find_or_create(missing) if missing else found

    async def by_id(self, user_ids: Iterable[int]) -> dict[int, Player]:
        """The users of these ids; one look-up for those not held."""
        if time.monotonic() > self._turns_at:
            self._turn()
        present, old = self._ids.get, self._old_ids.get
        found: dict[int, Player] = {}
        missing: list[int] = []
        for user_id in user_ids:
            player = present(user_id) or old(user_id)
            if player is not None:
                found[user_id] = player
            else:
                missing.append(user_id)
        return found | await self._look_up(missing) if missing else found

    async def named(self, username: str) -> Player:
        """In whatever normal form. Raises NotRanked: a player nobody has seen is on no board."""
        username = normal_form(username)
        held = self.held(username)
        if held is not None:
            return held
        notices = self._notices
        found = await self._cache.fill(NAME, [username], self._load_named) if _may_be(username) else {}
        if not found:
            raise NotRanked(f"There is no player {username!r}.")
        self._remember(found.values(), notices)
        return found[username]

    async def known(self, usernames: Iterable[str]) -> dict[str, Player]:
        """Those of these names that there are, by name; one look-up for those not held."""
        players = {username: self.held(username) for username in usernames}
        missing = [username for username, player in players.items() if player is None and _may_be(username)]
        notices = self._notices
        found = await self._cache.fill(NAME, missing, self._load_named, shared=len(missing) >= PAGE) if missing else {}
        self._remember(found.values(), notices)
        return {username: player for username, player in players.items() if player is not None} | found

    async def share(self, user_ids: Sequence[int]) -> None:
        """Put these players where every process finds them, if they are not there."""
        if user_ids:
            await self._cache.fill(PLAYER, [str(user_id) for user_id in user_ids], self._load_by_id)

    # --- From SQL ------------------------------------------------------------------------------------------------------

    async def _find_or_create(self, wanted: Sequence[tuple[str, str]]) -> dict[str, Player]:
        newest, notices = self._newest, self._notices
        players = await self._store.ensure_players(wanted)
        created = [player.username for player in players.values() if player.id > newest]  # any that was, and few others
        if created:
            await self._cache.appear(NAME, created)
        self._remember(players.values(), notices)
        return players

    async def _look_up(self, user_ids: Sequence[int]) -> dict[int, Player]:
        notices = self._notices
        keys = [str(user_id) for user_id in user_ids]
        found = await self._cache.fill(PLAYER, keys, self._load_by_id, shared=len(keys) >= PAGE)
        self._remember(found.values(), notices)
        return {player.id: player for player in found.values()}

    async def _load_by_id(self, keys: list[str]) -> dict[str, Player]:
        return {str(user_id): player for user_id, player in (await self._store.players([int(key) for key in keys])).items()}

    async def _load_named(self, keys: list[str]) -> dict[str, Player]:
        return await self._store.players_named(keys)

    # --- What is held --------------------------------------------------------------------------------------------------

    def _remember(self, players: Iterable[Player], notices: int) -> None:
        """Hold what was looked up after so many notices; one that came since may have been about them."""
        if notices != self._notices:
            return
        for player in players:
            self._names[player.username] = self._ids[player.id] = player
            self._newest = max(self._newest, player.id)
        if len(self._names) > HELD // 2:
            self._turn()

    def _turn(self) -> None:
        """Begin a generation, in time or because the present one is full. Each is the present one for half of LIFE_S at most."""
        now = time.monotonic()
        is_over = now > self._turns_at + LIFE_S / 2  # nobody came for so long
        self._old_names, self._old_ids = ({}, {}) if is_over else (self._names, self._ids)
        self._names, self._ids = {}, {}
        self._turns_at = (now if is_over else min(now, self._turns_at)) + LIFE_S / 2

    def _take_up(self, notice: Notice) -> None:
        self._notices += 1
        if notice.everything or notice.boards:  # who is on a board is not known here
            self._names, self._ids, self._old_names, self._old_ids = {}, {}, {}, {}
        for names, ids in ((self._names, self._ids), (self._old_names, self._old_ids)):
            for user_id in notice.players:
                ids.pop(user_id, None)
            for name in notice.names:
                names.pop(name, None)


def _may_be(username: str) -> bool:
    """Whether SQL could hold it: PostgreSQL has no text with a zero in it."""
    return len(username) <= NAME_LENGTH and "\0" not in username


async def players_changed(cache: Cache, *, user_ids: Sequence[int], names: Sequence[str]) -> None:
    """Let no process go on with these players' names: those they had and those they have. Call after the commit.

    Raises CacheUnavailable; then the names go out of use within LIFE_S, or as soon as Redis is back.
    """
    await cache.forget(PLAYER, [str(user_id) for user_id in user_ids])
    await cache.forget(NAME, names)
    await cache.tell(Notice(players=tuple(user_ids), names=tuple(names)))
