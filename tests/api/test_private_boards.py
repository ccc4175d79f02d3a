"""A private board is read by a key, a player's token or a ticket of its game, and by nobody else."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from leaderboard import runtime
from leaderboard.domain.errors import Forbidden, LeaderboardNotFound, NotAuthenticated
from leaderboard.services import Services
from leaderboard.services.checking import Asked
from leaderboard.services.credentials import BOARDS_READ, SCORES_WRITE, Credential, check_may_read, of_user
from leaderboard.store import Player
from tests.cast import Cast
from tests.domain.test_board import ARCADE

BOARD = "/api/v1/leaderboard/arcade-secret/"
READS = [BOARD, f"{BOARD}top/", f"{BOARD}top/?limit=3", f"{BOARD}rank/ada/", f"{BOARD}around/ada/"]
WRITE_KEY = "gl_arcade02_writes-only"


async def ticket_of(services: Services, cast: Cast, game: str, *boards: str, **more: Any) -> dict[str, str]:
    view = await services.catalogs.refresh()
    ids = [view.by_slug[board].id for board in boards] or None
    ticket = services.tokens.ticket(game_id=cast.games[game], boards=ids, **{"now": runtime.utc_now(), **more})
    return {"Authorization": f"Ticket {ticket}"}


async def token_of(services: Services, cast: Cast, game: str, player: str = "ada") -> dict[str, str]:
    token = services.tokens.access(await services.players.named(player), game_id=cast.games[game], now=runtime.utc_now())
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
async def played(api: httpx.AsyncClient, cast: Cast, services: Services) -> Cast:
    await cast.board("arcade-secret", game_mode="secret", is_public=False)
    await cast.api_key("arcade", WRITE_KEY, [SCORES_WRITE])
    for player, score in [("ada", 30), ("bo", 20)]:
        body = {"player": player, "score": score, "leaderboards": ["arcade-secret"], "game_mode": "secret"}
        assert (await api.post("/api/v1/scores/", json=body, headers=cast.auth)).status_code == 201
    await services.upkeep.sweep(now=runtime.utc_now())
    return cast


@pytest.mark.parametrize("path", READS)
async def test_its_own_games_credentials_read_it_and_nobody_but_them_may_keep_the_answer(
    api: httpx.AsyncClient, played: Cast, services: Services, path: str
) -> None:
    own = [
        {"Authorization": f"Api-Key {played.key}"},
        {"Authorization": f"Api-Key {played.read_only_key}"},
        await token_of(services, played, "arcade"),
        await ticket_of(services, played, "arcade"),
        await ticket_of(services, played, "arcade", "arcade-secret"),
    ]
    for headers in own:
        answer = await api.get(path, headers=headers)
        assert (answer.status_code, answer.json()["leaderboard"]) == (200, "arcade-secret")
        assert (answer.headers["Cache-Control"], answer.headers["Vary"]) == ("private, no-cache", "authorization")
        again = await api.get(path, headers=headers | {"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.headers["Cache-Control"]) == (304, "private, no-cache")


@pytest.mark.parametrize("path", READS)
async def test_everybody_else_is_refused_whatever_they_hold(api: httpx.AsyncClient, played: Cast, services: Services, path: str) -> None:
    expired = runtime.utc_now() - timedelta(minutes=2)
    refused = [
        ({}, 401, "not_authenticated"),
        ({"Authorization": "Api-Key gl_nobody00_knows"}, 401, "not_authenticated"),
        ({"Authorization": "Basic YWRhOmFkYQ=="}, 401, "not_authenticated"),
        (await ticket_of(services, played, "arcade", now=expired), 401, "not_authenticated"),
        ({"Authorization": f"Api-Key {WRITE_KEY}"}, 403, "forbidden"),
        ({"Authorization": f"Api-Key {played.rival_key}"}, 404, "leaderboard_not_found"),
        (await token_of(services, played, "rival"), 404, "leaderboard_not_found"),
        (await ticket_of(services, played, "rival"), 404, "leaderboard_not_found"),
        (await ticket_of(services, played, "arcade", "arcade-best"), 404, "leaderboard_not_found"),
    ]
    for headers, status, code in refused:
        answer = await api.get(path, headers={"If-None-Match": "*", **headers})
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_to_another_games_key_it_is_no_board_at_all(api: httpx.AsyncClient, played: Cast) -> None:
    headers = {"Authorization": f"Api-Key {played.rival_key}"}
    there = (await api.get(f"{BOARD}top/", headers=headers)).json()
    nowhere = (await api.get("/api/v1/leaderboard/nowhere/top/", headers=headers)).json()
    assert there | {"request_id": ""} == {**nowhere, "request_id": "", "detail": nowhere["detail"].replace("nowhere", "arcade-secret")}


async def test_the_list_shows_public_boards_and_those_that_the_caller_reaches(
    api: httpx.AsyncClient, played: Cast, services: Services
) -> None:
    async def listed(headers: dict[str, str]) -> tuple[bool, str, str]:
        answer = await api.get("/api/v1/leaderboard/", headers=headers)
        slugs = [board["leaderboard"] for board in answer.json()["leaderboards"]]
        assert {"arcade-best", "rival-best"} <= set(slugs)
        return "arcade-secret" in slugs, answer.headers["Cache-Control"], answer.headers["Vary"]

    for headers in (played.auth, await token_of(services, played, "arcade"), await ticket_of(services, played, "arcade", "arcade-secret")):
        assert await listed(headers) == (True, "private, no-cache", "authorization")
    strangers = [{}, {"Authorization": "Api-Key gl_nobody00_knows"}, {"Authorization": f"Api-Key {played.rival_key}"}]
    for headers in [*strangers, {"Authorization": f"Api-Key {WRITE_KEY}"}, await ticket_of(services, played, "arcade", "arcade-best")]:
        assert await listed(headers) == (False, "no-cache", "authorization")


async def test_a_credential_that_is_none_does_not_close_a_public_board(api: httpx.AsyncClient, played: Cast) -> None:
    answer = await api.get("/api/v1/leaderboard/arcade-best/top/", headers={"Authorization": "Api-Key gl_nobody00_knows"})
    assert (answer.status_code, answer.headers["Cache-Control"], answer.headers.get("Vary")) == (200, "no-cache", None)


async def test_where_the_accept_header_chooses_the_version_answers_vary_by_both(api: httpx.AsyncClient, played: Cast) -> None:
    answer = await api.get("/api/leaderboard/arcade-secret/top/", headers=played.auth)
    assert (answer.status_code, answer.headers["Vary"]) == (200, "accept, authorization")


async def test_a_board_is_closed_and_opened_by_its_definition(api: httpx.AsyncClient, played: Cast, services: Services) -> None:
    for is_public, status in ((True, 200), (False, 401)):
        await played.sql("UPDATE leaderboard_leaderboard SET is_public = $1 WHERE slug = 'arcade-secret'", is_public)
        await services.catalogs.refresh()
        assert (await api.get(f"{BOARD}top/")).status_code == status


async def test_a_key_that_another_process_made_a_moment_ago_reads(api: httpx.AsyncClient, played: Cast) -> None:
    assert (await api.get(f"{BOARD}top/", headers=played.auth)).status_code == 200
    await played.api_key("arcade", "gl_arcade03_brand-new", [BOARDS_READ])
    for path in READS:
        assert (await api.get(path, headers={"Authorization": "Api-Key gl_arcade03_brand-new"})).status_code == 200


async def test_a_ticket_for_some_boards_feeds_no_others(api: httpx.AsyncClient, played: Cast, services: Services) -> None:
    """The answer to a submit tells ranks and totals: of boards that the ticket does not open, nothing."""
    ada = await services.players.named("ada")
    headers = await ticket_of(services, played, "arcade", "arcade-best", player=ada)
    by_mode = await api.post("/api/v1/scores/", json={"score": 5, "game_mode": "secret"}, headers=headers)
    assert [row["leaderboard"] for row in by_mode.json()["results"]] == ["arcade-best"]
    named = await api.post("/api/v1/scores/", json={"score": 5, "game_mode": "secret", "leaderboards": ["arcade-secret"]}, headers=headers)
    assert (named.status_code, named.json()["code"]) == (404, "leaderboard_not_found")
    every = await api.post("/api/v1/scores/", json={"score": 5, "game_mode": "secret"}, headers=await token_of(services, played, "arcade"))
    assert {"arcade-best", "arcade-secret"} <= {row["leaderboard"] for row in every.json()["results"]}


# --- The rule by itself ------------------------------------------------------------------------------------------------

ADA = Player(5, "ada", "Ada")


@pytest.mark.parametrize(
    ("credential", "refusal"),
    [
        (Credential("key:1", 1, None, (BOARDS_READ,)), None),
        (Credential("user:5", 1, ADA, (SCORES_WRITE, BOARDS_READ)), None),
        (Credential("ticket:1", 1, None, (BOARDS_READ,), frozenset({7})), None),
        (None, NotAuthenticated),
        (of_user(ADA), NotAuthenticated),
        (Credential("key:1", 1, None, (SCORES_WRITE,)), Forbidden),
        (Credential("key:2", 2, None, (BOARDS_READ,)), LeaderboardNotFound),
        (Credential("key:2", 2, None, ()), LeaderboardNotFound),
        (Credential("ticket:1", 1, None, (BOARDS_READ,), frozenset({8})), LeaderboardNotFound),
        (Credential("ticket:1", 1, None, (BOARDS_READ,), frozenset()), LeaderboardNotFound),
    ],
)
def test_who_may_read_a_private_board(credential: Credential | None, refusal: type[Exception] | None) -> None:
    private = replace(ARCADE, id=7, is_public=False)
    if refusal is None:
        check_may_read(private, credential)
    else:
        with pytest.raises(refusal):
            check_may_read(private, credential)
    check_may_read(replace(ARCADE, id=7), credential)


async def test_a_signed_in_user_of_the_site_learns_nothing_of_it_by_submitting(played: Cast, services: Services) -> None:
    user = of_user(await services.players.named("ada"))
    asked = Asked(score=1, game_mode="secret", leaderboards=["arcade-secret"])
    with pytest.raises(LeaderboardNotFound):
        await services.submits.submit(asked, credential=user, now=runtime.utc_now())
