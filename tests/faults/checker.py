"""Did anything get lost, counted twice or shown wrong? Compares what clients saw with what is stored.

Pure, so that planted faults can show that it fails. An attempt's outcome is `ok` (a 2xx came), `refused` (a 4xx) or `unknown`
(a timeout, a broken connection, a 5xx): after an unknown outcome the session may be there once or not at all.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Attempt:
    """All tries with one idempotency key, as the client logged them."""

    key: str
    player: str
    score: int
    outcome: str
    session_id: int | None = None


@dataclass(frozen=True)
class Session:
    """A stored session row."""

    id: int
    key: str
    player: str
    score: int


def violations(attempts: Sequence[Attempt], sessions: Sequence[Session], sums: dict[str, int]) -> list[str]:
    """`sums` is what the board with operator sum holds per player. An empty answer means: nothing wrong."""
    found = []
    stored = Counter(session.key for session in sessions)
    by_key = {session.key: session for session in sessions}
    found += [f"counted twice: {key}" for key, count in stored.items() if count > 1]
    for attempt in attempts:
        session = by_key.get(attempt.key)
        if attempt.outcome == "ok" and session is None:
            found.append(f"acknowledged and lost: {attempt}")
        elif attempt.outcome == "refused" and session is not None:
            found.append(f"refused and stored: {attempt}")
        elif session is not None and (session.player, session.score) != (attempt.player, attempt.score):
            found.append(f"stored as something else: {attempt} is {session}")
        elif attempt.outcome == "ok" and session is not None and attempt.session_id != session.id:
            found.append(f"answered for another session: {attempt} is {session}")
    known = {attempt.key for attempt in attempts}
    found += [f"from nowhere: {session}" for session in sessions if session.key not in known]
    expected: Counter[str] = Counter()
    for session in sessions:
        expected[session.player] += session.score
    found += [
        f"wrong sum: {player} has {sums.get(player)}, its sessions make {expected.get(player)}"
        for player in sorted(expected.keys() | sums.keys())
        if sums.get(player) != expected.get(player)
    ]
    return found


def shown_wrong(watched: list[dict[str, Any]], rest: list[dict[str, Any]]) -> list[str]:
    """How a watcher's rows differ from REST's."""
    return [] if watched == rest else [f"watched {watched} but REST says {rest}"]
