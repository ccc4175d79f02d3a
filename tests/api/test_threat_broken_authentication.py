"""OWASP API2:2023, broken authentication: what who took a key, a request or a log may try, each under its name."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import redis.asyncio

from gaming_leaderboard import logs
from leaderboard import runtime
from leaderboard.domain.errors import NonceReused, NotAuthenticated
from leaderboard.services import Services, catalog
from leaderboard.services.signatures import Signed
from realtime.desk import Desk
from tests.cast import Cast
from tests.servers.stack import ROOT
from tests.signing import BATCH, SCORES, outcome, post_signed, score, secret_of, signed_headers

HOUR = timedelta(hours=1)


@pytest.fixture
async def other_process(database_url: str, redis_url: str) -> AsyncIterator[Services]:
    """Another process's services over the same servers."""
    built = runtime.build(database_url, redis_url)
    yield built
    await built.aclose()


def header(key: str) -> bytes:
    return f"Api-Key {key}".encode()


# --- A request that was taken on its way --------------------------------------------------------------------------------


async def test_a_signed_request_that_is_replayed_counts_once(api: httpx.AsyncClient, cast: Cast) -> None:
    headers = signed_headers(cast.key, score())
    assert (await api.post(SCORES, content=score(), headers=headers)).status_code == 201
    assert outcome(await api.post(SCORES, content=score(), headers=headers)) == (409, "nonce_reused")
    assert await cast.count("gamesession") == 1


async def test_a_replayed_batch_counts_once(api: httpx.AsyncClient, cast: Cast) -> None:
    body = json.dumps({"scores": [{"player": "ada", "score": 1}]}).encode()
    headers = signed_headers(cast.key, body, path=BATCH)
    assert (await api.post(BATCH, content=body, headers=headers)).status_code == 200
    assert outcome(await api.post(BATCH, content=body, headers=headers)) == (409, "nonce_reused")
    assert await cast.count("gamesession") == 1


async def test_a_flushed_redis_lets_no_request_be_replayed(api: httpx.AsyncClient, cast: Cast, redis_url: str) -> None:
    headers = signed_headers(cast.key, score())
    assert (await api.post(SCORES, content=score(), headers=headers)).status_code == 201
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        await client.flushall()
    assert outcome(await api.post(SCORES, content=score(), headers=headers)) == (409, "nonce_reused")


async def test_a_request_that_is_replayed_at_many_processes_at_once_is_taken_by_one(
    cast: Cast, services: Services, other_process: Services
) -> None:
    now, headers = datetime.now(UTC), signed_headers(cast.key, score())
    signed = Signed("POST", SCORES, score(), *(headers[name].encode() for name in ("X-Timestamp", "X-Nonce", "X-Signature")))
    credential = await services.credentials.find(header(cast.key), now=now)
    checks = [each.signatures.check(signed, credential, now=now) for each in (services, other_process) * 8]
    found = await asyncio.gather(*checks, return_exceptions=True)
    assert sum(isinstance(one, NonceReused) for one in found) == len(found) - 1
    assert sum(not isinstance(one, Exception) for one in found) == 1


async def test_an_altered_body_is_refused_and_the_right_one_still_lands(api: httpx.AsyncClient, cast: Cast) -> None:
    """A forger must not use up the nonce of the request that he is changing."""
    headers = signed_headers(cast.key, score(points=10))
    assert outcome(await api.post(SCORES, content=score(points=99), headers=headers)) == (401, "signature_invalid")
    assert (await api.post(SCORES, content=score(points=10), headers=headers)).json()["score"] == 10


@pytest.mark.parametrize("path", [BATCH, "/api/scores/", f"{SCORES}?x=1"])
async def test_a_request_that_is_sent_to_another_path_is_refused(api: httpx.AsyncClient, cast: Cast, path: str) -> None:
    headers = signed_headers(cast.key, score(), path=SCORES)
    assert outcome(await api.post(path, content=score(), headers=headers)) == (401, "signature_invalid")
    assert await cast.count("gamesession") == 0


@pytest.mark.parametrize("name", ["X-Timestamp", "X-Nonce"])
async def test_an_altered_timestamp_or_nonce_is_refused(api: httpx.AsyncClient, cast: Cast, name: str) -> None:
    headers = signed_headers(cast.key, score())
    headers[name] = str(int(headers[name]) + 1) if name == "X-Timestamp" else "0" * 32
    assert outcome(await api.post(SCORES, content=score(), headers=headers)) == (401, "signature_invalid")


@pytest.mark.parametrize("age_s", [400, 86_400, -400])
async def test_an_old_request_and_one_of_a_time_to_come_are_refused(api: httpx.AsyncClient, cast: Cast, age_s: int) -> None:
    assert outcome(await post_signed(api, cast.key, score(), age_s=age_s)) == (401, "signature_invalid")
    assert await cast.count("gamesession") == 0


async def test_another_keys_signature_is_refused(api: httpx.AsyncClient, cast: Cast) -> None:
    assert outcome(await post_signed(api, cast.key, score(), secret=secret_of(cast.rival_key))) == (401, "signature_invalid")
    of_rival = signed_headers(cast.rival_key, score()) | cast.auth
    assert outcome(await api.post(SCORES, content=score(), headers=of_rival)) == (401, "signature_invalid")
    assert await cast.count("gamesession") == 0


async def test_a_stolen_key_alone_submits_nothing_where_it_must_sign(api: httpx.AsyncClient, cast: Cast) -> None:
    await cast.sql("UPDATE leaderboard_apikey SET signed_only = true")
    for headers in (cast.auth, signed_headers(cast.key, score(), secret=cast.key), signed_headers(cast.key, score(), secret="")):
        refused = await api.post(SCORES, content=score(), headers=headers | {"Content-Type": "application/json"})
        assert outcome(refused) in ((403, "signature_required"), (401, "signature_invalid"))
    assert await cast.count("gamesession") == 0


async def test_a_signature_does_not_stand_in_for_the_key(api: httpx.AsyncClient, cast: Cast) -> None:
    headers = signed_headers(cast.key, score())
    del headers["Authorization"]
    assert outcome(await api.post(SCORES, content=score(), headers=headers)) == (401, "not_authenticated")


# --- A key that is to be of no more use ---------------------------------------------------------------------------------


async def test_an_expired_key_is_refused_to_the_moment(cast: Cast, services: Services) -> None:
    ends = datetime(2026, 5, 1, 12, tzinfo=UTC)
    await cast.sql("UPDATE leaderboard_apikey SET expires_at = '2026-05-01 12:00:00+00:00' WHERE prefix = 'gl_arcade00'")
    assert (await services.credentials.find(header(cast.key), now=ends - timedelta(milliseconds=1))).is_key
    with pytest.raises(NotAuthenticated, match="expired"):
        await services.credentials.find(header(cast.key), now=ends)


async def test_an_expired_key_with_a_right_signature_is_refused(api: httpx.AsyncClient, cast: Cast) -> None:
    await cast.sql("UPDATE leaderboard_apikey SET expires_at = '2026-05-01 12:00:00+00:00'")
    assert outcome(await post_signed(api, cast.key, score())) == (401, "not_authenticated")
    assert await cast.count("usednonce") == 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The clock by which processes look at the catalog's version again."""
    held = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(catalog, "time", SimpleNamespace(monotonic=lambda: held.now))
    return held


async def test_a_revoked_key_is_refused_by_every_process_within_five_seconds(
    cast: Cast, services: Services, other_process: Services, clock: Any
) -> None:
    both = (services, other_process)
    for each in both:
        assert (await each.credentials.find(header(cast.key), now=runtime.utc_now())).is_key
    await cast.sql("UPDATE leaderboard_apikey SET revoked_at = '2026-01-02 00:00:00+00:00' WHERE prefix = 'gl_arcade00'")
    clock.now += 5
    for each in both:
        assert each.credentials.held(header(cast.key), now=runtime.utc_now()) is None
        with pytest.raises(NotAuthenticated, match="revoked"):
            await each.credentials.find(header(cast.key), now=runtime.utc_now())
        assert (await each.credentials.find(header(cast.rival_key), now=runtime.utc_now())).is_key


async def test_a_revoked_key_submits_no_more_over_a_socket_that_is_open(
    cast: Cast, services: Services, other_process: Services, clock: Any
) -> None:
    """The socket's side of a process: who it is was found in its handshake, and is asked again with each submit."""
    desk = Desk(other_process.submits, other_process.credentials, clock=runtime.utc_now, origins=frozenset())
    bearer = await desk.admit({"query_string": b"", "headers": [(b"authorization", header(cast.key))]})
    assert await submitted(desk, bearer) == "landed"
    await cast.sql("UPDATE leaderboard_apikey SET revoked_at = '2026-01-02 00:00:00+00:00' WHERE prefix = 'gl_arcade00'")
    clock.now += 5
    assert await submitted(desk, bearer) == "not_authenticated"
    assert await cast.count("gamesession") == 1


@pytest.mark.parametrize(
    "change", ["UPDATE leaderboard_apikey SET signed_only = true", "UPDATE leaderboard_leaderboard SET signed_only = true"]
)
async def test_a_socket_is_no_way_round_a_signature(cast: Cast, services: Services, change: str) -> None:
    await cast.sql(change)
    desk = Desk(services.submits, services.credentials, clock=runtime.utc_now, origins=frozenset())
    bearer = await desk.admit({"query_string": b"", "headers": [(b"authorization", header(cast.key)), (b"x-signature", b"0" * 64)]})
    assert await submitted(desk, bearer) == "signature_required"
    assert await cast.count("gamesession") == 0


async def submitted(desk: Desk, bearer: Any) -> str:
    """The code of a submit over a socket, "landed" if it did."""
    from leaderboard.services.checking import Asked

    told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    desk.submit(Asked(score=1, player="ada"), None, bearer=bearer, told=told.set_result)
    return getattr(await told, "code", "landed")


def manage(database_url: str, redis_url: str, *words: str) -> str:
    env = {**os.environ, "DATABASE_URL": database_url, "REDIS_URL": redis_url, "SECRET_KEY": "for-tests-only-" * 4}
    done = subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


@pytest.mark.slow
async def test_a_rotated_key_works_during_the_overlap_and_not_after(
    cast: Cast, services: Services, clock: Any, database_url: str, redis_url: str
) -> None:
    now = datetime.now(UTC)
    assert (await services.credentials.find(header(cast.key), now=now)).is_key
    new_key = manage(database_url, redis_url, "rotate_api_key", cast.key[:11], "--overlap", "3600").strip()
    clock.now += 5
    for key in (cast.key, new_key):
        assert (await services.credentials.find(header(key), now=now + 0.9 * HOUR)).game_id == cast.games["arcade"]
    with pytest.raises(NotAuthenticated, match="expired"):
        await services.credentials.find(header(cast.key), now=now + 1.1 * HOUR)
    assert (await services.credentials.find(header(new_key), now=now + 1.1 * HOUR)).is_key


@pytest.mark.slow
async def test_the_command_revokes_in_a_running_process(
    cast: Cast, services: Services, clock: Any, database_url: str, redis_url: str
) -> None:
    assert (await services.credentials.find(header(cast.key), now=runtime.utc_now())).is_key
    manage(database_url, redis_url, "revoke_api_key", cast.key[:11])
    clock.now += 5
    with pytest.raises(NotAuthenticated, match="revoked"):
        await services.credentials.find(header(cast.key), now=runtime.utc_now())


# --- Secrets where they do not belong -----------------------------------------------------------------------------------


async def test_a_request_that_fails_leaves_no_key_in_the_log_and_none_in_the_answer(
    api: httpx.AsyncClient, cast: Cast, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by a refusal and not by a defect, at any level and in either format, whatever a frame of the traceback holds."""

    def broken(*_: Any, **__: Any) -> None:
        held = f"Api-Key {cast.key}"
        raise ZeroDivisionError(len(held))

    caplog.set_level(logging.DEBUG)
    headers = signed_headers(cast.key, score())
    answers = [
        await api.post(SCORES, content=score(), headers=headers | {"Authorization": f"Api-Key {cast.key}x"}),
        await api.post(SCORES, content=score(), headers=headers | {"X-Nonce": "n" * 16}),
        await post_signed(api, cast.key, b"{"),
    ]
    monkeypatch.setattr(cast.services.submits, "begin", broken)
    answers.append(await post_signed(api, cast.key, score()))
    assert [answer.status_code for answer in answers] == [401, 401, 400, 500]
    assert "ZeroDivisionError" in caplog.text
    secrets = ("secret-of-the-arcade", secret_of(cast.key), headers["X-Signature"])
    logged = [logs.formatter(how).format(record) for how in ("json", "console") for record in caplog.records]
    for text in (caplog.text, *logged, *(answer.text for answer in answers)):
        assert not [secret for secret in secrets if secret in text]


async def test_a_credential_in_a_message_of_ours_shows_no_secret(cast: Cast, services: Services) -> None:
    credential = await services.credentials.find(header(cast.key), now=runtime.utc_now())
    assert "secret-of-the-arcade" not in repr(credential)
