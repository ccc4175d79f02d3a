"""One hub per process and event loop: watches boards on behalf of the local sockets.

In: frames from the channel layer, commands from consumers. Out: outboxes that are owed something.

The layer is at-most-once, so it is believed only as far as the numbers fit. A gap in the offsets fetches what is missing at
once; a poll of all positions, one round trip a second, finds what nothing arrived for. When the layer stays deaf its
subscription is made anew. Redis being away is a state: watchers are told once, the poll goes on, and afterwards every board
is caught up. Another look, once a second and whether or not Redis is there, drops who may not watch any more. Every wait has a
timeout, and every task is owned and cancelled here.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from leaderboard.domain.errors import Forbidden, LeaderboardNotFound, NotAuthenticated, Overloaded, Refusal, StoreUnavailable, TooMany
from leaderboard.feed import NOWHERE, FeedUnavailable, Frame, Position, State
from leaderboard.services.credentials import check_may_read
from realtime.board import Board, Standing, Step, Subscription
from realtime.limits import Options
from realtime.link import Layer, Link, LinkError
from realtime.metrics import Counters
from realtime.outbox import Outbox
from realtime.protocol import CloseCode, bye_text, error_text, is_slug
from realtime.pulse import Pulses
from realtime.source import OFFLINE, LeaderboardInfo, Source
from realtime.viewports import Viewports
from realtime.wanted import Wanted
from realtime.wire import Wire

if TYPE_CHECKING:
    from realtime.desk import Bearer

logger = logging.getLogger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class Hub:
    """`layer` must be the hub's own: it is flushed when it stays deaf. Create it where the loop runs."""

    def __init__(self, *, source: Source, layer: Layer, options: Options | None = None, clock: Callable[[], datetime] = _utc_now) -> None:
        self.options = options or Options()
        self.counters = Counters()
        self.live = True  # whether Redis answers
        self.closing = False
        self._started = False
        self._source, self._clock = source, clock
        self._boards: dict[int, Board] = {}
        self._outboxes: set[Outbox] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._deserted = asyncio.Event()
        known: dict[str, Any] = {"counters": self.counters, "options": self.options, "now": _loop_time}
        self._viewports = Viewports(source, **known)
        self._pulses = Pulses(source, presence=self._presence, **known)
        self._link = Link(layer, on_message=self._on_message, timeout_s=self.options.call_timeout_s)

    # --- Sockets -------------------------------------------------------------------------------------------------------

    def attach(self, wire: Wire) -> Outbox:
        """An outbox for a new socket; give it back with `detach`. While closing, it says bye at once; one too many is refused."""
        outbox = Outbox(wire, is_live=self._is_live, counters=self.counters, options=self.options)
        self._outboxes.add(outbox)
        self.counters.sockets += 1
        self._deserted.clear()
        if self.closing:
            self._say_bye(outbox)
        elif self.counters.sockets > self.options.sockets:
            outbox.refuse(Overloaded("this process holds as many sockets as it may"))
        elif not self._started:
            self._started = True
            self._spawn(self._poll())
            self._spawn(self._guard())
            self._spawn(self._beat())
            self._spawn(self._watch_slow())
            self._spawn(self._viewports.watch())
            self._spawn(self._viewports.welcome())
            self._spawn(self._pulses.run())
        return outbox

    def detach(self, outbox: Outbox) -> None:
        if outbox not in self._outboxes:
            return
        for slug in list(outbox.subscriptions):
            self.unsubscribe(outbox, slug)
        self._outboxes.discard(outbox)
        self.counters.sockets -= 1
        if not self._outboxes:
            self._deserted.set()

    def _is_live(self) -> bool:
        return self.live

    def presence(self) -> dict[str, int]:
        """How many sockets of this process watch each board."""
        return {board.info.slug: len(board.subscriptions) for board in self._boards.values()}

    def _presence(self) -> dict[int, int]:
        return {board.info.id: len(board.subscriptions) for board in self._boards.values() if board.subscriptions}

    async def subscribe(self, outbox: Outbox, slug: str, wanted: Wanted) -> None:
        """Owe the socket the board: the frames after `since` if they can be had, else a snapshot; then every frame.

        And, if wanted, its pulse, and the viewport of a player. A subscription to the same board is replaced.
        Raises LeaderboardNotFound, NotAuthenticated, Forbidden, TooMany, Overloaded or StoreUnavailable.
        """
        info = await self._resolve(slug)
        if not info.is_public:
            await self._check_may_watch(info, outbox.bearer)
        player = await self._viewed(wanted, outbox.bearer)
        if info.slug not in outbox.subscriptions and len(outbox.subscriptions) >= self.options.subscriptions:
            raise TooMany(f"at most {self.options.subscriptions} subscriptions per socket")
        board = self._board(info)
        board.arriving += 1
        try:
            await self._make_ready(board, wanted.since)
            if outbox in self._outboxes:  # it may have gone meanwhile
                subscription = Subscription(board, outbox, top=wanted.top, position=wanted.since or NOWHERE)
                self._begin(subscription, wanted, player)
        finally:
            board.arriving -= 1
            self._drop_if_unwatched(board)

    def unsubscribe(self, outbox: Outbox, slug: str) -> None:
        """Nothing happens if the socket does not watch it."""
        subscription = outbox.subscriptions.pop(slug, None)
        if subscription is None:
            return
        subscription.end()
        self._viewports.end(subscription)
        self._pulses.end(subscription)
        subscription.board.subscriptions.pop(outbox, None)
        self._drop_if_unwatched(subscription.board)

    def say_bye(self) -> None:
        """Tell every socket that this process goes away, and close it with 1012. New sockets hear the same."""
        self.closing = True
        for outbox in list(self._outboxes):
            self._say_bye(outbox)

    async def aclose(self) -> None:
        """Say bye to everybody and stop every task. Sockets that do not listen are left behind."""
        self.say_bye()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.options.close_grace_s if self._outboxes else 0):
                await self._deserted.wait()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._pulses.leave()
        await self._try_link(self._link.aclose)

    def _say_bye(self, outbox: Outbox) -> None:
        low, high = self.options.retry_in_ms
        pause = random.randint(low, high)  # noqa: S311 (spreads reconnects, guards nothing)
        outbox.close(CloseCode.RESTARTING, bye_text(CloseCode.RESTARTING, retry_in_ms=pause))

    # --- Opening a board -----------------------------------------------------------------------------------------------

    async def _resolve(self, slug: str) -> LeaderboardInfo:
        if not is_slug(slug):
            raise LeaderboardNotFound
        try:
            async with asyncio.timeout(self.options.state_timeout_s):
                info = await self._source.resolve(slug)
        except TimeoutError as error:
            raise StoreUnavailable from error
        if info is None:
            raise LeaderboardNotFound(f"no leaderboard {slug}")
        return info

    def _board(self, info: LeaderboardInfo) -> Board:
        if info.id not in self._boards:
            self._boards[info.id] = Board(info, ring=self.options.ring, counters=self.counters)
        return self._boards[info.id]

    async def _make_ready(self, board: Board, since: Position | None) -> None:
        if board.standing is None or not self.live:
            if board.opening is None or board.opening.done():
                board.opening = self._spawn(self._open(board))
            await asyncio.shield(board.opening)  # shared: one reader's leaving must not stop it
        if since is not None and self.live:
            await self._recover(board, since)

    async def _open(self, board: Board) -> None:
        """Join first, then read: a frame published in between arrives, and is known by its number."""
        if self.live:
            await self._join(board)
        state = await self._read_state(board)
        if state.epoch == OFFLINE:
            board.offline = Standing(board.info.slug, state)
            self._went_away()
            return
        board.offline = None
        if board.standing is None:
            board.restart(state)

    async def _read_state(self, board: Board) -> State:
        """Raises StoreUnavailable or LeaderboardNotFound."""
        try:
            async with asyncio.timeout(self.options.state_timeout_s):
                return await self._source.state(board.info.id)
        except (TimeoutError, FeedUnavailable) as error:
            raise StoreUnavailable from error

    async def _recover(self, board: Board, since: Position) -> None:
        """Get hold of the frames after `since`, if a short way back or ahead. What fails here ends in a snapshot."""
        ahead = since.epoch == board.position.epoch and since.offset > board.position.offset
        if ahead:  # the client was at a process that is a frame ahead of this one
            await asyncio.shield(self._catch_up_soon(board))
        elif board.history.missing(since):
            try:
                frames = await self._fetch(board, since)
            except FeedUnavailable:
                return
            board.recall(frames or ())

    def _begin(self, subscription: Subscription, wanted: Wanted, player: str | None) -> None:
        """Raises Overloaded, and then nothing has changed."""
        board, outbox = subscription.board, subscription.outbox
        if player is not None:
            self._viewports.check_room(instead_of=outbox.subscriptions.get(board.info.slug))
        self.unsubscribe(outbox, board.info.slug)  # replaced, if there is one
        outbox.subscriptions[board.info.slug] = subscription
        board.subscriptions[outbox] = subscription
        if not self.live and board.offline is not None:
            subscription.position = board.offline.state.position
            outbox.push_message(board.offline.message(subscription.top))
        else:
            outbox.owe(subscription)
        if wanted.pulse:
            self._pulses.begin(subscription)
        if player is not None and wanted.around is not None:
            self._viewports.begin(subscription, player=player, around=wanted.around)

    def _drop_if_unwatched(self, board: Board) -> None:
        if not board.watched and self._boards.get(board.info.id) is board:
            del self._boards[board.info.id]
            if not self.closing:
                self._spawn(self._try_link(lambda: self._link.leave(board.group)))

    async def _join(self, board: Board) -> None:
        if board.watched:  # else its leaving is over already, and nobody would undo this
            await self._try_link(lambda: self._link.join(board.group))

    # --- Frames --------------------------------------------------------------------------------------------------------

    async def _on_message(self, message: dict[str, Any]) -> None:
        board = self._boards.get(message["leaderboard"])
        if board is None:
            return  # left meanwhile
        try:
            frame = msgspec.json.decode(message["frame"], type=Frame)
        except msgspec.MsgspecError:
            self.counters.bad_frames += 1  # its number is missing now, so the poll fetches it
            return
        board.heard += 1
        self.counters.frames_heard += 1
        if board.standing is None:
            board.early = [*board.early[1 - self.options.ring :], frame]
            return
        step = board.take(frame)
        if step is Step.TAKEN:
            await self._wake(board)
        elif step is Step.GAP:
            self._catch_up_soon(board)

    async def _wake(self, board: Board) -> None:
        """Bring its watchers to where the board is, letting others run in between."""
        watching, batch = list(board.subscriptions.values()), self.options.notify_batch
        for start in range(0, len(watching), batch):
            if start:
                await asyncio.sleep(0)
            board.hand_out(watching[start : start + batch])

    # --- Catching up ---------------------------------------------------------------------------------------------------

    def _catch_up_soon(self, board: Board) -> asyncio.Task[None]:
        """One catching up per board at a time; asked again meanwhile, it looks once more."""
        if board.catching_up is None or board.catching_up.done():
            board.catching_up = self._spawn(self._catch_up(board))
        else:
            board.again = True
        return board.catching_up

    async def _catch_up(self, board: Board) -> None:
        try:
            await self._catch_up_once(board)
            while board.again:
                board.again = False
                await self._catch_up_once(board)
        except FeedUnavailable:
            self._went_away()
        except StoreUnavailable as error:  # the next poll tries again
            logger.warning("board %s can't be read: %s", board.info.slug, error)
        except LeaderboardNotFound as gone:
            self._forget(board, gone)

    async def _catch_up_once(self, board: Board) -> None:
        frames = await self._fetch(board, board.position)
        if frames is None or not self._take_all(board, frames):
            state = await self._read_state(board)
            if state.epoch == OFFLINE:
                self._went_away()
                return
            if board.behind(state.position):
                board.restart(state)
                self.counters.resyncs += 1
        await self._wake(board)

    def _take_all(self, board: Board, frames: list[Frame]) -> bool:
        """Whether the board could take or knew every one."""
        steps = [board.take(frame) for frame in frames]
        self.counters.caught_up += Step.TAKEN in steps
        return Step.GAP not in steps

    async def _fetch(self, board: Board, since: Position) -> list[Frame] | None:
        """Raises FeedUnavailable."""
        if board.standing is None:
            return None
        try:
            async with asyncio.timeout(self.options.call_timeout_s):
                return await self._source.frames_since(board.info.id, since)
        except TimeoutError as error:
            raise FeedUnavailable from error

    # --- Rights ----------------------------------------------------------------------------------------------------------

    async def _check_may_watch(self, info: LeaderboardInfo, bearer: "Bearer | None") -> None:
        """Raises NotAuthenticated, Forbidden or LeaderboardNotFound."""
        now = self._clock()
        check_may_read(info, (bearer.held(now) or await bearer.find(now)) if bearer is not None and bearer.of_game else None)

    async def _viewed(self, wanted: Wanted, bearer: "Bearer | None") -> str | None:
        """The player of the viewport, None if none is wanted. Raises NotAuthenticated, and Forbidden for who is no player."""
        if not wanted.own:
            return wanted.player
        if bearer is None:
            raise NotAuthenticated("own is the player whose credential the handshake brought; there was none")
        now = self._clock()
        credential = bearer.held(now) or await bearer.find(now)
        if credential.player is None:
            raise Forbidden("own is the player whose credential it is; this one is no player's")
        return credential.player.username

    async def _guard(self) -> None:
        """Rights end while sockets watch: keys are revoked, tickets expire, boards are made private."""
        while not self.closing:
            await asyncio.sleep(self.options.guard_s)
            try:
                await self._guard_once()
            except (StoreUnavailable, TimeoutError) as error:
                logger.warning("the rights of watchers can't be looked at: %s", error)
            except Exception:
                logger.exception("a look at the rights of watchers failed")

    async def _guard_once(self) -> None:
        boards = list(self._boards.values())
        if not boards:
            return
        async with asyncio.timeout(self.options.state_timeout_s):
            infos = await self._source.infos([board.info.id for board in boards])
        for board, info in zip(boards, infos, strict=True):
            if info is None or info.slug != board.info.slug:
                self._forget(board, LeaderboardNotFound(f"no leaderboard {board.info.slug}"))
            else:
                board.info = info
                if not info.is_public:
                    await self._drop_strangers(board)

    async def _drop_strangers(self, board: Board) -> None:
        """What is known was looked up just now, so a credential that is not held is none any more."""
        now = self._clock()
        for count, outbox in enumerate(list(board.subscriptions), 1):
            try:
                check_may_read(board.info, outbox.bearer.held(now) if outbox.bearer is not None else None)
            except Refusal as refusal:
                self._drop(board, outbox, refusal)
            if count % self.options.notify_batch == 0:
                await asyncio.sleep(0)

    def _drop(self, board: Board, outbox: Outbox, refusal: Refusal) -> None:
        """A socket that watches other boards goes on with them."""
        if outbox not in board.subscriptions:
            return  # gone meanwhile
        self.unsubscribe(outbox, board.info.slug)
        if outbox.subscriptions:
            self.counters.refused += 1
            outbox.push(error_text(refusal, leaderboard=board.info.slug))
        else:
            outbox.refuse(refusal, leaderboard=board.info.slug)

    def _forget(self, board: Board, gone: Refusal) -> None:
        """The leaderboard is no more: its watchers are told and watch it no longer."""
        for outbox in list(board.subscriptions):
            self.unsubscribe(outbox, board.info.slug)
            if outbox.of_one_board:
                outbox.refuse(gone, leaderboard=board.info.slug)
            else:
                outbox.push(error_text(gone, leaderboard=board.info.slug))

    # --- Polling, and Redis away ---------------------------------------------------------------------------------------

    async def _poll(self) -> None:
        """Ask for all positions again and again; with Redis away less and less often."""
        pause = self.options.poll_s
        while not self.closing:
            await asyncio.sleep(pause)
            try:
                await self._poll_once()
                pause = self.options.poll_s
            except FeedUnavailable:
                self._went_away()
                pause = min(2 * pause, self.options.poll_backoff_s)
            except Exception:
                logger.exception("a poll of the positions failed")

    async def _poll_once(self) -> None:
        """Raises FeedUnavailable."""
        boards = list(self._boards.values())
        if not boards:
            if not self.live:
                await self._came_back()  # nobody to tell; the next board to open finds out whether it is so
            return
        positions = await self._positions(boards)
        returned = not self.live
        if returned:
            await self._came_back()
            positions = await self._positions(boards)
        asked = zip(boards, positions, strict=True)
        behind = [board for board, position in asked if board.behind(position) and not board.being_opened]
        deaf = self._count_misses(boards, behind)
        await self._catch_up_all(behind)
        for board in boards if returned else ():
            await self._wake(board)  # those who got an offline snapshot are owed a live one, even if nothing changed
        if deaf:
            await self._recycle()
        for board in boards:
            if board.group not in self._link.joined:
                await self._join(board)

    async def _positions(self, boards: list[Board]) -> list[Position]:
        try:
            async with asyncio.timeout(self.options.call_timeout_s):
                return await self._source.positions([board.info.id for board in boards])
        except TimeoutError as error:
            raise FeedUnavailable from error

    def _count_misses(self, boards: list[Board], behind: Iterable[Board]) -> bool:
        """Whether some board has missed frames often enough, with none arriving. A frame in flight is heard by the next poll."""
        missed = set(behind)
        for board in boards:
            if board.heard:
                board.misses = 0
            elif board in missed:
                board.misses += 1
            board.heard = 0
        return any(board.misses >= self.options.misses_before_recycle for board in boards)

    async def _catch_up_all(self, boards: list[Board]) -> None:
        together = self.options.catch_up_together
        for start in range(0, len(boards), together):
            await asyncio.wait([self._catch_up_soon(board) for board in boards[start : start + together]])

    async def _recycle(self) -> None:
        self.counters.recycles += 1
        for board in self._boards.values():
            board.misses = 0
        await self._try_link(lambda: self._link.recycle([board.group for board in self._boards.values()]))

    def _went_away(self) -> None:
        if self.live:
            self.live = False
            self.counters.away += 1
            logger.warning("Redis is away: the live feed waits")
            self._nudge_all()

    async def _came_back(self) -> None:
        """The old subscription is not to be trusted, even if it looks alive."""
        await self._recycle()
        self.live = True
        logger.warning("Redis is back: the live feed goes on")
        self._nudge_all()
        for board in self._boards.values():
            board.offline = None

    def _nudge_all(self) -> None:
        for outbox in list(self._outboxes):
            outbox.flush()

    # --- Heartbeat and tasks -------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        """One timer for all sockets. Every few beats it asks for a sign of life, too."""
        beats = 0
        while not self.closing:
            await asyncio.sleep(self.options.heartbeat_s)
            beats += 1
            for count, outbox in enumerate(list(self._outboxes), 1):
                outbox.heartbeat()
                if beats % self.options.probe_every == 0:
                    outbox.probe()
                if count % self.options.notify_batch == 0:
                    await asyncio.sleep(0)

    async def _watch_slow(self) -> None:
        """Give up sockets that take nothing; a quarter of the timeout is how much later than it that may be."""
        now = asyncio.get_running_loop().time
        while not self.closing:
            await asyncio.sleep(self.options.send_timeout_s / 4)
            for outbox in list(self._outboxes):
                outbox.give_up_if_stuck(now())

    async def _try_link(self, work: Callable[[], Awaitable[None]]) -> None:
        """The layer may fail: the poll covers for it, and tries again."""
        try:
            await work()
        except LinkError as error:
            self.counters.link_failures += 1
            logger.warning("the channel layer failed: %s", error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reap)
        return task

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, Refusal):
            logger.error("a task of the hub failed", exc_info=error)
