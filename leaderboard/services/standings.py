"""Reading ranks: from the index if it holds the board, else from SQL. The answers are the same."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import InvalidParameter, NotRanked, SeasonNotFound
from leaderboard.domain.ranking import Ranking, percentile, shared_ranks
from leaderboard.domain.score import BoardId, Entry
from leaderboard.domain.season import Schedule, parse_schedule, parse_season, season_label
from leaderboard.feed import NOWHERE, Feed, Position, Watermark
from leaderboard.index import Index, IndexCold, IndexUnavailable, Page
from leaderboard.services import shared_ranks as sharing
from leaderboard.services.answers import Answers, Encoded, Told, Wanted, encoded
from leaderboard.services.bell import Bell
from leaderboard.services.catalog import Catalogs, View
from leaderboard.services.credentials import Credential, may_read
from leaderboard.services.players import Players
from leaderboard.services.rows import rfc3339, rows
from leaderboard.services.totals import Totals
from leaderboard.store import Store

T = TypeVar("T")

LIMIT_MAX = 1000
OFFSET_MAX = 10_000_000

TIE_RULE = "better score, then better subscore, then the earlier achiever"


class Known(NamedTuple):
    """An active leaderboard, as one version of the catalog defines it."""

    view: View
    definition: Definition


@dataclass(frozen=True, slots=True)
class Board:
    """What a read is about."""

    definition: Definition
    id: BoardId
    is_current: bool

    @property
    def season(self) -> str:
        return season_label(self.id.season)


class AskSql(Exception):
    """The index does not hold the board, or is away."""


class Standings:
    def __init__(self, *, store: Store, index: Index, feed: Feed, catalogs: Catalogs, players: Players, totals: Totals, bell: Bell) -> None:
        self._store, self._index, self._feed = store, index, feed
        self._catalogs, self._players, self._totals, self._bell = catalogs, players, totals, bell
        self._answers = Answers(feed)

    def held(self, slug: str) -> Known | None:
        """The leaderboard without waiting; None if it takes I/O to say."""
        view = self._catalogs.held()
        definition = view.by_slug.get(slug) if view is not None else None
        return Known(view, definition) if view is not None and definition is not None and definition.is_active else None

    async def find(self, slug: str) -> Known:
        """Raises LeaderboardNotFound."""
        return Known(*await self._catalogs.definition(slug))

    async def board(self, slug: str, *, season: str, now: datetime) -> Board:
        """What a question names. Raises LeaderboardNotFound or SeasonNotFound."""
        return board_of(await self.find(slug), season, now)

    async def boards(self, *, now: datetime, credential: Credential | None = None) -> tuple[dict[str, Any], bool]:
        """Every active leaderboard's definition that who asks may read, and whether there is a private one among them."""
        view = await self._catalogs.view()
        active = [found for found in view.by_slug.values() if found.is_active and (found.is_public or may_read(found, credential))]
        told = [_described(view, definition, now) for definition in sorted(active, key=lambda d: d.slug)]
        return {"leaderboards": told}, not all(definition.is_public for definition in active)

    async def describe(self, slug: str, *, now: datetime) -> dict[str, Any]:
        """One definition, its current season, entry count, tie rule and position. Raises LeaderboardNotFound."""
        view, definition = await self.find(slug)
        board = view.board(definition, now)
        position = await self._feed.ask_position(definition.id)
        return {
            **_described(view, definition, now),
            "entries": await self.count(Board(definition, board, is_current=True)),
            "tie_rule": TIE_RULE,
            "epoch": position.epoch,
            "offset": position.offset,
        }

    def begin_top(
        self, known: Known, *, season: str, limit: int, offset: int, now: datetime, told: Told, ranking: Ranking = Ranking.ORDINAL
    ) -> None:
        """Tell the encoded answer of `top`, later. What can be refused at once is raised."""
        check_window(limit, offset)
        view, definition = known
        board = board_of(known, season, now)

        async def fill(watermark: Watermark | None) -> Encoded:
            position = watermark.position if watermark else NOWHERE
            return encoded(await self._top(board, position, limit=limit, offset=offset, ranking=ranking))

        made_from = (view.version, self._catalogs.generation(definition.id))
        self._answers.find(Wanted(definition.id, (board.id, limit, offset, ranking), made_from), fill, told)

    async def top(
        self, slug: str, *, season: str, limit: int, offset: int, now: datetime, ranking: Ranking = Ranking.ORDINAL
    ) -> dict[str, Any]:
        """`limit` rows from rank offset+1. The entries are those of the position or newer, never older."""
        check_window(limit, offset)
        board = board_of(await self.find(slug), season, now)
        position = await self._feed.ask_position(board.definition.id)
        return await self._top(board, position, limit=limit, offset=offset, ranking=ranking)

    async def rank(self, slug: str, player: str, *, season: str, now: datetime, ranking: Ranking = Ranking.ORDINAL) -> dict[str, Any]:
        """One player's entry. Raises NotRanked."""
        board = board_of(await self.find(slug), season, now)
        position, page = await self._around(board, player, limit=0, ranking=ranking)
        answer = await self.page(board, position, page, ranking)
        entry = answer.pop("entries")[0]
        return {**answer, **entry, "total": page.total, "percentile": percentile(page.first_rank, page.total)}

    async def around(
        self, slug: str, player: str, *, season: str, limit: int, now: datetime, ranking: Ranking = Ranking.ORDINAL
    ) -> dict[str, Any]:
        """The player's row and up to `limit` on either side. Raises NotRanked."""
        check_window(limit, 0)
        board = board_of(await self.find(slug), season, now)
        position, page = await self._around(board, player, limit=limit, ranking=ranking)
        return {**await self.page(board, position, page, ranking), "player": player, "total": page.total}

    # --- Where from ------------------------------------------------------------------------------------------------

    async def _top(self, board: Board, position: Position, *, limit: int, offset: int, ranking: Ranking) -> dict[str, Any]:
        """`position` was read before."""
        try:
            page = await self.in_index(board, lambda: self._index.top(board.id, limit=limit, offset=offset, ranking=ranking))
        except AskSql:
            entries = await self._store.top(board.id, limit=limit, offset=offset)
            page = await self.page_in_sql(board, entries, offset + 1, ranking)
        return {**await self.page(board, position, page, ranking), "total": page.total}

    async def _around(self, board: Board, player: str, *, limit: int, ranking: Ranking) -> tuple[Position, Page]:
        user = await self._players.named(player)
        position, page = await self.neighbourhood(board, user.id, limit=limit, ranking=ranking)
        if page is None:
            raise NotRanked(f"{player!r} has no entry on {board.definition.slug!r} in the season {board.season}.")
        return position, page

    async def neighbourhood(
        self, board: Board, user_id: int, *, limit: int, ranking: Ranking = Ranking.ORDINAL
    ) -> tuple[Position, Page | None]:
        """A player's entry with up to `limit` on either side, None if it has none."""
        try:
            return await self.in_index(board, lambda: self._around_in_index(board.id, user_id, limit=limit, ranking=ranking))
        except AskSql:
            position = await self._feed.ask_position(board.definition.id)
            return position, await self._around_in_sql(board, user_id, limit=limit, ranking=ranking)

    async def in_index(self, board: Board, read: Callable[[], Awaitable[T]]) -> T:
        """Raises AskSql."""
        if board.is_current:
            try:
                return await read()
            except IndexCold:
                await self._bell.try_mark_dirty([board.definition.id])  # the next rank update rebuilds it
            except IndexUnavailable:
                pass
        raise AskSql

    async def _around_in_index(self, board: BoardId, user_id: int, *, limit: int, ranking: Ranking) -> tuple[Position, Page | None]:
        """One round trip."""
        asked = self._feed.ask_position(board.leaderboard_id)  # on its way before the index is asked, so it is no newer than the page
        if limit or ranking is not Ranking.ORDINAL:
            page = await self._index.around(board, user_id, limit=limit, ranking=ranking)
        else:
            page = await self._index.rank(board, user_id)
        return await asked, page

    async def _around_in_sql(self, board: Board, user_id: int, *, limit: int, ranking: Ranking) -> Page | None:
        entry = await self._store.entry(board.id, user_id)
        if entry is None:
            return None
        better: Sequence[Entry] = ()
        worse: Sequence[Entry] = ()
        if limit:
            better, worse = await self._store.around(board.id, entry, limit=limit)
        rank = (await self._store.ranks([(board.id, entry)]))[0]
        return await self.page_in_sql(board, (*better, entry, *worse), rank - len(better), ranking)

    async def page_in_sql(self, board: Board, entries: Sequence[Entry], first_rank: int, ranking: Ranking) -> Page:
        total = await self._totals.count(board.id, at_least=first_rank - 1 + len(entries) if entries else 0)
        shared = await sharing.in_sql(self._store, board.id, [(first_rank, entry) for entry in entries[:1]], ranking)
        return Page(tuple(entries), first_rank, total, shared[0] if shared else None)

    async def count(self, board: Board) -> int:
        try:
            return await self.in_index(board, lambda: self._index.count(board.id))
        except AskSql:
            return await self._totals.count(board.id)

    # --- What about --------------------------------------------------------------------------------------------------

    async def page(self, board: Board, position: Position, page: Page, ranking: Ranking = Ranking.ORDINAL) -> dict[str, Any]:
        players = await self._players.by_id([entry.user_id for entry in page.entries])
        found = rows(page.entries, first_rank=page.first_rank, rules=board.definition.rules, players=players)
        if ranking is Ranking.ORDINAL:
            return {**heading(board, position), "entries": found}
        if found:
            first = sharing.told(page.first_shared)
            ranks = shared_ranks(page.entries, first_rank=page.first_rank, first_shared=first, ranking=ranking)
            for row, rank in zip(found, ranks, strict=True):
                row["rank"] = rank
        return {**heading(board, position), "ranking": ranking, "entries": found}


def heading(board: Board, position: Position) -> dict[str, Any]:
    """What every answer about a board begins with."""
    return {
        "leaderboard": board.definition.slug,
        "season": board.season,
        "epoch": position.epoch,
        "offset": position.offset,
    }


def board_of(known: Known, season: str, now: datetime) -> Board:
    """Raises SeasonNotFound."""
    view, definition = known
    current = view.board(definition, now)
    wanted = current if season == "current" else BoardId(definition.id, _season(view, definition, current.season, season))
    if wanted.season > current.season:
        raise SeasonNotFound(f"{definition.slug!r} has no season {season!r} yet.")
    return Board(definition, wanted, is_current=wanted == current)


def _season(view: View, definition: Definition, current: int, wanted: str) -> int:
    schedule = view.schedule(definition)
    if wanted == "previous":
        previous = schedule.previous(current)
        if previous is None:
            raise SeasonNotFound(f"{definition.slug!r} never resets.")
        return previous
    return parse_season(wanted)


def _described(view: View, definition: Definition, now: datetime) -> dict[str, Any]:
    return _with_season(definition, view.schedule(definition), now)


def described(definition: Definition, *, now: datetime) -> dict[str, Any]:
    """A definition as the contracts show it."""
    return _with_season(definition, parse_schedule(definition.reset_schedule, definition.time_zone), now)


def _with_season(definition: Definition, schedule: Schedule, now: datetime) -> dict[str, Any]:
    season = schedule.season_at(now)
    ends = schedule.ends(season)
    return {
        "leaderboard": definition.slug,
        "title": definition.title,
        "game": definition.game,
        "operator": definition.rules.operator.value,
        "sort_order": definition.rules.sort_order.value,
        "subscore_order": definition.rules.subscore_order.value,
        "game_mode": definition.game_mode,
        "reset_schedule": definition.reset_schedule,
        "time_zone": definition.time_zone,
        "min_score": definition.min_score,
        "max_score": definition.max_score,
        "authoritative": definition.authoritative,
        "is_active": definition.is_active,
        "is_public": definition.is_public,
        "signed_only": definition.signed_only,
        "metadata": definition.metadata,
        "season": season_label(season),
        "season_ends": rfc3339(ends) if ends is not None else None,
    }


def check_window(limit: int, offset: int) -> None:
    """Raises InvalidParameter."""
    if not 1 <= limit <= LIMIT_MAX:
        raise InvalidParameter(f"limit must be from 1 to {LIMIT_MAX}.", errors=[{"field": "limit", "detail": f"1..{LIMIT_MAX}"}])
    if not 0 <= offset <= OFFSET_MAX:
        raise InvalidParameter(f"offset must be from 0 to {OFFSET_MAX}.", errors=[{"field": "offset", "detail": f"0..{OFFSET_MAX}"}])
