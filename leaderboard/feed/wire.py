"""The two board messages as watchers get them, encoded once by the publisher and forwarded as they are.

In: states of a leaderboard. Out: a numbered frame with a text for every watched size. The texts are the WebSocket
contract (docs/protocol.md); they live here because the publisher writes them and `realtime` reads them.
"""

from typing import Any

import msgspec

from leaderboard.domain.snapshot import TOPS, Row, diff
from leaderboard.feed import Frame, State


class Snapshot(msgspec.Struct, frozen=True, tag_field="type", tag="snapshot"):
    """The whole top N at a position."""

    leaderboard: str
    season: str
    top: int
    epoch: str
    offset: int
    total: int
    entries: list[Row]


class DeltaMessage(msgspec.Struct, frozen=True, tag_field="type", tag="delta"):
    """What changed in the top N since the position before."""

    leaderboard: str
    season: str
    top: int
    epoch: str
    offset: int
    total: int
    changed: list[Row]
    left: list[str]


_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Snapshot | DeltaMessage)


def snapshot_text(*, leaderboard: str, season: str, top: int, epoch: str, offset: int, total: int, rows: list[Row]) -> str:
    """`rows` may be longer than `top`; the first `top` are told."""
    return _text(Snapshot(leaderboard, season, top, epoch, offset, total, rows[:top]))


def delta_text(*, leaderboard: str, season: str, top: int, epoch: str, offset: int, total: int, changed: list[Row], left: list[str]) -> str:
    """`changed` and `left` are the `snapshot.diff` of the two snapshots of this very `top`."""
    return _text(DeltaMessage(leaderboard, season, top, epoch, offset, total, changed, left))


def state_text(slug: str, state: State, *, top: int) -> str:
    """The snapshot message of a state."""
    return snapshot_text(
        leaderboard=slug, season=state.season, top=top, epoch=state.epoch, offset=state.offset, total=state.total, rows=state.rows
    )


def frame_between(slug: str, *, old: State | None, new: State) -> Frame:
    """The frame that brings watchers of every size from `old` to `new`: snapshots if `old` is None or of another epoch."""
    if old is None or old.epoch != new.epoch:
        return Frame(new.epoch, new.offset, True, {top: state_text(slug, new, top=top) for top in TOPS})
    return Frame(new.epoch, new.offset, False, {top: _step_text(slug, old, new, top) for top in TOPS})


def read(text: str) -> Snapshot | DeltaMessage:
    """A frame's text, decoded. Raises msgspec.MsgspecError."""
    message: Snapshot | DeltaMessage = _decoder.decode(text)
    return message


def _step_text(slug: str, old: State, new: State, top: int) -> str:
    delta = diff(old.rows[:top], new.rows[:top])
    return delta_text(
        leaderboard=slug,
        season=new.season,
        top=top,
        epoch=new.epoch,
        offset=new.offset,
        total=new.total,
        changed=delta.changed,
        left=delta.left,
    )


def _text(message: msgspec.Struct) -> str:
    return msgspec.json.encode(message).decode()
