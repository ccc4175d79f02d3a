"""Scores over a WebSocket by a player's access token: the rules of REST. What a token is made of has its tests with the API."""

from datetime import timedelta

import jwt
import pytest

from leaderboard import runtime
from leaderboard.services.tokens import ACCESS_S, Tokens
from realtime.protocol import CloseCode
from tests.realtime import test_submits

open_house, say = test_submits.open_house, test_submits.say

pytestmark = pytest.mark.slow


@pytest.fixture
async def ada(services, cast):
    return (await services.players.ensure([("ada", "Ada")]))["ada"]


@pytest.fixture
def token(services, cast, ada):
    return services.tokens.access(ada, game_id=cast.games["arcade"], now=runtime.utc_now())


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


async def test_a_player_submits_for_itself(open_house, cast, token):
    house = await open_house()
    async with house.server.client("/ws/", headers=bearer(token)) as client:
        told = await say(client, score=7, leaderboards=["arcade-best"])
    assert (told["type"], told["player"], [row["leaderboard"] for row in told["results"]]) == ("submitted", "ada", ["arcade-best"])


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"player": "bo"}, "player_not_allowed"),
        ({"player": "ada"}, "player_not_allowed"),
        ({"name": "Countess"}, "player_not_allowed"),
        ({"leaderboards": ["rival-best"]}, "leaderboard_not_found"),
        ({"leaderboards": ["arcade-official"]}, "authoritative_board"),
    ],
)
async def test_owasp_api1_not_for_another_nor_in_another_game_nor_where_keys_only_write(open_house, cast, token, message, code):
    await cast.board("arcade-official", authoritative=True)
    house = await open_house()
    async with house.server.client("/ws/", headers=bearer(token)) as client:
        told = await say(client, score=7, **message)
        assert (told["type"], told["code"]) == ("error", code)
    assert await cast.count("gamesession") == 0


async def test_owasp_api2_a_forged_or_expired_token_opens_no_socket(open_house, services, cast, ada):
    now, game = runtime.utc_now(), cast.games["arcade"]
    claims = {"game": game, "sub": str(ada.id), "username": "ada", "exp": now + timedelta(hours=1)}
    house = await open_house()
    for forged in (
        jwt.encode(claims, "", algorithm="none", headers={"typ": "access"}),
        Tokens("guessed").access(ada, game_id=game, now=now),
        services.tokens.access(ada, game_id=game, now=now - timedelta(seconds=ACCESS_S + 1)),
        services.tokens.ticket(game_id=game, boards=None, player=ada, now=now),
        "garbage",
    ):
        async with house.server.client("/ws/", headers=bearer(forged)) as client:
            assert await client.rest() == CloseCode.NOT_AUTHENTICATED
            assert [told["code"] for told in client.of("error")] == ["not_authenticated"]


async def test_a_socket_submits_no_longer_than_its_token_is_good(open_house, services, cast, ada):
    """Time is set: the desk's clock is moved on while the socket is open."""
    house = await open_house()
    token = services.tokens.access(ada, game_id=cast.games["arcade"], now=runtime.utc_now())
    async with house.server.client("/ws/", headers=bearer(token)) as client:
        assert (await say(client, score=7))["type"] == "submitted"
        house.desk._clock = lambda: runtime.utc_now() + timedelta(seconds=ACCESS_S)
        told = await say(client, score=8)
        assert (told["type"], told["code"]) == ("error", "not_authenticated")
    assert await cast.count("gamesession") == 1


async def test_a_player_deactivated_meanwhile_is_refused_on_its_open_socket(open_house, cast, token):
    house = await open_house()
    async with house.server.client("/ws/", headers=bearer(token)) as client:
        assert (await say(client, score=7))["type"] == "submitted"
        await cast.sql("UPDATE auth_user SET is_active = false WHERE username = 'ada'")
        told = await say(client, score=8)
        assert (told["type"], told["code"]) == ("error", "invalid_player")
    assert await cast.count("gamesession") == 1


async def test_an_idempotency_key_is_the_players_over_socket_and_rest_alike(open_house, cast, token, api):
    house = await open_house()
    async with house.server.client("/ws/", headers=bearer(token)) as client:
        told = await say(client, score=7, idempotency_key="run-1")
    again = await api.post("/api/v1/scores/", json={"score": 7}, headers=bearer(token) | {"Idempotency-Key": "run-1"})
    assert (again.headers["idempotency-replayed"], again.json()["session_id"]) == ("true", told["session_id"])
    by_key = await api.post("/api/v1/scores/", json={"score": 7, "player": "ada"}, headers=cast.auth | {"Idempotency-Key": "run-1"})
    assert "idempotency-replayed" not in by_key.headers
