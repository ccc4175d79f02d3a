"""Who plays and on what: a database with a board of each operator, and submissions in a line."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from leaderboard.domain.definition import Feeding, Submission
from leaderboard.domain.score import BoardId, Direction, Entry, Operator, Order, Rules, merge, opening
from leaderboard.store import Landed, Outcome, Store
from leaderboard.store.rows import milliseconds

NOON = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)


def sql(url: str, statement: str) -> list[tuple[Any, ...]]:
    """One statement by another connection than the store's; its rows, if it has any."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys=ON")
            return connection.execute(statement).fetchall()
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


def orm(url: str, work: Callable[[str], Any], *, blocker: Any) -> Any:
    """Run the work with the alias of a Django connection to the database; to be called in a thread of its own."""
    import environ
    from django.db import connections
    from django.db.utils import ConnectionHandler

    alias = "contract"
    connections.settings[alias] = ConnectionHandler({"default": environ.Env.db_url_config(url)}).settings["default"]
    with blocker.unblock():
        try:
            return work(alias)
        finally:
            connections[alias].close()
            del connections[alias]
            del connections.settings[alias]


@dataclass
class Ground:
    """A migrated database with its store, a leaderboard per operator and its players."""

    url: str
    store: Store
    game_id: int
    version: int
    leaderboards: dict[Operator, int]
    ada: int
    bo: int
    cy: int
    crowd: list[int]

    @property
    def is_postgres(self) -> bool:
        return not self.url.startswith("sqlite")

    def board(self, operator: Operator = Operator.BEST, season: int = 0) -> BoardId:
        return BoardId(self.leaderboards[operator], season)

    def feeds(self, *operators: Operator, season: int = 0, up: bool = True, sub_up: bool = True) -> tuple[Feeding, ...]:
        """One feeding per operator; `up`: more is better."""
        directions = (Direction.DESC if up else Direction.ASC, Direction.DESC if sub_up else Direction.ASC)
        return tuple(Feeding(self.board(operator, season), Rules(operator, *directions)) for operator in operators)

    def play(self, user_id: int, score: int = 10, subscore: int = 0, **changes: Any) -> Submission:
        """A submission to the best board, unless `feeds` says another; `key` is its idempotency key."""
        key = changes.pop("key", None)
        submission = Submission(
            game_id=self.game_id,
            user_id=user_id,
            score=score,
            subscore=subscore,
            game_mode="",
            metadata="{}",
            timestamp=NOON,
            feeds=self.feeds(Operator.BEST),
            submitter="key:1",
            idempotency_key=key,
            fingerprint=b"asked" if key else None,
        )
        return submission._replace(**changes)

    async def commit(self, *batch: Submission) -> list[Outcome]:
        return await self.store.commit(batch, catalog_version=self.version)

    async def landed(self, *batch: Submission) -> list[Landed]:
        outcomes = await self.commit(*batch)
        assert all(isinstance(outcome, Landed) for outcome in outcomes), outcomes
        return [outcome for outcome in outcomes if isinstance(outcome, Landed)]

    def rows(self, table: str) -> int:
        return int(sql(self.url, f"SELECT count(*) FROM leaderboard_{table}")[0][0])


async def break_ground(url: str, store: Store, *, crowd: int = 12) -> Ground:
    """Make the leaderboards and players. Their ids don't matter; the store never looks at a row's operator but in `catalog`."""
    for operator in Operator:
        sql(
            url,
            f"""INSERT INTO leaderboard_leaderboard (game_id, slug, title, operator, sort_order, subscore_order, game_mode, reset_schedule,
                    time_zone, min_score, authoritative, is_active, metadata, created_at)
                SELECT id, 'contract-{operator}', 'Contract', '{operator}', 'desc', 'asc', 'hard', 'daily', 'Europe/Zurich', -5,
                       true, true, '{{"a": [1]}}', '2026-01-01 00:00:00+00' FROM leaderboard_game WHERE slug = 'default'""",
        )
    catalog = await store.catalog()
    names = ["ada", "bo", "cy", *(f"player{number}" for number in range(crowd))]
    players = await store.ensure_players([(name, "") for name in names])
    ada, bo, cy, *others = (players[name].id for name in names)
    leaderboards = {
        definition.rules.operator: definition.id for definition in catalog.definitions if definition.slug.startswith("contract")
    }
    return Ground(url, store, catalog.games["default"], catalog.version, leaderboards, ada, bo, cy, others)


class Fold:
    """The domain's own account of what was landed: the truth that a store is compared with."""

    def __init__(self) -> None:
        self.held: dict[tuple[BoardId, int], Entry] = {}

    def add(self, submission: Submission, landed: Landed) -> list[tuple[BoardId, Entry | None, Entry]]:
        """The (board, previous, current) that the submission's results must be."""
        changes = []
        for feeding in submission.feeds:
            new = opening(
                feeding.rules,
                user_id=submission.user_id,
                score=submission.score,
                subscore=submission.subscore,
                session_id=landed.session_id,
                achieved_ms=milliseconds(submission.timestamp),
            )
            held = self.held.get((feeding.board, submission.user_id))
            now = merge(feeding.rules.operator, held, new) if held else new
            self.held[feeding.board, submission.user_id] = now
            changes.append((feeding.board, held.order if held else None, now))
        return changes

    def board(self, board: BoardId) -> list[Entry]:
        """The board in its order."""
        return sorted((entry for (of, _), entry in self.held.items() if of == board), key=lambda entry: entry.order)


def told(landed: Landed) -> list[tuple[BoardId, Order | None, Entry]]:
    return [(result.board, result.before, result.current) for result in landed.results]


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def batches(submissions: Sequence[Submission]) -> list[list[Submission]]:
    """Cut where a user comes for the second time."""
    cut: list[list[Submission]] = []
    for submission in submissions:
        if not cut or any(other.user_id == submission.user_id for other in cut[-1]):
            cut.append([])
        cut[-1].append(submission)
    return cut
