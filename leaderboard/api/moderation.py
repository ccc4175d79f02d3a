"""What moderators do over REST: edit and remove entries, read who did what. Each needs a key of the game with `players:admin`."""

import logging
from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec
from django.http import HttpResponse

from leaderboard import runtime
from leaderboard.api import bodies
from leaderboard.api.auth import authenticate
from leaderboard.api.request import Answer, ApiRequest, DjangoApiRequest, Told, in_a_task
from leaderboard.api.views import ApiView, answered
from leaderboard.domain.errors import InvalidParameter, LeaderboardNotFound
from leaderboard.domain.season import season_label
from leaderboard.feed import FeedUnavailable
from leaderboard.index import IndexUnavailable
from leaderboard.models import EntryEdit
from leaderboard.services import moderation
from leaderboard.services.credentials import PLAYERS_ADMIN, Credential
from leaderboard.services.rows import rfc3339
from leaderboard.services.standings import Board
from leaderboard.services.threads import in_thread

log = logging.getLogger(__name__)

T = TypeVar("T")

EDITS_LIMIT = 1000  # edits one answer holds
BEFORE = ("score", "subscore", "submissions", "session_id", "achieved_at")  # in this order, whichever a database keeps


class EditBody(msgspec.Struct, forbid_unknown_fields=True):
    """PATCH of an entry."""

    score: int
    reason: str
    subscore: int | None = None


_edit_body = msgspec.json.Decoder(EditBody)


class Entry(ApiView):
    async def patch(self, request: DjangoApiRequest, board: str, player: str) -> HttpResponse:
        return await answered(edit_entry, request, board, player)

    async def delete(self, request: DjangoApiRequest, board: str, player: str) -> HttpResponse:
        return await answered(remove_entry, request, board, player)


class Edits(ApiView):
    async def get(self, request: DjangoApiRequest, board: str) -> HttpResponse:
        return await answered(edits, request, board)


def edit_entry(request: ApiRequest, told: Told, board: str, player: str) -> None:
    """Give an entry another value: 200 with the edit."""
    in_a_task(_edit_entry(request, told, board, player), told)


def remove_entry(request: ApiRequest, told: Told, board: str, player: str) -> None:
    """Take an entry off its board: 200 with the edit."""
    in_a_task(_remove_entry(request, told, board, player), told)


def edits(request: ApiRequest, told: Told, board: str) -> None:
    """The last edits on a leaderboard, the newest first."""
    in_a_task(_edits(request, told, board), told)


async def _edit_entry(request: ApiRequest, told: Told, slug: str, player: str) -> None:
    credential, board = await _opened(request, slug)
    body: EditBody = bodies.read_json(request, _edit_body)
    edit = await in_thread(
        lambda: moderation.edit_entry(
            board.id,
            player,
            total_score=body.score,
            subscore=body.subscore,
            reason=_reason(body.reason),
            actor=credential.submitter,
            now=runtime.utc_now(),
        )
    )
    await _shown(edit)
    told(Answer(200, _encoded(edit, board)))


async def _remove_entry(request: ApiRequest, told: Told, slug: str, player: str) -> None:
    credential, board = await _opened(request, slug)
    reason = _reason(_query(request, "reason", ""))
    edit = await in_thread(lambda: moderation.remove_entry(board.id, player, reason=reason, actor=credential.submitter))
    await _shown(edit)
    told(Answer(200, _encoded(edit, board)))


async def _edits(request: ApiRequest, told: Told, slug: str) -> None:
    _, board = await _opened(request, slug)
    limit = _limit(_query(request, "limit", "100"))
    found = await in_thread(lambda: moderation.edits_of(board.definition.id, limit=limit))
    told(Answer(200, msgspec.json.encode({"leaderboard": slug, "edits": [_described(edit) for edit in found]})))


async def _opened(request: ApiRequest, slug: str) -> tuple[Credential, Board]:
    """Who asks, and the board of its game. Another game's board is not found, as one that is not there."""
    credential = await authenticate(request)
    credential.require(PLAYERS_ADMIN)
    board = await runtime.services().standings.board(slug, season=_query(request, "season", "current"), now=runtime.utc_now())
    if not credential.reaches(board.definition):
        raise LeaderboardNotFound(f"There is no leaderboard {slug!r}.")
    return credential, board


async def _shown(edit: EntryEdit) -> None:
    """It has happened; while Redis is away watchers see it later."""
    try:
        await runtime.services().upkeep.show([moderation.recorded(edit)])
    except (IndexUnavailable, FeedUnavailable) as error:
        log.warning("an edit is shown once Redis is back: %r", error, extra={"edit": edit.pk})


def _encoded(edit: EntryEdit, board: Board) -> bytes:
    return msgspec.json.encode({"leaderboard": board.definition.slug, **_described(edit)})


def _described(edit: EntryEdit) -> dict[str, Any]:
    return {
        "id": edit.pk,
        "season": season_label(edit.season),
        "player": edit.user.get_username(),
        "score": edit.total_score,
        "subscore": None if edit.total_score is None else edit.subscore,
        "before": edit.before and {name: edit.before[name] for name in BEFORE},
        "reason": edit.reason,
        "actor": edit.actor,
        "created_at": rfc3339(edit.created_at),
    }


def _query(request: ApiRequest, name: str, default: str) -> str:
    try:
        values = parse_qs(request.query.decode("ascii"), keep_blank_values=True, errors="strict")
    except UnicodeError:
        raise InvalidParameter("The query is not UTF-8.") from None
    return values.get(name, [default])[-1]


def _reason(text: str) -> str:
    if len(text) > moderation.REASON_LENGTH or not text.isprintable():
        detail = f"at most {moderation.REASON_LENGTH} printable characters on one line"
        raise InvalidParameter(f"The reason has {detail}.", errors=[{"field": "reason", "detail": detail}])
    return text


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= EDITS_LIMIT):
        detail = f"1..{EDITS_LIMIT}"
        raise InvalidParameter(f"limit must be from 1 to {EDITS_LIMIT}.", errors=[{"field": "limit", "detail": detail}])
    return int(text)
