"""What processes share beside the hot path, so that twenty of them do not ask SQL for the same thing at once.

In: what SQL said, encoded. Out: the same to every process, until its time is over or somebody gives notice. All of it may be lost at
any moment, and nothing here is ever the truth.

What a cache promises
- `fill` is cache-aside without a stampede: within a process one load for all who ask, between processes one loads while the others
  wait for up to FILL_WAIT_S and then ask SQL themselves. While Redis is away it goes straight to SQL and raises nothing of its own.
- What can't be read (written by hand, or by another release) counts as missing and is written anew.
- `forget` outlives a load that began before the change: for FORGOTTEN_MS the old value can't come back.
- What SQL does not know is an entry too, for a short time. Who creates it calls `appear` after the commit and before saying so.
- A notice reaches every process with its next `hear`, in order. If one may have been missed (another Redis, an outage, a full list),
  that counts as a notice about everything.
- `generation` is a number that moves whenever what a process made of a board and its names is to be made anew. It means nothing
  outside its process.

Values are msgpack. A key names the shape of its value, so that two releases that run side by side do not read each other's.
"""

from hashlib import blake2b
from typing import Any, Generic, TypeVar

import msgspec

FILL_WAIT_S = 3.0  # a load takes milliseconds; past this SQL is asked all the same
LEASE_MS = 1_000  # if whoever fills dies, the next one tries after this
FORGOTTEN_MS = 15_000  # longer than any load: a statement has STORE_TIMEOUT_MS
ABSENT_S = 5.0  # what is not there is asked for by mistake or by bots; its creation drops the entry

T = TypeVar("T")


class CacheUnavailable(Exception):
    """Redis did not answer in time; what is cached can be neither read nor dropped."""


class Notice(msgspec.Struct, frozen=True, array_like=True):
    """What is no longer good: boards by id, players by id and by the names that they had and have, or all there is."""

    boards: tuple[int, ...] = ()
    players: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    everything: bool = False


EVERYTHING = Notice(everything=True)


class Kind(Generic[T]):
    """A sort of entry: the name and type of its values, and how long they live."""

    def __init__(self, name: str, value: type[T], *, life_s: float) -> None:
        self.life_s = life_s
        self.decode = msgspec.msgpack.Decoder[T | None](_optional(value)).decode
        self.name = f"{name}.{_shape(value)}"


def _optional(value: type[T]) -> Any:
    return value | None


def _shape(value: type[Any]) -> str:
    """A digest of every field and type below `value`."""
    return blake2b(msgspec.json.encode(msgspec.json.schema(value), order="sorted"), digest_size=4).hexdigest()
