"""How a command says no: one sentence and exit code 1, never a traceback for what a user can put right."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import Error as DatabaseError

from leaderboard.domain.errors import Refusal


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn a refusal, or a database that is not there or not migrated, into CommandError."""
    try:
        yield
    except Refusal as refusal:
        raise CommandError(refusal.detail) from refusal
    except DatabaseError as error:
        raise CommandError(f"The database refused ({error}). Is DATABASE_URL right, and has `manage.py migrate` been run?") from error
