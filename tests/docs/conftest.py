"""A process set on which the examples of the documents are played, each document's in the order in which they stand."""

from collections.abc import Iterator

import pytest

from tests.servers.stack import Stack, start_stack

LISTED_ORIGIN = "https://game.example"


@pytest.fixture(scope="session")
def fresh_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One that nobody else posts to: the documents show ranks and totals."""
    directory = tmp_path_factory.mktemp("docs")
    with start_stack(f"sqlite:///{directory / 'db.sqlite3'}", directory=directory, env={"CORS_ALLOWED_ORIGINS": LISTED_ORIGIN}) as running:
        yield running
