"""The rank order in Redis: derived from SQL, rebuilt whenever it is lost, never trusted over SQL.

In: entries as the store committed them. Out: ranks and pages in board order. The index knows keys
(smaller is better) and nothing of directions, names or seasons' meaning.

What an Index promises
- The order is `Entry.order` ascending, exact over the whole range of keys (+-(2**53-1)); ranks count from 1.
- A write carries the absolute value and the entry's version. A version that is not newer than
  the held one changes nothing, so writes may come twice, late and out of order.
- A board is *ready* when it holds every entry that SQL has, apart from writes under way. A board that is
  missing (new, flushed, any of its keys lost) or being rebuilt is *cold*: `place` still takes writes into a rebuild
  that is under way, but answers no ranks, and reads raise IndexCold. Nothing is ever answered
  from a half-filled board.
- `rebuild` streams the entries from the store while live traffic goes on, with a lease, so that two
  rebuilds do not run together and a dead one is taken over. Afterwards the board is ready.
- A write over several boards may reach some and fail for others: IndexUnavailable then, and coming again is harmless.
- All keys of one leaderboard share the hash tag {leaderboard id}, so leaderboards spread over a Redis Cluster.
- Every call ends within `timeout_ms` (of bulk work: each step within six times that) and raises IndexUnavailable then. After a
  failure the index counts as away for `retry_ms`: calls raise at once, so that a dead Redis costs nothing per submit.

What breaks the promise: a Redis that comes back with older data and the marker still set. The sweep sees that
the server's run id changed and calls `forget_all`.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from leaderboard.domain.ranking import Ranking
from leaderboard.domain.score import BoardId, Entry


class IndexUnavailable(Exception):
    """Redis did not answer in time or refused; SQL answers instead."""


class IndexCold(Exception):
    """The board is not complete in the index; SQL answers until it is rebuilt."""


class Placed(msgspec.Struct, frozen=True):
    """Where an entry stands after its write, and where it stood before it (None: nowhere)."""

    rank: int
    previous_rank: int | None


class Placing(msgspec.Struct, frozen=True):
    """The answer for one board of a batch: `places` in the batch's order, and how many the board holds."""

    places: tuple[Placed, ...]
    total: int


class Page(msgspec.Struct, frozen=True):
    """Consecutive entries; `first_rank` is the rank of the first one.

    `first_shared` is what it is ranked if equals share a rank; None if that was not asked for, or of a dense rank that is not told.
    """

    entries: tuple[Entry, ...]
    first_rank: int
    total: int
    first_shared: int | None = None


class Around(msgspec.Struct, frozen=True):
    """A player's entry with its neighbours, None if it is not on the board; and how many the board holds."""

    page: Page | None
    total: int


class Place(msgspec.Struct, frozen=True):
    """Where an entry stands; `shared_rank` as in a page."""

    entry: Entry
    rank: int
    shared_rank: int | None = None


class Found(msgspec.Struct, frozen=True):
    """Those of some players that are on the board, in its order, and how many it holds."""

    places: tuple[Place, ...]
    total: int


class Standing(msgspec.Struct, frozen=True):
    """Where a value would stand among `others` entries, and the entry just before it."""

    rank: int
    others: int
    ahead: Entry | None


class Mark(msgspec.Struct, frozen=True):
    """Up to which session and which edit the sweep has seen to it that the index has all, and on which server that was."""

    run_id: str
    session_id: int
    edit_id: int = 0


class Index(Protocol):
    """See the module's text for what every implementation promises."""

    async def place(self, batch: Mapping[BoardId, Sequence[Entry]]) -> dict[BoardId, Placing | None]:
        """Put entries into their boards' order; one round trip for the whole batch, O(k log n).

        None for a board that is cold. `rank` is the player's place after the batch (a large one: after its thousand), and
        `previous_rank` that before it. A write that moves nothing, ignored or not, gets the present rank as both. Of several
        entries of a player the newest counts. Raises IndexUnavailable.
        """
        ...

    def record(self, session_ids: Iterable[int]) -> None:
        """Note that nothing of these sessions is left to do, so that the sweep passes them by. Goes out with the next batch, or soon.

        Only after their entries were placed (on a cold board: answered None) *and* their boards marked dirty: a crash before
        this leaves both to the sweep, one after it has lost nothing. What fails is only written again.
        """
        ...

    async def recorded(self, words: Sequence[int]) -> dict[int, int]:
        """Which sessions were recorded, by the words of `leaderboard.index.ledger`; those of each word that is asked for."""
        ...

    async def top(self, board: BoardId, *, limit: int, offset: int = 0, ranking: Ranking = Ranking.ORDINAL) -> Page:
        """Raises IndexCold or IndexUnavailable, as do all reads of one board."""
        ...

    async def around(self, board: BoardId, user_id: int, *, limit: int, ranking: Ranking = Ranking.ORDINAL) -> Page | None:
        """The player's entry with up to `limit` on either side; None if it is not on the board."""
        ...

    async def arounds(self, wanted: Mapping[BoardId, Sequence[tuple[int, int]]]) -> dict[BoardId, list[Around] | None]:
        """`around` for many players (user id, how many on either side) of many boards, in the order asked; one round trip.

        None for a board that is cold. Fifty players of a board are as of one moment. Raises IndexUnavailable.
        """
        ...

    async def within(self, board: BoardId, low: int, high: int, *, limit: int, offset: int = 0, ranking: Ranking = Ranking.ORDINAL) -> Page:
        """Of the entries with score keys from `low` to `high`, both included, those from `offset` on."""
        ...

    async def find(self, wanted: Mapping[BoardId, Sequence[int]], *, ranking: Ranking = Ranking.ORDINAL) -> dict[BoardId, Found | None]:
        """The entries of these players, on each board as of one moment; one round trip for all boards. None for a board that is cold.

        Raises IndexUnavailable.
        """
        ...

    async def stand(self, board: BoardId, value: tuple[int, int], *, apart_from: int | None = None) -> Standing:
        """Where a value (score key, subscore key) would stand that came last of its equals; this player's own entry does not count."""
        ...

    async def rank(self, board: BoardId, user_id: int) -> Page | None:
        """A page of the one entry, None if it is not on the board."""
        ...

    async def count(self, board: BoardId) -> int: ...

    async def remove(self, board: BoardId, user_ids: Sequence[int], *, until: int = 0) -> None:
        """Take players off a board, after SQL has committed that. A rebuild under way starts again.

        `until` is the last session that is taken back: what a later one set stays, and for a day a write of what an earlier one
        set changes nothing, however late it comes and whatever its version is. Without it such a write puts the player back.
        """
        ...

    async def ready(self, boards: Sequence[BoardId]) -> list[bool]:
        """Which of the boards are complete; one round trip."""
        ...

    async def rebuild(self, board: BoardId, read: Callable[[], AsyncIterator[list[Entry]]]) -> int | None:
        """Fill the board anew and make it ready; the number of entries read, None if another rebuild holds the lease.

        `read` begins to read the board's entries from the store, each player once; best in board order: then what a walk
        meets lies together in memory, and a place on a board of a million costs two thirds. It is called again whenever
        the rebuild has to start again. Whatever it raises ends the rebuild. Raises IndexUnavailable also if it was made
        to start again too often.
        """
        ...

    def entries(self, board: BoardId, *, page: int = 1_000) -> AsyncIterator[list[Entry]]:
        """All entries in board order, by pages of ranks. For `check_index`; the board may move meanwhile."""
        ...

    async def forget(self, boards: Sequence[BoardId]) -> None:
        """Drop boards: they are cold afterwards."""
        ...

    async def forget_all(self) -> int:
        """Make every board cold and forget what was recorded; how many boards there were.

        Walks the whole keyspace in bounded steps: for the rare occasion.
        """
        ...

    async def boards(self) -> list[BoardId]:
        """The boards that hold anything. Walks the keyspace, as `forget_all` does."""
        ...

    async def mark(self) -> Mark | None:
        """The sweep's mark, None if it is lost: then nothing is known of this index."""
        ...

    async def set_mark(self, mark: Mark) -> None: ...

    async def server_run_id(self) -> str:
        """Changes when the Redis server is another one or was restarted."""
        ...

    async def ping(self) -> None: ...

    async def aclose(self) -> None: ...
