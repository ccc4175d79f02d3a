"""One socket's conversation: what comes in is obeyed in order, what it asks for goes through its outbox.

Nothing here waits. What takes time (opening a board, finding a credential) holds the reading of this socket meanwhile; submits
do not: many may be under way, and their answers come as their commits do.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from leaderboard.domain.errors import BadMessage, InternalError, Refusal, TooMany
from leaderboard.services.submit import Answer
from realtime.desk import Desk, Outcome
from realtime.hub import Hub
from realtime.limits import TokenBucket
from realtime.outbox import Outbox
from realtime.protocol import (
    ENDING,
    PONG,
    Ack,
    BadSubmit,
    Command,
    Id,
    Submit,
    Subscribe,
    Unsubscribe,
    error_text,
    read_command,
    submitted_text,
)
from realtime.wanted import wanted_of
from realtime.wire import Wire

logger = logging.getLogger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]


class Session:
    """A wire's listener. `begin` gives it the wire."""

    __slots__ = ("_bucket", "_desk", "_full", "_holds", "_hub", "_now", "_tasks", "_under_way", "outbox", "wire")

    def __init__(self, hub: Hub, desk: Desk) -> None:
        self._hub, self._desk = hub, desk
        self._now = asyncio.get_running_loop().time
        options = hub.options
        self._bucket = TokenBucket(burst=options.message_burst, per_s=options.messages_per_s, now=self._now())
        self._holds = 0  # reasons not to read on
        self._under_way = 0  # submits that are not answered
        self._full = False
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, wire: Wire) -> None:
        self.wire = wire
        self.outbox: Outbox = self._hub.attach(wire)

    async def open(self, opening: Work) -> None:
        """What is to be done before the first command. A Refusal ends the socket."""
        self._hold()
        try:
            await opening()
        except Refusal as refusal:
            self.outbox.refuse(refusal)
        except Exception:
            self.outbox.refuse(InternalError())
            raise
        finally:
            self._release()

    # --- A listener --------------------------------------------------------------------------------------------------------

    def received(self, payload: bytes) -> None:
        """What a refusal of a command does to the socket is in `protocol.ENDING`."""
        try:
            self._obey(self._read(payload))
        except BadSubmit as refusal:
            self._tell(refusal.id, refusal)
        except Refusal as refusal:
            self._answer(refusal, ends=refusal.code in ENDING)

    def broken(self, refusal: BadMessage) -> None:
        self.outbox.refuse(refusal)

    def chatters(self) -> bool:
        fits = self._bucket.take(self._now())
        if not fits:
            self.outbox.refuse(TooMany("too many messages"))
        return fits

    def drained(self) -> None:
        self.outbox.flush()
        self._weigh()

    def lost(self) -> None:
        """Submits under way land all the same; only nobody is told."""
        self._hub.detach(self.outbox)
        for task in self._tasks:
            task.cancel()

    # --- Commands ----------------------------------------------------------------------------------------------------------

    def _read(self, payload: bytes) -> Command:
        """Cheapest checks first. Raises TooMany, BadMessage or BadSubmit. A key's submits are not chatter: they are what it is for."""
        if len(payload) > self._hub.options.message_bytes:
            raise BadMessage(f"a message may have {self._hub.options.message_bytes} bytes")
        trusted = self.outbox.bearer is not None and self.outbox.bearer.is_key
        if not trusted:
            self._count()
        command = read_command(payload)
        if trusted and not isinstance(command, Submit):
            self._count()
        return command

    def _count(self) -> None:
        if not self._bucket.take(self._now()):
            raise TooMany("too many messages")

    def _obey(self, command: Command) -> None:
        if isinstance(command, Submit):
            self._submit(command)
        elif isinstance(command, Subscribe):
            self._meanwhile(partial(self._subscribe, command))
        elif isinstance(command, Unsubscribe):
            self._hub.unsubscribe(self.outbox, command.leaderboard)
        elif isinstance(command, Ack):
            if subscription := self.outbox.subscriptions.get(command.leaderboard):
                subscription.acknowledge(command.offset)
        else:
            self.outbox.push(PONG)

    async def _subscribe(self, command: Subscribe) -> None:
        try:
            await self._hub.subscribe(self.outbox, command.leaderboard, wanted_of(command))
        except Refusal as refusal:
            self._answer(refusal, ends=refusal.code in ENDING, leaderboard=command.leaderboard)

    def _answer(self, refusal: Refusal, *, ends: bool, leaderboard: str | None = None) -> None:
        if ends:
            self.outbox.refuse(refusal, leaderboard=leaderboard)
        else:
            self._hub.counters.refused += 1
            self.outbox.push(error_text(refusal, leaderboard=leaderboard))

    def _meanwhile(self, work: Work) -> None:
        """Do it, and read on when it is done."""
        self._hold()
        task = asyncio.create_task(self._done(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _done(self, work: Work) -> None:
        try:
            await work()
        except Exception:
            logger.exception("a command failed")
            self.outbox.refuse(InternalError())
        finally:
            self._release()

    # --- Submits -----------------------------------------------------------------------------------------------------------

    def _submit(self, command: Submit) -> None:
        self._under_way += 1
        self._weigh()
        self._desk.submit(command, command.idempotency_key, bearer=self.outbox.bearer, told=partial(self._submitted, command.id))

    def _submitted(self, submit_id: Id | None, outcome: Outcome) -> None:
        self._under_way -= 1
        self._tell(submit_id, outcome)

    def _tell(self, submit_id: Id | None, outcome: Outcome) -> None:
        if isinstance(outcome, Answer):
            self.outbox.answer(submitted_text(outcome.body, submit_id=submit_id))
        else:
            if not isinstance(outcome, Refusal):
                logger.error("a submit failed", exc_info=outcome)
                outcome = InternalError()
            self._hub.counters.refused += 1
            self.outbox.answer(error_text(outcome, submit_id=submit_id))
        self._weigh()

    def _weigh(self) -> None:
        """Read no more than can be answered: an answer that the client does not take counts as one under way."""
        full = self._under_way + self.outbox.waiting >= self._hub.options.submits
        if full != self._full:
            self._full = full
            self._hold() if full else self._release()

    # --- Reading -----------------------------------------------------------------------------------------------------------

    def _hold(self) -> None:
        self._holds += 1
        if self._holds == 1:
            self.wire.pause_reading()

    def _release(self) -> None:
        self._holds -= 1
        if not self._holds:
            self.wire.resume_reading()
