"""Administering leaderboards: the rare writes behind REST, over the ORM, each in one transaction.

In: the key's game, a slug and what is to be. Out: the definition as it is now, or a `Refusal`; another game's leaderboard is not found.
A change of what decides entries is not made here: it becomes a `Reranking`, see `leaderboard.services.rerank`.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from leaderboard.domain.board import check_definition
from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import InvalidDefinition, LeaderboardNotFound, NotFound, RerankingUnderWay, SlugTaken
from leaderboard.domain.score import BoardId, Direction, Operator, Rules
from leaderboard.domain.text import normal_form
from leaderboard.models import Leaderboard, LeaderboardEntry, Reranking
from leaderboard.services.threads import in_thread

P = ParamSpec("P")
T = TypeVar("T")

RANKING = frozenset({"operator", "sort_order", "subscore_order"})  # how entries meet and rank
FEEDING = frozenset({"game_mode", "min_score", "max_score", "reset_schedule", "time_zone"})  # which plays count, and where
OPEN = (Reranking.State.WAITING, Reranking.State.RUNNING)
SHOWN = 100  # re-rankings in a list
DELETE_CHUNK = 10_000  # entries: a short transaction each, so that submits to other boards are not held up


class Plan(NamedTuple):
    """A change of rules to be made or looked at: the definition before and with it. `made_ms`: no earlier session counts."""

    before: Definition
    after: Definition
    made_ms: int
    changed: frozenset[str]
    reranking_id: int = 0

    @property
    def held_only(self) -> bool:
        """Who is on the board stays the same, unless what feeds it changes: a session does not tell which boards its submit named."""
        return not self.changed & FEEDING


class Edited(NamedTuple):
    definition: Definition
    reranking: Reranking | None


class Deleted(NamedTuple):
    leaderboard_id: int
    boards: tuple[BoardId, ...]


def definition_of(row: Leaderboard) -> Definition:
    return Definition(
        id=row.pk,
        game_id=row.game_id,
        game=row.game.slug,
        slug=row.slug,
        title=row.title,
        rules=Rules(Operator(row.operator), Direction(row.sort_order), Direction(row.subscore_order)),
        game_mode=row.game_mode,
        reset_schedule=row.reset_schedule,
        time_zone=row.time_zone,
        min_score=row.min_score,
        max_score=row.max_score,
        authoritative=row.authoritative,
        is_active=row.is_active,
        is_public=row.is_public,
        signed_only=row.signed_only,
        metadata=row.metadata,
    )


@transaction.atomic
def create(game_id: int, *, slug: str, fields: Mapping[str, Any]) -> Definition:
    """Store a new, active leaderboard. Without a title it gets one from its slug. Raises SlugTaken or InvalidDefinition."""
    named = {"title": slug.replace("-", " ").replace("_", " ").capitalize(), **fields}
    row = Leaderboard(game_id=game_id, slug=slug, **_normal(named))
    definition = definition_of(row)
    _check(definition)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise SlugTaken(f"There is a leaderboard {slug!r} already.") from error
    return replace(definition, id=row.pk)


@transaction.atomic
def edit(game_id: int, slug: str, changes: Mapping[str, Any], *, actor: str) -> Edited:
    """Apply what can be at once; what re-ranks becomes a re-ranking, one at a time.

    Raises LeaderboardNotFound, InvalidDefinition or RerankingUnderWay, and then nothing has changed.
    """
    row = _find(game_id, slug)
    new = {name: value for name, value in _normal(changes).items() if getattr(row, name) != value}
    _check(_changed(definition_of(row), new))
    ranks_anew = {name: value for name, value in new.items() if name in RANKING | FEEDING}
    reranking = _begin(row, ranks_anew, actor) if ranks_anew else None
    at_once = [name for name in new if name not in ranks_anew]
    for name in at_once:
        setattr(row, name, new[name])
    if at_once:
        row.save(update_fields=at_once)
    return Edited(definition_of(row), reranking)


@transaction.atomic
def propose(game_id: int, slug: str, changes: Mapping[str, Any]) -> Plan:
    """What a change would be, without making it. Raises LeaderboardNotFound or InvalidDefinition."""
    row = _find(game_id, slug)
    new = {name: value for name, value in changes.items() if getattr(row, name) != value}
    return _plan(row, new)


@transaction.atomic
def deactivate(game_id: int, slug: str) -> None:
    """Raises LeaderboardNotFound."""
    row = _find(game_id, slug)
    if row.is_active:
        row.is_active = False
        row.save(update_fields=["is_active"])


async def delete(game_id: int, slug: str) -> Deleted:
    """Delete the leaderboard and its entries for good; the sessions are the game's and stay. Raises LeaderboardNotFound.

    Deactivated first, so that nothing new comes in while its entries go, a chunk at a time. Broken off it is inactive, and may come again.
    """
    deleted = await in_thread(_begin_to_delete, game_id, slug)
    while await in_thread(_delete_some, deleted.leaderboard_id):
        pass
    await in_thread(_delete_row, game_id, slug)
    return deleted


def _begin_to_delete(game_id: int, slug: str) -> Deleted:
    deactivate(game_id, slug)
    number = Leaderboard.objects.get(game_id=game_id, slug=slug).pk
    seasons = LeaderboardEntry.objects.filter(leaderboard_id=number).values_list("season", flat=True).distinct()
    return Deleted(number, tuple(BoardId(number, season) for season in sorted(seasons)))


def _delete_some(number: int) -> int:
    chunk = LeaderboardEntry.objects.filter(leaderboard_id=number).values_list("pk", flat=True)[:DELETE_CHUNK]
    deleted, _ = LeaderboardEntry.objects.filter(pk__in=list(chunk)).delete()
    return deleted


@transaction.atomic
def _delete_row(game_id: int, slug: str) -> None:
    row = _find(game_id, slug)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:  # a submit checked before the board was inactive has landed, or never will
            cursor.execute("LOCK TABLE leaderboard_gamesession IN SHARE ROW EXCLUSIVE MODE")
    LeaderboardEntry.objects.filter(leaderboard=row).delete()
    row.delete()


# --- Re-rankings -----------------------------------------------------------------------------------------------------------


def rerankings(game_id: int, slug: str) -> list[Reranking]:
    """The last ones, the newest first. Raises LeaderboardNotFound."""
    return list(Reranking.objects.filter(leaderboard=_find(game_id, slug)).order_by("-pk")[:SHOWN])


def reranking(game_id: int, slug: str, number: int) -> Reranking:
    """Raises LeaderboardNotFound or NotFound."""
    found = Reranking.objects.filter(leaderboard=_find(game_id, slug), pk=number).first()
    if found is None:
        raise NotFound(f"{slug!r} has no re-ranking {number}.")
    return found


@transaction.atomic
def claim(*, now: datetime, stale_s: float) -> Plan | None:
    """The next re-ranking that waits, or whose worker was not heard of for `stale_s`; it is the caller's now."""
    is_free = Q(state=Reranking.State.WAITING) | Q(state=Reranking.State.RUNNING, changed_at__lt=now - timedelta(seconds=stale_s))
    for row in Reranking.objects.filter(is_free).order_by("pk").select_related("leaderboard__game"):
        if Reranking.objects.filter(is_free, pk=row.pk).update(state=Reranking.State.RUNNING, done=0, changed_at=now):
            try:
                return _plan(row.leaderboard, row.changes)._replace(reranking_id=row.pk)
            except InvalidDefinition as refusal:  # the definition was changed by hand since
                note(row.pk, now=now, state=Reranking.State.FAILED, problem=refusal.code)
    return None


def note(number: int, *, now: datetime, **columns: Any) -> None:
    """Write down how far an open re-ranking has come, or how it ended."""
    Reranking.objects.filter(pk=number, state__in=OPEN).update(changed_at=now, **columns)


def _begin(row: Leaderboard, changes: dict[str, Any], actor: str) -> Reranking:
    if Reranking.objects.filter(leaderboard=row, state__in=OPEN).exists():
        raise RerankingUnderWay(f"{row.slug!r} is being re-ranked; wait until that is done.")
    return Reranking.objects.create(leaderboard=row, changes=changes, actor=actor)


def _plan(row: Leaderboard, changes: Mapping[str, Any]) -> Plan:
    before = definition_of(row)
    after = _changed(before, changes)
    _check(after)
    return Plan(before, after, int(row.created_at.timestamp() * 1000), frozenset(changes))


def _normal(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, the title in its normal form."""
    return {**fields, "title": normal_form(fields["title"])} if "title" in fields else dict(fields)


def _changed(definition: Definition, changes: Mapping[str, Any]) -> Definition:
    rules = {name: value for name, value in changes.items() if name in RANKING}
    others = {name: value for name, value in changes.items() if name not in RANKING}
    if "operator" in rules:
        rules["operator"] = Operator(rules["operator"])
    rules |= {name: Direction(value) for name, value in rules.items() if name != "operator"}
    return replace(definition, rules=replace(definition.rules, **rules), **others)


def _find(game_id: int, slug: str) -> Leaderboard:
    """An inactive one too; nobody else changes it until the transaction ends."""
    found = Leaderboard.objects.filter(game_id=game_id, slug=slug).select_related("game")
    row = found.select_for_update(of=("self",)).first() if connection.in_atomic_block else found.first()
    if row is None:
        raise LeaderboardNotFound(f"There is no leaderboard {slug!r} in this game.")
    return row


def _check(definition: Definition) -> None:
    try:
        check_definition(definition)
    except InvalidDefinition as refusal:
        for error in refusal.errors:
            error["field"] = "leaderboard" if error["field"] == "slug" else error["field"]
        raise
