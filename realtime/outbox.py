"""What one socket is owed, and in which order it gets it.

Telling an outbox something never waits: replies go to a bounded queue, boards are only marked as owed, and as long as the wire
is ready each board is asked for its next message. So a wire that is ready has nothing waiting; a socket that does not read
holds up nobody, and gets one snapshot when it reads again.
"""

from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from leaderboard.domain.errors import Refusal, TooSlow
from leaderboard.feed import NOWHERE, Position
from realtime.board import Subscription
from realtime.limits import Options
from realtime.metrics import Counters
from realtime.protocol import CLOSE_CODES, CloseCode, error_text, heartbeat_text, status_text
from realtime.wire import Message, Wire

if TYPE_CHECKING:
    from realtime.desk import Bearer


class Outbox:
    """`is_live` says whether Redis is there; a socket with subscriptions is told when that changes."""

    __slots__ = (
        "_counters",
        "_heartbeat_due",
        "_is_live",
        "_options",
        "_owed",
        "_replies",
        "_told_live",
        "bearer",
        "closing",
        "of_one_board",
        "subscriptions",
        "wire",
    )

    def __init__(self, wire: Wire, *, is_live: Callable[[], bool], counters: Counters, options: Options) -> None:
        self.wire = wire
        self.subscriptions: dict[str, Subscription] = {}  # by slug
        self.bearer: Bearer | None = None  # who submits and watches private boards, if anybody
        self.closing = False
        self.of_one_board = False  # takes no commands: when its board is gone there is nothing to stay for
        self._is_live = is_live
        self._told_live = True
        self._counters = counters
        self._options = options
        self._replies: deque[Message] | None = None  # made when first needed: most sockets only watch
        self._owed: dict[Subscription, None] = {}  # in the order of their turns
        self._heartbeat_due = False

    @property
    def waiting(self) -> int:
        """Replies that the wire has not taken."""
        return len(self._replies) if self._replies else 0

    def begin(self, wire: Wire) -> None:
        """Go on with another wire. The board comes first, if it takes anything, whatever else was told meanwhile."""
        self.wire = wire
        if wire.ready and (message := self._next_owed()) is not None:
            wire.write(message)
            self._counters.messages_sent += 1
        self.flush()

    def push(self, text: bytes) -> None:
        """Queue a reply; when the queue is full it is dropped and counted."""
        self.push_message(Message(text))

    def push_message(self, message: Message) -> None:
        if self.waiting >= self._options.replies:
            self._counters.sends_dropped += 1
        else:
            self.tell(message)

    def answer(self, text: bytes) -> None:
        """Queue a reply that must not be dropped: whoever asks for these has a bound of its own."""
        self.tell(Message(text))

    def tell(self, message: Message) -> None:
        """The same for what many are told."""
        if self.wire.ready:
            self.wire.write(message)
            self._counters.messages_sent += 1
        elif not self.closing:
            if self._replies is None:
                self._replies = deque()
            self._replies.append(message)

    def owe(self, subscription: Subscription) -> None:
        """The board has moved, or the subscription is new."""
        self._owed[subscription] = None
        self.flush()

    def heartbeat(self) -> None:
        self._heartbeat_due = True
        self.flush()

    def probe(self) -> None:
        """Close a socket whose client gives no sign of life; ask for the next one."""
        if not self.closing and not self.wire.probe():
            self._counters.silent_closes += 1
            self._give_up(TooSlow("nothing came from the client, not even the answer to a ping"))

    def refuse(self, refusal: Refusal, *, leaderboard: str | None = None) -> None:
        """Say why, then close. What else is waiting is dropped."""
        self._counters.refused += 1
        self.close(CLOSE_CODES.get(refusal.code, CloseCode.RESTARTING), error_text(refusal, leaderboard=leaderboard))

    def close(self, code: CloseCode, last_word: bytes, *, impatient: bool = False) -> None:
        if not self.closing:
            self.closing = True
            self._replies = None
            self._owed.clear()
            self.wire.close(int(code), code.name.lower(), Message(last_word), impatient=impatient)

    def give_up_if_stuck(self, now: float) -> None:
        """Close as too slow if the wire has taken nothing for longer than the timeout. The hub asks this now and then."""
        since = self.wire.busy_since
        if since is not None and not self.closing and now - since >= self._options.send_timeout_s:
            self._counters.too_slow_closes += 1
            self._give_up(TooSlow())

    def flush(self) -> None:
        """Hand over what there is, as long as the wire takes it."""
        wire = self.wire
        while wire.ready and (message := self._next()) is not None:
            wire.write(message)
            self._counters.messages_sent += 1

    def _give_up(self, refusal: Refusal) -> None:
        self._counters.refused += 1
        self.close(CLOSE_CODES[refusal.code], error_text(refusal), impatient=True)

    def _next(self) -> Message | None:
        if self._replies:
            return self._replies.popleft()
        if self.subscriptions and self._told_live != self._is_live():
            self._told_live = not self._told_live
            return Message(status_text(self._told_live))
        return self._next_owed() or self._next_heartbeat()

    def _next_owed(self) -> Message | None:
        """Boards take turns, so that a busy one does not starve another."""
        while self._owed:
            subscription = next(iter(self._owed))
            del self._owed[subscription]
            message = subscription.next_message()
            if subscription.behind:
                self._owed[subscription] = None
            if message is not None:
                return message
        return None

    def _next_heartbeat(self) -> Message | None:
        """After everything owed, so that its positions are the ones this client has been brought to."""
        if not self._heartbeat_due:
            return None
        self._heartbeat_due = False
        return _heartbeat(tuple((slug, held.position) for slug, held in self.subscriptions.items() if held.position != NOWHERE))


@lru_cache(maxsize=64)
def _heartbeat(reached: tuple[tuple[str, Position], ...]) -> Message:
    """Most sockets of a beat are at the same places."""
    return Message(heartbeat_text(dict(reached)))
