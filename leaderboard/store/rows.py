"""From rows to the store's values, and what both dialects say when a row can't be stored."""

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import InvalidBody, InvalidMetadata, InvalidPlayer, Refusal, ScoreOutOfRange, TotalOutOfRange
from leaderboard.domain.replay import Edit
from leaderboard.domain.score import Direction, Operator, Rules
from leaderboard.store import KeyRecord, LastEdit, Player, PlayRecord, SessionRecord

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
NAME_LENGTH = 150  # characters of Django's first_name
PLACE_BEFORE_ALL = (-(2**62), 0, 0)  # better than every key


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970 UTC, rounded down."""
    return (moment - EPOCH) // MILLISECOND


def definition_of(row: Sequence[Any]) -> Definition:
    """A row of DEFINITIONS."""
    identity, game_id, game, slug, title, operator, sort_order, subscore_order, *rest = row
    game_mode, reset_schedule, time_zone, min_score, max_score, authoritative, is_active, is_public, signed_only, metadata = rest
    return Definition(
        id=identity,
        game_id=game_id,
        game=game,
        slug=slug,
        title=title,
        rules=Rules(Operator(operator), Direction(sort_order), Direction(subscore_order)),
        game_mode=game_mode,
        reset_schedule=reset_schedule,
        time_zone=time_zone,
        min_score=min_score,
        max_score=max_score,
        authoritative=bool(authoritative),
        is_active=bool(is_active),
        is_public=bool(is_public),
        signed_only=bool(signed_only),
        metadata=json.loads(metadata),
    )


def rule_columns(definition: Definition) -> tuple[Any, ...]:
    """The arguments of NEW_RULES."""
    rules = definition.rules
    orders = (rules.operator.value, rules.sort_order.value, rules.subscore_order.value)
    feeds = (definition.game_mode, definition.reset_schedule, definition.time_zone, definition.min_score, definition.max_score)
    return (definition.id, *orders, *feeds)


def key_of(row: Sequence[Any]) -> KeyRecord:
    """A row of KEYS."""
    identity, game_id, prefix, digest, scopes, expires_at, signed_only = row
    expires = None if expires_at is None else _moment_of(expires_at)
    return KeyRecord(identity, game_id, bytes(digest), tuple(json.loads(scopes)), expires, prefix, bool(signed_only))


def player_of(row: Sequence[Any]) -> Player:
    """A row of (id, username, first_name, last_name)."""
    identity, username, first_name, last_name = row
    return Player(identity, username, f"{first_name} {last_name}".strip() or username)


def session_of(row: Sequence[Any]) -> SessionRecord:
    """A row of SESSION."""
    identity, user_id, game_id, score, subscore, game_mode, timestamp = row
    return SessionRecord(identity, user_id, game_id, score, subscore, game_mode, _moment_of(timestamp))


def play_of(row: Sequence[Any]) -> PlayRecord:
    """A row of PLAYS_BEFORE or PLAYS_BETWEEN."""
    identity, user_id, game_id, score, subscore, game_mode, timestamp, metadata, submitter = row
    return PlayRecord(identity, user_id, game_id, score, subscore, game_mode, _moment_of(timestamp), metadata, submitter)


def last_edit_of(row: Sequence[Any]) -> LastEdit:
    """A row of LAST_EDIT_OF."""
    until_session, score, subscore, created_at = row
    return LastEdit(until_session, score, subscore, _moment_of(created_at))


def edit_of(row: Sequence[Any]) -> Edit:
    """A row of `edits`. `before`, the entry as it was, names the session that the value keeps, and with it its place among equals."""
    identity, user_id, season, until_session, total_score, subscore, text, until_ms = row
    before = (json.loads(text) if text is not None else None) or {}
    achieved_ms = milliseconds(_moment_of(before["achieved_at"])) if "achieved_at" in before else until_ms or 0
    session_id = before.get("session_id", until_session)
    return Edit(identity, user_id, season, until_session, total_score, subscore, session_id, achieved_ms, until_ms or 0)


def _moment_of(value: datetime | str) -> datetime:
    """A time as either dialect gives it: SQLite keeps Django's text, UTC without saying so."""
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value


def new_user(username: str, name: str) -> tuple[str, str, str]:
    """(username, password, first_name) of a user that a game server named: nobody can log in with that password."""
    return username, f"!{secrets.token_urlsafe(30)}", name[:NAME_LENGTH] if name != username else ""


def refusal_for(constraint: str) -> Refusal:
    """Why a submission can't be stored, from the constraint that it broke, or "" for a value SQL can't hold."""
    if "leaderboardentry_score_exact" in constraint:
        return TotalOutOfRange()
    if "gamesession_score_exact" in constraint:
        return ScoreOutOfRange()
    if "metadata" in constraint.lower():
        return InvalidMetadata()
    if "user" in constraint:
        return InvalidPlayer("There is no such player any more, or it may not play.")
    return InvalidBody("A value of the submission can't be stored")
