"""Scores over an open WebSocket: the same rules, refusals and answers as over REST, by both ways to a socket."""

import asyncio
import json
from contextlib import asynccontextmanager

import msgspec
import pytest

from leaderboard import runtime
from realtime.desk import Desk
from realtime.hub import Hub
from realtime.limits import Options
from realtime.protocol import CloseCode
from realtime.routing import websocket_app
from tests.api.test_refusals import BAD_BODIES
from tests.realtime.arena import Server, eventually, make_layer

pytestmark = pytest.mark.slow


class Counter(Desk):
    """A desk that knows how many submits were under way at once."""

    under_way = most = 0

    def submit(self, asked, key, *, bearer, told):
        self.under_way += 1
        self.most = max(self.most, self.under_way)

        def done(outcome):
            self.under_way -= 1
            told(outcome)

        super().submit(asked, key, bearer=bearer, told=done)


class House:
    """The project's services behind a server."""

    def __init__(self, server, hub, desk):
        self.server, self.hub, self.desk = server, hub, desk

    @asynccontextmanager
    async def client(self, key=None, path="/ws/", **options):
        headers = {"Authorization": f"Api-Key {key}"} if key else None
        async with self.server.client(path, headers=headers, **options) as client:
            yield client


@pytest.fixture
async def open_house(services, cast, redis_url, ws):
    opened = []

    async def open_one(**options):
        hub = Hub(
            source=services.live, layer=make_layer(redis_url), options=Options(**{"heartbeat_s": 3600, "close_grace_s": 0.1, **options})
        )
        desk = Counter(services.submits, services.credentials, clock=runtime.utc_now, origins=frozenset(), limits=services.limits)
        server = Server(websocket_app(lambda: hub, lambda: desk), ws=ws)
        await server.start()
        opened.append(House(server, hub, desk))
        return opened[-1]

    yield open_one
    for house in opened:
        await house.hub.aclose()
        await house.server.stop()


async def say(client, **message):
    """A submit and its answer."""
    await client.send(type="submit", **message)
    return await client.next()


async def test_the_answer_has_the_fields_of_a_201_after_the_type_and_the_id(open_house, cast, api):
    house = await open_house()
    async with house.client(cast.key) as client:
        told = await say(client, id=7, player="ada", score=100, subscore=5, metadata={"level": 3})
    by_rest = (await api.post("/api/v1/scores/", json={"player": "bo", "score": 1}, headers=cast.auth)).json()
    assert list(told) == ["type", "id", *by_rest]
    assert (told["type"], told["id"], told["player"], told["score"], told["subscore"]) == ("submitted", 7, "ada", 100, 5)
    assert [(row["leaderboard"], row["rank"], row["total"]) for row in told["results"]] == [("arcade-best", 1, 1), ("arcade-sum", 1, 1)]
    [(metadata,)] = await cast.sql("SELECT metadata FROM leaderboard_gamesession ORDER BY id LIMIT 1")
    assert json.loads(metadata) == {"level": 3}
    assert await cast.count("gamesession") == 2


@pytest.mark.parametrize("submit_id", [0, -5, 2**53 - 1, "", "run 7", "ü" * 64, 'a"b\\c'])
async def test_the_clients_own_name_for_it_comes_back(open_house, cast, submit_id):
    house = await open_house()
    async with house.client(cast.key) as client:
        assert (await say(client, id=submit_id, player="ada", score=1))["id"] == submit_id
        refused = await say(client, id=submit_id, score=1)
        assert (refused["type"], refused["code"], refused["id"]) == ("error", "player_required", submit_id)


async def test_without_an_id_there_is_none_in_the_answer(open_house, cast):
    house = await open_house()
    async with house.client(cast.key) as client:
        assert "id" not in await say(client, player="ada", score=1)
        assert "id" not in await say(client, score=1)


@pytest.mark.parametrize("submit_id", [2**53, 1.5, "x" * 65, [], {}, True], ids=repr)
async def test_what_can_not_be_an_id_is_refused_and_nothing_is_stored(open_house, cast, submit_id):
    house = await open_house()
    async with house.client(cast.key) as client:
        told = await say(client, id=submit_id, player="ada", score=1)
        assert (told["type"], told["code"]) == ("error", "invalid_body")
        assert "id" not in told
        assert (await say(client, player="ada", score=1))["type"] == "submitted"
    assert await cast.count("gamesession") == 1


def is_json(body):
    """What is not even that is no message: see the next test."""
    try:
        return isinstance(msgspec.json.decode(body), dict)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False


async def test_what_rest_refuses_is_refused_with_the_same_words_and_the_socket_goes_on(open_house, cast, api):
    house = await open_house()
    async with house.client(cast.key) as client:
        for case, (body, _, code) in BAD_BODIES.items():
            if not is_json(body):
                continue
            problem = (await api.post("/api/v1/scores/", content=body, headers=cast.auth | {"Content-Type": "application/json"})).json()
            await client.connection.send((b'{"type":"submit","id":1,' + body[1:]).decode())
            told = await client.next()
            assert (told["type"], told["code"], told["id"]) == ("error", code, 1), case
            assert (told["detail"], told.get("errors")) == (problem["detail"], problem.get("errors")), case
    assert await cast.count("gamesession") == 0


async def test_what_is_no_json_is_no_message(open_house, cast):
    house = await open_house()
    for text in (
        b'"score":NaN}',
        b'"score":1_0}',
        b'"score":1,"player":"\\ud800"}',
        b'"score":1,"metadata":{"a":' + b"[" * 2000 + b"]" * 2000 + b"}}",
    ):
        async with house.client(cast.key) as client:
            await client.connection.send((b'{"type":"submit",' + text).decode())
            assert await client.rest() == CloseCode.BAD_MESSAGE, text
    assert await cast.count("gamesession") == 0


async def test_without_a_credential_a_submit_is_refused_and_the_socket_goes_on(open_house, cast):
    house = await open_house()
    async with house.client(path="/ws/leaderboard/arcade-best/") as client:
        await client.next("snapshot")
        told = await say(client, id="a", player="ada", score=1)
        assert (told["code"], told["id"]) == ("not_authenticated", "a")
        await client.send(type="ping")
        await client.next("pong")
    assert await cast.count("gamesession") == 0


@pytest.mark.parametrize("header", ["Api-Key nonsense", "Api-Key ", "Api-Key", "Bearer x", "x", ""])
async def test_a_bad_credential_in_the_handshake_closes_with_4401(open_house, header):
    house = await open_house()
    async with house.server.client(headers={"Authorization": header}) as client:
        assert await client.rest() == CloseCode.NOT_AUTHENTICATED
        assert [message["code"] for message in client.of("error")] == ["not_authenticated"]


async def test_a_key_without_the_scope_may_watch_and_not_submit(open_house, cast):
    house = await open_house()
    async with house.client(cast.read_only_key) as client:
        assert (await say(client, player="ada", score=1))["code"] == "forbidden"
        await client.send(type="subscribe", leaderboard="arcade-best", top=3)
        await client.next("snapshot")


@pytest.mark.parametrize("change", ["revoked_at", "expires_at"])
async def test_a_key_that_is_revoked_or_expires_stops_working_on_open_sockets(open_house, cast, services, change):
    house = await open_house()
    async with house.client(cast.key) as client:
        assert (await say(client, player="ada", score=1))["type"] == "submitted"
        await cast.sql(f"UPDATE leaderboard_apikey SET {change} = '2026-01-02 00:00:00+00:00'")
        await services.catalogs.refresh()
        told = await say(client, id=2, player="ada", score=1)
        assert (told["code"], told["id"]) == ("not_authenticated", 2)
        await client.send(type="ping")
        await client.next("pong")
    assert await cast.count("gamesession") == 1


async def test_a_retried_submit_gets_its_first_answer_over_either_road(open_house, cast, api):
    house = await open_house()
    body = {"player": "ada", "score": 9}
    async with house.client(cast.key) as client:
        first = await say(client, id=1, idempotency_key="k", **body)
    async with house.client(cast.key) as client:
        assert await say(client, id=1, idempotency_key="k", **body) == first
        assert (await say(client, id=2, idempotency_key="k", player="ada", score=10))["code"] == "idempotency_key_reused"
        assert (await say(client, id=3, idempotency_key="", **body))["code"] == "invalid_idempotency_key"
    again = await api.post("/api/v1/scores/", json=body, headers=cast.auth | {"Idempotency-Key": "k"})
    assert again.headers["Idempotency-Replayed"] == "true"
    assert {"type": "submitted", "id": 1} | again.json() == first
    assert await cast.count("gamesession") == 1


async def test_many_under_way_are_each_answered_once_and_never_more_than_the_bound(open_house, cast):
    """Far more than the messages of a chatterer: a key's submits are not counted. What is beyond the bound waits to be read."""
    house = await open_house(submits=16, message_burst=5, messages_per_s=0)
    async with house.client(cast.key) as client:
        for number in range(200):
            await client.send(type="submit", id=number, player=f"p{number % 50}", score=number, leaderboards=["arcade-sum"])
        told = [await client.next() for _ in range(200)]
    assert {message["type"] for message in told} == {"submitted"}
    assert sorted(message["id"] for message in told) == list(range(200))
    assert all(message["score"] == message["id"] for message in told)
    assert house.desk.most <= 16
    assert await cast.count("gamesession") == 200


async def test_a_keys_other_messages_are_counted_as_anybodys(open_house, cast):
    house = await open_house(message_burst=3, messages_per_s=0)
    async with house.client(cast.key) as client:
        for _ in range(4):
            await client.send(type="ping")
        assert await client.rest() == CloseCode.TOO_MANY


async def test_answers_that_nobody_reads_stop_the_reading_and_none_is_lost(open_house, cast):
    house = await open_house(submits=8, write_buffer_bytes=1_000, send_timeout_s=3600)
    total, padding = 400, "x" * 60
    async with house.client(cast.key, lazy=True, ping_interval=None) as client:
        sending = asyncio.create_task(_send_many(client, total, padding))
        [outbox] = await _outboxes(house, 1)
        await eventually(lambda: not outbox.wire.ready or sending.done())
        told = []
        while len(told) < total:
            told.append(await client.next())
            assert outbox.waiting + house.desk.under_way <= 8 + 1
        await sending
    assert sorted(message["id"] for message in told) == sorted(f"{padding}{number:04}" for number in range(total))


async def _send_many(client, total, padding):
    for number in range(total):
        await client.send(type="submit", id=f"{padding}{number:04}", player=f"p{number % 50}", score=1, leaderboards=["arcade-sum"])


async def _outboxes(house, count):
    await eventually(lambda: len(house.hub._outboxes) == count)
    return list(house.hub._outboxes)


async def test_what_was_under_way_when_the_socket_closed_lands(open_house, cast):
    house = await open_house()
    async with house.client(cast.key) as client:
        for number in range(100):
            await client.send(type="submit", id=number, player=f"p{number}", score=1)
    await eventually(lambda: house.hub.counters.sockets == 0 and not house.desk.under_way)
    assert await cast.count("gamesession") == 100


async def test_a_defect_is_an_internal_error_and_the_socket_goes_on(open_house, cast, monkeypatch, caplog):
    house = await open_house()

    def broken(*args, told, **kwargs):
        told(ZeroDivisionError())

    async with house.client(cast.key) as client:
        monkeypatch.setattr(house.desk._submits, "begin", broken)
        told = await say(client, id=1, player="ada", score=1)
        assert (told["code"], told["id"]) == ("internal_error", 1)
        assert "ZeroDivisionError" in caplog.text
        await client.send(type="ping")
        await client.next("pong")


async def test_submits_take_from_the_bucket_that_rest_takes_from(open_house, cast, api, rates):
    rates(submit_key=3)
    house = await open_house()
    await api.post("/api/v1/scores/", json={"player": "ada", "score": 1}, headers=cast.auth)
    async with house.client(cast.key) as client:
        told = [await say(client, player="ada", score=1, id=number) for number in range(3)]
        assert [message["type"] for message in told] == ["submitted", "submitted", "error"]
        assert (told[2]["code"], told[2]["id"], told[2]["retry_in_ms"] > 900_000) == ("rate_limited", 2, True)
        await client.send(type="ping")
        assert (await client.next())["type"] == "pong"
    assert await cast.count("gamesession") == 3
    assert (await api.post("/api/v1/scores/", json={"player": "ada", "score": 1}, headers=cast.auth)).status_code == 429
