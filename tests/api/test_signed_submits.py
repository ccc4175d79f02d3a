"""Signed submits: where they are required, what they cover, and what is told to who does it wrong."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from leaderboard.domain.errors import NonceReused, SignatureInvalid
from leaderboard.services import Services
from leaderboard.services.credentials import Credential
from leaderboard.services.signatures import KEPT_S, WINDOW_S, Signed
from tests.cast import Cast
from tests.signing import BATCH, SCORES, outcome, post_signed, score, secret_of, signature, signed_headers

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
NONCE = "n" * 16


@pytest.fixture
async def signed_key(cast: Cast) -> str:
    """The arcade's key, which must sign from now on."""
    await cast.sql("UPDATE leaderboard_apikey SET signed_only = true WHERE prefix = $1", cast.key[:11])
    return cast.key


@pytest.fixture
async def sealed(cast: Cast) -> Cast:
    """The arcade with a board that takes signed submits only; its key may sign or not."""
    await cast.board("arcade-sealed", game_mode="sealed", signed_only=True)
    return cast


async def fed(response: httpx.Response) -> list[str]:
    return [result["leaderboard"] for result in response.json()["results"]]


# --- A key that must sign -----------------------------------------------------------------------------------------------


async def test_a_signed_submit_of_a_key_that_must_sign_lands(api: httpx.AsyncClient, cast: Cast, signed_key: str) -> None:
    response = await post_signed(api, signed_key, score())
    assert response.status_code == 201
    assert await fed(response) == ["arcade-best", "arcade-sum"]


async def test_a_signed_batch_lands(api: httpx.AsyncClient, cast: Cast, signed_key: str) -> None:
    body = json.dumps({"scores": [{"player": "ada", "score": 1}, {"player": "bo", "score": 2}]}).encode()
    response = await post_signed(api, signed_key, body, path=BATCH)
    assert response.status_code == 200
    assert await cast.count("gamesession") == 2


@pytest.mark.parametrize("path", [SCORES, BATCH, "/api/scores/"])
async def test_a_key_that_must_sign_and_does_not_is_refused(api: httpx.AsyncClient, cast: Cast, signed_key: str, path: str) -> None:
    body = {"scores": [{"player": "ada", "score": 1}]} if path == BATCH else {"player": "ada", "score": 1}
    assert outcome(await api.post(path, json=body, headers=cast.auth)) == (403, "signature_required")
    assert await cast.count("gamesession") == 0


async def test_it_is_refused_also_where_everything_else_is_known_and_nothing_is_waited_for(
    api: httpx.AsyncClient, cast: Cast, signed_key: str
) -> None:
    assert (await post_signed(api, signed_key, score("ada"))).status_code == 201
    for body in ({"player": "ada", "score": 1}, {"player": "nobody", "score": 1}):
        assert outcome(await api.post(SCORES, json=body, headers=cast.auth)) == (403, "signature_required")
    assert await cast.count("gamesession") == 1


async def test_the_query_is_signed_with_the_path(api: httpx.AsyncClient, cast: Cast, signed_key: str) -> None:
    assert (await post_signed(api, signed_key, score(), path=f"{SCORES}?from=arena")).status_code == 201
    headers = signed_headers(signed_key, score())
    assert outcome(await api.post(f"{SCORES}?from=arena", content=score(), headers=headers)) == (401, "signature_invalid")


async def test_a_key_that_must_sign_reads_without_a_signature(api: httpx.AsyncClient, cast: Cast, signed_key: str) -> None:
    assert (await api.get("/api/v1/leaderboard/arcade-best/top/", headers=cast.auth)).status_code == 200


async def test_a_retry_is_signed_anew_and_gets_the_first_answer(api: httpx.AsyncClient, cast: Cast, signed_key: str) -> None:
    once = {"Idempotency-Key": "run-1"}
    first = await post_signed(api, signed_key, score(), headers=once)
    again = await post_signed(api, signed_key, score(), headers=once)
    assert (again.status_code, again.content, again.headers["Idempotency-Replayed"]) == (201, first.content, "true")
    assert await cast.count("gamesession") == 1


# --- A board that takes signed submits only -----------------------------------------------------------------------------


async def test_a_sealed_board_is_fed_by_signed_submits(api: httpx.AsyncClient, sealed: Cast) -> None:
    response = await post_signed(api, sealed.key, score(game_mode="sealed"))
    assert await fed(response) == ["arcade-best", "arcade-sealed", "arcade-sum"]


@pytest.mark.parametrize("boards", [{}, {"leaderboards": ["arcade-sealed"]}, {"leaderboards": ["arcade-best", "arcade-sealed"]}])
async def test_an_unsigned_submit_of_a_key_is_refused_as_a_whole_and_no_board_is_left_out(
    api: httpx.AsyncClient, sealed: Cast, boards: dict[str, list[str]]
) -> None:
    body = {"player": "ada", "score": 1, "game_mode": "sealed", **boards}
    assert outcome(await api.post(SCORES, json=body, headers=sealed.auth)) == (403, "signature_required")
    assert await sealed.count("gamesession") == 0


async def test_an_unsigned_submit_that_does_not_meet_the_sealed_board_lands(api: httpx.AsyncClient, sealed: Cast) -> None:
    other_mode = await api.post(SCORES, json={"player": "ada", "score": 1}, headers=sealed.auth)
    named = {"player": "ada", "score": 1, "game_mode": "sealed", "leaderboards": ["arcade-best"]}
    assert await fed(other_mode) == ["arcade-best", "arcade-sum"]
    assert await fed(await api.post(SCORES, json=named, headers=sealed.auth)) == ["arcade-best"]


async def test_what_a_signed_submit_may_is_not_remembered_for_an_unsigned_one(api: httpx.AsyncClient, sealed: Cast) -> None:
    """Targets are remembered by who asks and how: the same key, once with and once without a signature."""
    body = score(game_mode="sealed")
    assert (await post_signed(api, sealed.key, body)).status_code == 201
    unsigned = await api.post(SCORES, content=body, headers=sealed.auth | {"Content-Type": "application/json"})
    assert outcome(unsigned) == (403, "signature_required")


async def test_in_an_unsigned_batch_only_the_items_of_the_sealed_board_are_refused(api: httpx.AsyncClient, sealed: Cast) -> None:
    items = [{"player": "ada", "score": 1}, {"player": "ada", "score": 2, "game_mode": "sealed"}]
    landed, refused = (await api.post(BATCH, json={"scores": items}, headers=sealed.auth)).json()["results"]
    assert landed["score"] == 1
    assert (refused["error"]["status"], refused["error"]["code"]) == (403, "signature_required")


async def player_headers(cast: Cast, username: str = "ada") -> dict[str, str]:
    player = (await cast.services.store.ensure_players([(username, username)]))[username]
    token = cast.services.tokens.access(player, game_id=cast.games["arcade"], now=datetime.now(UTC))
    return {"Authorization": f"Bearer {token}"}


async def test_a_player_who_cant_sign_feeds_the_other_boards_and_is_refused_at_the_sealed_one(api: httpx.AsyncClient, sealed: Cast) -> None:
    """As with authoritative boards: such a board is not a player's. Else one of them would shut every player of the game out."""
    headers = await player_headers(sealed)
    body = {"score": 1, "game_mode": "sealed"}
    assert await fed(await api.post(SCORES, json=body, headers=headers)) == ["arcade-best", "arcade-sum"]
    named = await api.post(SCORES, json=body | {"leaderboards": ["arcade-sealed"]}, headers=headers)
    assert outcome(named) == (403, "signature_required")


async def test_a_player_to_whom_no_board_is_left_is_told_that_they_are_for_api_keys(api: httpx.AsyncClient, sealed: Cast) -> None:
    await sealed.sql("UPDATE leaderboard_leaderboard SET is_active = (slug = 'arcade-sealed') WHERE slug LIKE 'arcade%'")
    response = await api.post(SCORES, json={"score": 1, "game_mode": "sealed"}, headers=await player_headers(sealed))
    assert outcome(response) == (403, "authoritative_board")


async def test_a_players_request_with_a_signature_is_refused(api: httpx.AsyncClient, cast: Cast) -> None:
    body = b'{"score": 1}'
    headers = signed_headers(cast.key, body) | await player_headers(cast)
    assert outcome(await api.post(SCORES, content=body, headers=headers)) == (401, "signature_invalid")


# --- A signature that is not right --------------------------------------------------------------------------------------


async def test_a_signature_is_checked_where_none_is_required(api: httpx.AsyncClient, cast: Cast) -> None:
    headers = signed_headers(cast.key, score()) | {"X-Signature": "0" * 64}
    assert outcome(await api.post(SCORES, content=score(), headers=headers)) == (401, "signature_invalid")
    assert await cast.count("gamesession") == 0


@pytest.mark.parametrize(
    "change",
    [
        {"X-Nonce": "short"},
        {"X-Nonce": "n" * 65},
        {"X-Nonce": "with a blank in it"},
        {"X-Timestamp": "yesterday"},
        {"X-Timestamp": "1.5"},
        {"X-Timestamp": "-1"},
        {"X-Timestamp": "9" * 40},
        {"X-Timestamp": "\u0663" * 10},
        {"X-Signature": ""},
        {"X-Signature": "abc"},
        {"X-Signature": "\u00e9" * 64},
        {"X-Nonce": None},
        {"X-Timestamp": None},
    ],
    ids=str,
)
async def test_malformed_and_missing_parts_are_invalid(api: httpx.AsyncClient, cast: Cast, change: dict[str, str | None]) -> None:
    headers = signed_headers(cast.key, score()) | change
    raw = {name.encode(): value.encode() for name, value in headers.items() if value is not None}
    response = await api.post(SCORES, content=score(), headers=raw)
    assert outcome(response) == (401, "signature_invalid")
    assert response.headers["WWW-Authenticate"] == "Api-Key, Bearer, Ticket"
    assert await cast.count("usednonce") == 0


async def test_an_upper_case_signature_is_none(api: httpx.AsyncClient, cast: Cast) -> None:
    headers = signed_headers(cast.key, score())
    headers["X-Signature"] = headers["X-Signature"].upper()
    assert outcome(await api.post(SCORES, content=score(), headers=headers)) == (401, "signature_invalid")


async def test_a_refusal_says_nothing_of_the_right_signature(api: httpx.AsyncClient, cast: Cast) -> None:
    headers = signed_headers(cast.key, score())
    right, headers["X-Signature"] = headers["X-Signature"], "0" * 64
    text = (await api.post(SCORES, content=score(), headers=headers)).text
    assert right not in text
    assert secret_of(cast.key) not in text


# --- The window and the nonces, at set times ----------------------------------------------------------------------------


def credential_of(cast: Cast, key_id: int) -> Credential:
    return Credential("key:1", cast.games["arcade"], None, ("scores:write",), key_prefix=cast.key[:11], key_id=key_id)


async def arcade_credential(cast: Cast) -> Credential:
    return credential_of(cast, (await cast.sql("SELECT id FROM leaderboard_apikey WHERE prefix = $1", cast.key[:11]))[0][0])


def signed_at(cast: Cast, moment: datetime, nonce: str = NONCE) -> Signed:
    timestamp = str(int(moment.timestamp()))
    given = signature(secret_of(cast.key), "POST", SCORES, timestamp, nonce, b"{}")
    return Signed("POST", SCORES, b"{}", timestamp.encode(), nonce.encode(), given.encode())


@pytest.mark.parametrize("seconds", [-WINDOW_S, 0, WINDOW_S])
async def test_within_the_window_it_is_good(cast: Cast, services: Services, seconds: int) -> None:
    signed = signed_at(cast, NOON + timedelta(seconds=seconds))
    assert (await services.signatures.check(signed, await arcade_credential(cast), now=NOON)).is_signed


@pytest.mark.parametrize("seconds", [-WINDOW_S - 1, WINDOW_S + 1, -86_400])
async def test_outside_the_window_it_is_not(cast: Cast, services: Services, seconds: int) -> None:
    signed = signed_at(cast, NOON + timedelta(seconds=seconds))
    with pytest.raises(SignatureInvalid, match="more than 300 s"):
        await services.signatures.check(signed, await arcade_credential(cast), now=NOON)


async def test_a_nonce_is_kept_for_as_long_as_its_request_is_good(cast: Cast, services: Services) -> None:
    """Signed by a clock that is as far ahead as may be, and forgotten by one that is."""
    credential, signed = await arcade_credential(cast), signed_at(cast, NOON + timedelta(seconds=WINDOW_S))
    await services.signatures.check(signed, credential, now=NOON)
    last_good = NOON + timedelta(seconds=2 * WINDOW_S)
    assert await services.signatures.forget(now=last_good + timedelta(seconds=WINDOW_S)) == 0
    with pytest.raises(NonceReused):
        await services.signatures.check(signed, credential, now=last_good)
    assert await services.signatures.forget(now=NOON + timedelta(seconds=WINDOW_S + KEPT_S + 1)) == 1
    assert await cast.count("usednonce") == 0


async def test_a_nonce_is_used_up_for_its_key_alone(cast: Cast, services: Services) -> None:
    until = NOON + timedelta(hours=1)
    ids = [row[0] for row in await cast.sql("SELECT id FROM leaderboard_apikey ORDER BY id")]
    assert [await services.store.use_nonce(key_id, NONCE, expires_at=until) for key_id in ids] == [True] * len(ids)


async def test_the_nonce_of_a_key_that_is_gone_is_refused(cast: Cast, services: Services) -> None:
    with pytest.raises(NonceReused):
        await services.signatures.check(signed_at(cast, NOON), credential_of(cast, 10**9), now=NOON)


async def test_many_nonces_are_forgotten_page_by_page(cast: Cast, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaderboard.services.signatures.PAGE", 3)
    key_id = (await arcade_credential(cast)).key_id
    assert key_id is not None
    for number in range(8):
        await services.store.use_nonce(key_id, f"{number:016}", expires_at=NOON + timedelta(seconds=number))
    assert await services.signatures.forget(now=NOON + timedelta(seconds=7)) == 7
    assert await cast.sql("SELECT nonce FROM leaderboard_usednonce") == [(f"{7:016}",)]
