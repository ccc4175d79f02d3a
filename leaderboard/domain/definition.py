"""A leaderboard's definition as the hot path sees it: immutable, without a database behind it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from leaderboard.domain.score import BoardId, Rules


@dataclass(frozen=True, slots=True)
class Definition:
    """One leaderboard: whose it is, what feeds it, how it ranks, when it starts anew."""

    id: int
    game_id: int
    game: str
    slug: str
    title: str
    rules: Rules
    game_mode: str = ""  # blank takes every mode
    reset_schedule: str = ""  # "", daily, weekly, monthly or five cron fields
    time_zone: str = "UTC"
    min_score: int | None = 0
    max_score: int | None = None
    authoritative: bool = False
    is_active: bool = True
    is_public: bool = True  # else a read needs a credential of its game
    signed_only: bool = False  # takes signed submits only
    metadata: dict[str, Any] = field(default_factory=dict)

    def takes(self, game_mode: str) -> bool:
        return self.is_active and self.game_mode in ("", game_mode)


class Feeding(NamedTuple):
    """One board that a submission feeds, with the rules by which it does."""

    board: BoardId
    rules: Rules


class Submission(NamedTuple):
    """One submitted play, checked and resolved: ready for the store.

    `submitter` names the credential ("key:12", "user:5"); with `idempotency_key` it is unique.
    `fingerprint` is a digest of what was asked, compared when the key comes again.
    """

    game_id: int
    user_id: int
    score: int
    subscore: int
    game_mode: str
    metadata: str  # JSON text, "{}" if none
    timestamp: datetime
    feeds: tuple[Feeding, ...]
    submitter: str = ""
    idempotency_key: str | None = None
    fingerprint: bytes | None = None
