"""Stand-ins for the neighbours of the last mile: a feed in memory that is away when its Redis is, and a watcher that checks
every message against the contract as a client would."""

import asyncio
import json
import random
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import msgspec
import uvicorn
from channels_redis.pubsub import RedisPubSubChannelLayer
from redis.asyncio import Redis
from redis.exceptions import RedisError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from leaderboard.domain.errors import LeaderboardNotFound, NotAuthenticated
from leaderboard.domain.snapshot import Delta, patch
from leaderboard.domain.viewport import View
from leaderboard.feed import NOWHERE, Attendance, FeedUnavailable, Position, State, group_name, wire
from realtime.limits import Options
from realtime.source import OFFLINE
from realtime.wanted import Wanted
from realtime.wire import AsgiWire
from tests.frames import as_told

PATIENCE_S = 20  # how long a test waits for what must come; only a failing test waits so long
CAST = [f"player{number:03}" for number in range(130)]


def row(rank, player, score, *, name=None):
    return {
        "rank": rank,
        "player": player,
        "name": name or player.title(),
        "score": score,
        "subscore": 0,
        "submissions": 1,
        "achieved_at": "2026-11-01T20:00:00Z",
    }


def ranked(scores, *, name=None):
    """Rows of a top 100 for `{player: score}`."""
    order = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:100]
    return [row(rank, player, score, name=name and name(player)) for rank, (player, score) in enumerate(order, 1)]


@dataclass
class Leaderboard:
    id: int
    slug: str
    game_id: int = 1
    is_public: bool = True
    states: list = field(default_factory=list)
    frames: list = field(default_factory=list)
    scores: dict = field(default_factory=dict)  # what viewports see
    mark: bytes = b""
    is_cold: bool = False
    taken: int = 0  # scores


PREFIX = "gl.test"  # of the layer's channels


class Arena:
    """A Source and the publisher that feeds it. `held` is how many frames the feed keeps."""

    def __init__(self, redis_url, *slugs, held=1000):
        self.boards = {slug: Leaderboard(id_, slug) for id_, slug in enumerate(slugs, 1)}
        self.held = held
        self.asked = []  # the calls that were made
        self.before_state = None  # awaited before a state is answered
        self.before_positions = None  # awaited before positions are answered
        self.after_frames = None  # awaited after frames were read, before they are answered
        self.after_state = None  # awaited after a state was read, before it is answered
        self.before_views = None  # awaited before viewports are read
        self.viewed = []  # what each reading of viewports asked for
        self.watching = {}  # what processes say of their watchers
        self.sql = ranked({"ada": 3, "bo": 2})  # what SQL says while Redis is away
        self._redis = Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1, retry=None)
        self.layer = make_layer(redis_url)

    async def aclose(self):
        await self._redis.aclose()
        await self.layer.flush()

    # --- Source

    async def resolve(self, slug):
        return self.boards.get(slug)

    async def infos(self, leaderboards):
        known = {board.id: board for board in self.boards.values()}
        return [known.get(leaderboard) for leaderboard in leaderboards]

    async def state(self, leaderboard):
        self.asked.append("state")
        if self.before_state:
            await self.before_state()
        board = self._of(leaderboard)
        try:
            await self._reach()
        except FeedUnavailable:
            return State(OFFLINE, 0, "all-time", len(self.sql), self.sql)
        if not board.states:
            self.store(board.slug, [], 0)
        state = board.states[-1]
        if self.after_state:
            await self.after_state()
        return state

    async def positions(self, leaderboards):
        self.asked.append("positions")
        if self.before_positions:
            await self.before_positions()
        await self._reach()
        known = {board.id: board.states[-1].position for board in self.boards.values() if board.states}
        return [known.get(leaderboard, NOWHERE) for leaderboard in leaderboards]

    async def frames_since(self, leaderboard, position):
        self.asked.append("frames_since")
        await self._reach()
        board = self._of(leaderboard)
        if not board.states or board.states[-1].epoch != position.epoch or position.offset > board.states[-1].offset:
            return None
        held = [frame for frame in board.frames[-self.held :] if frame.epoch == position.epoch and frame.offset > position.offset]
        whole = len(held) == board.states[-1].offset - position.offset
        if self.after_frames:
            await self.after_frames()
        return held if whole else None

    async def marks(self, leaderboards):
        self.asked.append("marks")
        await self._reach()
        return [self._of(leaderboard).mark for leaderboard in leaderboards]

    async def views(self, wanted):
        self.asked.append("views")
        self.viewed.append(list(wanted))
        if self.before_views:
            await self.before_views()
        await self._reach()
        return [self._view(viewed) for viewed in wanted]

    def _view(self, viewed):
        board = self._of(viewed.leaderboard)
        if board.is_cold:
            return None
        rows = ranked(board.scores)
        rank = next((row["rank"] for row in rows if row["player"] == viewed.player), None)
        seen = [row for row in rows if rank is not None and abs(row["rank"] - rank) <= viewed.around]
        return View("all-time", rank, len(rows), seen)

    async def attend(self, process, watching, *, asked, life_ms):
        self.asked.append("attend")
        await self._reach()
        self.watching[process] = dict(watching)
        return [
            Attendance(sum(said.get(leaderboard, 0) for said in self.watching.values()), self._of(leaderboard).taken)
            for leaderboard in asked
        ]

    async def _reach(self):
        try:
            async with asyncio.timeout(0.3):
                await self._redis.ping()
        except (RedisError, OSError) as error:
            raise FeedUnavailable from error

    def _of(self, leaderboard):
        found = next((board for board in self.boards.values() if board.id == leaderboard), None)
        if found is None:
            raise LeaderboardNotFound
        return found

    # --- Publisher

    def store(self, slug, rows, total, *, epoch=None, season="all-time"):
        """Number a frame without telling anybody; returns it."""
        board = self.boards[slug]
        old = board.states[-1] if board.states else None
        if old is None or epoch not in (None, old.epoch):
            state = State(epoch or f"{random.getrandbits(64):016x}", 0, season, total, rows)
        else:
            state = State(old.epoch, old.offset + 1, season, total, rows)
        frame = wire.frame_between(slug, old=old, new=state)
        board.states.append(state)
        board.frames.append(frame)
        return frame

    async def announce(self, slug, frame):
        message = {"type": "leaderboard.frame", "leaderboard": self.boards[slug].id, "frame": msgspec.json.encode(frame).decode()}
        with suppress(RedisError, OSError):  # as the publisher does: hubs catch up by their poll
            await self.layer.group_send(group_name(self.boards[slug].id), message)

    async def publish(self, slug, scores, *, epoch=None, name=None):
        frame = self.store(slug, ranked(scores, name=name), len(scores), epoch=epoch)
        await self.announce(slug, frame)
        return frame

    async def until_subscribed(self, slug, joined):
        """The layer does not wait until Redis has taken a subscription: what is published at once may be heard by nobody."""
        group = group_name(self.boards[slug].id) if slug in self.boards else None
        if group not in joined:
            return

        async def is_heard():
            try:
                return (await self._redis.pubsub_numsub(f"{PREFIX}__group__{group}"))[0][1] > 0
            except (RedisError, OSError):
                return True  # Redis is away, and that is what the test is about

        async with asyncio.timeout(PATIENCE_S):
            while not await is_heard():
                await asyncio.sleep(0.005)

    def change(self, slug, scores):
        """What viewports see, without a frame."""
        board = self.boards[slug]
        board.scores, board.mark = scores, b"%d" % (int(board.mark or b"0") + 1)

    def lose(self, slug):
        """As after FLUSHALL: nothing is known of the board."""
        self.boards[slug].states.clear()
        self.boards[slug].frames.clear()

    def newest(self, slug):
        return self.boards[slug].states[-1]


def make_layer(redis_url):
    return RedisPubSubChannelLayer(hosts=[redis_url], prefix=PREFIX)


async def eventually(condition):
    """Let the loop run until the condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


class Watcher:
    """What a client keeps of its boards, and the contract's promises about every message that comes."""

    def __init__(self):
        self.boards = {}  # slug -> (Position, rows, total)
        self.messages = []

    def of(self, kind):
        return [message for message in self.messages if message["type"] == kind]

    def take(self, text):
        message = as_told(json.loads(text))
        self.messages.append(message)
        if message["type"] == "snapshot":
            self._place(message, message["entries"])
        elif message["type"] == "delta":
            position, rows, _ = self.boards[message["leaderboard"]]
            assert (message["epoch"], message["offset"]) == (position.epoch, position.offset + 1), "a gap or a double"
            self._place(message, patch(rows, Delta(message["changed"], message["left"])))
        elif message["type"] == "heartbeat":
            for slug, told in message["positions"].items():
                assert Position(**told) == self.boards[slug][0], "a heartbeat ahead of its frames"
        return message

    def _place(self, message, rows):
        assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
        self.boards[message["leaderboard"]] = (Position(message["epoch"], message["offset"]), rows, message["total"])

    def shows(self, slug, state, *, top):
        return self.boards.get(slug) == (state.position, state.rows[:top], state.total)


class Client(Watcher):
    """A watcher over a real socket."""

    def __init__(self, connection):
        super().__init__()
        self.connection = connection

    async def send(self, **command):
        await self.connection.send(json.dumps(command))

    async def next(self, kind=None):
        """The next message (of that type)."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = self.take(await self.connection.recv())
                if kind in (None, message["type"]):
                    return message

    async def until(self, condition):
        while not condition():
            await self.next()

    async def rest(self):
        """All that comes until the socket is closed; the close code."""
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionClosed):
                while True:
                    self.take(await self.connection.recv())
        return self.connection.close_code


OURS, STOCK = "realtime.server:SocketServer", "websockets-sansio"


class InMemory:
    """An AsgiWire whose listener is an outbox: for tests of what is said, without a socket. `run` must be awaited by somebody."""

    def __init__(self, send, options=None):
        self.outbox = None
        self.wire = AsgiWire(send, self, options or Options())

    def drained(self):
        self.outbox.flush()

    def lost(self):
        pass


class Socket(Watcher):
    """An attached outbox whose texts go to a watcher. `gate` holds the sends back while it is cleared."""

    def __init__(self, hub):
        super().__init__()
        self.hub = hub
        self.gate = asyncio.Event()
        self.gate.set()
        self.closed_with = None
        self._line = InMemory(self._send, hub.options)
        self.outbox = self._line.outbox = hub.attach(self._line.wire)
        self._writer = asyncio.create_task(self._line.wire.run())

    async def _send(self, message):
        await self.gate.wait()
        if message["type"] == "websocket.close":
            self.closed_with = message["code"]
        else:
            self.take(message["text"])

    async def watch(self, slug="arcade", *, top=10, since=None, **more):
        await self.hub.subscribe(self.outbox, slug, Wanted(top, since, **more))
        await self.hub._source.until_subscribed(slug, self.hub._link.joined)

    async def leave(self):
        self.hub.detach(self.outbox)
        self._line.wire.end()
        self.gate.set()
        await self._writer


def quiet_wire():
    async def send(message):
        pass

    return InMemory(send).wire


class NoDesk:
    """Nobody can hand in anything here."""

    async def admit(self, scope):
        return None

    def submit(self, asked, key, *, bearer, told):
        told(NotAuthenticated())


class Server:
    """A real uvicorn on a free port, in this loop, with small socket buffers so that a slow reader shows soon.

    `ws` is its WebSocket class: with our own the sockets are taken over, with uvicorn's they are ASGI's to the end. `http` likewise;
    `api` is the handler that ours goes to.
    """

    def __init__(self, application, *, ws=OURS, http="auto", api=None):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        self.port = self._socket.getsockname()[1]
        known = {"lifespan": "off", "log_config": None, "log_level": "warning", "timeout_graceful_shutdown": 1}
        self._config = uvicorn.Config(application, ws=ws, http=http, **known)
        self._state = {} if api is None else {"api": api}
        self.uvicorn = uvicorn.Server(self._config)

    async def start(self):
        """Without uvicorn's signal handlers, and without its loop that looks ten times a second whether to stop."""
        self._config.load()
        self.uvicorn.lifespan = self._config.lifespan_class(self._config)
        self.uvicorn.lifespan.state.update(self._state)
        await self.uvicorn.startup(sockets=[self._socket])

    async def stop(self):
        await self.uvicorn.shutdown(sockets=[self._socket])

    @asynccontextmanager
    async def client(self, path="/ws/", *, lazy=False, headers=None, ping_interval=20, **more):
        """`lazy` reads only when asked to, with the smallest buffers."""
        options = {"max_queue": 1} if lazy else {"max_queue": None}
        options |= {"additional_headers": headers, "ping_interval": ping_interval, "compression": None, "proxy": None, **more}
        wire_socket = socket.socket()
        if lazy:
            wire_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        wire_socket.setblocking(False)
        await asyncio.get_running_loop().sock_connect(wire_socket, ("127.0.0.1", self.port))
        async with connect(f"ws://127.0.0.1:{self.port}{path}", sock=wire_socket, **options) as connection:
            yield Client(connection)
