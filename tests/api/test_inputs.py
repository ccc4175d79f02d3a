"""Input that breaks others, each by its name: refused with a code or taken for what it is, never a 500, and nothing half done.

The same bodies one at a time are in `test_refusals`; the same over WebSocket in `tests/realtime/test_submits` and `test_sockets`.
"""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from leaderboard.domain.errors import InvalidDefinition
from leaderboard.domain.score import Rules
from tests.api.test_limits import token_of
from tests.api.test_refusals import BAD_BODIES
from tests.cast import Cast

BATCH = "/api/v1/scores/batch/"
BOARD = "/api/v1/leaderboard/arcade-best"
GOOD = b'{"player": "bo", "score": 1}'
INVISIBLE = {"zero-width space": "\u200b", "right-to-left override": "\u202e", "byte order mark": "\ufeff", "a newline": "\n", "nul": "\0"}


@pytest.mark.parametrize("case", BAD_BODIES)
async def test_what_is_refused_alone_is_refused_in_a_batch_and_never_lands(api: httpx.AsyncClient, cast: Cast, case: str) -> None:
    bad, _, code = BAD_BODIES[case]
    headers = cast.auth | {"Content-Type": "application/json"}
    answer = await api.post(BATCH, content=b'{"scores": [%b, %b]}' % (GOOD, bad or b"0"), headers=headers)
    if answer.status_code == 200:  # of an item that can be told from the next one
        landed, refused = answer.json()["results"]
        assert (landed["player"], refused["error"]["code"]) == ("bo", code)
        assert await cast.count("gamesession") == 1
    else:
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")
        assert await cast.count("gamesession") == 0


@pytest.mark.parametrize("lane", [{}, {"Cookie": "a=b"}], ids=["straight", "asgi"])
@pytest.mark.parametrize("path", ["/api/v1/scores/", BATCH])
async def test_a_body_of_ten_megabytes(api: httpx.AsyncClient, cast: Cast, path: str, lane: dict[str, str]) -> None:
    answer = await api.post(path, content=b"[" * 10_000_000, headers=cast.auth | {"Content-Type": "application/json"} | lane)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_body_of_ten_megabytes_in_chunks_without_a_length(api: httpx.AsyncClient, cast: Cast) -> None:
    async def chunks() -> Any:
        for _ in range(1_000):
            yield b"x" * 10_000

    answer = await api.post(BATCH, content=chunks(), headers=cast.auth | {"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"1" + b"}" * 2000)], ids=["arrays", "objects"])
async def test_two_thousand_nested_levels(api: httpx.AsyncClient, cast: Cast, brackets: tuple[bytes, bytes]) -> None:
    opening, closing = brackets
    for body in (opening * 2000 + closing, b'{"scores": [%b]}' % (opening * 2000 + closing)):
        answer = await api.post(BATCH, content=body, headers=cast.auth | {"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")


@pytest.mark.parametrize("char", INVISIBLE)
@pytest.mark.parametrize("field", ["player", "name", "game_mode", "leaderboards", "idempotency key"])
async def test_what_can_not_be_seen_is_nowhere_let_in(api: httpx.AsyncClient, cast: Cast, field: str, char: str) -> None:
    text, body, headers = f"a{INVISIBLE[char]}b", {"player": "ada", "score": 1}, {}
    if field == "idempotency key":
        headers = {b"Idempotency-Key": text.replace("\n", "\t").replace("\0", "\x01").encode()}
    else:
        body[field] = [text] if field == "leaderboards" else text
    answer = await api.post("/api/v1/scores/", json=body, headers={b"Authorization": cast.auth["Authorization"].encode()} | headers)
    refused = (answer.status_code, answer.json().get("code") if answer.headers["Content-Type"].endswith("json") else "no http")
    assert refused in {
        *((400, code) for code in ("invalid_player", "invalid_body", "invalid_idempotency_key", "no http")),
        (404, "leaderboard_not_found"),
    }
    assert await cast.count("gamesession") == 0


@pytest.mark.parametrize(
    "name",
    [
        *INVISIBLE.values(),
        "\x7f",
        "<script>alert(1)</script>",
        "'; DROP TABLE auth_user; --",
        "gl:{1}:0:order",
        "x" * 2_000,
        "../../etc",
        "%s%n",
    ],
    ids=repr,
)
async def test_a_name_of_nobody_in_a_path_is_only_not_found(api: httpx.AsyncClient, cast: Cast, name: str) -> None:
    for path in (f"{BOARD}/rank/{quote(name, safe='')}/", f"{BOARD}/around/{quote(name, safe='')}/"):
        answer = await api.get(path)
        assert (answer.status_code, answer.json()["code"]) in ((404, "not_ranked"), (404, "not_found"), (400, "invalid_player"))


@pytest.mark.parametrize("raw", ["%ff%fe", "%ed%a0%80", "%00", "%", "%zz"])
async def test_a_path_that_is_no_utf_8(api: httpx.AsyncClient, cast: Cast, raw: str) -> None:
    for path in (f"{BOARD}/rank/{raw}/", f"/api/v1/leaderboard/{raw}/top/", f"/api/v1/leaderboard/{raw}/", f"/api/v1/{raw}/"):
        assert (await api.get(path)).status_code in (400, 404)


@pytest.mark.parametrize(
    "raw", ["season=%00", "season=%ff", "season=" + "9" * 5_000, "limit=1e400", "limit=NaN", "limit=%D9%A3", "limit=1_0"]
)
async def test_a_query_that_is_nothing(api: httpx.AsyncClient, cast: Cast, raw: str) -> None:
    answer = await api.get(f"{BOARD}/top/?{raw}")
    assert (answer.status_code, answer.json()["code"]) in ((400, "invalid_parameter"), (404, "season_not_found"))


async def test_two_spellings_of_a_name_are_one_player(api: httpx.AsyncClient, cast: Cast) -> None:
    for name in ("Zo\u00eb", "Zoe\u0308"):
        answer = await api.post("/api/v1/scores/", json={"player": name, "score": 1}, headers=cast.auth)
        assert (answer.status_code, answer.json()["player"]) == (201, "Zo\u00eb")
        found = await api.get(f"{BOARD}/rank/{quote(name)}/")
        assert (found.status_code, found.json()["player"]) == (200, "Zo\u00eb")


async def test_another_players_name_with_a_player_token(api: httpx.AsyncClient, cast: Cast) -> None:
    ada = await token_of(cast, "ada")
    answer = await api.post("/api/v1/scores/", json={"player": "bo", "score": 1}, headers=ada)
    assert (answer.status_code, answer.json()["code"]) == (403, "player_not_allowed")
    batch = await api.post(BATCH, json={"scores": [{"player": "bo", "score": 1}]}, headers=ada)
    assert batch.json()["results"][0]["error"]["code"] == "player_not_allowed"
    assert await cast.count("gamesession") == 0


async def test_another_games_board_with_a_player_token(api: httpx.AsyncClient, cast: Cast) -> None:
    answer = await api.post("/api/v1/scores/", json={"score": 1, "leaderboards": ["rival-best"]}, headers=await token_of(cast, "ada"))
    assert (answer.status_code, answer.json()["code"]) == (404, "leaderboard_not_found")


# --- What is written by hand -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("char", INVISIBLE.values(), ids=INVISIBLE)
def test_titles_and_keys_names_hold_nothing_that_can_not_be_seen(char: str) -> None:
    from leaderboard.services import keys
    from leaderboard.services.definitions import create_board

    rules = Rules()
    with pytest.raises(InvalidDefinition, match="title"):
        create_board("arcade", slug="cup", rules=rules, title=f"a{char}b", create_game=True)
    with pytest.raises(InvalidDefinition, match="name"):
        keys.create("arcade", name=f"a{char}b", create_game=True)


@pytest.mark.django_db
def test_a_title_is_stored_in_its_normal_form() -> None:
    from leaderboard.services.definitions import create_board

    rules = Rules()
    assert create_board("arcade", slug="cup", rules=rules, title="Zoe\u0308s Cup", create_game=True).title == "Zo\u00ebs Cup"


def test_the_list_is_whole() -> None:
    """What this file leans on is there: a case that is renamed elsewhere must not vanish unseen."""
    assert {
        *("nan", "infinity", "1e400", "beyond 2^53", "below -2^53", "2^63", "minus zero", "underscores", "nested arrays", "duplicate keys"),
        *("invalid utf-8", "a lone surrogate", "a zero-width name", "a right-to-left mark", "another game's board"),
    } <= BAD_BODIES.keys()
    assert json.loads(GOOD)
