"""Whether a submit may go on: everything that can be said of it before SQL is asked."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from leaderboard.domain.board import check_range, check_score
from leaderboard.domain.definition import Definition, Feeding, Submission
from leaderboard.domain.errors import (
    AuthoritativeBoard,
    Forbidden,
    GameModeMismatch,
    LeaderboardNotFound,
    PlayerNotAllowed,
    PlayerRequired,
    Refusal,
)
from leaderboard.domain.text import check_game_mode, check_idempotency_key, clean_name, encode_metadata
from leaderboard.services.catalog import View
from leaderboard.services.credentials import Credential
from leaderboard.services.players import Players
from leaderboard.store import Player

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Asked:
    """One submit as it was asked for: parsed, not yet checked."""

    score: int
    subscore: int = 0
    game_mode: str = ""
    player: str | None = None
    name: str | None = None
    metadata: dict[str, Any] | None = None
    leaderboards: list[str] | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A submission on its way, with what its answer needs to name things."""

    submission: Submission
    player: Player
    view: View


class Draft(NamedTuple):
    """A submit that nothing speaks against, before its player is known. No names where the credential is the player's own."""

    username: str
    name: str
    game_id: int
    feeds: tuple[Feeding, ...]
    metadata: str  # JSON text


class Checker:
    """Turns what was asked into submissions, resolving players and boards."""

    def __init__(self, *, players: Players, metadata_limit: int) -> None:
        self._players, self._metadata_limit = players, metadata_limit

    async def check(
        self, asked: Sequence[Asked], positions: Sequence[int], *, credential: Credential, view: View, now: datetime
    ) -> tuple[dict[int, Checked], dict[int, Refusal]]:
        """What may go on and what may not, by position. No player is created for a refused submit."""
        refusals: dict[int, Refusal] = {}
        drafts: dict[int, Draft] = {}
        names: dict[str, str] = {}
        for position in positions:
            try:
                draft = drafts[position] = self._draft(asked[position], credential=credential, view=view, now=now)
            except Refusal as refusal:
                refusals[position] = refusal
            else:
                if credential.player is None:
                    names.setdefault(draft.username, draft.name)
        players = await self._players.ensure(list(names.items())) if names else {}
        checked: dict[int, Checked] = {}
        for position, draft in drafts.items():
            item = asked[position]
            player = credential.player or players[draft.username]
            submission = Submission(
                game_id=draft.game_id,
                user_id=player.id,
                score=item.score,
                subscore=item.subscore,
                game_mode=item.game_mode,
                metadata=draft.metadata,
                timestamp=now,
                feeds=draft.feeds,
                submitter=credential.submitter,
                idempotency_key=item.idempotency_key,
                fingerprint=_fingerprint(item, player, draft.metadata) if item.idempotency_key is not None else None,
            )
            checked[position] = Checked(submission, player, view)
        return checked, refusals

    def _draft(self, asked: Asked, *, credential: Credential, view: View, now: datetime) -> Draft:
        """Everything that can be refused before SQL is."""
        if credential.player is None and asked.player is None:
            raise PlayerRequired('Say for which player: {"player": "..."}.')
        if credential.player is not None and (asked.player is not None or asked.name is not None):
            raise PlayerNotAllowed('A signed-in player submits for itself; leave "player" and "name" out.')
        check_game_mode(asked.game_mode)
        if asked.idempotency_key is not None:
            check_idempotency_key(asked.idempotency_key)
        metadata = encode_metadata(asked.metadata, limit_bytes=self._metadata_limit) if asked.metadata else "{}"
        game_id, fed = _fed_boards(asked, credential, view)
        check_range(asked.score, asked.subscore)
        for definition in fed:
            check_score(definition, asked.score, asked.subscore)
        username = name = ""
        if credential.player is None:
            username = clean_name(asked.player or "", what="player")
            name = clean_name(asked.name or username, what="name")
        feeds = tuple(Feeding(view.board(definition, now), definition.rules) for definition in fed)
        return Draft(username, name, game_id, feeds, metadata)


def _fed_boards(asked: Asked, credential: Credential, view: View) -> tuple[int, list[Definition]]:
    """The game and the active boards that a submit feeds, by slug.

    Without `leaderboards`: every board of the game that takes the mode and the credential. With it: those named, each of
    which must exist in the credential's game and take both.
    """
    may_write_all = credential.player is None
    if asked.leaderboards is None:
        game_id = credential.game_id if credential.game_id is not None else view.games.get("default")
        if game_id is None:
            raise LeaderboardNotFound("There is no default game; name the leaderboards.")
        matching = [definition for definition in view.boards_of(game_id) if definition.takes(asked.game_mode)]
        fed = [definition for definition in matching if may_write_all or not definition.authoritative]
        if matching and not fed:
            raise AuthoritativeBoard("Only an API key may write to this game's leaderboards.")
        return game_id, fed
    named = [_named_board(slug, asked.game_mode, credential, view) for slug in dict.fromkeys(asked.leaderboards)]
    if not named:
        raise LeaderboardNotFound('"leaderboards" names none; leave it out to feed every matching one.')
    if len({definition.game_id for definition in named}) > 1:
        raise Forbidden("The named leaderboards belong to different games.")
    return named[0].game_id, named


def _named_board(slug: str, game_mode: str, credential: Credential, view: View) -> Definition:
    definition = view.by_slug.get(slug)
    foreign = definition is not None and credential.game_id not in (None, definition.game_id)
    if definition is None or foreign or not definition.is_active:
        raise LeaderboardNotFound(f"There is no leaderboard {slug!r} in this game.")
    if definition.authoritative and credential.player is not None:
        raise AuthoritativeBoard(f"Only an API key may write to {slug!r}.")
    if not definition.takes(game_mode):
        raise GameModeMismatch(f"{slug!r} takes the game mode {definition.game_mode!r} only.")
    return definition


def _fingerprint(asked: Asked, player: Player, metadata: str) -> bytes:
    """What makes two submits the same: everything asked for, except the display name."""
    boards = sorted(asked.leaderboards) if asked.leaderboards is not None else None
    text = _encode([player.id, asked.score, asked.subscore, asked.game_mode, metadata, boards])
    return hashlib.blake2b(text, digest_size=16).digest()
