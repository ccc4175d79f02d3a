"""Reading over HTTP: entity tags, and answers that are not sent again. That they are fresh is held in tests/services/test_standings.py."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from leaderboard import runtime
from leaderboard.api import reads
from leaderboard.api.request import Answer, ApiRequest
from leaderboard.services import Services
from tests.cast import Cast

BOARD = "/api/v1/leaderboard/arcade-best/"
ROUTES = [f"{BOARD}top/", f"{BOARD}top/?limit=3&offset=1", f"{BOARD}rank/ada/", f"{BOARD}around/ada/", f"{BOARD}around/ada/?limit=1"]


async def post(api: httpx.AsyncClient, cast: Cast, player: str, score: int) -> None:
    body = {"player": player, "score": score, "leaderboards": ["arcade-best"]}
    assert (await api.post("/api/v1/scores/", json=body, headers=cast.auth)).status_code == 201


@pytest.fixture
async def played(api: httpx.AsyncClient, cast: Cast, services: Services) -> Cast:
    for player, score in [("ada", 30), ("bo", 20), ("cy", 10)]:
        await post(api, cast, player, score)
    await services.upkeep.sweep(now=runtime.utc_now())
    return cast


@pytest.mark.parametrize("path", ROUTES)
async def test_who_holds_the_answer_is_told_so_without_a_body(api: httpx.AsyncClient, played: Cast, path: str) -> None:
    first = await api.get(path)
    assert (first.status_code, first.headers["Cache-Control"]) == (200, "no-cache")
    for method in ("GET", "HEAD"):
        again = await api.request(method, path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (again.headers["ETag"], again.headers["Cache-Control"]) == (first.headers["ETag"], "no-cache")
        assert again.headers.keys().isdisjoint({"Content-Type", "Content-Length"})
    head = await api.head(path)
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", first.headers["ETag"])
    assert head.headers["Content-Length"] == str(len(first.content))


@pytest.mark.parametrize("path", ROUTES)
async def test_after_a_score_the_answer_is_sent_with_another_tag(api: httpx.AsyncClient, played: Cast, path: str) -> None:
    first = await api.get(path)
    await post(api, played, "cy", 35)
    again = await api.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.headers["ETag"] != first.headers["ETag"]) == (200, True)


async def test_a_score_that_an_answer_does_not_show_leaves_its_tag(api: httpx.AsyncClient, played: Cast) -> None:
    tag = (await api.get(f"{BOARD}rank/ada/")).headers["ETag"]
    await post(api, played, "cy", 25)
    assert (await api.get(f"{BOARD}rank/ada/", headers={"If-None-Match": tag})).status_code == 304


@pytest.mark.parametrize(
    ("held", "status"),
    [
        ("{tag}", 304),
        ("W/{tag}", 304),
        ('"another", {tag}', 304),
        ('W/"another",W/{tag} , "a third"', 304),
        ('"with, a comma", {tag}', 304),
        ("*", 304),
        ('"another"', 200),
        ('W/"another", "*"', 200),
        ("nonsense", 200),
        ('"{bare}', 200),
        ("{bare}", 200),
        ("", 200),
    ],
)
async def test_a_client_may_name_the_tags_that_it_holds(api: httpx.AsyncClient, played: Cast, held: str, status: int) -> None:
    tag = (await api.get(f"{BOARD}top/")).headers["ETag"]
    named = held.format(tag=tag, bare=tag.strip('"'))
    assert (await api.get(f"{BOARD}top/", headers={"If-None-Match": named})).status_code == status


async def test_a_tag_of_one_window_does_not_stand_for_another(api: httpx.AsyncClient, played: Cast) -> None:
    tags = {(await api.get(path)).headers["ETag"] for path in ROUTES}
    assert len(tags) == len(ROUTES)


@pytest.mark.parametrize(
    ("path", "status"), [(f"{BOARD}top/?limit=0", 400), (f"{BOARD}rank/dee/", 404), ("/api/v1/leaderboard/nowhere/top/", 404)]
)
async def test_a_refusal_is_sent_whatever_the_client_holds(api: httpx.AsyncClient, played: Cast, path: str, status: int) -> None:
    refused = await api.get(path, headers={"If-None-Match": "*"})
    assert (refused.status_code, "ETag" in refused.headers) == (status, False)


async def test_only_where_the_accept_header_chooses_the_version_answers_vary_by_it(api: httpx.AsyncClient, played: Cast) -> None:
    chosen = await api.get("/api/leaderboard/arcade-best/top/", headers={"Accept": "application/vnd.api+json; version=1"})
    plain = await api.get(f"{BOARD}top/")
    assert (chosen.headers["Vary"], plain.headers.get("Vary")) == ("accept", None)
    assert (chosen.content, chosen.headers["ETag"]) == (plain.content, plain.headers["ETag"])
    again = await api.get("/api/leaderboard/arcade-best/top/", headers={"If-None-Match": "*"})
    assert (again.status_code, again.headers["Vary"]) == (304, "accept")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("top/?limit=2&limit=1", 200),
        ("top/?limit=&offset=0", 400),
        ("top/?limit=1_0", 400),
        ("top/?limit=+1", 400),
        ("top/?limit=%EF%BC%91", 400),
        ("top/?offset=-1", 400),
        ("top/?offset=10000001", 400),
        ("top/?season=", 200),
        ("top/?season=yesterday", 404),
        ("rank/ada/?limit=nonsense", 200),
        ("around/ada/?offset=nonsense", 200),
        ("around/ada/?limit=nonsense", 400),
        ("top/?limit=1&padding=" + "x" * 500, 200),
    ],
)
async def test_a_query_means_what_it_says_the_first_time_and_the_second(
    api: httpx.AsyncClient, played: Cast, path: str, status: int
) -> None:
    answers = [await api.get(BOARD + path) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [status, status]
    if "limit=1&" in path or path.endswith("limit=1"):
        assert [len(answer.json()["entries"]) for answer in answers] == [1, 1]


async def test_an_unknown_board_is_looked_for_before_it_is_refused(api: httpx.AsyncClient, cast: Cast) -> None:
    assert (await api.get("/api/v1/leaderboard/fresh/top/")).status_code == 404
    await cast.board("fresh")
    assert (await api.get("/api/v1/leaderboard/fresh/top/")).status_code == 200


@pytest.mark.parametrize("path", ["top/?limit=3", "rank/ada/"])
async def test_a_client_that_revalidates_never_misses_a_change(api: httpx.AsyncClient, played: Cast, path: str) -> None:
    held: dict[str, Any] = {}
    tag = ""
    for score in range(31, 60):
        await post(api, played, "ada" if score % 3 else "bo", score)
        answer = await api.get(BOARD + path, headers={"If-None-Match": tag})
        if answer.status_code == 200:
            held, tag = answer.json(), answer.headers["ETag"]
        assert held == (await api.get(BOARD + path)).json()


# --- Operations by themselves ------------------------------------------------------------------------------------------


async def answer_of(operation: Callable[..., None], *arguments: str, held: bytes = b"") -> Answer:
    """What the operation tells, whichever route calls it."""
    future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def told(outcome: Answer | BaseException) -> None:
        if isinstance(outcome, Answer):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)

    path = "/api/v1/leaderboard/"
    operation(ApiRequest(method="GET", path=path, query=b"", headers={b"if-none-match": held}, body=b"", scope=dict), told, *arguments)
    return await future


@pytest.mark.parametrize(("operation", "arguments"), [(reads.boards, ()), (reads.detail, ("arcade-best",))])
async def test_definitions_have_tags_that_move_with_them(
    cast: Cast, services: Services, operation: Callable[..., None], arguments: tuple[str, ...]
) -> None:
    first = await answer_of(operation, *arguments)
    tag = dict(first.headers)[b"etag"]
    assert (first.status, (await answer_of(operation, *arguments, held=tag)).status) == (200, 304)
    await cast.sql("UPDATE leaderboard_leaderboard SET title = 'Best of the arcade' WHERE slug = 'arcade-best'")
    await services.catalogs.refresh()
    again = await answer_of(operation, *arguments, held=tag)
    assert (again.status, b"Best of the arcade" in again.body) == (200, True)
