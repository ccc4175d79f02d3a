"""Versions: chosen by path or header, version 2's envelope and pages, and what version 1 says of its end."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gaming_leaderboard import settings as settings_file
from gaming_leaderboard.handler import ApiHandler
from leaderboard import runtime
from leaderboard.api import urls, versions
from leaderboard.domain.errors import NotAcceptable
from leaderboard.domain.score import BoardId
from leaderboard.services import Services
from tests.cast import Cast

TOP = "/api/v2/leaderboard/arcade-best/top/"


async def post(api: httpx.AsyncClient, cast: Cast, player: str, score: int, path: str = "/api/v2/scores/") -> httpx.Response:
    return await api.post(path, json={"player": player, "score": score, "leaderboards": ["arcade-best"]}, headers=cast.auth)


@pytest.fixture
async def played(api: httpx.AsyncClient, cast: Cast, services: Services) -> Cast:
    """Nine players, from p1 with 90 points to p9 with 10."""
    for number in range(1, 10):
        assert (await post(api, cast, f"p{number}", 100 - 10 * number)).status_code == 201
    await services.upkeep.sweep(now=runtime.utc_now())
    return cast


# --- Which version --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        ("", "1"),
        ("*/*", "1"),
        ("application/json", "1"),
        ("text/html,application/xhtml+xml;q=0.9", "1"),
        ("application/vnd.api+json", "1"),
        ("application/vnd.api+json; version=1", "1"),
        ("application/vnd.api+json;version=2", "2"),
        ('Application/VND.api+json ; Version="2"', "2"),
        ("application/vnd.api+json; version=9, application/vnd.api+json; version=2", "2"),
        ("application/vnd.api+json; version=1; q=0.5, application/vnd.api+json; version=2; q=0.9", "2"),
        ("application/vnd.api+json; version=2; q=0, application/vnd.api+json; version=1", "1"),
        ("application/vnd.api+json; version=2; q=none", "2"),
        (";;,=,\x00;version", "1"),
        ("application/vnd.api+json; version*=nonsense''2", "1"),
    ],
)
def test_an_accept_header_chooses_a_version(accept: str, version: str) -> None:
    assert versions.asked(accept) == version


@pytest.mark.parametrize("version", ["9", "0", "", "two", "1.0", "-1"])
def test_a_version_that_there_is_not_is_refused(version: str) -> None:
    with pytest.raises(NotAcceptable):
        versions.asked(f"application/vnd.api+json; version={version}")


async def test_the_header_chooses_the_same_answers_as_the_path(api: httpx.AsyncClient, played: Cast) -> None:
    for version in ("1", "2"):
        chosen = await api.get(
            "/api/leaderboard/arcade-best/rank/p1/", headers={"Accept": f"application/vnd.api+json; version={version}", "X-Request-ID": "x"}
        )
        plain = await api.get(f"/api/v{version}/leaderboard/arcade-best/rank/p1/", headers={"X-Request-ID": "x"})
        assert chosen.headers["Vary"] == "accept"
        assert "Vary" not in plain.headers
        for answer in (chosen, plain):
            assert answer.status_code == 200
        if version == "1":
            assert chosen.content == plain.content
        else:
            assert chosen.json()["data"] == plain.json()["data"]


async def test_who_names_no_version_gets_what_they_always_got(api: httpx.AsyncClient, played: Cast) -> None:
    unnamed = await api.get("/api/leaderboard/arcade-best/top/")
    assert unnamed.content == (await api.get("/api/v1/leaderboard/arcade-best/top/")).content


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/v3/scores/", "version_not_found"),
        ("/api/v0/leaderboard/", "version_not_found"),
        ("/api/v1.1/leaderboard/", "version_not_found"),
        ("/api/v99", "version_not_found"),
        ("/api/v1/nothing/", "not_found"),
        ("/api/v2/nothing/", "not_found"),
        ("/api/vault/", "not_found"),
    ],
)
async def test_a_path_of_another_version_says_so(api: httpx.AsyncClient, path: str, code: str) -> None:
    refused = await api.get(path)
    assert (refused.status_code, refused.json()["code"]) == (404, code)


def test_every_route_has_its_twin() -> None:
    """A route that is included instead of listed would have none."""
    assert all(route.callback for route in urls.urlpatterns)


# --- The envelope ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rest",
    [
        *("leaderboard/", "leaderboard/arcade-best/", "leaderboard/arcade-best/top/", "leaderboard/arcade-best/rank/p1/"),
        *("leaderboard/arcade-best/around/p1/?limit=1", "leaderboard/arcade-best/entries/?players=p1,nobody"),
        *("leaderboard/arcade-best/what_if/?score=5", "players/p1/standings/"),
    ],
)
async def test_an_answer_of_version_2_is_the_answer_of_version_1_in_an_envelope(api: httpx.AsyncClient, played: Cast, rest: str) -> None:
    first = (await api.get(f"/api/v1/{rest}")).json()
    second = await api.get(f"/api/v2/{rest}", headers={"X-Request-ID": "mine"})
    position = {"epoch": first.pop("epoch", None), "offset": first.pop("offset", None)}
    told = second.json()
    assert list(told) == ["data", "meta", "links"]
    assert told["data"] == first
    assert list(told["data"]) == list(first)
    assert told["meta"] == {**position, "as_of": told["meta"]["as_of"], "request_id": "mine"}
    assert abs((datetime.fromisoformat(told["meta"]["as_of"]) - runtime.utc_now()).total_seconds()) < 60
    assert told["links"]["self"] == f"/api/v2/{rest}"


async def test_a_sign_in_is_in_an_envelope_and_what_has_no_body_has_none(api: httpx.AsyncClient, cast: Cast, orm: None) -> None:
    who = {"username": "eve", "password": "nine lives are plenty", "game": "arcade"}
    assert (await api.post("/api/v2/auth/register/", json=who)).status_code == 201
    login = await api.post("/api/v2/auth/login/", json=who)
    assert (login.status_code, login.headers["Cache-Control"], login.json()["data"]["player"]) == (200, "no-store", "eve")
    assert login.json()["meta"]["epoch"] is None
    token = login.json()["data"]["refresh_token"]
    logout = await api.post("/api/v2/auth/logout/", json={"refresh_token": token})
    assert (logout.status_code, logout.content) == (204, b"")
    refused = await api.post("/api/v2/auth/refresh/", json={"refresh_token": token})
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")


async def test_writes_keep_their_status_and_their_headers(api: httpx.AsyncClient, cast: Cast) -> None:
    body = {"player": "ada", "score": 5, "leaderboards": ["arcade-best"]}
    headers = {**cast.auth, "Idempotency-Key": "once"}
    first = await api.post("/api/v1/scores/", json=body, headers=headers)
    again = await api.post("/api/v2/scores/", json=body, headers=headers)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert again.json()["data"] == first.json()
    assert again.json()["meta"]["epoch"] is again.json()["meta"]["offset"] is None
    batch = await api.post("/api/v2/scores/batch/", json={"scores": [body, {"score": "x"}]}, headers=cast.auth)
    assert (batch.status_code, len(batch.json()["data"]["results"])) == (200, 2)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v2/leaderboard/nowhere/top/", 404, "leaderboard_not_found"),
        ("GET", f"{TOP}?limit=0", 400, "invalid_parameter"),
        ("GET", f"{TOP}?limit=x", 400, "invalid_parameter"),
        ("GET", f"{TOP}?offset=-1", 400, "invalid_parameter"),
        ("DELETE", TOP, 405, "method_not_allowed"),
        ("TRACE", f"{TOP}?cursor=", 405, "method_not_allowed"),
        ("POST", "/api/v2/scores/", 401, "not_authenticated"),
    ],
)
async def test_refusals_are_the_problem_documents_of_version_1(
    api: httpx.AsyncClient, cast: Cast, method: str, path: str, status: int, code: str
) -> None:
    headers = {"X-Request-ID": "mine"}
    refused = await api.request(method, path, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.content == (await api.request(method, path.replace("v2", "v1"), headers=headers)).content


async def test_the_time_and_the_request_make_no_new_tag(api: httpx.AsyncClient, played: Cast) -> None:
    first, second = await api.get(TOP), await api.get(TOP)
    assert first.json()["meta"]["request_id"] != second.json()["meta"]["request_id"]
    tag = first.headers["ETag"]
    assert second.headers["ETag"] == tag != (await api.get(TOP.replace("v2", "v1"))).headers["ETag"]
    for method in ("GET", "HEAD"):
        unchanged = await api.request(method, TOP, headers={"If-None-Match": tag})
        assert (unchanged.status_code, unchanged.content, unchanged.headers["ETag"]) == (304, b"", tag)
        assert unchanged.headers.keys().isdisjoint({"Content-Type", "Content-Length"})
    await post(api, played, "p9", 95)
    assert (await api.get(TOP, headers={"If-None-Match": tag})).status_code == 200


async def test_a_tag_of_version_1_says_nothing_of_version_2(api: httpx.AsyncClient, played: Cast) -> None:
    tag = (await api.get(TOP.replace("v2", "v1"))).headers["ETag"]
    assert (await api.get(TOP, headers={"If-None-Match": tag})).status_code == 200


# --- Pages ----------------------------------------------------------------------------------------------------------------


def players(page: dict[str, Any]) -> list[str]:
    return [row["player"] for row in page["data"]["entries"]]


async def page(api: httpx.AsyncClient, link: str) -> dict[str, Any]:
    answer = await api.get(link)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_links_lead_through_all_rows_and_back(api: httpx.AsyncClient, played: Cast) -> None:
    first = await page(api, f"{TOP}?limit=4")
    second = await page(api, first["links"]["next"])
    third = await page(api, second["links"]["next"])
    assert [players(told) for told in (first, second, third)] == [["p1", "p2", "p3", "p4"], ["p5", "p6", "p7", "p8"], ["p9"]]
    assert [told["links"].keys() for told in (first, third)] == [{"self", "next"}, {"self", "prev"}]
    assert players(await page(api, third["links"]["prev"])) == players(second)
    assert players(await page(api, second["links"]["prev"])) == players(first)
    assert second["links"]["self"] == first["links"]["next"]


RANGE = "/api/v2/leaderboard/arcade-best/entries/?score_from=20&score_to=80"


async def test_links_lead_through_a_range_of_scores_and_back(api: httpx.AsyncClient, played: Cast) -> None:
    first = await page(api, f"{RANGE}&limit=3&ranking=dense")
    second = await page(api, first["links"]["next"])
    third = await page(api, second["links"]["next"])
    assert [players(told) for told in (first, second, third)] == [["p2", "p3", "p4"], ["p5", "p6", "p7"], ["p8"]]
    assert [told["links"].keys() for told in (first, third)] == [{"self", "next"}, {"self", "prev"}]
    assert players(await page(api, third["links"]["prev"])) == players(second)
    assert players(await page(api, second["links"]["prev"])) == players(first)
    assert (await page(api, f"{RANGE}&limit=7"))["links"].keys() == {"self"}
    for whole in ("players=p1,p2", "rank_from=1&rank_to=2"):
        assert (await page(api, f"/api/v2/leaderboard/arcade-best/entries/?{whole}&limit=1"))["links"].keys() == {"self"}


async def test_who_keeps_a_score_is_seen_once_in_a_range_while_others_come_into_it_and_leave(api: httpx.AsyncClient, played: Cast) -> None:
    told = await page(api, f"{RANGE}&limit=3")
    for player, score in (("p9", 75), ("new", 1000), ("p2", 81)):
        await post(api, played, player, score)
    seen = players(told)
    while "next" in told["links"]:
        told = await page(api, told["links"]["next"])
        seen += players(told)
    assert seen == ["p2", "p3", "p4", "p5", "p6", "p7", "p8"]


async def test_a_link_leads_through_all_plays(api: httpx.AsyncClient, played: Cast) -> None:
    for score in (1, 2):
        await post(api, played, "p1", score)
    link, seen = "/api/v2/players/p1/sessions/?limit=2", []
    while link:
        told = (await api.get(link, headers=played.auth)).json()
        seen += [play["score"] for play in told["data"]["sessions"]]
        link = told["links"].get("next", "")
    assert seen == [2, 1, 90]


async def test_the_page_before_one_that_began_anywhere_is_as_long_as_there_are_rows(api: httpx.AsyncClient, played: Cast) -> None:
    middle = await page(api, f"{TOP}?limit=4&offset=2")
    assert players(await page(api, middle["links"]["prev"])) == ["p1", "p2"]


async def test_who_keeps_a_score_is_seen_once_while_others_climb_past(api: httpx.AsyncClient, played: Cast) -> None:
    first = await page(api, f"{TOP}?limit=4")
    await post(api, played, "p9", 1000)
    await post(api, played, "new", 999)
    seen, told = players(first), first
    while "next" in told["links"]:
        told = await page(api, told["links"]["next"])
        seen += players(told)
    assert seen == ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"]


async def test_who_keeps_a_score_is_not_left_out_when_others_go(api: httpx.AsyncClient, played: Cast, services: Services) -> None:
    first = await page(api, f"{TOP}?limit=4")
    (user, board, season), *_ = await played.sql(
        "SELECT user_id, leaderboard_id, season FROM leaderboard_leaderboardentry "
        "WHERE user_id = (SELECT id FROM auth_user WHERE username = 'p1')"
    )
    await played.sql("DELETE FROM leaderboard_leaderboardentry WHERE user_id = $1", user)
    await services.index.remove(BoardId(board, season), [user])
    assert players(await page(api, first["links"]["next"])) == ["p5", "p6", "p7", "p8"]


async def test_where_the_row_of_a_cursor_has_moved_the_place_counts(api: httpx.AsyncClient, played: Cast) -> None:
    first = await page(api, f"{TOP}?limit=4")
    await post(api, played, "p4", 1000)
    assert players(await page(api, first["links"]["next"])) == ["p5", "p6", "p7", "p8"]


async def test_a_cursor_takes_another_limit_but_no_other_place(api: httpx.AsyncClient, played: Cast) -> None:
    link = (await page(api, f"{TOP}?limit=4"))["links"]["next"]
    cursor = parse_qs(urlsplit(link).query)["cursor"][0]
    assert players((await api.get(TOP, params={"cursor": cursor, "limit": 2})).json()) == ["p5", "p6"]
    for more in ({"offset": 0}, {"season": "current"}, {"limit": 0}):
        refused = await api.get(TOP, params={"cursor": cursor, **more})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_parameter")


async def test_a_cursor_that_was_not_given_out_is_refused(api: httpx.AsyncClient, played: Cast) -> None:
    link = (await page(api, f"{TOP}?limit=4"))["links"]["next"]
    cursor = parse_qs(urlsplit(link).query)["cursor"][0]
    data, _, signature = cursor.rpartition(":")
    for forged in ("", "x", ":", cursor[:-1], f"x{cursor}", f"{data}x:{signature}", "é:é", "9" * 5000):
        refused = await api.get(TOP, params={"cursor": forged})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_parameter"), forged
    elsewhere = await api.get(TOP.replace("arcade-best", "arcade-sum"), params={"cursor": cursor})
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (400, "invalid_parameter")


async def test_a_cursor_names_the_season_in_which_it_was_given(api: httpx.AsyncClient, cast: Cast) -> None:
    for player in ("ada", "bo"):
        body = {"player": player, "score": 1, "game_mode": "daily", "leaderboards": ["arcade-daily"]}
        assert (await api.post("/api/v2/scores/", json=body, headers=cast.auth)).status_code == 201
    first = await page(api, "/api/v2/leaderboard/arcade-daily/top/?limit=1")
    second = await page(api, first["links"]["next"])
    assert second["data"]["season"] == first["data"]["season"] != "all-time"
    assert players(second) == ["bo"]


async def test_what_else_was_asked_stays_in_the_links(api: httpx.AsyncClient, played: Cast) -> None:
    link = (await page(api, f"{TOP}?limit=4&colour=blue"))["links"]["next"]
    assert parse_qs(urlsplit(link).query)["colour"] == ["blue"]
    assert urlsplit((await page(api, link))["links"]["next"]).query.count("cursor=") == 1


# --- The end of version 1 -------------------------------------------------------------------------------------------------

ENDS = {"API_V1_DEPRECATED_AT": datetime(2027, 1, 1, tzinfo=UTC), "API_V1_SUNSET_AT": datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC)}


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Before the handler of the `api` is made."""
    for name, moment in ENDS.items():
        setattr(settings, name, moment)


@pytest.mark.parametrize(
    ("path", "accept", "says"),
    [
        ("/api/v1/leaderboard/arcade-best/top/", "", True),
        ("/api/v1/leaderboard/", "", True),
        ("/api/v1/leaderboard/nowhere/", "", True),
        ("/api/v1/nothing/", "", True),
        ("/api/leaderboard/", "", True),
        ("/api/leaderboard/", "application/vnd.api+json; version=2", False),
        ("/api/leaderboard/", "application/vnd.api+json; version=9", False),
        ("/api/v2/leaderboard/", "", False),
        ("/api/v9/leaderboard/", "", False),
        ("/livez", "", False),
    ],
)
async def test_answers_of_version_1_say_when_it_ends(
    ending: None, api: httpx.AsyncClient, cast: Cast, path: str, accept: str, says: bool
) -> None:
    answer = await api.get(path, headers={"Accept": accept} if accept else {})
    told = {name: answer.headers.get(name) for name in ("Deprecation", "Sunset")}
    assert told == (
        {"Deprecation": "@1798761600", "Sunset": "Wed, 30 Jun 2027 23:59:59 GMT"} if says else {"Deprecation": None, "Sunset": None}
    )


async def test_submits_of_version_1_say_when_it_ends(ending: None, api: httpx.AsyncClient, cast: Cast) -> None:
    assert (await post(api, cast, "ada", 1, "/api/v1/scores/")).headers["Deprecation"] == "@1798761600"
    assert "Deprecation" not in (await post(api, cast, "ada", 1)).headers


async def test_without_the_settings_nothing_is_said() -> None:
    assert ApiHandler()._end_of_version_1 == ()


@pytest.mark.parametrize(
    ("raw", "moment"),
    [
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00:00Z", datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ("2027-01-31T12:00:00+02:00", datetime(2027, 1, 31, 10, tzinfo=UTC)),
        ("", None),
    ],
)
def test_a_moment_in_the_settings_is_a_time_of_rfc_3339(raw: str, moment: datetime | None) -> None:
    assert settings_file._moment("API_V1_SUNSET_AT", raw) == moment


def test_a_moment_that_is_none_names_its_variable() -> None:
    with pytest.raises(settings_file.ImproperlyConfigured, match=r"API_V1_SUNSET_AT.*'soon'"):
        settings_file._moment("API_V1_SUNSET_AT", "soon")
