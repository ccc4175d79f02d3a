"""Who players are: names to users and back, held in the process and bounded."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from leaderboard.domain.errors import NotRanked
from leaderboard.store import Player, Store

HELD = 100_000  # players a process remembers: about 30 MB
MAX_AGE_S = 60.0  # how long a changed display name may go unseen


class Players:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_name: dict[str, tuple[float, Player]] = {}
        self._by_id: dict[int, tuple[float, Player]] = {}

    async def ensure(self, wanted: Sequence[tuple[str, str]]) -> dict[str, Player]:
        """Find or create a user per (username, name to show); by username."""
        oldest = time.monotonic() - MAX_AGE_S
        found: dict[str, Player] = {}
        missing: list[tuple[str, str]] = []
        for username, name in wanted:
            held = self._by_name.get(username)
            if held is not None and held[0] > oldest:
                found[username] = held[1]
            else:
                missing.append((username, name))
        if missing:
            created = await self._store.ensure_players(missing)
            self._remember(created.values())
            found |= created
        return found

    async def by_id(self, user_ids: Iterable[int]) -> dict[int, Player]:
        """The users of these ids; one query for those not held."""
        oldest = time.monotonic() - MAX_AGE_S
        found: dict[int, Player] = {}
        missing: list[int] = []
        for user_id in user_ids:
            held = self._by_id.get(user_id)
            if held is not None and held[0] > oldest:
                found[user_id] = held[1]
            else:
                missing.append(user_id)
        if missing:
            loaded = await self._store.players(missing)
            self._remember(loaded.values())
            found |= loaded
        return found

    async def named(self, username: str) -> Player:
        """Raises NotRanked: a player nobody has seen is on no board."""
        held = self._by_name.get(username)
        if held is not None and held[0] > time.monotonic() - MAX_AGE_S:
            return held[1]
        player = await self._store.player(username)
        if player is None:
            raise NotRanked(f"There is no player {username!r}.")
        self._remember([player])
        return player

    def _remember(self, players: Iterable[Player]) -> None:
        now = time.monotonic()
        for player in players:
            self._by_name[player.username] = (now, player)
            self._by_id[player.id] = (now, player)
        _shrink(self._by_name)
        _shrink(self._by_id)


def _shrink(held: dict[Any, tuple[float, Player]]) -> None:
    """Forget those put in first."""
    while len(held) > HELD:
        del held[next(iter(held))]
