"""Submitting: check, commit, place, tell. The path that the project exists for, in this order.

Concurrent submits of a process land in batches (`store.batch.GroupCommit`): one commit and one round trip
to the index for all of them. A submit is answered only after the commit that holds it; what comes
after it (ranks, the dirty mark) has an answer for "Redis is away" and can't undo it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

import msgspec

from leaderboard import metrics
from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import IdempotencyKeyReused, Overloaded, Refusal
from leaderboard.domain.score import BoardId, Entry, Order, improves
from leaderboard.domain.season import season_label
from leaderboard.index import Index, IndexUnavailable, Placed, Placing
from leaderboard.services.bell import Bell
from leaderboard.services.catalog import Catalogs, View
from leaderboard.services.checking import Asked, Checked, Checker, Unknown
from leaderboard.services.credentials import SCORES_WRITE, Credential
from leaderboard.services.players import Players
from leaderboard.services.rows import rfc3339
from leaderboard.services.totals import Totals
from leaderboard.store import Landed, Outcome, Refused, Repeated, Result, StaleCatalog, Store
from leaderboard.store.batch import GroupCommit

MISSED_LIMIT = 50_000  # entries remembered while the index is away: about 10 MB; beyond it their boards are rebuilt
ANSWER_WAIT_S = 0.15  # for another process that is just answering the same idempotency key
LINGER_S = 0.001  # a commit takes several; with 64 clients it makes batches of 29 instead of 22, and each costs half a millisecond at least
CATALOG_TRIES = 5  # definitions would have to change between check and commit this often in a row

_encode = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    """The encoded 201 body, and whether it had been given before."""

    body: bytes
    replayed: bool = False


Told = Callable[[Answer | BaseException], None]


@dataclass(slots=True)
class Missed:
    """Entries that the index did not take while it was away, the newest of each player. Bounded."""

    entries: dict[BoardId, dict[int, Entry]] = field(default_factory=lambda: defaultdict(dict))
    overflown: set[BoardId] = field(default_factory=set)
    held: int = 0

    @property
    def any(self) -> bool:
        return bool(self.entries or self.overflown)

    def add(self, writes: dict[BoardId, list[Entry]]) -> None:
        for board, entries in writes.items():
            if self.held + len(entries) > MISSED_LIMIT:
                self.overflown.add(board)
                self.held -= len(self.entries.pop(board, {}))
            elif board not in self.overflown:
                self._keep_newest(self.entries[board], entries)

    def _keep_newest(self, held: dict[int, Entry], entries: list[Entry]) -> None:
        before = len(held)
        for entry in entries:
            if entry.user_id not in held or held[entry.user_id].version < entry.version:
                held[entry.user_id] = entry
        self.held += len(held) - before


class Submits:
    def __init__(
        self,
        *,
        store: Store,
        index: Index,
        catalogs: Catalogs,
        players: Players,
        totals: Totals,
        bell: Bell,
        batch_limit: int,
        queue_limit: int,
        metadata_limit: int,
    ) -> None:
        self._store, self._index, self._catalogs, self._players = store, index, catalogs, players
        self._totals, self._bell = totals, bell
        self._checker = Checker(players=players, metadata_limit=metadata_limit)
        self._missed = Missed()
        self._slow: set[asyncio.Task[None]] = set()  # the loop itself holds them weakly
        self._commits: GroupCommit[Checked, Answer | Repeated | Refusal] = GroupCommit(
            self._land, batch_limit=batch_limit, queue_limit=queue_limit, in_flight=1, linger_s=LINGER_S
        )

    def begin(self, asked: Asked, key: str | None = None, *, credential: Credential, now: datetime, told: Told) -> None:
        """Store one score and tell where it stands, or the Refusal: later, from its batch. What can be refused at once is raised.

        `key` is its idempotency key. Nothing is waited for where everything is known: the player, the boards, the credential.
        """
        try:
            checked = self._checked(asked, key, credential=credential, now=now)
            again = partial(self._begin_slowly, asked, key, credential, now, told)
            if checked is None:
                again()
            else:
                self._commits.begin(checked, owner=checked.player.id, told=partial(_tell_or, told, again))
        except Refusal as refusal:
            _count(refusal)
            raise

    def _checked(self, asked: Asked, key: str | None, *, credential: Credential, now: datetime) -> Checked | None:
        """None if only SQL can say."""
        credential.require(SCORES_WRITE)
        credential.require_signature()
        view = self._catalogs.held()
        if view is None or (asked.leaderboards is not None and not all(slug in view.by_slug for slug in asked.leaderboards)):
            return None
        checked = self._checker.check(asked, key, credential=credential, view=view, now=now)
        return checked if isinstance(checked, Checked) else None

    async def submit(self, asked: Asked, key: str | None = None, *, credential: Credential, now: datetime) -> Answer:
        """Store one score and say where it stands. Raises a Refusal, and then nothing is stored."""
        answer = (await self.submit_many([(asked, key)], credential=credential, now=now))[0]
        if isinstance(answer, Refusal):
            raise answer
        return answer

    async def submit_many(
        self, asked: Sequence[tuple[Asked, str | None]], *, credential: Credential, now: datetime
    ) -> list[Answer | Refusal]:
        """Store many, each with its idempotency key; one answer each, in order. A refusal of one does not touch the others."""
        credential.require(SCORES_WRITE)
        credential.require_signature()
        answers: dict[int, Answer | Refusal] = {}
        waiting: Iterable[int] = range(len(asked))
        view = await self._view_with(asked)
        for _ in range(CATALOG_TRIES):
            checked = await self._check_many(asked, waiting, answers, credential=credential, view=view, now=now)
            try:
                outcomes = await self._commits.submit_many([(item, item.player.id) for item in checked.values()])
            except Overloaded as refusal:
                if not any(isinstance(answer, Answer) for answer in answers.values()):
                    raise
                outcomes = [refusal] * len(checked)  # some had landed before the definitions changed
            stale = []
            for (position, item), outcome in zip(checked.items(), outcomes, strict=True):
                if isinstance(outcome, StaleCatalog):
                    stale.append(position)
                elif isinstance(outcome, Refusal | Answer):
                    answers[position] = outcome
                elif isinstance(outcome, Repeated):
                    answers[position] = await self._repeat(outcome, item, now=now)
                else:
                    raise outcome
            if not stale:
                told = [answers[position] for position in range(len(asked))]
                for answer in told:
                    _count(answer)
                return told
            waiting, view = stale, await self._catalogs.refresh()
        raise Overloaded("The leaderboards' definitions are changing too fast; try again shortly.")

    def _begin_slowly(self, asked: Asked, key: str | None, credential: Credential, now: datetime, told: Told) -> None:
        """With I/O: for what this process does not know, and for what its batch could not settle."""

        async def submit() -> None:
            try:
                answer: Answer | BaseException = await self.submit(asked, key, credential=credential, now=now)
            except Exception as error:
                answer = error
            told(answer)

        task = asyncio.get_running_loop().create_task(submit())
        self._slow.add(task)
        task.add_done_callback(self._slow.discard)

    async def _view_with(self, asked: Sequence[tuple[Asked, str | None]]) -> View:
        view = await self._catalogs.view()
        if any(slug not in view.by_slug for item, _ in asked for slug in item.leaderboards or ()):
            view = await self._catalogs.refresh()  # a board named right after it was made
        return view

    async def _check_many(
        self,
        asked: Sequence[tuple[Asked, str | None]],
        positions: Iterable[int],
        refusals: dict[int, Answer | Refusal],
        *,
        credential: Credential,
        view: View,
        now: datetime,
    ) -> dict[int, Checked]:
        """What may go on, by position; the rest goes into `refusals`. No player is created for a refused submit."""
        how = {"credential": credential, "view": view, "now": now}
        checked, unknown = self._check_held(asked, positions, refusals, **how)
        if unknown:
            names = {player.username: player.name for player in reversed(unknown.values())}  # the first name given counts
            found = await self._players.ensure(list(names.items()))
            checked |= self._check_held(asked, unknown, refusals, found=found, **how)[0]
        return dict(sorted(checked.items()))

    def _check_held(
        self, asked: Sequence[tuple[Asked, str | None]], positions: Iterable[int], refusals: dict[int, Answer | Refusal], **how: Any
    ) -> tuple[dict[int, Checked], dict[int, Unknown]]:
        checked: dict[int, Checked] = {}
        unknown: dict[int, Unknown] = {}
        for position in positions:
            try:
                outcome = self._checker.check(*asked[position], **how)
            except Refusal as refusal:
                refusals[position] = refusal
                continue
            if isinstance(outcome, Checked):
                checked[position] = outcome
            else:
                unknown[position] = outcome
        return checked, unknown

    async def aclose(self) -> None:
        await self._commits.aclose()

    # --- Commit, place, tell -----------------------------------------------------------------------------------------

    async def _land(self, batch: list[Checked]) -> list[Any]:
        """One batch's way: into SQL, into the index, and its answers. Called by the group commit."""
        metrics.BATCH_SIZE.observe(len(batch))
        metrics.QUEUED.set(self._commits.waiting)
        version = max([item.view.version for item in batch])
        current = [item for item in batch if item.view.version == version]
        outcomes = await self._store.commit([item.submission for item in current], catalog_version=version)
        answers = await self._answers(current, outcomes)
        if len(current) == len(batch):
            return answers
        landed = {id(item): answer for item, answer in zip(current, answers, strict=True)}
        return [landed.get(id(item), StaleCatalog()) for item in batch]

    async def _answers(self, batch: list[Checked], outcomes: list[Outcome]) -> list[Any]:
        landed = [(item, outcome) for item, outcome in zip(batch, outcomes, strict=True) if isinstance(outcome, Landed)]
        standings = await self._place([outcome for _, outcome in landed])
        moments = {id(item.submission.timestamp): item.submission.timestamp for item, _ in landed}  # the scores of a POST share one
        stamps = {identity: rfc3339(moment) for identity, moment in moments.items()}
        bodies = {
            outcome.session_id: _body(item, outcome.session_id, outcome.results, standings, timestamp=stamps[id(item.submission.timestamp)])
            for item, outcome in landed
        }
        keyed = [outcome.session_id for item, outcome in landed if item.submission.idempotency_key is not None]
        if keyed:
            kept = await self._store.keep_answer([(session_id, bodies[session_id]) for session_id in keyed])
            bodies |= zip(keyed, kept, strict=True)
        return [_told(outcome, bodies) for outcome in outcomes]

    async def _place(self, landed: list[Landed]) -> dict[int, "Standing"]:
        """Where each result stands, by id(result): from the index, else from SQL. Marks the boards dirty."""
        by_board: dict[BoardId, list[Result]] = defaultdict(list)
        for outcome in landed:
            for result in outcome.results:
                by_board[result.board].append(result)
        scores: dict[int, int] = defaultdict(int)
        for board, group in by_board.items():
            scores[board.leaderboard_id] += len(group)
        if self._missed.any:
            await self._place_missed()
        # Both go out in one write, the mark second, since its task begins when this one waits: who hears of the mark finds the entries.
        marking = asyncio.ensure_future(self._bell.try_mark_dirty(scores, scores=scores))
        placings = await self._place_in_index({board: [result.current for result in group] for board, group in by_board.items()})
        is_marked = await marking
        standings: dict[int, Standing] = {}
        unplaced: list[Result] = []
        for board, group in by_board.items():
            placing = placings.get(board)
            if placing is None:
                unplaced += group
                continue
            for result, place in zip(group, placing.places, strict=True):
                standings[id(result)] = Standing(place, placing.total)
        if unplaced:
            standings |= await self._place_by_sql(unplaced)
        if is_marked and len(placings) == len(by_board):
            self._index.record([outcome.session_id for outcome in landed])  # last: what is not recorded the sweep does again
        return standings

    async def _place_in_index(self, writes: dict[BoardId, list[Entry]]) -> dict[BoardId, Placing | None]:
        if not writes:
            return {}
        try:
            return await self._index.place(writes)
        except IndexUnavailable:
            self._missed.add(writes)
            metrics.INDEX_MISSED.inc(sum(map(len, writes.values())))
            return {}

    async def _place_missed(self) -> None:
        """Catch up with what the index missed while it was away, before anything newer is answered from it."""
        missed, self._missed = self._missed, Missed()
        writes = {board: list(entries.values()) for board, entries in missed.entries.items()}
        try:
            await self._index.forget(list(missed.overflown))
            await self._index.place(writes)
        except IndexUnavailable:
            self._missed.overflown |= missed.overflown
            self._missed.add(writes)

    async def _place_by_sql(self, results: list[Result]) -> dict[int, "Standing"]:
        moved = [(result, result.before) for result in results if result.before is not None]
        ranks = await self._store.ranks(
            [(result.board, result.current) for result in results]
            + [(result.board, _placed(result.current, before)) for result, before in moved]
        )
        previous = {
            # The player's own new entry is counted among the better ones if it is better than the old.
            id(result): rank - (result.current.order < before)
            for (result, before), rank in zip(moved, ranks[len(results) :], strict=True)
        }
        lowest: dict[BoardId, int] = defaultdict(int)
        for result, rank in zip(results, ranks, strict=False):
            lowest[result.board] = max(lowest[result.board], rank)
        totals = {board: await self._totals.count(board, at_least=rank) for board, rank in lowest.items()}
        return {
            id(result): Standing(Placed(rank, previous.get(id(result))), totals[result.board])
            for result, rank in zip(results, ranks, strict=False)
        }

    # --- A key that came before ---------------------------------------------------------------------------------------

    async def _repeat(self, repeated: Repeated, item: Checked, *, now: datetime) -> Answer | Refusal:
        """The first answer, byte for byte; IdempotencyKeyReused if something else was asked then.

        A session without a kept answer belongs to a process that is answering just now, or that died before it did.
        Then nobody was told anything yet: the first answer that gets kept is the one that all are given.
        """
        if repeated.fingerprint != item.submission.fingerprint:
            return IdempotencyKeyReused()
        if repeated.answer is not None:
            return Answer(repeated.answer, replayed=True)
        await asyncio.sleep(ANSWER_WAIT_S)
        results = []
        for feeding in item.submission.feeds:
            entry = await self._store.entry(feeding.board, repeated.user_id)
            if entry is not None:
                results.append(Result(feeding.board, entry.order, entry))
        standings = await self._place_by_sql(results)
        body = _body(item, repeated.session_id, tuple(results), standings, timestamp=rfc3339(item.submission.timestamp))
        return Answer((await self._store.keep_answer([(repeated.session_id, body)]))[0], replayed=True)


class Standing(NamedTuple):
    place: Placed
    total: int


class SubmittedResult(msgspec.Struct):
    """What a submit did to one board, as the contract has it."""

    leaderboard: str
    season: str
    total_score: int
    subscore: int
    rank: int
    previous_rank: int | None
    improved: bool
    total: int


class Submitted(msgspec.Struct):
    """The 201 body of the contract."""

    session_id: int
    player: str
    score: int
    subscore: int
    game_mode: str
    timestamp: str
    results: list[SubmittedResult]


def _placed(entry: Entry, order: Order) -> Entry:
    """The entry where it was before."""
    score_key, subscore_key, session_id = order
    return entry._replace(score_key=score_key, subscore_key=subscore_key, session_id=session_id)


def _tell_or(told: Told, again: Callable[[], None], outcome: Any) -> None:
    """What a batch could not settle, a repeated key or new definitions, is gone through again slowly."""
    if type(outcome) is Answer:
        metrics.SUBMITTED.add("landed")
        told(outcome)
    elif isinstance(outcome, Repeated | StaleCatalog):
        again()
    else:
        _count(outcome)
        told(outcome)


def _count(outcome: Answer | BaseException) -> None:
    if isinstance(outcome, Answer):
        metrics.SUBMITTED.add("replayed" if outcome.replayed else "landed")
    else:
        metrics.SUBMITTED.add(outcome.code if isinstance(outcome, Refusal) else "internal_error")


def _told(outcome: Outcome, bodies: dict[int, bytes]) -> Answer | Repeated | Refusal:
    if isinstance(outcome, Landed):
        return Answer(bodies[outcome.session_id])
    if isinstance(outcome, Refused):
        return outcome.refusal
    if outcome.answer is None and outcome.session_id in bodies:  # its first came in the same batch
        return Repeated(outcome.session_id, outcome.user_id, outcome.fingerprint, bodies[outcome.session_id])
    return outcome


def _body(item: Checked, session_id: int, results: tuple[Result, ...], standings: dict[int, Standing], *, timestamp: str) -> bytes:
    submission = item.submission
    return _encode(
        Submitted(
            session_id,
            item.player.username,
            submission.score,
            submission.subscore,
            submission.game_mode,
            timestamp,
            [_result(item.view.definitions[result.board.leaderboard_id], result, standings[id(result)]) for result in results],
        )
    )


def _result(definition: Definition, result: Result, standing: Standing) -> SubmittedResult:
    rules, current, place = definition.rules, result.current, standing.place
    return SubmittedResult(
        definition.slug,
        season_label(result.board.season),
        rules.score_sign * current.score_key,
        rules.subscore_sign * current.subscore_key,
        place.rank,
        place.previous_rank,
        improves(result.before, current),
        standing.total,
    )
