"""Taking a player out: the one user of the door in the append-only trigger.

Synchronous and through the ORM: it is rare, and everything happens in one transaction.
"""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import get_user_model
from django.db import connection, transaction

from leaderboard.domain.errors import NotRanked
from leaderboard.domain.score import BoardId
from leaderboard.feed import Feed
from leaderboard.index import Index
from leaderboard.models import Catalog, GameSession, LeaderboardEntry, SubmitAnswer
from leaderboard.services.live import Live


@dataclass(frozen=True, slots=True)
class Erased:
    user_id: int
    boards: tuple[BoardId, ...]
    sessions: int


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
    boards = tuple(BoardId(*pair) for pair in entries.values_list("leaderboard_id", "season"))
    entries.delete()
    Catalog.objects.update(erasing=True)  # the door: open in this transaction only
    SubmitAnswer.objects.filter(session__user=user).delete()
    sessions = GameSession.objects.filter(user=user)
    count: int = sessions._raw_delete(sessions.db)  # one statement, no row is loaded
    Catalog.objects.update(erasing=False)
    user.username, user.first_name, user.last_name, user.email = f"erased-{user.pk}", "", "", ""
    user.set_unusable_password()
    user.save()
    return Erased(user.pk, boards, count)


def _let_submits_wait() -> None:
    """Until this transaction ends: no score or answer of the player lands between two of its steps. SQLite has one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE leaderboard_gamesession, leaderboard_submitanswer IN SHARE ROW EXCLUSIVE MODE")


async def forget_player(erased: Erased, *, index: Index, feed: Feed, live: Live, now: datetime) -> None:
    """Take the erased player off the live boards, and publish that at once. Raises IndexUnavailable or FeedUnavailable."""
    for board in erased.boards:
        await index.remove(board, [erased.user_id])
    if erased.boards:
        await feed.mark_dirty(sorted({board.leaderboard_id for board in erased.boards}))
        await live.update_dirty(now=now)
