"""What moderators do: edit or remove an entry, and take a player out (the one user of the door in the append-only trigger).

Synchronous and through the ORM: it is rare, and everything happens in one transaction. What it does to an index and to watchers comes
after the commit: `Upkeep.show`, or the sweep if nobody came to it.
"""

from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Max

from leaderboard.domain.board import check_range
from leaderboard.domain.errors import NotRanked
from leaderboard.domain.score import BoardId, Direction, Operator, Rules
from leaderboard.feed import Feed
from leaderboard.index import Index
from leaderboard.models import (
    Catalog,
    Device,
    EntryEdit,
    GameSession,
    Leaderboard,
    LeaderboardEntry,
    RefreshToken,
    SubmitAnswer,
)
from leaderboard.services.live import Live
from leaderboard.services.rows import rfc3339
from leaderboard.store import EditRecord

REASON_LENGTH = 500  # characters, as the column holds


@dataclass(frozen=True, slots=True)
class Erased:
    user_id: int
    boards: tuple[BoardId, ...]
    sessions: int
    until_session: int  # the last that there was


@transaction.atomic
def remove_entry(board: BoardId, player: str, *, reason: str, actor: str) -> EntryEdit:
    """Take an entry off its board; what the player earns from now on counts anew. Raises NotRanked."""
    entry, edit = _opened(board, player, reason=reason, actor=actor)
    edit.save(force_insert=True)
    entry.delete()
    return edit


@transaction.atomic
def edit_entry(
    board: BoardId, player: str, *, total_score: int, subscore: int | None = None, reason: str, actor: str, now: datetime
) -> EntryEdit:
    """Give an entry another value; later sessions meet that one. It keeps its achiever, so among equals its place.

    Without `subscore` it keeps that too. Raises NotRanked or ScoreOutOfRange; the bounds of the board are those of a single play, and
    not asked.
    """
    entry, edit = _opened(board, player, reason=reason, actor=actor)
    subscore = entry.subscore if subscore is None else subscore
    check_range(total_score, subscore)
    edit.total_score, edit.subscore = total_score, subscore
    edit.save(force_insert=True)
    rules = _rules(entry.leaderboard)
    entry.total_score, entry.score_key = total_score, rules.score_sign * total_score
    entry.subscore, entry.subscore_key = subscore, rules.subscore_sign * subscore
    entry.submissions += 1  # a newer version: no index write that is still on its way brings the old value back
    entry.last_updated = max(entry.last_updated, now)
    entry.save(force_update=True)
    return edit


def recorded(edit: EntryEdit) -> EditRecord:
    """The edit as `Upkeep.show` takes it."""
    board = BoardId(edit.leaderboard_id, edit.season)
    return EditRecord(edit.pk, board, edit.user_id, edit.until_session, edit.total_score is None)


def edits_of(leaderboard_id: int, *, limit: int) -> list[EntryEdit]:
    """The last edits on a leaderboard, the newest first, with their players."""
    return list(EntryEdit.objects.filter(leaderboard_id=leaderboard_id).select_related("user").order_by("-id")[:limit])


def _opened(board: BoardId, player: str, *, reason: str, actor: str) -> tuple[LeaderboardEntry, EntryEdit]:
    """The player's entry, locked, and the edit of it, not stored yet. Every session up to now is in the entry, and no later one."""
    if "\0" in player:  # which SQL can't even be asked for
        raise NotRanked(f"There is no player {player!r}.")
    _let_submits_wait()
    entries = LeaderboardEntry.objects.select_for_update(of=("self",)).select_related("user")
    entry = entries.filter(leaderboard_id=board.leaderboard_id, season=board.season, user__username=player).first()
    if entry is None:
        raise NotRanked(f"{player!r} has no entry on this board.")
    return entry, EntryEdit(
        leaderboard_id=board.leaderboard_id,
        season=board.season,
        user=entry.user,
        until_session=_last_session(),
        before={
            "score": entry.total_score,
            "subscore": entry.subscore,
            "submissions": entry.submissions,
            "session_id": entry.session_id,
            "achieved_at": rfc3339(entry.achieved_at),
        },
        reason=reason[:REASON_LENGTH],
        actor=actor,
    )


def _last_session() -> int:
    last: int | None = GameSession.objects.aggregate(last=Max("id"))["last"]
    return last or 0


def _rules(leaderboard: Leaderboard) -> Rules:
    return Rules(Operator(leaderboard.operator), Direction(leaderboard.sort_order), Direction(leaderboard.subscore_order))


@transaction.atomic
def erase_player(username: str) -> Erased:
    """Delete a player's sessions and entries and strip its account of its names. Raises NotRanked.

    The account stays, without a name or password: processes may still hold its id until they hear of it (`leaderboard.signals`).
    """
    user = get_user_model().objects.select_for_update().filter(username=username).first()
    if user is None:
        raise NotRanked(f"There is no player {username!r}.")
    _let_submits_wait()
    entries = LeaderboardEntry.objects.filter(user=user)
    until_session = _last_session()
    boards = tuple(BoardId(*pair) for pair in entries.values_list("leaderboard_id", "season"))
    entries.delete()
    Catalog.objects.update(erasing=True)  # the door: open in this transaction only
    SubmitAnswer.objects.filter(session__user=user).delete()
    sessions = GameSession.objects.filter(user=user)
    count: int = sessions._raw_delete(sessions.db)  # one statement, no row is loaded
    Catalog.objects.update(erasing=False)
    Device.objects.filter(user=user).delete()
    RefreshToken.objects.filter(user=user).delete()
    # The rest of the name is random: nobody can take it beforehand and so keep a player from being erased.
    user.username, user.first_name, user.last_name, user.email = f"erased-{user.pk}-{token_hex(4)}", "", "", ""
    user.is_active = False  # access tokens live on for minutes
    user.set_unusable_password()
    user.save()
    return Erased(user.pk, boards, count, until_session)


def _let_submits_wait() -> None:
    """Until this transaction ends: no score or answer of the player lands between two of its steps. SQLite has one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE leaderboard_gamesession, leaderboard_submitanswer IN SHARE ROW EXCLUSIVE MODE")


async def forget_player(erased: Erased, *, index: Index, feed: Feed, live: Live, now: datetime) -> None:
    """Take the erased player off the live boards, and publish that at once. Raises IndexUnavailable or FeedUnavailable."""
    for board in erased.boards:
        await index.remove(board, [erased.user_id], until=erased.until_session)
    if erased.boards:
        await feed.mark_dirty(sorted({board.leaderboard_id for board in erased.boards}))
        await live.update_dirty(now=now)
