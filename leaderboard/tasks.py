"""Celery's entrance. Tasks are bells without data: each may be lost, late or doubled; see gaming_leaderboard.celery for the timetable."""

import logging

from celery import shared_task

from leaderboard import runtime
from leaderboard.domain.errors import StoreUnavailable
from leaderboard.domain.score import BoardId
from leaderboard.feed import FeedUnavailable
from leaderboard.index import IndexUnavailable

log = logging.getLogger(__name__)

# While a dependency is away the task ends with a line; the mark stays and the next bell or sweep does the work.
AWAY = (FeedUnavailable, IndexUnavailable, StoreUnavailable, TimeoutError)


@shared_task
def rank_update() -> None:
    """Publish every dirty board. At most one of these is pending per tick, however many scores and boards."""
    try:
        runtime.run(runtime.services().live.update_dirty(now=runtime.utc_now()), timeout_s=30)
    except AWAY as error:
        log.warning("rank update put off: %r", error)


@shared_task
def sweep() -> None:
    """Find what crashes left behind and put it right."""
    try:
        runtime.run(runtime.services().upkeep.sweep(now=runtime.utc_now()), timeout_s=60)
    except AWAY as error:
        log.warning("sweep put off: %r", error)


@shared_task
def rebuild(leaderboard_id: int, season: int) -> None:
    """Fill one board's index anew from SQL."""
    try:
        count = runtime.run(runtime.services().upkeep.rebuild(BoardId(leaderboard_id, season)), timeout_s=900)
        log.info("index rebuilt", extra={"leaderboard_id": leaderboard_id, "season": season, "entries": count})
    except AWAY as error:
        log.warning("rebuild put off: %r", error)


@shared_task
def rerank() -> None:
    """Make entries anew where a leaderboard's rules change, also what a dead worker left."""
    try:
        runtime.run(runtime.services().rerank.resume(), timeout_s=3600)
    except AWAY as error:
        log.warning("re-ranking put off: %r", error)


@shared_task
def calculate_ranks() -> None:
    """Write present ranks into SQL, for when the index is away."""
    try:
        runtime.run(runtime.services().upkeep.calculate_ranks(now=runtime.utc_now()), timeout_s=900)
    except AWAY as error:
        log.warning("rank calculation put off: %r", error)


@shared_task
def warm() -> None:
    """Keep what is hot in the shared cache."""
    try:
        runtime.run(runtime.services().caching.warm(now=runtime.utc_now()), timeout_s=30)
    except AWAY as error:
        log.warning("warming put off: %r", error)


@shared_task
def forget_nonces() -> None:
    """Delete the nonces of signed requests that are too old to be taken again."""
    try:
        runtime.run(runtime.services().signatures.forget(now=runtime.utc_now()), timeout_s=60)
    except AWAY as error:
        log.warning("forgetting nonces put off: %r", error)


@shared_task
def clean_up() -> None:
    """Drop the index of seasons that are over, expired browser sessions and refresh tokens."""
    from django.core.management import call_command

    from leaderboard.services import sign_in

    call_command("clearsessions")
    sign_in.purge(runtime.utc_now())
    try:
        runtime.run(runtime.services().upkeep.forget_past(now=runtime.utc_now()), timeout_s=300)
    except AWAY as error:
        log.warning("clean-up put off: %r", error)
