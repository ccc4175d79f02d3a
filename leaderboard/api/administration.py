"""The operations and views by which a key with the scope boards:admin keeps its game's leaderboards.

Each reaches its own game's leaderboards only, inactive ones too; another game's is not found.
"""

from typing import Any
from urllib.parse import parse_qs

import msgspec
from django.http import HttpResponse
from msgspec import UNSET, UnsetType

from leaderboard import runtime
from leaderboard.api import bodies
from leaderboard.api.auth import authenticate, held_credential
from leaderboard.api.request import Answer, ApiRequest, DjangoApiRequest, Told, in_a_task
from leaderboard.api.views import ApiView, LeaderboardDetail, Leaderboards, answered
from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import InvalidParameter, NotFound
from leaderboard.domain.score import Direction, Operator
from leaderboard.models import Reranking
from leaderboard.services import boards
from leaderboard.services.credentials import BOARDS_ADMIN
from leaderboard.services.rows import rfc3339
from leaderboard.services.standings import described
from leaderboard.services.threads import in_thread

_encode = msgspec.json.Encoder().encode


class NewBoard(msgspec.Struct, forbid_unknown_fields=True):
    """POST /leaderboard/."""

    leaderboard: str
    title: str | UnsetType = UNSET
    operator: Operator = Operator.BEST
    sort_order: Direction = Direction.DESC
    subscore_order: Direction = Direction.DESC
    game_mode: str = ""
    reset_schedule: str = ""
    time_zone: str = "UTC"
    min_score: int | None = 0
    max_score: int | None = None
    authoritative: bool = False
    is_public: bool = True
    signed_only: bool = False
    metadata: dict[str, Any] = {}


class BoardChanges(msgspec.Struct, forbid_unknown_fields=True):
    """PATCH /leaderboard/{board}/: what is left out stays. The slug is what others know the leaderboard by, so it stays too."""

    title: str | UnsetType = UNSET
    operator: Operator | UnsetType = UNSET
    sort_order: Direction | UnsetType = UNSET
    subscore_order: Direction | UnsetType = UNSET
    game_mode: str | UnsetType = UNSET
    reset_schedule: str | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    min_score: int | UnsetType | None = UNSET
    max_score: int | UnsetType | None = UNSET
    authoritative: bool | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    is_public: bool | UnsetType = UNSET
    signed_only: bool | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


_new_board = msgspec.json.Decoder(NewBoard)
_changes = msgspec.json.Decoder(BoardChanges)


def create(request: ApiRequest, told: Told) -> None:
    """A new leaderboard of the key's game: 201 with its definition."""
    in_a_task(_create(request, told), told)


def edit(request: ApiRequest, told: Told, board: str) -> None:
    """200 with the definition, or 202 with the re-ranking that begins; with ?dry_run=true what would happen."""
    in_a_task(_edit(request, told, board), told)


def delete(request: ApiRequest, told: Told, board: str) -> None:
    """204: inactive, or with ?hard=true gone."""
    in_a_task(_delete(request, told, board), told)


def rerankings(request: ApiRequest, told: Told, board: str) -> None:
    """The leaderboard's re-rankings, the newest first."""
    in_a_task(_rerankings(request, told, board), told)


def reranking(request: ApiRequest, told: Told, board: str, number: int) -> None:
    """How far one is."""
    in_a_task(_reranking(request, told, board, number), told)


# --- What they do ----------------------------------------------------------------------------------------------------------


async def _create(request: ApiRequest, told: Told) -> None:
    game_id, _ = await _admin(request)
    asked: NewBoard = bodies.read_json(request, _new_board)
    fields = _given(asked)
    definition = await in_thread(boards.create, game_id, slug=fields.pop("leaderboard"), fields=fields)
    await _catch_up()
    told(_answer(201, _described(definition)))


async def _edit(request: ApiRequest, told: Told, board: str) -> None:
    game_id, actor = await _admin(request)
    dry_run = _flag(request, "dry_run")
    changes = _given(bodies.read_json(request, _changes))
    if dry_run:
        plan = await in_thread(boards.propose, game_id, board, changes)
        told(_answer(200, await runtime.services().rerank.preview(plan, now=runtime.utc_now())))
        return
    edited = await in_thread(boards.edit, game_id, board, changes, actor=actor)
    await _catch_up()
    if edited.reranking is None:
        told(_answer(200, _described(edited.definition)))
        return
    runtime.ask_reranking()
    told(_answer(202, {"reranking": _progress(edited.reranking)}))


async def _delete(request: ApiRequest, told: Told, board: str) -> None:
    game_id, _ = await _admin(request)
    if _flag(request, "hard"):
        deleted = await boards.delete(game_id, board)
        await runtime.services().live.forget(deleted.leaderboard_id, deleted.boards)
    else:
        await in_thread(boards.deactivate, game_id, board)
    await _catch_up()
    told(Answer(204, b"", ()))


async def _rerankings(request: ApiRequest, told: Told, board: str) -> None:
    game_id, _ = await _admin(request)
    told(_answer(200, {"rerankings": [_progress(row) for row in await in_thread(boards.rerankings, game_id, board)]}))


async def _reranking(request: ApiRequest, told: Told, board: str, number: int) -> None:
    game_id, _ = await _admin(request)
    told(_answer(200, _progress(await in_thread(boards.reranking, game_id, board, number))))


async def _admin(request: ApiRequest) -> tuple[int, str]:
    """The game that the key administers, and the key's name for the records. Raises NotAuthenticated or Forbidden."""
    credential = held_credential(request) or await authenticate(request)
    credential.require(BOARDS_ADMIN)
    if credential.game_id is None:
        raise NotFound("A user of the site has no game.")
    return credential.game_id, credential.submitter


async def _catch_up() -> None:
    """This process shows the change at once, the others within CATALOG_MAX_AGE_MS. Twice: the first may join a load begun before."""
    await runtime.services().catalogs.refresh()
    await runtime.services().catalogs.refresh()


def _given(asked: msgspec.Struct) -> dict[str, Any]:
    """What was sent, by column; an enum's value, since the change is kept as JSON."""
    sent = {name: getattr(asked, name) for name in asked.__struct_fields__}
    return {name: getattr(value, "value", value) for name, value in sent.items() if value is not UNSET}


def _flag(request: ApiRequest, name: str) -> bool:
    text = parse_qs(request.query.decode("latin-1"), keep_blank_values=True).get(name, ["false"])[-1]
    if text not in ("true", "false"):
        raise InvalidParameter(f"{name} must be true or false.", errors=[{"field": name, "detail": "true or false"}])
    return text == "true"


def _described(definition: Definition) -> dict[str, Any]:
    return described(definition, now=runtime.utc_now())


def _progress(row: Reranking) -> dict[str, Any]:
    return {
        "id": row.pk,
        "state": str(row.state),
        "done": row.done,
        "total": row.total,
        "moved": row.moved,
        "changes": row.changes,
        "problem": row.problem,
        "created_at": rfc3339(row.created_at),
    }


def _answer(status: int, body: dict[str, Any]) -> Answer:
    return Answer(status, _encode(body))


# --- As Django's resolver finds them ---------------------------------------------------------------------------------------


class BoardsAdmin(Leaderboards):
    async def post(self, request: DjangoApiRequest) -> HttpResponse:
        return await answered(create, request)


class BoardAdmin(LeaderboardDetail):
    async def patch(self, request: DjangoApiRequest, board: str) -> HttpResponse:
        return await answered(edit, request, board)

    async def delete(self, request: DjangoApiRequest, board: str) -> HttpResponse:
        return await answered(delete, request, board)


class Rerankings(ApiView):
    async def get(self, request: DjangoApiRequest, board: str) -> HttpResponse:
        return await answered(rerankings, request, board)


class RerankingDetail(ApiView):
    async def get(self, request: DjangoApiRequest, board: str, number: int) -> HttpResponse:
        return await answered(reranking, request, board, number)
