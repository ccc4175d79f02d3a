import random
import socket
from collections.abc import Callable

import pytest

from leaderboard.management.client import Client, Refused, Stopped, Unreachable
from tests.commands.arcade import KEY, REFUSED_SCORE, Arcade, Stumble

SUBMIT = {"player": "ada", "score": 5}


class Time:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now, self.pauses = 0.0, list[float]()

    def clock(self) -> float:
        return self.now

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.now += seconds
        return False


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def client(arcade: Arcade, time: Time):
    random.seed(1)
    arcade.board("sums", operator="sum")
    client = Client(arcade.url, KEY, clock=time.clock, pause=time.pause)
    yield client
    client.close()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_it_keeps_one_connection_for_many_calls(client: Client, arcade: Arcade):
    for number in range(20):
        client.post("/api/v1/scores/", SUBMIT, idempotency_key=str(number))
    assert client.get("/api/v1/leaderboard/sums/top/?limit=10")["entries"][0]["score"] == 100
    assert arcade.connections == 1


@pytest.mark.parametrize(
    "stumble",
    [Stumble(429), Stumble(502), Stumble(503), Stumble(504), Stumble(drop="before"), Stumble(drop="after")],
    ids=["429", "502", "503", "504", "dropped before", "dropped after"],
)
def test_a_stumble_is_tried_again_with_the_same_key_and_counts_once(client: Client, arcade: Arcade, stumble: Stumble):
    arcade.stumbles.extend([stumble] * 3)
    assert client.post("/api/v1/scores/", SUBMIT, idempotency_key="one")["player"] == "ada"
    assert {key for _, key, _ in arcade.received} == {"one"}
    assert [(row["score"], row["submissions"]) for row in arcade.standings("sums")] == [(5, 1)]


def test_pauses_grow_between_tries_up_to_five_seconds(client: Client, arcade: Arcade, time: Time):
    arcade.stumbles.extend([Stumble(503)] * 12)
    client.post("/api/v1/scores/", SUBMIT)
    assert all(0.5 * 0.1 * 2**turn <= pause <= 0.1 * 2**turn for turn, pause in enumerate(time.pauses[:6]))
    assert all(2.5 <= pause <= 5.0 for pause in time.pauses[6:])


def test_it_waits_as_long_as_retry_after_says(client: Client, arcade: Arcade, time: Time):
    arcade.stumbles.append(Stumble(429, headers={"Retry-After": "7"}))
    client.post("/api/v1/scores/", SUBMIT)
    assert time.pauses == [7.0]


def test_a_retry_after_that_is_a_date_leaves_it_to_the_backoff(client: Client, arcade: Arcade, time: Time):
    arcade.stumbles.append(Stumble(503, headers={"Retry-After": "Fri, 31 Dec 2027 23:59:59 GMT"}))
    client.post("/api/v1/scores/", SUBMIT)
    assert time.pauses[0] <= 0.1


def test_it_gives_up_after_a_minute_and_says_what_it_saw_last(time: Time):
    client = Client(f"http://127.0.0.1:{closed_port()}", KEY, clock=time.clock, pause=time.pause)
    with pytest.raises(Unreachable, match=r"did not take POST /api/v1/scores/ for 60 s; the last try: Connection refused\."):
        client.post("/api/v1/scores/", SUBMIT)
    assert 50 < time.now <= 60


def test_it_does_not_wait_for_a_retry_after_beyond_its_patience(client: Client, arcade: Arcade, time: Time):
    arcade.stumbles.append(Stumble(429, headers={"Retry-After": "3600"}))
    with pytest.raises(Unreachable, match="HTTP 429"):
        client.post("/api/v1/scores/", SUBMIT)
    assert time.now == 0


def test_a_server_that_never_answers_is_a_timeout(time: Time):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = Client(url, KEY, timeout_s=0.05, patience_s=0, clock=time.clock, pause=time.pause)
        with pytest.raises(Unreachable, match="no answer in time"):
            client.get("/livez")


def test_each_trouble_is_told_with_how_long_it_has_lasted(arcade: Arcade, time: Time):
    told: list[tuple[str, float]] = []
    arcade.stumbles.extend([Stumble(503, headers={"Retry-After": "2"})] * 3)
    client = Client(arcade.url, KEY, clock=time.clock, pause=time.pause, on_trouble=lambda what, since_s: told.append((what, since_s)))
    client.post("/api/v1/scores/", SUBMIT)
    client.close()
    assert told == [("HTTP 503", 0.0), ("HTTP 503", 2.0), ("HTTP 503", 4.0)]


def test_a_refusal_is_not_tried_again_and_keeps_code_and_detail(client: Client, time: Time):
    with pytest.raises(Refused) as refused:
        client.post("/api/v1/scores/", {**SUBMIT, "score": REFUSED_SCORE})
    assert (refused.value.status, refused.value.code, refused.value.detail) == (422, "score_out_of_range", "Not that score.")
    assert time.pauses == []


def test_an_answer_that_is_no_problem_document_is_a_refusal_by_its_status(client: Client, arcade: Arcade):
    arcade.stumbles.append(Stumble(500))
    with pytest.raises(Refused) as refused:
        client.post("/api/v1/scores/", SUBMIT)
    assert refused.value.code == "http_500"


def test_a_pause_ends_when_its_owner_stops(arcade: Arcade):
    arcade.stumbles.append(Stumble(503))
    client = Client(arcade.url, KEY, pause=lambda seconds: True)
    with pytest.raises(Stopped):
        client.post("/api/v1/scores/", SUBMIT)
    client.close()


def test_a_path_in_the_url_comes_before_the_contracts(client: Client, arcade: Arcade):
    inner = Client(f"{arcade.url}/games/", KEY)
    with pytest.raises(Refused, match="There is no leaderboard 'leaderboard'"):
        inner.get("/api/v1/leaderboard/")
    inner.close()


@pytest.mark.parametrize("make", [lambda: Client("localhost:8000", KEY), lambda: Client("http://", KEY), lambda: Client("http://a:b", KEY)])
def test_a_url_that_is_none_is_refused_at_once(make: Callable[[], Client]):
    with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
        make()


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
def test_a_key_that_cannot_be_sent_is_refused_at_once(key: str):
    with pytest.raises(ValueError, match="printable ASCII"):
        Client("http://localhost", key)
