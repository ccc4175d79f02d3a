"""`manage.py demo`: an arcade evening posted through REST, so that a board visibly moves.

The main thread takes plays from the simulation at their time and hands them to a few posting threads over a short queue. A
server that is slower than the evening fills the queue, the main thread waits, and the rate falls to what the server can do. A
server that is away is waited for; the evening goes on from where it was.
"""

import itertools
import math
import queue
import secrets
import statistics
import threading
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from leaderboard.management.client import Client, Refused, Stopped, board_path
from leaderboard.simulation import PLAYERS_LIMIT, Play, evening

BOARD = "global"  # where the evening is to be seen: the sums over all modes
POSTERS = 8  # threads: at 10 ms an answer they post 800 scores a second
QUEUED = 2 * POSTERS  # plays waiting for a thread; more would only be older
OPENING_ITEMS = 100  # scores a batch of the opening: small enough that the board fills before one's eyes
STATUS_S = 10.0
RATE_LIMIT = 1_000.0
SAMPLES = 1_000  # answer times that the median is of
STOPPING_S = 2.0  # for answers under way; the threads are daemons and die with the process
LOOK_UP_S = 0.2  # how often a thread that waits on the queue looks whether it is over
HICCUP_S = 1.0  # trouble that is over sooner is not worth a line
HOPELESS = frozenset({401, 403, 404, 405, 406})  # the key or the URL is wrong: every play would be refused


def players(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 2 <= int(text) <= PLAYERS_LIMIT:
        raise ArgumentTypeError(f"must be from 2 to {PLAYERS_LIMIT}")
    return int(text)


def rate(text: str) -> float:
    value = float(text)
    if not 0 < value <= RATE_LIMIT:
        raise ArgumentTypeError(f"must be above 0, at most {RATE_LIMIT:.0f}")
    return value


def seconds(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise ArgumentTypeError("must be above 0")
    return value


class Command(BaseCommand):
    help = "Post a simulated evening of an arcade through REST, until Ctrl-C or for --duration seconds."
    requires_system_checks: list[str] = []  # a client: the server may have quite another configuration

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", required=True, help="the server, as http://host:port")
        parser.add_argument("--api-key", required=True, metavar="KEY")
        parser.add_argument("--players", type=players, default=300, metavar="N", help="how many come by (default: 300)")
        parser.add_argument("--rate", type=rate, default=20.0, metavar="R", help="scores a second (default: 20)")
        parser.add_argument("--duration", type=seconds, default=threading.TIMEOUT_MAX, metavar="S", help="seconds (default: until Ctrl-C)")
        parser.add_argument("--seed", type=int, default=1, metavar="N", help="another seed is another cast (default: 1)")

    def handle(self, *args: Any, **options: Any) -> None:
        room = Room(options["url"], options["api_key"], say=self._say)
        try:
            client = room.client()
        except ValueError as error:
            raise CommandError(str(error)) from error
        closing_time = threading.Timer(options["duration"], room.stop.set)
        closing_time.daemon = True
        closing_time.start()
        try:
            _run(room, client, seed=options["seed"], players=options["players"], rate=options["rate"])
        except (Stopped, KeyboardInterrupt):
            pass  # closing time, Ctrl-C, or `room.hopeless`
        finally:
            closing_time.cancel()
            room.close()
            client.close()
        if room.hopeless is not None:
            raise CommandError(f"The server refused with {room.hopeless.code}: {room.hopeless.detail}")
        self._say(room.status())

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


class Room:
    """What the threads share: the queue, the counts, whether the server is away, and the end."""

    def __init__(self, url: str, api_key: str, *, say: Callable[[str], None]) -> None:
        self.stop = threading.Event()
        self.hopeless: Refused | None = None  # why it ended, if the server refuses for good
        self.say = say
        self._url, self._api_key = url, api_key
        self._plays: queue.Queue[tuple[str, Play]] = queue.Queue(QUEUED)
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()  # guards what follows
        self._began = time.monotonic()
        self._posted = 0
        self._last_status = (self._began, 0)  # when, and how many were posted by then
        self._refusals: Counter[str] = Counter()
        self._took_ms: deque[float] = deque(maxlen=SAMPLES)
        self._away_since: float | None = None
        self._quiet_until = 0.0

    def client(self) -> Client:
        """A client that waits for the server as long as it takes. Raises ValueError for a bad URL or key."""
        return Client(self._url, self._api_key, patience_s=math.inf, on_trouble=self._trouble, stop=self.stop)

    def open(self) -> None:
        self._threads = [threading.Thread(target=self._post_plays, daemon=True) for _ in range(POSTERS)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self.stop.set()
        deadline = time.monotonic() + STOPPING_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def put(self, key: str, play: Play) -> None:
        """Hand a play over; waits while the server is slower than the evening. Raises Stopped."""
        while not self.stop.is_set():
            try:
                return self._plays.put((key, play), timeout=LOOK_UP_S)
            except queue.Full:
                continue
        raise Stopped

    def post(self, client: Client, path: str, body: dict[str, Any], *, key: str) -> dict[str, Any] | None:
        """The answer, or None for a refusal, which is counted. Raises Stopped for one that every play would get."""
        began = time.monotonic()
        try:
            answer: dict[str, Any] = client.post(path, body, idempotency_key=key)
        except Refused as refused:
            if refused.status in HOPELESS:
                self.hopeless = refused
                self.stop.set()
                raise Stopped from refused
            self.count_refusal(refused.code)
            return None
        self._answered(1000 * (time.monotonic() - began))
        return answer

    def count_posted(self) -> None:
        with self._lock:
            self._posted += 1

    def count_refusal(self, code: str) -> None:
        with self._lock:
            self._refusals[code] += 1

    def status(self) -> str:
        """How it went, with the rate since this was last asked for."""
        with self._lock:
            now = time.monotonic()
            then, posted_then = self._last_status
            self._last_status = (now, self._posted)
            minutes, seconds = divmod(int(now - self._began), 60)
            median_ms = statistics.median(self._took_ms) if self._took_ms else 0.0
            refused = ", ".join(f"{code} {count}" for code, count in sorted(self._refusals.items())) or "none"
            return (
                f"{minutes:02}:{seconds:02}  {self._posted} scores, {(self._posted - posted_then) / (now - then):.1f} a second now, "
                f"median answer {median_ms:.0f} ms, refused: {refused}"
            )

    def _post_plays(self) -> None:
        client = self.client()
        try:
            while not self.stop.is_set():
                with suppress(queue.Empty):
                    key, play = self._plays.get(timeout=LOOK_UP_S)
                    if self.post(client, "/api/v1/scores/", _body(play), key=key) is not None:
                        self.count_posted()
        except Stopped:
            return
        finally:
            client.close()

    def _trouble(self, what: str, since_s: float) -> None:
        """Say once that the server is away. A limiter that lets some threads through is not worth a line each time."""
        with self._lock:
            now = time.monotonic()
            if since_s < HICCUP_S or self._away_since is not None or now < self._quiet_until:
                return
            self._away_since = now - since_s
        self.say(f"The server does not answer ({what}); waiting for it.")

    def _answered(self, took_ms: float) -> None:
        with self._lock:
            self._took_ms.append(took_ms)
            if self._away_since is None:
                return
            now = time.monotonic()
            away_s, self._away_since, self._quiet_until = now - self._away_since, None, now + STATUS_S
        self.say(f"The server answers again, after {away_s:.0f} s.")


def _run(room: Room, client: Client, *, seed: int, players: int, rate: float) -> None:
    """Post until stopped: raises Stopped."""
    run_id = secrets.token_hex(6)  # this evening's submits are not those of another evening with the same seed
    plays = evening(seed=seed, players=players, rate=rate, totals=_held(client))
    opening, play = _opening(plays)
    for start in range(0, len(opening), OPENING_ITEMS):
        _post_batch(room, client, opening[start : start + OPENING_ITEMS], key=f"demo-{run_id}-opening-{start}")
    room.say(room.status())
    room.open()
    due = time.monotonic()
    next_status = due + STATUS_S
    for number in itertools.count():
        due = max(due + play.delay_s, time.monotonic() - 1.0)  # a stall of a second is caught up with, an outage is not
        while (now := time.monotonic()) < due and not room.stop.wait(min(due, next_status) - now):
            next_status = _say_status(room, next_status)
        next_status = _say_status(room, next_status)
        room.put(f"demo-{run_id}-{number}", play)
        play = next(plays)


def _say_status(room: Room, due: float) -> float:
    """Say it if it is due; returns when it is due next."""
    now = time.monotonic()
    if now < due:
        return due
    room.say(room.status())
    return now + STATUS_S


def _held(client: Client) -> dict[str, int]:
    """What players have on the board from earlier evenings, so that the chase is after real gaps. Empty if there is no such board."""
    try:
        top = client.get(f"{board_path(BOARD)}top/?limit=1000")
    except Refused:
        return {}
    return {row["player"]: row["score"] for row in top["entries"]}


def _opening(plays: Iterator[Play]) -> tuple[list[Play], Play]:
    """What was played before the doors opened, and the first play after."""
    opening: list[Play] = []
    while not (play := next(plays)).delay_s:
        opening.append(play)
    return opening, play


def _post_batch(room: Room, client: Client, plays: list[Play], *, key: str) -> None:
    answer = room.post(client, "/api/v1/scores/batch/", {"scores": [_body(play) for play in plays]}, key=key)
    for result in answer["results"] if answer is not None else ():
        if "error" in result:
            room.count_refusal(result["error"]["code"])
        else:
            room.count_posted()


def _body(play: Play) -> dict[str, Any]:
    return {
        "player": play.player,
        "name": play.name,
        "score": play.score,
        "game_mode": play.game_mode,
        "metadata": play.metadata,
    }
