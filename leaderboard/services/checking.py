"""Whether a submit may go on: everything that can be said of it before SQL is asked. Nothing here waits."""

import hashlib
from collections.abc import Mapping
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
    SignatureRequired,
)
from leaderboard.domain.score import SCORE_LIMIT
from leaderboard.domain.season import EVER, NEVER
from leaderboard.domain.text import check_game_mode, check_idempotency_key, clean_name, encode_metadata
from leaderboard.services.catalog import View
from leaderboard.services.credentials import Credential
from leaderboard.services.players import Players
from leaderboard.store import Player

TARGETS_HELD = 4096  # combinations of game, mode and named boards that are remembered: those of a well-behaved game are a few

_encode = msgspec.json.Encoder().encode


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """One submit as it was asked for: parsed, not yet checked. The body of POST /scores/ but for the key, which is a header.

    Integers only: 1.0, "1" and true are refused, as is any field not listed.
    """

    score: int
    subscore: int = 0
    game_mode: str = ""
    player: str | None = None
    name: str | None = None  # to show; used when the player is seen first
    metadata: dict[str, Any] | None = None
    leaderboards: list[str] | None = None


class Checked(NamedTuple):
    """A submission on its way, with what its answer needs to name things."""

    submission: Submission
    player: Player
    view: View


class Unknown(NamedTuple):
    """Nothing speaks against the submit, but its player is not known here."""

    username: str
    name: str


class Target(NamedTuple):
    """The boards that a submit feeds. A score from `low` to `high` is within the bounds of all. Good from `begins` to before `ends`."""

    game_id: int
    definitions: tuple[Definition, ...]
    feeds: tuple[Feeding, ...]
    low: int
    high: int
    begins: datetime
    ends: datetime


class Checker:
    """Turns what was asked into submissions."""

    def __init__(self, *, players: Players, metadata_limit: int) -> None:
        self._players, self._metadata_limit = players, metadata_limit
        self._view: View | None = None
        self._targets: dict[Any, Target] = {}

    def check(
        self,
        asked: Asked,
        key: str | None,
        *,
        credential: Credential,
        view: View,
        now: datetime,
        found: Mapping[str, Player] | None = None,
    ) -> Checked | Unknown:
        """What may go on; raises the Refusal of what may not. `found` are players just looked up."""
        if asked.game_mode:
            check_game_mode(asked.game_mode)
        if key is not None:
            check_idempotency_key(key)
        metadata = encode_metadata(asked.metadata, limit_bytes=self._metadata_limit) if asked.metadata else "{}"
        target = self._target(asked, credential, view, now)
        _check_values(asked, target)
        player = self._player(asked, credential, found)
        if isinstance(player, Unknown):
            return player
        submission = Submission(
            target.game_id,
            player.id,
            asked.score,
            asked.subscore,
            asked.game_mode,
            metadata,
            now,
            target.feeds,
            credential.submitter,
            key,
            _fingerprint(asked, player, metadata) if key is not None else None,
        )
        return Checked(submission, player, view)

    def _player(self, asked: Asked, credential: Credential, found: Mapping[str, Player] | None) -> Player | Unknown:
        if credential.player is not None:
            if asked.player is not None or asked.name is not None:
                raise PlayerNotAllowed('A signed-in player submits for itself; leave "player" and "name" out.')
            return credential.player
        if asked.player is None:
            raise PlayerRequired('Say for which player: {"player": "..."}.')
        username = clean_name(asked.player, what="player")
        name = username if asked.name is None else clean_name(asked.name, what="name")
        held = found.get(username) if found is not None else self._players.held(username)
        return held or Unknown(username, name)

    def _target(self, asked: Asked, credential: Credential, view: View, now: datetime) -> Target:
        """Where a submit goes, remembered as long as the definitions stand and no season ends."""
        if view is not self._view:
            self._view, self._targets = view, {}
        named = tuple(asked.leaderboards) if asked.leaderboards is not None else None
        kind = (credential.game_id, credential.player is None, credential.is_signed, credential.boards, asked.game_mode, named)
        target = self._targets.get(kind)
        if target is None or not target.begins <= now < target.ends:
            if len(self._targets) >= TARGETS_HELD:
                self._targets.clear()
            target = self._targets[kind] = _target(asked, credential, view, now)
        return target


def _check_values(asked: Asked, target: Target) -> None:
    """Raises ScoreOutOfRange."""
    if target.low <= asked.score <= target.high and -SCORE_LIMIT <= asked.subscore <= SCORE_LIMIT:
        return
    check_range(asked.score, asked.subscore)
    for definition in target.definitions:
        check_score(definition, asked.score, asked.subscore)


def _target(asked: Asked, credential: Credential, view: View, now: datetime) -> Target:
    game_id, fed = _fed_boards(asked, credential, view)
    feeds = tuple(Feeding(view.board(definition, now), definition.rules) for definition in fed)
    spans = [view.schedule(definition).span_at(now) for definition in fed]
    return Target(
        game_id,
        tuple(fed),
        feeds,
        max([-SCORE_LIMIT, *(definition.min_score for definition in fed if definition.min_score is not None)]),
        min([SCORE_LIMIT, *(definition.max_score for definition in fed if definition.max_score is not None)]),
        max([EVER, *(span.start for span in spans)]),
        min([NEVER, *(span.end for span in spans)]),
    )


def _fed_boards(asked: Asked, credential: Credential, view: View) -> tuple[int, list[Definition]]:
    """The game and the active boards that a submit feeds, by slug.

    Without `leaderboards`: every board of the game that takes the mode and the credential. With it: those named, each of
    which must exist in the credential's game and take both. A ticket for some boards feeds no others: the answer tells ranks.
    An API key that could have signed and did not is refused either way: to leave a board out would lose its scores with a 201.
    """
    if asked.leaderboards is None:
        game_id = credential.game_id if credential.game_id is not None else view.games.get("default")
        if game_id is None:
            raise LeaderboardNotFound("There is no default game; name the leaderboards.")
        matching = [definition for definition in view.boards_of(game_id) if definition.takes(asked.game_mode)]
        reached = [definition for definition in matching if credential.reaches(definition)]
        fed = [
            definition for definition in reached if credential.player is None or not (definition.authoritative or definition.signed_only)
        ]
        if reached and not fed:
            raise AuthoritativeBoard("Only an API key may write to this game's leaderboards.")
        for definition in fed:
            _check_signature(definition, credential)
        return game_id, fed
    named = [_named_board(slug, asked.game_mode, credential, view) for slug in dict.fromkeys(asked.leaderboards)]
    if not named:
        raise LeaderboardNotFound('"leaderboards" names none; leave it out to feed every matching one.')
    if len({definition.game_id for definition in named}) > 1:
        raise Forbidden("The named leaderboards belong to different games.")
    return named[0].game_id, named


def _named_board(slug: str, game_mode: str, credential: Credential, view: View) -> Definition:
    definition = view.by_slug.get(slug)
    foreign = definition is None or not credential.reaches(definition) or (credential.game_id is None and not definition.is_public)
    if definition is None or foreign or not definition.is_active:
        raise LeaderboardNotFound(f"There is no leaderboard {slug!r} in this game.")
    if definition.authoritative and credential.player is not None:
        raise AuthoritativeBoard(f"Only an API key may write to {slug!r}.")
    if not definition.takes(game_mode):
        raise GameModeMismatch(f"{slug!r} takes the game mode {definition.game_mode!r} only.")
    _check_signature(definition, credential)
    return definition


def _check_signature(definition: Definition, credential: Credential) -> None:
    """Raises SignatureRequired."""
    if definition.signed_only and not credential.is_signed:
        raise SignatureRequired(f"{definition.slug!r} takes signed submits only.")


def _fingerprint(asked: Asked, player: Player, metadata: str) -> bytes:
    """What makes two submits the same: everything asked for, except the display name."""
    boards = sorted(asked.leaderboards) if asked.leaderboards is not None else None
    text = _encode([player.id, asked.score, asked.subscore, asked.game_mode, metadata, boards])
    return hashlib.blake2b(text, digest_size=16).digest()
