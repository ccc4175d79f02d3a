"""When API keys were last used: noted in memory with each request, written now and then beside the requests.

It is for people who ask whether a key may go. To be minutes late is fine, and to lose one harmless, so nobody waits for it
and a database that is away is not asked again before the key's next turn.
"""

import asyncio
import logging
from datetime import datetime, timedelta

from leaderboard.domain.errors import StoreUnavailable
from leaderboard.store import Store

WRITE_EVERY = timedelta(minutes=5)  # per key and process: with twenty of them a row is written four times a minute

log = logging.getLogger(__name__)


class KeyUses:
    """Belongs to one event loop. Holds a moment per key that was ever used."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due: dict[int, datetime] = {}
        self._waiting: dict[int, datetime] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, key_id: int, now: datetime) -> None:
        """On the hot path: a look-up, but for one request in minutes. What comes while a write is under way goes with the next."""
        due = self._due.get(key_id)
        if due is not None and now < due:
            return
        self._due[key_id] = now + WRITE_EVERY
        self._waiting[key_id] = now
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def aclose(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, {}
                await self._store.note_key_uses(list(waiting.items()))
        except StoreUnavailable as error:
            self._waiting.clear()
            log.info("last uses of API keys are not written: %r", error)
        finally:
            self._writing = None
