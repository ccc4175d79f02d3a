"""SQL of the hot path. SQL is the truth: what is committed here has happened, all else is derived.

In: checked submissions and questions about boards. Out: what each submission became, and entries in
board order. One interface (`Store`), two dialects: `postgres` (asyncpg) and `sqlite`. No rule lives
here that is not in `leaderboard.domain`, and both dialects are held to one contract suite.

What a Store promises
- `commit` is one transaction: when it returns, every `Landed` in its answer is durable; when it
  raises, nothing of the batch is (or, for `StoreUnavailable`, the outcome is unknown).
- A batch holds at most one submission per user (the caller sees to that; `batch.GroupCommit`
  does). Sessions get ids in the batch's order, and a later commit by the same process gets larger ones.
- Rows are locked in one order (session keys, then entries by operator, board and user), so concurrent processes do not
  deadlock; should one all the same, the store tries again.
- A submission whose (submitter, idempotency key) exists already stores nothing and yields `Repeated`.
- If one submission cannot be stored (its sum would leave +-(2**53-1)), it alone yields `Refused`
  and stores nothing on any of its boards; the others land.
- The definitions that a batch was checked against are named by `catalog_version`. If they changed since,
  nothing is stored and `StaleCatalog` is raised: reload, check again, commit again.
- Reads see every commit that returned before they began. Order and rank are the domain's
  `Entry.order`, ascending; ranks count from 1.
- Every call ends within a timeout and raises `StoreUnavailable` then; a cancelled call does not leave a
  connection in a broken state.

What breaks the promise: writing to the tables by hand without `rebuild_index` afterwards; changing a board's
rules without recomputing its entries.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from leaderboard.domain.definition import Definition, Submission
from leaderboard.domain.errors import Refusal
from leaderboard.domain.race import Race, Racer
from leaderboard.domain.replay import Edit, Play
from leaderboard.domain.score import BoardId, Entry, Order


class StaleCatalog(Exception):
    """The definitions changed since `catalog_version`; nothing was stored."""


class Result(NamedTuple):
    """What a submission did to one board: the place of the entry before, None if there was none, and the entry after."""

    board: BoardId
    before: Order | None
    current: Entry


class Landed(NamedTuple):
    """Stored now. `results` has one item per board it feeds, in the submission's order."""

    session_id: int
    results: tuple[Result, ...]


class Repeated(msgspec.Struct, frozen=True):
    """The idempotency key was used before: the session it made, and the answer given if one was kept."""

    session_id: int
    user_id: int
    fingerprint: bytes
    answer: bytes | None


class Refused(msgspec.Struct, frozen=True):
    refusal: Refusal


Outcome = Landed | Repeated | Refused


class KeyRecord(msgspec.Struct, frozen=True):
    """An API key as the catalog holds it. `digest` is the SHA-256 of the whole key."""

    id: int
    game_id: int
    digest: bytes
    scopes: tuple[str, ...]
    expires_at: datetime | None
    prefix: str = ""
    signed_only: bool = False


class Catalog(msgspec.Struct, frozen=True):
    """Everything that a submit is checked against, as of one version."""

    version: int
    games: dict[str, int]  # slug -> id
    definitions: tuple[Definition, ...]  # all leaderboards, inactive ones too
    keys: tuple[KeyRecord, ...]  # keys that are not revoked


class Player(msgspec.Struct, frozen=True):
    id: int
    username: str
    name: str  # to show: "first last", else the username


class SessionRecord(msgspec.Struct, frozen=True):
    """One stored game session, as `session` returns it."""

    id: int
    user_id: int
    game_id: int
    score: int
    subscore: int
    game_mode: str
    timestamp: datetime


class EditRecord(msgspec.Struct, frozen=True):
    """A moderator's edit of an entry, as far as the index has to know it."""

    id: int
    board: BoardId
    user_id: int
    until_session: int
    is_removal: bool


class PlayRecord(SessionRecord, frozen=True):
    """A session with what was sent along (JSON text) and the credential that submitted it."""

    metadata: str
    submitter: str


class LastEdit(msgspec.Struct, frozen=True):
    """A moderator's word on an entry: what the player held after `until_session`; a score of None: nothing."""

    until_session: int
    score: int | None
    subscore: int
    created_at: datetime


class Replacement(NamedTuple):
    """A leaderboard whose rules change, together with all its entries. `definition` has the new rules.

    The entries were made from the sessions up to `after` and the edits up to `last_edit`. `held_only`: players that hold no entry
    get none. `moved` goes into the re-ranking's row.
    """

    reranking_id: int
    definition: Definition
    after: int
    last_edit: int
    held_only: bool
    moved: int
    now: datetime


class EditedMeanwhile(Exception):
    """A moderator edited an entry since the new ones were made; nothing was replaced."""


Seasoned = tuple[int, Entry]  # the season, and an entry of it
CatchUp = Callable[[list[Play]], list[Seasoned]]

COUNT_ALL = 2**62  # more entries than there can be


class Store(Protocol):
    """See the module's text for what every implementation promises."""

    async def commit(self, batch: Sequence[Submission], *, catalog_version: int) -> list[Outcome]:
        """Store a batch in one transaction; one outcome per submission, in order.

        Raises StaleCatalog or StoreUnavailable.
        """
        ...

    async def keep_answer(self, answers: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """Keep the answer of each (session id, answer) unless one is kept; return the kept ones, in order."""
        ...

    async def catalog(self) -> Catalog: ...

    async def catalog_version(self) -> int:
        """Changes whenever a game, leaderboard or API key does (database triggers see to it)."""
        ...

    async def ensure_players(self, players: Sequence[tuple[str, str]]) -> dict[str, Player]:
        """Find or create a user per (username, name to show); by username. A user found keeps its name."""
        ...

    async def players(self, user_ids: Sequence[int]) -> dict[int, Player]:
        """The users of these ids, by id; unknown ids are left out."""
        ...

    async def players_named(self, usernames: Sequence[str]) -> dict[str, Player]:
        """The users of these names, by name; those that there are not are left out."""
        ...

    async def session(self, session_id: int) -> SessionRecord | None: ...

    async def plays_before(self, user_id: int, game_id: int, *, before: SessionRecord | None, limit: int) -> list[PlayRecord]:
        """A player's sessions in a game, the newest first; with `before`, one of them: those older than it."""
        ...

    async def plays_between(self, user_id: int, game_id: int, since: datetime, until: datetime, *, limit: int) -> list[PlayRecord]:
        """A player's sessions in a game with since <= time < until, the oldest first."""
        ...

    async def last_edit(self, board: BoardId, user_id: int) -> LastEdit | None:
        """The last moderator's word on this entry."""
        ...

    async def top(self, board: BoardId, *, limit: int, offset: int = 0) -> list[Entry]:
        """Entries ranked offset+1 .. offset+limit."""
        ...

    async def entry(self, board: BoardId, user_id: int) -> Entry | None: ...

    async def around(self, board: BoardId, entry: Entry, *, limit: int) -> tuple[list[Entry], list[Entry]]:
        """Up to `limit` entries just better than `entry` and up to `limit` just worse, each in board order."""
        ...

    async def within(self, board: BoardId, low: int, high: int, *, limit: int, offset: int = 0) -> list[Entry]:
        """In board order, of the entries with score keys from `low` to `high`, both included, `limit` from `offset` on."""
        ...

    async def find(self, wanted: Sequence[tuple[BoardId, int]]) -> list[tuple[BoardId, Entry]]:
        """The entries of these (board, user id), in any order; those that there are not are left out. One statement."""
        ...

    async def ties(self, board: BoardId, entries: Sequence[Entry]) -> list[int]:
        """How many of the same score and subscore stand before each. One statement each, as dear as what it counts: 0.1 s a million."""
        ...

    async def values(self, board: BoardId, *, places: int) -> list[tuple[int, int]]:
        """The different (score key, subscore key) that begin within the first `places` entries, best first."""
        ...

    async def count(self, board: BoardId, *, limit: int = COUNT_ALL) -> int:
        """How many entries the board has. Counting stops at `limit`: a million entries take 0.1 s."""
        ...

    async def ranks(self, wanted: Sequence[tuple[BoardId, Entry]]) -> list[int]:
        """The rank each entry has or would have: 1 + how many of its board are better. One statement.

        Counting stops at RANK_COUNT_LIMIT better entries; beyond that the answer is the entry's `rank`
        column (the last batch calculation) if it has one, else RANK_COUNT_LIMIT + 1.
        """
        ...

    def entries(self, board: BoardId, *, page: int = 5_000) -> AsyncIterator[list[Entry]]:
        """All entries of a board by pages, each player once. In board order if that is cheap: then the index lies in memory in it."""
        ...

    async def boards(self) -> list[BoardId]:
        """Every (leaderboard, season) that has entries."""
        ...

    async def last_session_id(self) -> int:
        """The largest session id committed, 0 if none; no session with a smaller one can still appear.

        While a transaction that may hold a smaller id stays open, the answer is what it was before that transaction.
        """
        ...

    async def entries_since(self, session_id: int, *, limit: int) -> tuple[int, list[tuple[BoardId, Entry]]]:
        """The entries that the first `limit` sessions with a larger id can have changed.

        Also returns the last session id looked at, up to which no session can still appear: where to go on. It is
        `session_id` itself if there is nothing new, or if a transaction that may hold a smaller id is still open; what is
        visible is returned all the same, and again the next time.
        """
        ...

    async def session_words(self, after: int, until: int) -> dict[int, int]:
        """Which sessions with after < id <= until there are: 32 ids a word, `id >> 5` -> bits `id & 31`."""
        ...

    async def edits_since(self, edit_id: int, *, limit: int) -> list[EditRecord]:
        """The first `limit` edits with a larger id, in order. None with a smaller one can still appear."""
        ...

    async def last_edit_id(self) -> int: ...

    async def calculate_ranks(self, board: BoardId) -> int:
        """Write each entry's present rank into its `rank` column; return how many changed."""
        ...

    async def note_key_uses(self, uses: Sequence[tuple[int, datetime]]) -> None:
        """Keep when API keys were last used, each id once. A moment before the one kept changes nothing, nor does a key that is gone."""
        ...

    async def use_nonce(self, key_id: int, nonce: str, *, expires_at: datetime) -> bool:
        """Keep the nonce of a signed request: of any number of calls with one nonce of an API key, in any process, one is told True.

        False too if there is no such key any more.
        """
        ...

    async def forget_nonces(self, *, before: datetime, limit: int) -> int:
        """Delete nonces that expired before that moment, `limit` at most; how many."""

    async def plays(self, game_id: int, *, after: int, until: int, limit: int) -> tuple[int, list[Play]]:
        """The game's sessions among the first `limit` (of all games) with after < id <= until, and the last id looked at: where to
        go on. It is `until` when there are no more."""
        ...

    async def edits(self, leaderboard_id: int) -> list[Edit]:
        """The moderators' edits of its entries, the oldest first."""
        ...

    async def replace_entries(self, what: Replacement, entries: Iterable[list[Seasoned]], catch_up: CatchUp) -> int | None:
        """Put these entries in the place of all that the leaderboard has, and give it its new rules, in one transaction.

        How many entries were taken off; None if the re-ranking is over or its leaderboard gone. While no session can land,
        `catch_up` gets those after `what.after` and returns every entry that they change. A commit that was checked against the
        old rules comes before, or is refused by `StaleCatalog`: no session is lost and none counts twice. Submits wait
        for as long as it takes to write what changed: 10 to 20 us an entry.

        Raises EditedMeanwhile or StoreUnavailable; then nothing changed.
        """
        ...

    async def race(self, race: Race) -> list[Racer]:
        """The best entries with what their lines are made from, as of one moment and best first. Bounded, see `leaderboard.store.race`."""
        ...

    async def ping(self) -> None: ...

    async def aclose(self) -> None:
        """Close what is open; the next call opens anew."""
        ...


RANK_COUNT_LIMIT = 10_000  # better entries that a fallback rank counts at most: about 1 ms of index scan
