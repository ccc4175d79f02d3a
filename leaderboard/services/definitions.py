"""Making games, leaderboards and API keys: the rare writes, over the ORM, for commands and the admin.

In: names and rules as a person gave them. Out: the stored row or the key, or a `Refusal`. Each call is one transaction: what is
refused leaves nothing behind. Triggers move the catalog's version, so running processes notice by themselves.
"""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from leaderboard.domain.board import check_definition
from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import InvalidDefinition, NotFound
from leaderboard.domain.score import Rules
from leaderboard.models import ApiKey, Game, Leaderboard
from leaderboard.services.credentials import BOARDS_ADMIN, BOARDS_READ, PLAYERS_ADMIN, SCORES_WRITE

SCOPES = (SCORES_WRITE, BOARDS_READ, BOARDS_ADMIN, PLAYERS_ADMIN)  # all there are
USUAL_SCOPES = (SCORES_WRITE, BOARDS_READ)  # what a new key gets unless told otherwise
SECRET_BYTES = 24  # 192 random bits: a plain SHA-256 of it can't be reversed by guessing
PREFIX_BYTES = 4  # 8 characters to tell keys apart in the admin and in logs
PREFIX_TRIES = 5  # with a million keys one try collides once in 4,000 times


Row = TypeVar("Row", bound=models.Model)


@transaction.atomic
def create_api_key(game_slug: str, *, scopes: Sequence[str] = USUAL_SCOPES, name: str = "", create_game: bool = False) -> str:
    """Store a new key of the game and return it, `gl_<prefix>_<secret>`: the only time that it is seen.

    Raises NotFound for an unknown game unless `create_game`, InvalidDefinition for unknown scopes.
    """
    wanted = tuple(dict.fromkeys(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        what = f"There is no scope {unknown[0]!r}" if unknown else "A key needs a scope"
        raise InvalidDefinition(f"{what}; the scopes are {', '.join(SCOPES)}.")
    game = _game(game_slug, create=create_game)
    for _ in range(PREFIX_TRIES):
        key, row = _new_key(game, scopes=wanted, name=name)
        if not ApiKey.objects.filter(prefix=row.prefix).exists():
            _store(row)
            return key
    raise RuntimeError(f"{PREFIX_TRIES} random prefixes were all taken: the random source is broken")


def _new_key(game: Game, *, scopes: Sequence[str], name: str) -> tuple[str, ApiKey]:
    prefix = secrets.token_hex(PREFIX_BYTES)
    key = f"gl_{prefix}_{secrets.token_hex(SECRET_BYTES)}"
    return key, ApiKey(game=game, name=name, prefix=prefix, digest=hashlib.sha256(key.encode()).digest(), scopes=list(scopes))


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
    create_game: bool = False,
) -> Leaderboard:
    """Store a new, active leaderboard of the game. Without a title it gets one from its slug.

    Raises NotFound for an unknown game unless `create_game`, InvalidDefinition for a slug that is taken or a definition that
    contradicts itself.
    """
    game = _game(game_slug, create=create_game)
    if Leaderboard.objects.filter(slug=slug).exists():
        raise InvalidDefinition(f"There is a leaderboard {slug!r} already.")
    definition = Definition(
        id=0,  # given by the database
        game_id=game.pk,
        game=game.slug,
        slug=slug,
        title=title or slug.replace("-", " ").replace("_", " ").capitalize(),
        rules=rules,
        game_mode=game_mode,
        reset_schedule=reset_schedule,
        time_zone=time_zone,
        min_score=min_score,
        max_score=max_score,
        authoritative=authoritative,
        is_public=is_public,
    )
    check_definition(definition)
    return _store(_row(definition))


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
    )


def _game(slug: str, *, create: bool) -> Game:
    game = Game.objects.filter(slug=slug).first()
    if game is not None:
        return game
    if not create:
        raise NotFound(f"There is no game {slug!r}; the games are {', '.join(Game.objects.values_list('slug', flat=True)) or 'none'}.")
    return _store(Game(slug=slug, name=slug.replace("-", " ").replace("_", " ").capitalize()))


def _store(row: Row) -> Row:
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
