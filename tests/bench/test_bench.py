"""The bench's pieces: what it counts must be what was there."""

import asyncio
import contextlib
import itertools
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bench.cpu import ProcessGone, Usage, read_stat, usages
from bench.frames import FrameReader, Opcode, pong, text
from bench.helper import Helper, HelperError
from bench.http import AnswerReader, MalformedAnswer, header, request
from bench.load import Answered, Drive, Plan, Reads, Report, Submits, percentile, player, turns
from bench.report import Row, document, ratios, table, write
from bench.right import RightAnswer
from bench.runs import Run, Span, broken_off, per_entry, seen_after, summary
from bench.scenarios import CASES, FANOUT, NAMES, SUBMIT, WATCHED, Counts, Goal, chosen
from bench.servers import procfile
from bench.stock import MILLION, TEN_THOUSAND, Board, standing
from bench.talk import Talk, Talking
from bench.watch import Seen, Watch, Watched, Watching, together

ROOT = Path(__file__).resolve().parents[2]
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX: y\r\n\r\n{}"
EMPTY = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"
TAGGED = b'HTTP/1.1 200 OK\r\nETag: "x-7"\r\ncontent-length: 2\r\n\r\n{}'
UNCHANGED = b'HTTP/1.1 304 Not Modified\r\nETag: "x-7"\r\n\r\n'


def test_every_cut_of_a_stream_gives_the_same_answers():
    """The header is elsewhere in each of them, and comes in two spellings."""
    stream = CREATED + EMPTY + UNCHANGED + TAGGED + CREATED
    for cut in range(1, len(stream)):
        reader = AnswerReader()
        answers = [answer for part in (stream[:cut], stream[cut:]) for answer in reader.feed(part)]
        assert [(answer.status, answer.body) for answer in answers] == [(201, b"{}"), (204, b""), (304, b""), (200, b"{}"), (201, b"{}")]


def test_a_length_that_changes_in_its_place_is_read_anew():
    reader = AnswerReader()
    assert [len(reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n + b"x" * n)[0].body) for n in (2, 12, 3)] == [2, 12, 3]


def test_a_body_that_looks_like_a_header_is_none():
    body = b"\r\n" * 10 + b"Content-Length: 99\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    assert [told.body for told in AnswerReader().feed(answer * 2)] == [body, body]


def test_a_header_is_found_in_any_spelling():
    assert [header(TAGGED, name) for name in ("etag", "ETag", "Tag")] == ['"x-7"', '"x-7"', ""]


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n\r\n", b"SSH-2.0\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
)
def test_what_is_no_answer_is_not_counted_as_one(head: bytes):
    with pytest.raises(MalformedAnswer):
        list(AnswerReader().feed(head))


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
def test_a_frame_of_any_length_is_read_from_any_pieces(length: int):
    sizes = {**dict.fromkeys(range(126), b""), 126: b"\x7e", 65_535: b"\x7e", 65_536: b"\x7f"}
    width = {b"": 1, b"\x7e": 2, b"\x7f": 8}[sizes[length]]
    stream = (b"\x81" + sizes[length] + length.to_bytes(width, "big") + b"x" * length) * 2
    reader = FrameReader()
    pieces = [stream[:1], stream[1:3], stream[3 : length + 5], stream[length + 5 :]]
    assert [len(frame.payload) for piece in pieces for frame in reader.feed(piece)] == [length, length]


@pytest.mark.parametrize("length", [5, 125, 126, 300])
def test_a_message_is_a_masked_frame_that_a_server_reads(length: int):
    frame = text(b"x" * length)
    width = 0 if length < 126 else 2
    assert frame[1] == 0x80 | (length if not width else 126)
    assert int.from_bytes(frame[2 : 2 + width], "big") == (length if width else 0)
    assert frame[2 + width :] == b"\0\0\0\0" + b"x" * length


def test_a_pong_is_masked_as_a_client_must():
    assert pong(b"ab") == b"\x8a\x82\0\0\0\0ab"
    assert Opcode(pong(b"")[0] & 0x0F) is Opcode.PONG


# --- Requests ----------------------------------------------------------------------------------------------------------


def bodies(requests: Iterator[bytes], count: int) -> list[dict[str, object]]:
    return [json.loads(whole.partition(b"\r\n\r\n")[2]) for whole in itertools.islice(requests, count)]


def test_in_turn_each_player_comes_once_a_round():
    rounds = [body["player"] for body in bodies(Submits("k", 70, in_turn=True)(), 140)]
    assert sorted(rounds[:70]) == sorted(rounds[70:]) == [player(number) for number in range(70)]


@pytest.mark.slow
def test_of_a_large_board_the_players_who_submit_are_those_whom_the_server_has_met():
    asked = {str(body["player"]) for body in bodies(Submits("k", 100_000, in_turn=True)(), 20_000)}
    assert asked == {player(number) for number in turns(100_000)[:10_000]}


def test_a_batch_holds_as_many_scores_as_it_counts():
    (body,) = bodies(Submits("k", 1000, batch=100)(), 1)
    assert len(body["scores"]) == 100


@pytest.mark.slow
def test_no_idempotency_key_comes_twice_and_none_in_two_runs():
    plan = Submits("k", 10, keyed=True)
    keys = [line for run in (plan(), plan()) for whole in itertools.islice(run, 30_000) for line in whole.split(b"\r\n") if b"Idem" in line]
    assert len(set(keys)) == len(keys) == 60_000


def test_reads_name_players_of_the_board():
    asked = {whole.split()[1] for whole in itertools.islice(Reads(("/rank/{player}/",), players=3)(), 100)}
    assert asked == {b"/rank/player-000000/", b"/rank/player-000001/", b"/rank/player-000002/"}


def test_reads_of_several_kinds_take_turns():
    asked = [whole.split()[1] for whole in itertools.islice(Reads(("/rank/{player}/", "/top/"), players=1)(), 4)]
    assert asked == [b"/rank/player-000000/", b"/top/"] * 2


def test_every_score_of_a_mode_says_so():
    assert {body["game_mode"] for body in bodies(Submits("k", 10, game_mode="arcade")(), 100)} == {"arcade"}


def test_a_request_says_how_long_its_body_is():
    assert request("POST", "/x", api_key="k", body=b"{}").endswith(
        b"Authorization: Api-Key k\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )


# --- Load and watchers against real sockets -------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def http_server(*answers: bytes) -> AsyncIterator[int]:
    """Answers each request with the next of `answers`, around and around; its port."""
    turn = itertools.cycle(answers)
    talks = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.current_task())
        with contextlib.suppress(ConnectionResetError):
            while await reader.read(65_536):
                writer.write(next(turn))
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.wait_for(asyncio.gather(*talks), 20)
        await asyncio.sleep(0)  # that is when transports close


async def until_answered(drive: Drive | Talking, answered: int) -> Report:
    async with asyncio.timeout(20):
        while len(drive.tally.latencies) < answered:
            await asyncio.sleep(0.001)
    return drive.tally.report()


async def test_answers_of_another_status_are_failures_and_not_operations():
    problem = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull"
    async with http_server(CREATED, problem) as port:
        drive = Drive(Plan([port], Reads(("/",)), connections=1, expected=201))
        await drive.start()
        drive.tally.begin()
        report = await until_answered(drive, 50)
        await drive.stop()
    assert report.answered >= 50
    assert report.failed >= 49
    assert report.first_failure == "503: full"


async def test_a_paced_load_counts_its_latency_from_when_a_request_was_due():
    async with http_server(CREATED) as port:
        drive = Drive(Plan([port], Reads(("/",)), connections=1, expected=201, per_second=1e5, trace=True))
        await drive.start()
        drive.tally.begin()
        await until_answered(drive, 200)
        await drive.stop()
    dues = [answer.due for answer in drive.tally.answers]
    steps = [later - earlier for earlier, later in itertools.pairwise(dues)]
    assert all(math.isclose(step, 1e-5, abs_tol=1e-7) for step in steps), "as planned, not as the one connection was free"


async def test_connections_take_turns_so_that_none_is_idle_until_the_server_closes_it():
    """The last one back went first, the others were closed after five seconds, and the load died with them."""
    async with http_server(CREATED) as port:
        drive = Drive(Plan([port], Reads(("/",)), connections=3, expected=201, per_second=200.0))
        await drive.start()
        await until_answered(drive, 9)
        assert all(connection.sent_at > 0 for connection in drive.connections)
        await drive.stop()


async def test_a_paced_load_goes_on_without_a_connection_that_was_closed():
    async with http_server(CREATED) as port:
        drive = Drive(Plan([port], Reads(("/",)), connections=2, expected=201, per_second=500.0))
        await drive.start()
        drive.connections[0].close()
        report = await until_answered(drive, 20)
        await drive.stop()
    assert (report.failed, report.first_failure) == (1, "a connection was closed")


async def test_connections_are_spread_evenly_over_the_ports():
    async with http_server(CREATED) as one, http_server(CREATED) as other:
        drive = Drive(Plan([one, other], Reads(("/",)), connections=6, expected=201, per_second=200.0))
        await drive.start()
        peers = [connection.peer for connection in drive.connections]
        await until_answered(drive, 1)
        await drive.stop()
    assert sorted(peers) == sorted([one, other] * 3)


async def test_what_has_not_changed_is_asked_for_with_the_etag_of_the_last_answer():
    asked = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionResetError):
            while got := await reader.read(65_536):
                asked.append(got)
                writer.write(UNCHANGED if b'If-None-Match: "x-7"' in got else TAGGED)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        drive = Drive(Plan([port], Reads(("/top/",)), connections=1, expected=304, revalidate="/top/"))
        await drive.start()
        await until_answered(drive, 1)
        drive.tally.begin()
        report = await until_answered(drive, 5)
        await drive.stop()
        await asyncio.sleep(0)
    assert (report.failed, report.anew) == (0, 0), "the first was before the measured span"
    assert [b"If-None-Match" in got for got in asked[:4]] == [False, True, True, True]


async def test_an_answer_without_an_etag_fails_who_wants_to_revalidate():
    async with http_server(CREATED.replace(b"201 Created", b"200 OK")) as port:
        drive = Drive(Plan([port], Reads(("/top/",)), connections=1, expected=304, revalidate="/top/", per_second=500.0))
        await drive.start()
        async with asyncio.timeout(20):
            while not drive.tally.failed:
                await asyncio.sleep(0.001)
        await drive.stop()
    assert drive.tally.first_failure.startswith("no ETag")


async def test_an_answer_that_does_not_pass_its_check_is_a_failure():
    async with http_server(CREATED) as port:
        drive = Drive(Plan([port], Reads(("/",)), connections=1, expected=201, check=lambda body: f"wrong: {body.decode()}"))
        await drive.start()
        async with asyncio.timeout(20):
            while drive.tally.failed < 2:
                await asyncio.sleep(0.001)
        await drive.stop()
    assert (len(drive.tally.latencies), drive.tally.first_failure) == (0, "wrong: {}")


async def talked(answer: str, *, until: int) -> tuple[Report, int]:
    """What a talk over two sockets, three in flight on each, came to; and how many messages a server that waits for more got."""
    waiting: list[int] = []

    async def listen(socket: ServerConnection) -> None:
        assert socket.request is not None
        assert socket.request.headers["Authorization"] == "Api-Key k"
        await socket.send('{"type":"heartbeat","positions":{}}')
        ids = [json.loads(await socket.recv())["id"] for _ in range(3)]
        with pytest.raises(TimeoutError):  # three, and no more before one is answered
            await asyncio.wait_for(socket.recv(), 0.05)
        waiting.extend(ids)
        with contextlib.suppress(ConnectionClosed):
            while ids:
                await socket.send(answer % ids.pop())  # answers come in any order
                ids.append(json.loads(await socket.recv())["id"])

    async with serve(listen, "127.0.0.1", 0) as server:
        talk = Talking(Talk([server.sockets[0].getsockname()[1]], Submits("k", 10), sockets=2, in_flight=3))
        await talk.start()
        talk.tally.begin()
        async with asyncio.timeout(20):
            while len(talk.tally.latencies) + talk.tally.failed < until:
                await asyncio.sleep(0.001)
        report = talk.tally.report()
        await talk.stop()
    assert len(set(waiting)) == len(waiting), "an id came twice"
    return report, len(waiting)


@pytest.mark.slow
async def test_a_socket_has_as_many_scores_in_flight_as_were_asked_for():
    report, waiting = await talked('{"type":"submitted","id":%d,"player":"x","results":[]}', until=30)
    assert (report.answered >= 30, report.failed, waiting) == (True, 0, 6)


@pytest.mark.slow
async def test_an_answer_that_is_spelled_otherwise_is_read_as_well():
    report, _ = await talked('{"id": %d, "type": "submitted"}', until=30)
    assert (report.answered >= 30, report.failed) == (True, 0)


@pytest.mark.slow
async def test_a_refused_score_over_a_socket_is_a_failure_and_the_next_is_sent():
    report, _ = await talked('{"type":"error","code":"throttled","id":%d}', until=30)
    assert (report.answered, report.failed >= 30) == (0, True)
    assert "throttled" in report.first_failure


async def watched(*texts: str, sockets: int = 3) -> Watched:
    """What watchers that were shown offset 7 report of what they are sent then; a heartbeat ends it."""
    everybody, through = asyncio.Event(), asyncio.Semaphore(0)

    async def tell(socket: ServerConnection) -> None:
        await socket.send('{"type":"snapshot","epoch":"e","offset":7,"entries":[]}')
        await everybody.wait()
        for said in texts:
            await socket.send(said)
        await (await socket.ping())
        through.release()
        await socket.wait_closed()

    async with serve(tell, "127.0.0.1", 0) as server:
        watch = Watch(Watching([server.sockets[0].getsockname()[1]], "global", sockets=sockets, keep=1))
        await watch.start()
        watch.begin()
        everybody.set()
        async with asyncio.timeout(20):
            for _ in range(sockets):
                await through.acquire()
        told = watch.report()
        await watch.stop()
    return told


def delta(offset: int) -> str:
    return f'{{"type":"delta","epoch":"e","offset":{offset},"total":3,"changed":[]}}'


async def test_watchers_count_deltas_and_nothing_else():
    told = await watched(delta(8), '{"type":"heartbeat"}', delta(9))
    assert (told.deltas, told.missed, told.lost) == (6, 0, 0)
    assert told.bytes == 6 * len(delta(8))
    assert [[json.loads(seen.text)["type"] for seen in kept] for kept in told.kept] == [["snapshot", "delta", "heartbeat", "delta"]]


async def test_a_frame_that_did_not_come_is_missed_by_each_watcher():
    assert (await watched(delta(8), delta(11))).missed == 3 * 2


async def test_a_snapshot_in_place_of_deltas_counts_for_all_of_them():
    assert (await watched(delta(8), '{"type":"snapshot","epoch":"e","offset":12,"entries":[]}')).missed == 3 * 3


async def test_a_watcher_that_is_told_nothing_any_more_is_behind():
    """It has no gap in its offsets: only the others show what it misses."""
    everybody, turn = asyncio.Event(), itertools.count()

    async def tell(socket: ServerConnection) -> None:
        favoured = next(turn) == 0
        await socket.send('{"type":"snapshot","epoch":"e","offset":0,"entries":[]}')
        await everybody.wait()
        for offset in range(1, 31 if favoured else 2):
            await socket.send(delta(offset))
        await socket.wait_closed()

    async with serve(tell, "127.0.0.1", 0) as server:
        watch = Watch(Watching([server.sockets[0].getsockname()[1]], "global", sockets=2))
        await watch.start()
        watch.begin()
        everybody.set()
        async with asyncio.timeout(20):
            while watch.report().deltas < 31:
                await asyncio.sleep(0.001)
        told = watch.report()
        await watch.stop()
    assert told.missed == 30 - 1 - 10, "ten may be in the air"


def test_what_two_helpers_saw_is_told_as_one():
    one = Watched(deltas=5, bytes=50, missed=1, lost=0, seconds=2.0, kept=[[Seen(1.0, b"{}")]])
    assert together([one, replace(one, lost=3, kept=())]) == replace(one, deltas=10, bytes=100, missed=2, lost=3)


async def test_a_server_that_refuses_sockets_fails_the_start():
    async with http_server(EMPTY) as port:
        watch = Watch(Watching([port], "global", sockets=1))
        with pytest.raises(ConnectionError):
            await watch.start()
        await watch.stop()


# --- The helper process -----------------------------------------------------------------------------------------------


class Talker:
    """Reports more than a pipe holds at once."""

    async def start(self) -> None: ...

    def begin(self) -> None: ...

    def report(self) -> bytes:
        return b"x" * 5_000_000


class Broken(Talker):
    def __init__(self, where: str) -> None:
        self.where = where

    async def start(self) -> None:
        if self.where == "start":
            raise ValueError("no port")

    def report(self) -> bytes:
        raise ValueError("no figures")


@pytest.mark.slow
def test_a_report_longer_than_the_pipe_arrives_whole():
    """A non-blocking pipe cut it off, and the bench waited for the rest for ever."""
    with Helper(Talker) as helper:
        helper.begin()
        assert len(helper.end()) == 5_000_000


@pytest.mark.slow
def test_a_helper_that_can_not_start_says_why():
    with pytest.raises(HelperError, match="no port"), Helper(partial(Broken, "start")):
        pass


@pytest.mark.slow
def test_a_helper_that_can_not_report_says_why():
    with Helper(partial(Broken, "report")) as helper, pytest.raises(HelperError, match="no figures"):
        helper.end()


# --- CPU ----------------------------------------------------------------------------------------------------------------

BURN = "import time\nwhile time.process_time() < 0.4: pass\n"


@contextlib.contextmanager
def burning(script: str) -> Iterator[int]:
    """A child that runs the script, then waits; its process id, once the script is through."""
    script += "\nprint('done', flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid
        child.kill()


@pytest.mark.slow
def test_what_a_child_burns_is_counted():
    with burning(BURN) as pid:
        used = usages({"web": [pid], "idle": []})
    assert used["web"].cpu_s >= 0.35
    assert used["web"].rss_bytes > 2**20
    assert used["idle"] == Usage()


@pytest.mark.slow
def test_what_a_grandchild_burned_before_it_ended_is_counted():
    with burning(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])") as pid:
        assert usages({"postgres": [pid]})["postgres"].cpu_s >= 0.35


@pytest.mark.slow
def test_what_a_living_grandchild_burns_is_counted():
    child = f"{BURN}\nprint(1, flush=True)\ninput()"
    script = f"import subprocess, sys\np = subprocess.Popen([sys.executable, '-c', {child!r}], stdin=-1, stdout=-1)\np.stdout.readline()"
    with burning(script) as pid:
        assert usages({"postgres": [pid]})["postgres"].cpu_s >= 0.35


def test_a_process_that_has_ended_spoils_the_measurement():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    with pytest.raises(ProcessGone, match="web"):
        usages({"web": [done.pid]})


def test_a_process_name_may_look_like_anything():
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    fields = "S 7 1 1 0 -1 0 0 0 0 0 10 20 30 40 20 0 1 0 99 1000 3"
    parent, usage = read_stat(f"12 (a) S 5 (b c) {fields} 0 0")
    assert parent == 7
    assert usage.cpu_s == pytest.approx(100 * tick_s)
    assert usage.rss_bytes == 3 * os.sysconf("SC_PAGE_SIZE")


# --- From a span to figures -------------------------------------------------------------------------------------------------

REPORT = Report(answered=1000, failed=0, first_failure="", seconds=2.0, p50_ms=1.0, p99_ms=9.0)
BEFORE = {"web": Usage(1.0), "postgres": Usage(5.0), "watch": Usage(1.0), "client": Usage(3.0)}
AFTER = {"web": Usage(1.2, 2**20), "postgres": Usage(5.1), "watch": Usage(2.0), "client": Usage(4.0)}
WATCHERS = Watched(deltas=5000, bytes=5_000_000, missed=0, lost=0, seconds=2.0, kept=())


def span(**changed: object) -> Span:
    return replace(Span([REPORT], None, BEFORE, AFTER, 2.0), **changed)


def test_the_cost_is_cpu_of_the_servers_by_operation():
    run = summary(SUBMIT, span())
    assert run.cpu_us == {
        "web": pytest.approx(200),
        "postgres": pytest.approx(100),
        "watch": pytest.approx(1000),
        "client": pytest.approx(1000),
    }
    assert run.total_us == pytest.approx(1300), "the client's own time is no cost of the servers"
    assert (run.operations, run.per_second) == (1000, 500)


def test_a_request_of_many_scores_is_many_operations():
    run = summary(replace(SUBMIT, each=100), span())
    assert (run.operations, run.total_us) == (100_000, pytest.approx(13))


def test_delivery_is_told_beside_the_submit_path_and_not_in_it():
    run = summary(WATCHED, span(watched=WATCHERS))
    assert run.total_us == pytest.approx(300)
    assert (run.frames_per_s, run.frame_bytes) == (2500, 1000)


def test_a_frame_costs_what_the_sockets_process_spent():
    case = next(case for case in CASES if case.counts is Counts.FRAMES)
    assert summary(case, span(watched=WATCHERS)).total_us == pytest.approx(200)


def test_a_lost_socket_is_a_failure():
    assert summary(WATCHED, span(watched=replace(WATCHERS, lost=2))).failed == 2


def test_a_frame_that_did_not_come_is_a_failure_where_frames_are_counted():
    missed = replace(WATCHERS, missed=2)
    run = summary(FANOUT, span(watched=missed))
    assert (run.failed, run.first_failure) == (2, "2 frames did not come")
    assert summary(WATCHED, span(watched=missed)).failed == 0, "a slow reader may get a snapshot instead"


def test_a_socket_is_charged_with_what_its_process_holds_more_than_before():
    after = {**AFTER, "watch": Usage(2.0, 130 * 2**20)}
    run = summary(FANOUT, span(watched=WATCHERS, after=after, bare=Usage(0.5, 100 * 2**20)))
    assert run.socket_kib == pytest.approx(30 * 1024 / 1000)


def test_where_scores_are_to_be_seen_everybodys_scores_share_the_cost():
    case = next(case for case in CASES if case.counts is Counts.SEEN)
    stars = replace(REPORT, answered=100, answers=[answered(1.0, "ada", 10), answered(9.0, "bo", 1)])
    run = summary(case, span(reports=[REPORT, stars], watched=replace(WATCHERS, kept=[[shown(1.2, ada=10)], [shown(1.5, ada=10)]])))
    assert run.operations == 1100
    assert (run.p50_ms, run.p99_ms) == (pytest.approx(200), pytest.approx(500)), "each watcher's"


def test_a_score_that_one_of_the_watchers_did_not_see_is_a_failure():
    case = next(case for case in CASES if case.counts is Counts.SEEN)
    stars = replace(REPORT, answered=100, answers=[answered(1.0, "ada", 10), answered(9.0, "bo", 1)])
    run = summary(case, span(reports=[REPORT, stars], watched=replace(WATCHERS, kept=[[shown(1.2, ada=10)], [shown(1.5, ada=9)]])))
    assert (run.failed, run.first_failure) == (1, "1 scores were not seen")


def test_reads_that_are_mostly_answered_anew_are_not_what_was_to_be_measured():
    assert summary(SUBMIT, span(reports=[replace(REPORT, anew=500)])).failed == 0
    assert summary(SUBMIT, span(reports=[replace(REPORT, anew=501)])).first_failure == "501 of 1000 were answered anew"


# --- A rebuild under load ----------------------------------------------------------------------------------------------------

DONE = {"seconds": 4.0, "cpu_s": 2.0, "said": "[1/1] bench-1m: 1,000 entries"}
IDLE = Span([REPORT], None, {"redis": Usage(0.0), "tasks": Usage(0.0)}, {"redis": Usage(0.5), "tasks": Usage(0.0)}, 5.0)
BUSY = Span([REPORT], None, {"redis": Usage(1.0), "tasks": Usage(0.0)}, {"redis": Usage(3.0), "tasks": Usage(0.0)}, 10.0)


def test_a_rebuild_costs_what_is_spent_beyond_the_load_and_in_its_own_process():
    run = per_entry(summary(SUBMIT, BUSY), IDLE, BUSY, DONE, entries=1_000)
    assert run.cpu_us == {"redis": pytest.approx(1_000), "tasks": pytest.approx(2_000)}
    assert (run.total_us, run.per_second, run.failed) == (pytest.approx(3_000), 250, 0)


def test_a_rebuild_of_fewer_entries_than_there_are_is_a_failure():
    for said in ("[1/1] bench-1m: 999 entries", "[1/1] bench-1m: another rebuild is under way"):
        run = per_entry(summary(SUBMIT, BUSY), IDLE, BUSY, {**DONE, "said": said}, entries=1_000)
        assert (run.failed, run.first_failure) == (1, f"not the whole board: {said}")


def known(number: int, **changed: object) -> dict[str, object]:
    return {"player": player(number), "rank": standing(number, TEN_THOUSAND.players), "total": TEN_THOUSAND.players, **changed}


@pytest.mark.slow
@pytest.mark.parametrize("board", [TEN_THOUSAND, MILLION])
def test_known_ranks_are_each_given_once(board: Board):
    step = board.players // 10_000
    assert sorted(standing(number, board.players) for number in range(board.players))[::step] == list(range(1, board.players + 1, step))


def test_a_read_is_right_if_everybody_is_there_and_each_rank_is_the_known_one():
    is_right = RightAnswer(TEN_THOUSAND)
    pages = [known(5), {"entries": [known(5), known(6)], "total": 10_000}]
    assert [is_right(json.dumps(page).encode()) for page in pages] == ["", ""]


@pytest.mark.parametrize(
    "answer",
    [known(5, total=9_999), known(5, rank=1), {"entries": [known(5), known(6, rank=2)], "total": 10_000}, {"entries": [], "total": 10_000}],
)
def test_a_read_that_misses_somebody_or_has_a_wrong_rank_is_wrong(answer: dict[str, object]):
    assert RightAnswer(TEN_THOUSAND)(json.dumps(answer).encode())


def answered(due: float, who: str, total: int) -> Answered:
    return Answered(due, json.dumps({"player": who, "results": [{"total_score": total}]}).encode())


def shown(at: float, **scores: int) -> Seen:
    return Seen(at, json.dumps({"type": "delta", "changed": [{"player": who, "score": score} for who, score in scores.items()]}).encode())


def test_a_score_is_seen_with_the_first_message_that_holds_it():
    answers = [answered(1.0, "ada", 10), answered(1.1, "ada", 20), answered(1.2, "bo", 5), answered(9.0, "cy", 1)]
    kept = [shown(1.05, bo=4), shown(1.3, ada=20), shown(1.5, ada=30, bo=5), Seen(1.6, b'{"type":"heartbeat"}')]
    assert sorted(seen_after(answers, kept)) == [pytest.approx(wait) for wait in (0.2, 0.3, 0.3)]


def test_a_score_that_nobody_saw_counts_as_for_ever():
    assert seen_after([answered(1.0, "ada", 10), answered(9.0, "bo", 1)], [shown(2.0, ada=9)]) == [math.inf]


def test_the_percentile_is_a_latency_that_was():
    assert [percentile([1, 2, 3, 4], share) for share in (0.0, 0.5, 0.51, 0.99, 1.0)] == [1, 2, 3, 4, 4]
    assert math.isnan(percentile([], 0.5))


# --- The report --------------------------------------------------------------------------------------------------------------


def run_of(us: float, **changed: object) -> Run:
    run = Run(100, 1.0, 0, "", 100.0, us, {"web": us - 10, "watch": 5.0, "client": 1.0}, {"web": 50.0}, 1.25, 9.5)
    return replace(run, **changed)


def test_a_run_that_was_broken_off_is_the_worst_and_a_failure():
    rows = [Row(SUBMIT, [broken_off("no server"), run_of(100), run_of(200)]), Row(SUBMIT, [broken_off("no server")])]
    assert [row.median.total_us for row in rows[:1]] == [200]
    assert rows[1].median.failed == 1
    assert "MISSED" in table(rows[1:])


def test_a_goal_is_met_at_its_limit():
    assert [Goal(100).is_met(us) for us in (99.0, 100.0, 100.1, math.nan)] == [True, True, False, False]
    assert [Goal(100, at_least=True).is_met(rate) for rate in (99.0, 100.0, 100.1, math.nan)] == [False, True, True, False]
    assert [str(Goal(100)), str(Goal(200_000, "/s", at_least=True))] == ["<= 100 us", ">= 200,000 /s"]


def test_every_goal_is_of_a_figure_that_runs_have():
    goals = [goal for case in CASES for goal in case.goals]
    assert len(goals) > 10
    assert all(isinstance(getattr(run_of(1.0), goal.figure), float) for goal in goals)


def test_the_table_marks_goals_that_are_met_and_missed():
    said = table([Row(SUBMIT, [run_of(99.0)]), Row(SUBMIT, [run_of(101.0)]), Row(WATCHED, [run_of(1.0)])])
    assert ("<= 100 us met" in said, "<= 100 us MISSED" in said) == (True, True)


def test_a_row_tells_the_run_in_the_middle_whole():
    assert Row(SUBMIT, [run_of(300), run_of(100), run_of(200)]).median.cpu_us["web"] == 190


def test_the_table_lines_up_and_puts_in_parentheses_what_does_not_count():
    rows = [
        Row(replace(SUBMIT, goals=()), [run_of(99.44, cpu_us={"web": 89.44, "client": 1.0})]),
        Row(replace(WATCHED, sockets=100), [run_of(1234.5, frames_per_s=4321.0)]),
    ]
    lines = table(rows).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [cell.strip() for cell in lines[2].split("|")[1:7]] == ["submit", "c64", "99.4", "99..99", "", "89.4"]
    assert "1,234" in lines[3]
    assert "(5.0)" in lines[3]
    assert "4,321" in lines[3]
    assert "(5.0)" not in lines[2]


def test_ratios_are_told_of_what_was_measured_together():
    plain = next(case for case in CASES if case.baseline)
    assert ratios([Row(SUBMIT, [run_of(100)]), Row(plain, [run_of(5000)])]) == ["the plain way costs 50.0 times a submit"]
    assert ratios([Row(SUBMIT, [run_of(100)])]) == []


def test_every_ratio_is_of_cases_that_exist():
    assert len(ratios([Row(case, [run_of(100)]) for case in CASES])) == 3


def test_the_document_says_what_was_measured_where_and_of_which_commit(tmp_path: Path):
    told = document(
        [Row(WATCHED, [run_of(100)])], options={"runs": 1}, servers={"redis-server": "8"}, load=0.5, now=datetime(2026, 1, 2, tzinfo=UTC)
    )
    read = json.loads(write(told, tmp_path / "new" / "x.json").read_text())
    assert read["time"] == "2026-01-02T00:00:00+00:00"
    assert read["machine"]["cpus"] == os.cpu_count()
    assert {"python", "redis-server", "redis", "django", "uvicorn"} <= read["versions"].keys()
    assert read["scenarios"][0]["counted"] == ["web"]
    assert read["scenarios"][0]["runs"] == [read["scenarios"][0]["median"]]


def test_the_document_says_what_was_to_be_reached_and_has_null_for_what_is_no_number(tmp_path: Path):
    rows = [Row(SUBMIT, [run_of(120)]), Row(SUBMIT, [broken_off("gone")])]
    told = document(rows, options={}, servers={}, load=0.5, now=datetime(2026, 1, 2, tzinfo=UTC))
    first, second = json.loads(write(told, tmp_path / "x.json").read_text(), parse_constant=pytest.fail)["scenarios"]
    assert [(goal["limit"], goal["value"], goal["met"]) for goal in first["goals"] + second["goals"]] == [
        (100, 120, False),
        (100, None, False),
    ]


def test_scenarios_are_chosen_by_name_in_the_order_of_the_table():
    assert [case.title for case in chosen(["batch100", "submit"])] == ["submit c64", "submit c256", "batch100 c16"]
    assert chosen([]) == list(CASES)
    assert len({case.title for case in CASES}) == len(CASES)
    assert {case.scenario for case in CASES} == set(NAMES)


def test_the_procfile_has_what_the_bench_starts():
    commands = procfile()
    assert {"web", "worker", "beat"} <= commands.keys()
    assert "asgi:application" in commands["web"]
    assert all("exec " in commands[name] for name in ("web", "worker", "beat")), "else the process ids are a shell's"


@pytest.mark.slow
def test_the_command_measures_submits_and_writes_what_it_saw(tmp_path: Path):
    output = tmp_path / "result.json"
    command = [sys.executable, "-m", "bench", "submit", "--seconds", "1", "--runs", "1", "--warm-up", "1", "--output", str(output)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(output.read_text())
    assert [row["case"] for row in told["scenarios"]] == ["c64", "c256"]
    for row in told["scenarios"]:
        run = row["median"]
        assert run["failed"] == 0
        assert run["operations"] > 0
        assert run["p50_ms"] <= run["p99_ms"]
        assert all(run["cpu_us"][group] > 0 for group in ("web", "postgres", "redis", "client"))
        assert run["rss_mb"]["web"] > 10
        assert row["counted"] == ["postgres", "redis", "web", "tasks"]
    assert "| submit   | c64 " in done.stdout
    assert time.strptime(told["time"][:19], "%Y-%m-%dT%H:%M:%S")
