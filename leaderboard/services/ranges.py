"""Chosen entries of a board, and where scores would stand: from the index if it holds the board, else from SQL, with one answer."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from leaderboard.domain.board import check_range, check_score
from leaderboard.domain.errors import InvalidParameter, NotRanked, TotalOutOfRange
from leaderboard.domain.ranking import Ranking, percentile, points_to_pass, rank_at
from leaderboard.domain.score import SCORE_LIMIT, Entry, Rules, improves, merge, opening
from leaderboard.feed import NOWHERE, Feed, Position
from leaderboard.index import Found, Index, IndexCold, Page, Place, Standing
from leaderboard.services import shared_ranks as sharing
from leaderboard.services.players import Players
from leaderboard.services.rows import rows
from leaderboard.services.standings import LIMIT_MAX, OFFSET_MAX, AskSql, Board, Known, Standings, board_of, check_window, heading
from leaderboard.services.totals import Totals
from leaderboard.store import Player, Store

T = TypeVar("T")

NAMES_MAX = 100  # players of one question
LAST = 2**62  # a session later than all: of equals a new total is the last
NOBODY = 0  # the user of an entry that is nobody's; ids count from 1
TOTAL_MOVED = 3  # how often a row is looked for again because the board grew meanwhile


class Ranges:
    def __init__(self, standings: Standings, *, store: Store, index: Index, feed: Feed, players: Players, totals: Totals) -> None:
        self._standings, self._store, self._index = standings, store, index
        self._feed, self._players, self._totals = feed, players, totals

    # --- Entries -----------------------------------------------------------------------------------------------------

    async def of_players(self, known: Known, names: Sequence[str], *, season: str, ranking: Ranking, now: datetime) -> dict[str, Any]:
        """The entries of these players in board order, and who of them has none. Raises InvalidParameter."""
        if not 1 <= len(names) <= NAMES_MAX or not all(names):
            raise _wrong("players", f"1 to {NAMES_MAX} names, none of them empty")
        board = board_of(known, season, now)
        by_id = {player.id: player for player in (await self._players.known(names)).values()}  # a player renamed just now has two names
        position, found = await self._found(board, list(by_id), ranking)
        entries = [_row(place, board.definition.rules, by_id, ranking) for place in found.places]
        ranked = {row["player"] for row in entries}
        missing = [name for name in dict.fromkeys(names) if name not in ranked]
        return {**_told(board, position, ranking), "entries": entries, "missing": missing, "total": found.total}

    async def by_rank(self, known: Known, first: int, last: int, *, season: str, ranking: Ranking, now: datetime) -> dict[str, Any]:
        """The rows ranked from `first` to `last`. Raises InvalidParameter."""
        if not 1 <= first <= last or last - first >= LIMIT_MAX or first > OFFSET_MAX + 1:
            raise _wrong("rank_from", f"from 1, no more than rank_to, at most {LIMIT_MAX} rows")
        slug = known.definition.slug
        return await self._standings.top(slug, season=season, limit=last - first + 1, offset=first - 1, now=now, ranking=ranking)

    async def by_score(
        self, known: Known, low: int, high: int, *, season: str, limit: int, offset: int, ranking: Ranking, now: datetime
    ) -> dict[str, Any]:
        """Of the rows with scores from `low` to `high`, both included, `limit` from `offset` on. Raises InvalidParameter."""
        check_window(limit, offset)
        if not -SCORE_LIMIT <= low <= high <= SCORE_LIMIT:
            raise _wrong("score_from", f"no more than score_to, both within {-SCORE_LIMIT}..{SCORE_LIMIT}")
        board = board_of(known, season, now)
        least, most = sorted(board.definition.rules.score_sign * score for score in (low, high))

        async def in_sql() -> Page:
            entries = await self._store.within(board.id, least, most, limit=limit, offset=offset)
            first_rank = (await self._store.ranks([(board.id, entries[0])]))[0] if entries else 1
            return await self._standings.page_in_sql(board, entries, first_rank, ranking)

        position, page = await self._read(
            board, lambda: self._index.within(board.id, least, most, limit=limit, offset=offset, ranking=ranking), in_sql
        )
        return {**await self._standings.page(board, position, page, ranking), "total": page.total}

    # --- Percentiles -------------------------------------------------------------------------------------------------

    async def percentile_of(self, known: Known, score: int, subscore: int, *, season: str, now: datetime) -> dict[str, Any]:
        """Where a new total would stand, the total itself counted. Raises ScoreOutOfRange for a number that no total can be."""
        check_range(score, subscore)
        board = board_of(known, season, now)
        position, standing = await self._stand(board, _keys(board.definition.rules, score, subscore), None)
        return {**heading(board, position), "score": score, "subscore": subscore, **_standing(standing)}

    async def row_at(self, known: Known, wanted: float, *, season: str, now: datetime) -> dict[str, Any]:
        """The last row whose percentile is `wanted` or better. Raises InvalidParameter, or NotRanked on an empty board."""
        if not 0 <= wanted <= 100:
            raise _wrong("percentile", "0 to 100")
        board = board_of(known, season, now)
        total = await self._standings.count(board)
        for _ in range(TOTAL_MOVED):
            rank = max(1, rank_at(wanted, total))
            page = await self._standings.top(known.definition.slug, season=season, limit=1, offset=rank - 1, now=now)
            if rank_at(wanted, page["total"]) == rank:
                break
            total = page["total"]
        if not page["entries"]:
            raise NotRanked(f"{known.definition.slug!r} has no entries in the season {board.season}.")
        (row,) = page.pop("entries")
        return {**page, **row, "percentile": percentile(row["rank"], page["total"])}

    # --- What if -----------------------------------------------------------------------------------------------------

    async def what_if(self, known: Known, score: int, subscore: int, *, player: str | None, season: str, now: datetime) -> dict[str, Any]:
        """Where a new total of this score would stand; with a player: what the player would hold after submitting it, and where.

        Raises ScoreOutOfRange as a submit would, and TotalOutOfRange.
        """
        check_score(known.definition, score, subscore)
        board = board_of(known, season, now)
        user = (await self._players.known([player])).get(player) if player is not None else None
        position, page = await self._standings.neighbourhood(board, user.id, limit=1) if user is not None else (NOWHERE, None)
        held = next(entry for entry in page.entries if entry.user_id == user.id) if user is not None and page is not None else None
        rules = board.definition.rules
        entry = _submitted(rules, held, score, subscore, as_submit=player is not None)
        if page is not None and held is not None and entry.session_id == held.session_id:
            standing = _as_it_is(page, held)
        else:
            position, standing = await self._stand(board, entry.value, user)
        return {
            **heading(board, position),
            "score": rules.score_sign * entry.score_key,
            "subscore": rules.subscore_sign * entry.subscore_key,
            **_standing(standing),
            **({} if player is None else {"would_improve": improves(held.order if held is not None else None, entry)}),
            "next": await self._next(rules, entry, standing),
        }

    async def _next(self, rules: Rules, entry: Entry, standing: Standing) -> dict[str, Any] | None:
        """Who stands just before, and how many points pass it."""
        if standing.ahead is None:
            return None
        players = await self._players.by_id([standing.ahead.user_id])
        (row,) = rows([standing.ahead], first_rank=standing.rank - 1, rules=rules, players=players)
        shown = {"rank": row["rank"], "player": row["player"], "name": row["name"], "score": row["score"], "subscore": row["subscore"]}
        return {**shown, "points": points_to_pass(entry.value, standing.ahead.value)}

    # --- Where from --------------------------------------------------------------------------------------------------

    async def _read(self, board: Board, in_index: Callable[[], Awaitable[T]], in_sql: Callable[[], Awaitable[T]]) -> tuple[Position, T]:
        """What either finds, with a position that is no newer."""
        asked = self._feed.ask_position(board.definition.id)  # on its way before the index is asked
        try:
            found = await self._standings.in_index(board, in_index)
        except AskSql:
            found = await in_sql()
        return await asked, found

    async def _found(self, board: Board, user_ids: Sequence[int], ranking: Ranking) -> tuple[Position, Found]:
        async def in_index() -> Found:
            if not user_ids:
                return Found((), await self._index.count(board.id))
            found = (await self._index.find({board.id: user_ids}, ranking=ranking))[board.id]
            if found is None:
                raise IndexCold
            return found

        async def in_sql() -> Found:
            entries = [entry for _, entry in await self._store.find([(board.id, user_id) for user_id in user_ids])]
            entries.sort(key=lambda entry: entry.order)
            ranks = await self._store.ranks([(board.id, entry) for entry in entries])
            shared = await sharing.in_sql(self._store, board.id, list(zip(ranks, entries, strict=True)), ranking)
            total = await self._totals.count(board.id, at_least=max(ranks, default=0))
            return Found(tuple(map(Place, entries, ranks, shared)), total)

        return await self._read(board, in_index, in_sql)

    async def _stand(self, board: Board, value: tuple[int, int], player: Player | None) -> tuple[Position, Standing]:
        user_id = player.id if player is not None else None
        return await self._read(
            board, lambda: self._index.stand(board.id, value, apart_from=user_id), lambda: self._stand_in_sql(board, value, user_id)
        )

    async def _stand_in_sql(self, board: Board, value: tuple[int, int], user_id: int | None) -> Standing:
        """The rank is the one after that of the entry just before, which does not count the player's own."""
        last = Entry(NOBODY if user_id is None else user_id, *value, LAST, 0, 0)
        better, _ = await self._store.around(board.id, last, limit=1)
        own = await self._store.entry(board.id, user_id) if user_id is not None else None
        total = await self._totals.count(board.id, at_least=len(better))
        others = total - (own is not None)
        if not better:
            return Standing(1, others, None)
        rank = (await self._store.ranks([(board.id, better[0])]))[0] + 1 - (own is not None and own.order < better[0].order)
        return Standing(rank, max(others, rank - 1), better[0])


def _as_it_is(page: Page, held: Entry) -> Standing:
    """Where the entry stands among the others."""
    place = page.entries.index(held)
    return Standing(page.first_rank + place, page.total - 1, page.entries[place - 1] if place else None)


def _submitted(rules: Rules, held: Entry | None, score: int, subscore: int, *, as_submit: bool) -> Entry:
    """What would be held: the total itself, or what the operator makes of it. Raises TotalOutOfRange."""
    if not as_submit:
        return Entry(NOBODY, *_keys(rules, score, subscore), LAST, 1, 0)
    user_id = held.user_id if held is not None else NOBODY
    new = opening(rules, user_id=user_id, score=score, subscore=subscore, session_id=LAST, achieved_ms=0)
    entry = merge(rules.operator, held, new) if held is not None else new
    if not all(-SCORE_LIMIT <= key <= SCORE_LIMIT for key in entry.value):
        raise TotalOutOfRange
    return entry


def _keys(rules: Rules, score: int, subscore: int) -> tuple[int, int]:
    return rules.score_sign * score, rules.subscore_sign * subscore


def _standing(standing: Standing) -> dict[str, Any]:
    total = standing.others + 1
    return {"rank": standing.rank, "percentile": percentile(standing.rank, total), "total": total}


def _row(place: Place, rules: Rules, players: dict[int, Player], ranking: Ranking) -> dict[str, Any]:
    rank = place.rank if ranking is Ranking.ORDINAL else sharing.told(place.shared_rank)
    (row,) = rows([place.entry], first_rank=rank, rules=rules, players=players)
    return {**row}


def _told(board: Board, position: Position, ranking: Ranking) -> dict[str, Any]:
    return heading(board, position) | ({} if ranking is Ranking.ORDINAL else {"ranking": ranking})


def _wrong(field: str, detail: str) -> InvalidParameter:
    return InvalidParameter(f"{field}: {detail}.", errors=[{"field": field, "detail": detail}])
