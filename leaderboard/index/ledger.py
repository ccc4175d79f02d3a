"""Which sessions the index has taken, a bit each: how the sweep finds what a crash left out without writing everything twice.

A set of session ids is words of 32: word `id >> 5`, bit `id & 31`. SQL adds up the words of the sessions that are there, Redis holds
those that were recorded, CHUNK ids to a key. A bit is set once or twice alike, so a session that was placed twice hides no other.
"""

from collections.abc import Iterable, Iterator, Mapping

WORD_BITS = 5
CHUNK_BITS = 16  # ids of a key: 8 KiB
EXPIRES_S = 3_600  # a sweep comes every 2 s; a bit that is gone means only that its session is written again

_IN_WORD = (1 << WORD_BITS) - 1
WORDS = 1 << CHUNK_BITS - WORD_BITS  # of a chunk


def words_of(session_ids: Iterable[int]) -> dict[int, int]:
    words: dict[int, int] = {}
    for session_id in session_ids:
        word = session_id >> WORD_BITS
        words[word] = words.get(word, 0) | 1 << (session_id & _IN_WORD)
    return words


def missing(stored: Mapping[int, int], recorded: Mapping[int, int]) -> list[int]:
    """The ids that are in `stored` alone, ascending."""
    return [session_id for word in sorted(stored) for session_id in _ids(word, stored[word] & ~recorded.get(word, 0))]


def _ids(word: int, bits: int) -> Iterator[int]:
    return ((word << WORD_BITS) + bit for bit in range(_IN_WORD + 1) if bits >> bit & 1)
