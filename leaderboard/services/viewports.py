"""What many watchers see around a player each: one read of the index for all of them.

SQL is not asked for what the index can't say: these reads come every second, for whoever watches, and a board that is cold is
ready again within seconds. Until then there is nothing to see.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from leaderboard.domain.score import BoardId, Rules
from leaderboard.domain.season import season_label
from leaderboard.domain.viewport import View, Viewed
from leaderboard.index import Around, Index
from leaderboard.services.catalog import Catalogs
from leaderboard.services.players import Players
from leaderboard.services.rows import rows
from leaderboard.store import Player

MADE_AT_ONCE = 50  # views made into rows before the loop may do something else: some 2 ms
NOBODY = 0  # the user of a name that nobody has; ids count from 1

_Asked = tuple[int, int]  # user, rows on either side


class Viewports:
    def __init__(self, *, index: Index, catalogs: Catalogs, players: Players) -> None:
        self._index, self._catalogs, self._players = index, catalogs, players

    async def read(self, wanted: Sequence[Viewed], *, now: datetime) -> list[View | None]:
        """In the order asked; None where the index can't say, or the leaderboard is gone.

        Raises IndexUnavailable, and StoreUnavailable if a name is not held and SQL is away.
        """
        catalog = await self._catalogs.view()
        named = await self._players.known({viewed.player for viewed in wanted})
        found_at: list[tuple[BoardId, _Asked] | None] = []
        asked: dict[BoardId, dict[_Asked, None]] = defaultdict(dict)
        for viewed in wanted:
            definition, player = catalog.definitions.get(viewed.leaderboard), named.get(viewed.player)
            if definition is None:
                found_at.append(None)
                continue
            at = (catalog.board(definition, now), (player.id if player is not None else NOBODY, viewed.around))
            asked[at[0]][at[1]] = None
            found_at.append(at)
        found = await self._arounds({board: list(pairs) for board, pairs in asked.items()})
        shown = await self._shown(found, {board: catalog.definitions[board.leaderboard_id].rules for board in asked})
        return [None if at is None else shown.get(at) for at in found_at]

    async def _arounds(self, asked: dict[BoardId, list[_Asked]]) -> dict[tuple[BoardId, _Asked], Around]:
        """Without the boards that are cold."""
        told = await self._index.arounds(asked)
        return {
            (board, pair): around
            for board, arounds in told.items()
            if arounds is not None
            for pair, around in zip(asked[board], arounds, strict=True)
        }

    async def _shown(self, found: dict[tuple[BoardId, _Asked], Around], rules: dict[BoardId, Rules]) -> dict[tuple[BoardId, _Asked], View]:
        pages = [around.page for around in found.values() if around.page is not None]
        players = await self._players.by_id({entry.user_id for page in pages for entry in page.entries})
        shown = {}
        for count, ((board, pair), around) in enumerate(found.items(), 1):
            shown[board, pair] = _view(board, pair[0], around, rules[board], players)
            if count % MADE_AT_ONCE == 0:
                await asyncio.sleep(0)
        return shown


def _view(board: BoardId, user_id: int, around: Around, rules: Rules, players: dict[int, Player]) -> View:
    page, season = around.page, season_label(board.season)
    if page is None:
        return View(season, None, around.total, [])
    place = next(place for place, entry in enumerate(page.entries) if entry.user_id == user_id)
    told = rows(page.entries, first_rank=page.first_rank, rules=rules, players=players)
    return View(season, page.first_rank + place, around.total, told)
