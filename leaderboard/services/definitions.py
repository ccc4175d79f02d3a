"""Making games and leaderboards: the rare writes, over the ORM, for commands and the admin. API keys are in `services.keys`.

In: names and rules as a person gave them. Out: the stored row, or a `Refusal`. Each call is one transaction: what is
refused leaves nothing behind. Triggers move the catalog's version, so running processes notice by themselves.
"""

from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from leaderboard.domain.board import check_definition
from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import InvalidDefinition, NotFound
from leaderboard.domain.score import Rules
from leaderboard.domain.text import normal_form
from leaderboard.models import Game, Leaderboard

Row = TypeVar("Row", bound=models.Model)


@transaction.atomic
def create_board(
    game_slug: str,
    *,
    slug: str,
    rules: Rules,
    title: str = "",
    game_mode: str = "",
    reset_schedule: str = "",
    time_zone: str = "UTC",
    min_score: int | None = 0,
    max_score: int | None = None,
    authoritative: bool = False,
    is_public: bool = True,
    signed_only: bool = False,
    create_game: bool = False,
) -> Leaderboard:
    """Store a new, active leaderboard of the game. Without a title it gets one from its slug.

    Raises NotFound for an unknown game unless `create_game`, InvalidDefinition for a slug that is taken or a definition that
    contradicts itself.
    """
    game = game_of(game_slug, create=create_game)
    if Leaderboard.objects.filter(slug=slug).exists():
        raise InvalidDefinition(f"There is a leaderboard {slug!r} already.")
    definition = Definition(
        id=0,  # given by the database
        game_id=game.pk,
        game=game.slug,
        slug=slug,
        title=normal_form(title) or slug.replace("-", " ").replace("_", " ").capitalize(),
        rules=rules,
        game_mode=game_mode,
        reset_schedule=reset_schedule,
        time_zone=time_zone,
        min_score=min_score,
        max_score=max_score,
        authoritative=authoritative,
        is_public=is_public,
        signed_only=signed_only,
    )
    check_definition(definition)
    return stored(_row(definition))


def _row(definition: Definition) -> Leaderboard:
    return Leaderboard(
        game_id=definition.game_id,
        slug=definition.slug,
        title=definition.title,
        operator=definition.rules.operator.value,
        sort_order=definition.rules.sort_order.value,
        subscore_order=definition.rules.subscore_order.value,
        game_mode=definition.game_mode,
        reset_schedule=definition.reset_schedule,
        time_zone=definition.time_zone,
        min_score=definition.min_score,
        max_score=definition.max_score,
        authoritative=definition.authoritative,
        is_public=definition.is_public,
        signed_only=definition.signed_only,
    )


def game_of(slug: str, *, create: bool) -> Game:
    game = Game.objects.filter(slug=slug).first()
    if game is not None:
        return game
    if not create:
        raise NotFound(f"There is no game {slug!r}; the games are {', '.join(Game.objects.values_list('slug', flat=True)) or 'none'}.")
    return stored(Game(slug=slug, name=slug.replace("-", " ").replace("_", " ").capitalize()))


def stored(row: Row) -> Row:
    """Save what the model finds valid. Raises InvalidDefinition with what it does not."""
    try:
        row.full_clean()
        with transaction.atomic():  # a lost race must not break the caller's transaction
            row.save(force_insert=True)
    except ValidationError as error:
        raise InvalidDefinition(_sentence(error)) from error
    except IntegrityError as error:
        raise InvalidDefinition(f"Somebody else has just made one of that name ({error}).") from error
    return row


def _sentence(error: ValidationError) -> str:
    problems: dict[str, Any] = error.message_dict
    return " ".join(f"{field}: {' '.join(messages)}" for field, messages in problems.items())
