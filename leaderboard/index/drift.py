"""Where an index differs from the store, as values: what `check_index` prints. Pure; memory O(entries)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from leaderboard.domain.score import Entry


class Kind(StrEnum):
    MISSING = "missing"  # in the store only
    GHOST = "ghost"  # in the index only
    STALE = "stale"  # the index holds an older version
    AHEAD = "ahead"  # the index holds a newer version: a write between the two reads, or SQL went back in time
    WRONG_VALUE = "wrong_value"  # the same version with another value


@dataclass(frozen=True, slots=True)
class Difference:
    kind: Kind
    user_id: int
    stored: Entry | None
    indexed: Entry | None


def compare(stored: Iterable[Sequence[Entry]], indexed: Iterable[Sequence[Entry]]) -> list[Difference]:
    """The differences between the store's pages and the index's, by ascending user id.

    Each side may come in any order. A player who was met on two pages of a moving index counts with the newer version.
    """
    in_store, in_index = _newest(stored), _newest(indexed)
    differences = []
    for user_id in sorted(in_store.keys() | in_index.keys()):
        kind = _kind(in_store.get(user_id), in_index.get(user_id))
        if kind is not None:
            differences.append(Difference(kind, user_id, in_store.get(user_id), in_index.get(user_id)))
    return differences


def _newest(pages: Iterable[Sequence[Entry]]) -> dict[int, Entry]:
    newest: dict[int, Entry] = {}
    for page in pages:
        for entry in page:
            held = newest.get(entry.user_id)
            if held is None or held.version < entry.version:
                newest[entry.user_id] = entry
    return newest


def _kind(stored: Entry | None, indexed: Entry | None) -> Kind | None:
    if stored == indexed:
        return None
    if stored is None:
        return Kind.GHOST
    if indexed is None:
        return Kind.MISSING
    if stored.version == indexed.version:
        return Kind.WRONG_VALUE
    return Kind.STALE if indexed.version < stored.version else Kind.AHEAD
