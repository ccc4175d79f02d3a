"""Recent frames of one board: from a position, the next frame, or the word that it is not held (then: a snapshot)."""

from collections import deque
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from leaderboard.feed import NOWHERE, Position


class Numbered(Protocol):
    @property
    def epoch(self) -> str: ...

    @property
    def offset(self) -> int: ...


T = TypeVar("T", bound=Numbered)


class History(Generic[T]):
    """The newest frames, contiguous, ending at `position`; at most `limit`."""

    def __init__(self, limit: int) -> None:
        self.position = NOWHERE
        self._limit = limit
        self._frames: deque[T] = deque(maxlen=limit)

    def restart(self, position: Position) -> None:
        """Forget all: whoever is elsewhere needs a snapshot."""
        self.position = position
        self._frames.clear()

    def follows(self, frame: Numbered) -> bool:
        return frame.epoch == self.position.epoch and frame.offset == self.position.offset + 1

    def append(self, frame: T) -> None:
        """The frame must follow."""
        self._frames.append(frame)
        self.position = Position(frame.epoch, frame.offset)

    def after(self, position: Position) -> T | None:
        """The frame that follows `position`, None if it is not held."""
        index = position.offset - self._start
        if position.epoch != self.position.epoch or not 0 <= index < len(self._frames):
            return None
        return self._frames[index]

    def missing(self, position: Position) -> bool:
        """Whether older frames, if they could be had, would bring `position` here within the limit."""
        return (
            position.epoch == self.position.epoch
            and 0 <= position.offset < self._start
            and self.position.offset - position.offset <= self._limit
        )

    def prepend(self, frames: Sequence[T]) -> None:
        """Take in frames older than the ones held, as far as they are contiguous with them and there is room."""
        for frame in reversed(frames):
            fits = len(self._frames) < self._limit and frame.epoch == self.position.epoch
            if fits and frame.offset == self._start:
                self._frames.appendleft(frame)

    @property
    def _start(self) -> int:
        """The offset that the oldest frame held follows."""
        return self.position.offset - len(self._frames)
