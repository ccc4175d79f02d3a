"""How an entry lies in Redis: bytes whose order is the board's order.

A sorted set orders by score and, among equal scores, by the member's bytes. The zset score is `score_key`, exact since
|score_key| <= 2**53 - 1. The member goes on where the score ends:

    member = number(subscore_key) number(session_id) number(user_id)

so that ascending (zset score, member) is ascending `Entry.order`. The rest of an entry is in a hash:

    user  = number(user_id)                                               the field
    value = achieved_ms (6 bytes) number(version) number(subscore_key) number(session_id)

`value` ends with the member's first part, so that the member it stands for is its tail followed by `user`.

A number is one class byte, 128 + n for n bytes of a positive value and 128 - n for a negative one (0 is the byte 128 alone), then
its magnitude, big-endian, in complement if it is negative. Bytes compare as the numbers do, whatever follows them.
"""

from functools import lru_cache

from leaderboard.domain.score import SCORE_LIMIT, Entry

ACHIEVED_BYTES = 6  # milliseconds since 1970, signed: up to the year 6429
DECODED = 10_000  # entries that reads find decoded: the heads of a hundred boards, about 5 MB

_SMALL = (b"\x80", *(bytes((129, number)) for number in range(1, 256)))
_CLASSES = [(128 + size) << 8 * size for size in range(9)]  # the class byte of a positive number, in its place


def encode_number(number: int) -> bytes:
    """From 1 to 9 bytes for |number| < 2**64, in the order of the numbers."""
    if 0 <= number < 256:
        return _SMALL[number]
    size = (number.bit_length() + 7) >> 3
    if number > 0:
        return (_CLASSES[size] | number).to_bytes(size + 1, "big")
    return (((129 - size) << 8 * size) - 1 + number).to_bytes(size + 1, "big")


def decode_number(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, and where the next one does."""
    size = data[at] - 128
    if size >= 0:
        end = at + 1 + size
        return int.from_bytes(data[at + 1 : end], "big"), end
    end = at + 1 - size
    return int.from_bytes(data[at + 1 : end], "big") - (1 << -8 * size) + 1, end


def encode(entry: Entry) -> tuple[bytes, bytes, bytes]:
    """The zset score, the user and the value. Raises ValueError or OverflowError for what no entry can hold."""
    if not -SCORE_LIMIT <= entry.score_key <= SCORE_LIMIT:
        raise ValueError(f"score_key {entry.score_key} is outside +-(2**53 - 1)")
    return (
        b"%d" % entry.score_key,
        encode_number(entry.user_id),
        entry.achieved_ms.to_bytes(ACHIEVED_BYTES, "big", signed=True)
        + encode_number(entry.version)
        + encode_number(entry.subscore_key)
        + encode_number(entry.session_id),
    )


@lru_cache(DECODED)
def decode(member: bytes, score: bytes, value: bytes) -> Entry:
    """The entry of a page's row. Most rows of a board that is read often have not changed since."""
    version, end = decode_number(value, ACHIEVED_BYTES)
    subscore_key, at = decode_number(value, end)
    return Entry(
        user_id=decode_number(member, len(value) - end)[0],
        score_key=int(float(score)),  # Redis may write a large score with an exponent
        subscore_key=subscore_key,
        session_id=decode_number(value, at)[0],
        version=version,
        achieved_ms=int.from_bytes(value[:ACHIEVED_BYTES], "big", signed=True),
    )


def member(entry: Entry) -> bytes:
    """The sorted set's member; the scripts put it together from user and value."""
    return encode_number(entry.subscore_key) + encode_number(entry.session_id) + encode_number(entry.user_id)
