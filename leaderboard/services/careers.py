"""One player: on all leaderboards, play by play, and how an entry became what it is."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import Forbidden, InvalidParameter, NotAuthenticated, NotRanked, Refusal
from leaderboard.domain.ranking import percentile
from leaderboard.domain.score import SCORE_LIMIT, BoardId, Entry, Operator, improves, merge, opening
from leaderboard.domain.season import ALL_TIME, EVER, NEVER, season_label, season_start
from leaderboard.index import Index, IndexUnavailable
from leaderboard.services.bell import Bell
from leaderboard.services.catalog import Catalogs
from leaderboard.services.credentials import BOARDS_READ, SAY_WHO, Credential, check_may_read
from leaderboard.services.players import Players
from leaderboard.services.rows import rfc3339, rows
from leaderboard.services.standings import Known, board_of, check_window
from leaderboard.services.totals import Totals
from leaderboard.store import LastEdit, Player, PlayRecord, Store
from leaderboard.store.rows import milliseconds

BOARDS_AT_ONCE = 500  # asked of the index in one round trip
PLAYS_READ = 10_000  # of a season, for a history: about 50 ms

_Place = tuple[int, Entry, int]  # rank, entry, total


class Careers:
    def __init__(self, *, store: Store, index: Index, catalogs: Catalogs, players: Players, totals: Totals, bell: Bell) -> None:
        self._store, self._index, self._catalogs = store, index, catalogs
        self._players, self._totals, self._bell = players, totals, bell

    # --- On all leaderboards -------------------------------------------------------------------------------------------

    async def standings(self, player: str, *, game: str, credential: Credential | None, now: datetime) -> dict[str, Any]:
        """The player's entries in the current seasons of a game, or of all if it is "", by slug. Raises NotRanked.

        Who is unknown and who is only where the credential does not reach get one answer.
        """
        view = await self._catalogs.view()
        wanted = [each for each in view.by_slug.values() if each.is_active and game in ("", each.game) and _may_read(each, credential)]
        boards = {view.board(definition, now): definition for definition in sorted(wanted, key=lambda each: each.slug)}
        user = (await self._players.known([player])).get(player)
        places = await self._places(list(boards), user.id) if user is not None else {}
        if user is None or not places:
            raise NotRanked(f"{player!r} has no entry on the leaderboards that you may read.")
        told = [_told(definition, board.season, user, places[board]) for board, definition in boards.items() if board in places]
        return {"player": user.username, "name": user.name, "standings": told}

    async def _places(self, boards: Sequence[BoardId], user_id: int) -> dict[BoardId, _Place]:
        places: dict[BoardId, _Place] = {}
        cold: list[BoardId] = []
        for start in range(0, len(boards), BOARDS_AT_ONCE):
            some = boards[start : start + BOARDS_AT_ONCE]
            try:
                found = await self._index.find({board: [user_id] for board in some})
            except IndexUnavailable:
                cold += some
                continue
            cold += [board for board in some if found[board] is None]
            for board, here in found.items():
                if here is not None and here.places:
                    places[board] = (here.places[0].rank, here.places[0].entry, here.total)
        return places | await self._places_in_sql(cold, user_id) if cold else places

    async def _places_in_sql(self, boards: Sequence[BoardId], user_id: int) -> dict[BoardId, _Place]:
        entries = await self._store.find([(board, user_id) for board in boards])
        ranks = await self._store.ranks(entries)
        held = [(board, rank) for (board, _), rank in zip(entries, ranks, strict=True)]
        totals = await asyncio.gather(*(self._totals.count(board, at_least=rank) for board, rank in held))
        if entries:
            await self._bell.try_mark_dirty([board.leaderboard_id for board, _ in entries])  # the next rank update rebuilds them
        return {board: (rank, entry, total) for (board, entry), rank, total in zip(entries, ranks, totals, strict=True)}

    # --- Play by play --------------------------------------------------------------------------------------------------

    async def sessions(self, player: str, *, credential: Credential | None, limit: int, before: int | None) -> dict[str, Any]:
        """The player's plays in the credential's game, the newest first; `before` is the id of one: those older than it.

        Raises NotAuthenticated or Forbidden, InvalidParameter for a `before` that is none of them, NotRanked if there is no play.
        """
        check_window(limit, 0)
        game_id = _game_of_plays(credential, player)
        user = credential.player if credential is not None and credential.player is not None else None
        user = user or (await self._players.known([player])).get(player)
        from_play = await self._store.session(before) if before is not None and user is not None else None
        if before is not None and (user is None or from_play is None or (from_play.user_id, from_play.game_id) != (user.id, game_id)):
            raise InvalidParameter("before is no play of this player.", errors=[{"field": "before", "detail": "the id of a play"}])
        plays = await self._store.plays_before(user.id, game_id, before=from_play, limit=limit + 1) if user is not None else []
        if not plays and before is None:
            raise NotRanked(f"{player!r} has no plays in this game.")
        told = [_session(play) for play in plays[:limit]]
        return {"player": player, "sessions": told, "before": told[-1]["session_id"] if len(plays) > limit else None}

    # --- How an entry became what it is ----------------------------------------------------------------------------------

    async def history(self, known: Known, player: str, *, season: str, limit: int, now: datetime) -> dict[str, Any]:
        """The last `limit` plays that made the player's entry better, the oldest first. Raises NotRanked.

        Made anew from the plays by the leaderboard's rules, as they are now, since the last moderator's word on the entry. A play does
        not say which leaderboards it named: one that could have fed this one counts, unless it is better than what a best board holds.
        """
        check_window(limit, 0)
        board, definition = board_of(known, season, now), known.definition
        user = (await self._players.known([player])).get(player)
        entry = await self._store.entry(board.id, user.id) if user is not None else None
        if user is None or entry is None:
            raise NotRanked(f"{player!r} has no entry on {definition.slug!r} in the season {board.season}.")
        since, until = _span(known, board.id)
        plays = await self._store.plays_between(user.id, definition.game_id, since, until, limit=PLAYS_READ + 1)
        edit = await self._store.last_edit(board.id, user.id)
        better = _improvements(definition, entry, edit, sorted(plays[:PLAYS_READ], key=lambda play: play.id))
        return {
            "leaderboard": definition.slug,
            "season": board.season,
            "player": user.username,
            "name": user.name,
            "complete": len(plays) <= PLAYS_READ,
            "history": [_improvement(definition, each) for each in better[-limit:]],
        }


def _may_read(definition: Definition, credential: Credential | None) -> bool:
    try:
        check_may_read(definition, credential)
    except Refusal:
        return False
    return True


def _told(definition: Definition, season: int, user: Player, place: _Place) -> dict[str, Any]:
    rank, entry, total = place
    (row,) = rows([entry], first_rank=rank, rules=definition.rules, players={user.id: user})
    shown = {key: value for key, value in row.items() if key not in ("player", "name")}
    label = {"leaderboard": definition.slug, "season": season_label(season)}
    return {**label, **shown, "total": total, "percentile": percentile(rank, total)}


def _game_of_plays(credential: Credential | None, player: str) -> int:
    """The game whose plays of this player may be read. Raises NotAuthenticated or Forbidden."""
    if credential is None or credential.game_id is None:
        raise NotAuthenticated(f"A player's plays are read by its game or by itself. {SAY_WHO}")
    if credential.player is not None and credential.player.username != player:
        raise Forbidden("A player reads its own plays only.")
    if credential.boards is not None or (credential.player is None and not credential.is_key):
        raise Forbidden("A ticket opens leaderboards; it reads no plays.")
    credential.require(BOARDS_READ)
    return credential.game_id


def _session(play: PlayRecord) -> dict[str, Any]:
    return {
        "session_id": play.id,
        "score": play.score,
        "subscore": play.subscore,
        "game_mode": play.game_mode,
        "metadata": json.loads(play.metadata),
        "timestamp": rfc3339(play.timestamp),
    }


def _span(known: Known, board: BoardId) -> tuple[datetime, datetime]:
    """From when to when the season goes."""
    ends = known.view.schedule(known.definition).ends(board.season)
    return EVER if board.season == ALL_TIME else season_start(board.season), ends or NEVER


def _improvements(definition: Definition, entry: Entry, edit: LastEdit | None, plays: Iterable[PlayRecord]) -> list[Entry]:
    """What the player held after each play, in order of their ids, that made it better."""
    rules = definition.rules
    held = _edited(definition, entry.user_id, edit)
    found: list[Entry] = []
    for play in plays:
        if (edit is not None and play.id <= edit.until_session) or not _feeds(definition, play):
            continue
        new = opening(
            rules,
            user_id=entry.user_id,
            score=play.score,
            subscore=play.subscore,
            session_id=play.id,
            achieved_ms=milliseconds(play.timestamp),
        )
        if rules.operator is Operator.BEST and new.value < entry.value:
            continue
        now = merge(rules.operator, held, new) if held is not None else new
        if improves(held.order if held is not None else None, now):
            found.append(now)
        held = now
    return found


def _edited(definition: Definition, user_id: int, edit: LastEdit | None) -> Entry | None:
    if edit is None or edit.score is None:
        return None
    keys = (definition.rules.score_sign * edit.score, definition.rules.subscore_sign * edit.subscore)
    return Entry(user_id, *keys, edit.until_session, 1, milliseconds(edit.created_at))


def _feeds(definition: Definition, play: PlayRecord) -> bool:
    """Whether the play can have come in here."""
    low, high = definition.min_score, definition.max_score
    return (
        definition.game_mode in ("", play.game_mode)
        and (play.submitter.startswith("key:") or not definition.authoritative)
        and (-SCORE_LIMIT if low is None else low) <= play.score <= (SCORE_LIMIT if high is None else high)
    )


def _improvement(definition: Definition, entry: Entry) -> dict[str, Any]:
    (row,) = rows([entry], first_rank=1, rules=definition.rules, players={})
    return {"session_id": entry.session_id, "score": row["score"], "subscore": row["subscore"], "achieved_at": row["achieved_at"]}
