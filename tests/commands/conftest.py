from collections.abc import Iterator

import pytest

from tests.commands.arcade import Arcade, serve


@pytest.fixture
def arcade() -> Iterator[Arcade]:
    """A running server of the contract, without boards."""
    arcade = Arcade()
    server = serve(arcade)
    yield arcade
    server.shutdown()
    server.server_close()
