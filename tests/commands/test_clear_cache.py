"""clear_cache and warm_cache, as an operator runs them beside a running process."""

import httpx
import pytest

from leaderboard import runtime
from leaderboard.services import Services
from leaderboard.services.players import PLAYER
from tests.cast import Cast
from tests.servers.redis import RedisServer
from tests.services.test_moderation import manage

pytestmark = pytest.mark.slow

BOARD = "arcade-best"


async def play(api: httpx.AsyncClient, cast: Cast, player: str) -> None:
    body = {"player": player, "score": 1, "leaderboards": [BOARD]}
    assert (await api.post("/api/v1/scores/", json=body, headers=cast.auth)).status_code == 201


def shared(redis_server: RedisServer, user_id: int) -> bool:
    return redis_server.command("EXISTS", f"gl:cache:{{{PLAYER.name}}}:{user_id}") == "1"


async def test_a_board_is_warmed_and_cleared_by_its_name(
    api: httpx.AsyncClient, cast: Cast, services: Services, database_url: str, redis_server: RedisServer
) -> None:
    await play(api, cast, "ada")
    ada = await services.players.named("ada")
    url = redis_server.url
    assert manage(database_url, url, "warm_cache", "--board", BOARD).stdout == "1 boards and 1 names are warm\n"
    assert shared(redis_server, ada.id)
    leaderboard = (await services.catalogs.definition(BOARD))[1].id
    before = services.catalogs.generation(leaderboard)
    cleared = manage(database_url, url, "clear_cache", "--board", BOARD)
    assert (cleared.returncode, cleared.stdout.startswith(f"{BOARD}: cleared, ")) == (0, True)
    assert not shared(redis_server, ada.id)
    await services.catalogs.refresh()
    assert services.catalogs.generation(leaderboard) == before + 1
    assert services.players.held("ada") is None


async def test_the_whole_cache_is_warmed_and_cleared_and_ranks_stay(
    api: httpx.AsyncClient, cast: Cast, services: Services, database_url: str, redis_server: RedisServer
) -> None:
    await play(api, cast, "ada")
    await services.upkeep.sweep(now=runtime.utc_now())
    ada = await services.players.named("ada")
    assert manage(database_url, redis_server.url, "warm_cache").stdout == "8 boards and 1 names are warm\n"
    assert shared(redis_server, ada.id)
    assert manage(database_url, redis_server.url, "clear_cache").stdout.startswith("the whole cache: cleared, ")
    assert not shared(redis_server, ada.id)
    assert manage(database_url, redis_server.url, "check_index").returncode == 0


@pytest.mark.parametrize("command", ["clear_cache", "warm_cache"])
def test_it_says_in_a_sentence_what_is_wrong(database_url: str, redis_url: str, command: str) -> None:
    unknown = manage(database_url, redis_url, command, "--board", "nowhere")
    assert (unknown.returncode, unknown.stderr.strip()) == (1, "CommandError: There is no leaderboard 'nowhere'.")
    away = manage(database_url, "redis://127.0.0.1:1/0", command)
    assert (away.returncode, away.stderr.startswith("CommandError: "), "Traceback" in away.stderr) == (1, True, False)
