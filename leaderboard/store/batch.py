"""Group commit: what comes while a flush is under way is the next batch.

An idle store flushes at once, so a lone submit waits for nobody; under load batches grow by themselves until
they hold what comes during one commit. Clients that wait for an answer before they ask again would then come in two halves, each
asking while the other's batch is under way; so after a batch of several the next one may linger a moment for those who were just
answered. Every step costs O(1) per item, however many wait.
"""

import asyncio
import contextvars
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Generic, TypeVar

from leaderboard.domain.errors import Overloaded

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Ticket(Generic[Item, Outcome]):
    """One item on its way; identity is its key, hence no equality."""

    __slots__ = ("item", "owner", "told")

    def __init__(self, item: Item, owner: Hashable, told: Callable[[Outcome | BaseException], None]) -> None:
        self.item = item
        self.owner = owner
        self.told = told


class GroupCommit(Generic[Item, Outcome]):
    """Gathers items into batches and hands each to `flush`, which returns an outcome per item, in order.

    Promises
    - A batch holds at most `batch_limit` items and at most one per owner. An owner's items are flushed in the order
      they came, one after the other; other owners' items pass them by.
    - At most `in_flight` batches are under way at once.
    - With `linger_s`, what follows a batch of several waits until there are as many as that batch and those behind it held,
      and no longer than that; nothing waits after a batch of one.
    - At most `queue_limit` items wait; one more raises Overloaded at once and nothing of it is kept.
    - What `flush` raises, every item of that batch raises.
    - A caller that is cancelled takes its item out of the queue. If its flush has begun, the item lands
      all the same and nobody is told.

    An instance belongs to the event loop it is first used on.
    """

    def __init__(
        self,
        flush: Callable[[list[Item]], Awaitable[Sequence[Outcome]]],
        *,
        batch_limit: int,
        queue_limit: int,
        in_flight: int = 2,
        linger_s: float = 0.0,
    ) -> None:
        self._flush = flush
        self._batch_limit = batch_limit
        self._queue_limit = queue_limit
        self._in_flight = in_flight
        self._linger_s = linger_s
        self._lingering: asyncio.TimerHandle | None = None
        self._awaited = 0  # so many items end the lingering
        # Items that may go at once. An OrderedDict takes out of its middle and from its front in O(1).
        self._ready: OrderedDict[Ticket[Item, Outcome], None] = OrderedDict()
        # Owners with an item that is ready or in flight, and what of theirs comes after it (None: nothing yet).
        self._busy: dict[Hashable, OrderedDict[Ticket[Item, Outcome], None] | None] = {}
        self._waiting = 0
        self._flushes: set[asyncio.Task[None]] = set()
        self._pump_is_scheduled = False
        self._closing = False
        # A flush serves many requests: it must not run in the context (trace, log fields) of the one that came first.
        self._context = contextvars.Context()

    @property
    def waiting(self) -> int:
        """How many items wait for their flush to begin."""
        return self._waiting

    @property
    def flying(self) -> int:
        """How many batches are under way."""
        return len(self._flushes)

    def begin(self, item: Item, *, owner: Hashable, told: Callable[[Outcome | BaseException], None]) -> Ticket[Item, Outcome]:
        """Queue an item; `told` is called with its outcome, or with what `flush` raised. Raises Overloaded at once."""
        self._admit(1)
        return self._enqueue(item, owner, told)

    async def submit(self, item: Item, *, owner: Hashable) -> Outcome:
        """Wait until the item's batch is flushed. Raises Overloaded at once, or what `flush` raised."""
        outcome = (await self.submit_many([(item, owner)]))[0]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def submit_many(self, items: Sequence[tuple[Item, Hashable]]) -> list[Outcome | BaseException]:
        """Submit (item, owner) pairs in order, all or (Overloaded) none; what a `flush` raised is that item's value."""
        self._admit(len(items))
        gathered = _Gathered[Outcome](len(items))
        tickets = [self._enqueue(item, owner, partial(gathered.tell, place)) for place, (item, owner) in enumerate(items)]
        try:
            return await gathered.outcomes()
        except asyncio.CancelledError:
            for ticket in tickets:
                self._withdraw(ticket)
            raise

    async def aclose(self) -> None:
        """Refuse what comes from now on and wait until everything that was taken has been flushed."""
        self._closing = True
        self._pump()
        while self._flushes:
            await asyncio.wait(self._flushes)

    def _admit(self, count: int) -> None:
        if self._closing:
            raise Overloaded("This process is shutting down; try again")
        if self._waiting + count > self._queue_limit:
            raise Overloaded()

    def _enqueue(self, item: Item, owner: Hashable, told: Callable[[Outcome | BaseException], None]) -> Ticket[Item, Outcome]:
        ticket: Ticket[Item, Outcome] = Ticket(item, owner, told)
        self._waiting += 1
        if owner in self._busy:
            later = self._busy[owner]
            if later is None:
                later = self._busy[owner] = OrderedDict()
            later[ticket] = None
            return ticket
        self._busy[owner] = None
        self._ready[ticket] = None
        if self._lingering is not None and len(self._ready) >= self._awaited:
            self._linger_no_more()
        if self._lingering is None and not self._pump_is_scheduled and len(self._flushes) < self._in_flight:
            # Not at once: the other callers that this turn of the loop wakes shall be in the same batch.
            self._pump_is_scheduled = True
            asyncio.get_running_loop().call_soon(self._pump, context=self._context)
        return ticket

    def _withdraw(self, ticket: Ticket[Item, Outcome]) -> None:
        """Take a ticket out of the queue, if it still waits there."""
        if ticket in self._ready:
            del self._ready[ticket]
            self._waiting -= 1
            self._release(ticket.owner)
            return
        later = self._busy.get(ticket.owner)
        if later is not None and ticket in later:
            del later[ticket]
            self._waiting -= 1

    def _release(self, owner: Hashable) -> None:
        """The owner's item is done or gone: its next one may go."""
        later = self._busy[owner]
        if later:
            self._ready[later.popitem(last=False)[0]] = None
        else:
            del self._busy[owner]

    def _linger_no_more(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None

    def _pump(self) -> None:
        self._linger_no_more()
        self._pump_is_scheduled = False
        while self._ready and len(self._flushes) < self._in_flight:
            size = min(self._batch_limit, len(self._ready))
            batch = [self._ready.popitem(last=False)[0] for _ in range(size)]
            self._waiting -= size
            task = asyncio.get_running_loop().create_task(self._carry(batch))
            self._flushes.add(task)
            task.add_done_callback(partial(self._landed, size))

    def _landed(self, size: int, task: "asyncio.Task[None]") -> None:
        self._flushes.discard(task)
        self._awaited = min(size + len(self._ready), self._batch_limit)
        if self._linger_s == 0 or self._closing or size == 1 or len(self._ready) >= self._awaited:
            self._pump()
        elif self._lingering is None and not self._pump_is_scheduled:
            self._lingering = asyncio.get_running_loop().call_later(self._linger_s, self._pump, context=self._context)

    async def _carry(self, batch: list[Ticket[Item, Outcome]]) -> None:
        """Flush one batch and tell its callers; never raises but when it is itself cancelled."""
        try:
            outcomes: Sequence[Outcome | BaseException] = await self._flush([ticket.item for ticket in batch])
            if len(outcomes) != len(batch):
                raise RuntimeError(f"flush returned {len(outcomes)} outcomes for {len(batch)} items")
        except Exception as error:
            outcomes = [error] * len(batch)
        except BaseException:
            self._tell(batch, [asyncio.CancelledError()] * len(batch))
            raise
        self._tell(batch, outcomes)

    def _tell(self, batch: list[Ticket[Item, Outcome]], outcomes: Sequence[Outcome | BaseException]) -> None:
        for ticket, outcome in zip(batch, outcomes, strict=True):
            try:
                ticket.told(outcome)
            except Exception:
                log.exception("an answer could not be given")  # the others still can
            self._release(ticket.owner)


class _Gathered(Generic[Outcome]):
    """The outcomes of several items, whichever come first."""

    def __init__(self, count: int) -> None:
        self._told: dict[int, Outcome | BaseException] = {}
        self._count = count
        self._all = asyncio.get_running_loop().create_future()
        if count == 0:
            self._all.set_result(None)

    def tell(self, place: int, outcome: Outcome | BaseException) -> None:
        self._told[place] = outcome
        if len(self._told) == self._count and not self._all.done():
            self._all.set_result(None)

    async def outcomes(self) -> list[Outcome | BaseException]:
        await self._all
        return [self._told[place] for place in range(self._count)]
