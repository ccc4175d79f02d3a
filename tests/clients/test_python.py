"""The Python client against the real service, and the cases of every client."""

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from gaming_leaderboard_client import (
    AsyncClient,
    Client,
    LeaderboardError,
    NoAnswer,
    Position,
    Refused,
    apply_delta,
    events_between,
    relation,
    round_up,
    watch,
)
from gaming_leaderboard_client import calls as client_calls
from websockets.asyncio.server import ServerConnection, serve

from tests.clients.test_vectors import EVENTS, VECTORS
from tests.servers.stack import Stack


@pytest.mark.parametrize("case", VECTORS["deltas"], ids=[case["name"] for case in VECTORS["deltas"]])
def test_a_delta_makes_the_new_rows_of_the_old_ones(case: dict[str, Any]) -> None:
    before = json.dumps(case["old"])
    assert apply_delta(case["old"], case["delta"]) == case["new"]
    assert json.dumps(case["old"]) == before, "what was given is not altered"


def test_what_a_position_is_to_the_one_held() -> None:
    for case in VECTORS["relations"]:
        assert relation(Position(**case["held"]), Position(**case["arriving"])) == case["relation"]


def test_a_top_is_rounded_up_to_a_watched_size() -> None:
    assert [round_up(case["asked"]) for case in VECTORS["tops"]] == [case["given"] for case in VECTORS["tops"]]


@pytest.mark.parametrize("case", EVENTS, ids=[case["name"] for case in EVENTS])
def test_what_happened_between_two_standings(case: dict[str, Any]) -> None:
    before = json.dumps([case["old"], case["next"]])
    assert events_between(case["old"], case["next"]) == case["events"]
    assert json.dumps([case["old"], case["next"]]) == before, "what was given is not altered"


class Troubled:
    """A server that answers as it is told, in order; None hangs up."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], Any] | None] = []
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        troubled = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                troubled.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(body or b"null")))
                answer = troubled.answers.pop(0)
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, told = answer
                text = json.dumps(told).encode()
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST  # noqa: N815 - its name for it

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def troubled(monkeypatch: pytest.MonkeyPatch) -> Iterator[Troubled]:
    monkeypatch.setattr(client_calls, "FIRST_WAIT_S", 0.0)
    server = Troubled()
    thread = Thread(target=server.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.server.shutdown()
    server.server.server_close()
    thread.join()


def test_a_submit_without_an_answer_is_sent_again_with_the_same_key(troubled: Troubled) -> None:
    troubled.answers = [None, (503, {"retry-after": "0"}, {"code": "overloaded"}), (201, {}, {"session_id": 1})]
    with Client(troubled.url, api_key="k") as client:
        assert client.submit(3, player="ada", subscore=None) == {"session_id": 1}
    assert [asked[2] for asked in troubled.asked] == [{"score": 3, "player": "ada"}] * 3
    assert len({asked[1]["idempotency-key"] for asked in troubled.asked}) == 1
    assert troubled.asked[0][1]["authorization"] == "Api-Key k"


async def test_the_other_client_does_the_same(troubled: Troubled) -> None:
    troubled.answers = [None, (201, {}, {"session_id": 1}), (422, {}, {"code": "score_out_of_range"}), None, None]
    async with AsyncClient(troubled.url, tries=2, token="t") as client:
        assert await client.submit(3) == {"session_id": 1}
        with pytest.raises(LeaderboardError) as refused:
            await client.submit(3)
        with pytest.raises(NoAnswer):
            await client.submit(3)
    assert (refused.value.code, refused.value.is_temporary, troubled.asked[0][1]["authorization"]) == (
        "score_out_of_range",
        False,
        "Bearer t",
    )


def test_it_waits_as_long_as_the_server_asks() -> None:
    error = LeaderboardError(429, {"code": "rate_limited"}, retry_after_s=7.0)
    assert client_calls.wait_s(error, 0, tries=2) == 7.0
    with pytest.raises(LeaderboardError):
        client_calls.wait_s(error, 1, tries=2)


def test_what_is_no_answer_of_ours_is_none(troubled: Troubled) -> None:
    call = client_calls.boards()
    with pytest.raises(NoAnswer):
        client_calls.answer(call, 200, "<html>", None)
    with pytest.raises(LeaderboardError, match="502"):
        client_calls.answer(call, 502, "<html>", None)


async def test_scores_and_ranks_of_the_real_service(stack: Stack) -> None:
    async with AsyncClient(stack.url, api_key=stack.api_key) as client:
        answer = await client.submit(10, player="a/b ü", leaderboards=["global"])
        assert answer["results"][0]["leaderboard"] == "global"
        assert (await client.rank("global", "a/b ü"))["player"] == "a/b ü"
        assert await client.rank("global", "nobody") is None
        assert "global" in [board["leaderboard"] for board in await client.boards()]
        assert [("session_id" in result) for result in await client.submit_many([{"player": "bo", "score": 5}, {"score": 1}])] == [
            True,
            False,
        ]
        assert (await client.around("global", "bo", limit=1))["player"] == "bo"
        assert (await client.board("global"))["operator"] == "sum"
    with Client(stack.url) as reader:
        assert reader.top("global", limit=1)["entries"][0]["rank"] == 1


async def test_a_watched_board_follows_the_scores(stack: Stack) -> None:
    stack.manage("create_board", "--game", "default", "--slug", "watched", "--operator", "best")
    async with AsyncClient(stack.url, api_key=stack.api_key) as client, asyncio.timeout(30):
        boards = watch(stack.url, "watched", top=100)
        await anext(boards)
        await client.submit(77, player="watched", leaderboards=["watched"])
        async for standings in boards:
            if any(row["player"] == "watched" for row in standings.rows):
                break
        assert standings.rows == (await client.top("watched", limit=100))["entries"]
        await boards.aclose()
        with pytest.raises(Refused, match="nowhere"):
            await anext(watch(stack.url, "nowhere"))


@pytest.mark.slow
async def test_it_asks_for_what_there_is_somebody_to_tell_and_again_when_it_resumes() -> None:
    """The server's end is played by hand."""
    asked: list[dict[str, Any]] = []

    async def play(socket: ServerConnection) -> None:
        asked.append(json.loads(await socket.recv()))
        frame = {"type": "snapshot", "leaderboard": "cup", "season": "all-time", "top": 3, "epoch": "e", "offset": len(asked), "total": 0}
        told = [{"type": kind, "leaderboard": board} for kind in ("pulse", "overtake", "around") for board in ("other", "cup")]
        for message in [*told, {**frame, "entries": []}]:
            await socket.send(json.dumps(message))
        await socket.close(1012)

    heard: list[tuple[str, str]] = []

    def hear(message: dict[str, Any]) -> None:
        heard.append((message["type"], message["leaderboard"]))

    async with serve(play, "127.0.0.1", 0) as server, asyncio.timeout(30):
        url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        boards = watch(url, "cup", top=2, player="ada", around=2, on_pulse=hear, on_around=hear, on_overtake=hear)
        assert [(await anext(boards)).position.offset for _ in range(2)] == [1, 2]
        await boards.aclose()
    wanted = {"type": "subscribe", "leaderboard": "cup", "top": 3, "around": 2, "player": "ada", "pulse": True}
    assert asked == [wanted, {**wanted, "since": {"epoch": "e", "offset": 1}}]
    assert heard == [("pulse", "cup"), ("overtake", "cup"), ("around", "cup")] * 2


async def test_two_to_follow_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="not both"):
        await anext(watch("http://127.0.0.1:1", "cup", player="ada", own=True))
