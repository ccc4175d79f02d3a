"""What one socket is owed, and the writer that hands it over.

Telling an outbox something never waits: replies go to a bounded queue, boards are only marked as owed, and the writer asks
each board for the next text when the socket can take it. So a socket that does not read holds up nobody, and gets one
snapshot when it reads again.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import Any

from leaderboard.domain.errors import Refusal, TooSlow
from leaderboard.feed import NOWHERE
from realtime.board import Subscription
from realtime.limits import Options
from realtime.metrics import Counters
from realtime.protocol import CLOSE_CODES, CloseCode, error_text, heartbeat_text, status_text

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Outbox:
    """`is_live` says whether Redis is there; a socket with subscriptions is told when that changes."""

    def __init__(self, *, is_live: Callable[[], bool], counters: Counters, options: Options) -> None:
        self.subscriptions: dict[str, Subscription] = {}  # by slug
        self.closing: tuple[CloseCode, str] | None = None  # with the last word
        self._is_live = is_live
        self._told_live = True
        self._counters = counters
        self._options = options
        self._replies: deque[str] = deque()
        self._owed: OrderedDict[Subscription, None] = OrderedDict()
        self._heartbeat_due = False
        self._ended = False
        self._wake = asyncio.Event()
        self._now = asyncio.get_running_loop().time
        self._sending_since: float | None = None
        self._patience: asyncio.Timeout | None = None  # one for the writer's life: one a send would cost a third of the send

    def push(self, text: str) -> None:
        """Queue a reply; when the queue is full it is dropped and counted."""
        if len(self._replies) >= self._options.replies:
            self._counters.sends_dropped += 1
            return
        self._replies.append(text)
        self._wake.set()

    def owe(self, subscription: Subscription) -> None:
        """The board has moved, or the subscription is new."""
        self._owed[subscription] = None
        self._wake.set()

    def heartbeat(self) -> None:
        self._heartbeat_due = True
        self._wake.set()

    def nudge(self) -> None:
        """Something that the writer looks up itself has changed."""
        self._wake.set()

    def refuse(self, refusal: Refusal) -> None:
        """Say why, then close. What else is waiting is dropped."""
        self._counters.refused += 1
        self.close(CLOSE_CODES.get(refusal.code, CloseCode.RESTARTING), error_text(refusal))

    def close(self, code: CloseCode, last_word: str) -> None:
        if self.closing is None:
            self.closing = (code, last_word)
        self._wake.set()

    def end(self) -> None:
        """The client is gone: nothing more is to be sent."""
        self._ended = True
        self._wake.set()

    def give_up_if_stuck(self) -> None:
        """Close as too slow if one send has been under way for longer than the timeout. The hub asks this now and then."""
        since, patience = self._sending_since, self._patience
        if since is not None and patience is not None and self._now() - since >= self._options.send_timeout_s:
            patience.reschedule(self._now())
            self._patience = None  # once: a scope that is ending must not be touched

    async def run(self, send: Send) -> None:
        """Hand over until the socket is closed or gone."""
        try:
            async with asyncio.timeout(None) as self._patience:
                await self._hand_over(send)
        except TimeoutError:
            self._counters.too_slow_closes += 1
            self.refuse(TooSlow())
        except (OSError, RuntimeError):  # how servers say that the client is gone
            self.end()
        finally:
            self._patience = None
        if self.closing is not None and not self._ended:
            await self._part(send, *self.closing)
        self.end()

    async def _hand_over(self, send: Send) -> None:
        while self.closing is None and not self._ended:
            text = self._next()
            if text is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            self._sending_since = self._now()
            await send({"type": "websocket.send", "text": text})
            self._sending_since = None
            self._counters.messages_sent += 1

    def _next(self) -> str | None:
        if self._replies:
            return self._replies.popleft()
        if self.subscriptions and self._told_live != self._is_live():
            self._told_live = not self._told_live
            return status_text(self._told_live)
        return self._next_owed() or self._next_heartbeat()

    def _next_owed(self) -> str | None:
        """Boards take turns, so that a busy one does not starve another."""
        while self._owed:
            subscription, _ = self._owed.popitem(last=False)
            text = subscription.next_text()
            if subscription.behind:
                self._owed[subscription] = None
            if text is not None:
                return text
        return None

    def _next_heartbeat(self) -> str | None:
        """After everything owed, so that its positions are the ones this client has been brought to."""
        if not self._heartbeat_due:
            return None
        self._heartbeat_due = False
        reached = {slug: held.position for slug, held in self.subscriptions.items() if held.position != NOWHERE}
        return heartbeat_text(reached)

    async def _part(self, send: Send, code: CloseCode, last_word: str) -> None:
        try:
            async with asyncio.timeout(self._options.close_grace_s):
                await send({"type": "websocket.send", "text": last_word})
                await send({"type": "websocket.close", "code": int(code), "reason": code.name.lower()})
        except (OSError, RuntimeError):  # a timeout is an OSError too: it is gone or will not listen
            return
