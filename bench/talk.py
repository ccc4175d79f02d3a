"""Submits over WebSocket: a few in flight on each socket, the next as soon as one is answered."""

import asyncio
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from bench.frames import text
from bench.load import Submits, Tally, encode
from bench.sockets import Socket

PATH = "/ws/"
_SUBMITTED = b'{"type":"submitted","id":'  # as the server spells it; what is spelled otherwise is read the long way


@dataclass(frozen=True, slots=True)
class Talk:
    """Sockets take the ports in turn. The scores are those of `submits`, which has the API key as well."""

    ports: Sequence[int]
    submits: Submits
    sockets: int
    in_flight: int

    def drive(self) -> "Talking":
        return Talking(self)


class Talker:
    """One socket and when each of its messages in flight was sent."""

    def __init__(self, messages: Iterator[tuple[int, bytes]], tally: Tally, api_key: str) -> None:
        self.socket = Socket(PATH, self._hear, partial(tally.fail, "a socket was closed"), api_key=api_key)
        self._messages, self._tally = messages, tally
        self._sent: dict[int, float] = {}

    def say(self) -> None:
        number, message = next(self._messages)
        self._sent[number] = time.monotonic()
        self.socket.write(message)

    def _hear(self, told: bytes) -> None:
        """An answer; what the server says unasked is let pass."""
        number, wrong = _read(told)
        sent = self._sent.pop(number, None)
        if sent is not None and not wrong:
            self._tally.latencies.append(time.monotonic() - sent)
        elif wrong:
            self._tally.fail(wrong)
        if sent is not None:
            self.say()


class Talking:
    """A Talk under way."""

    def __init__(self, talk: Talk) -> None:
        self.tally = Tally()
        self._talk = talk
        self._talkers: list[Talker] = []

    async def start(self) -> None:
        messages, loop = prepared(self._talk.submits), asyncio.get_running_loop()
        for port in itertools.islice(itertools.cycle(self._talk.ports), self._talk.sockets):
            talker = Talker(messages, self.tally, self._talk.submits.api_key)
            await loop.create_connection(lambda talker=talker: talker.socket, "127.0.0.1", port)  # type: ignore[misc]
            self._talkers.append(talker)
            await talker.socket.opened
        for talker in self._talkers * self._talk.in_flight:
            talker.say()

    async def stop(self) -> None:
        """For a process that goes on afterwards."""
        for talker in self._talkers:
            talker.socket.close()
        await asyncio.sleep(0)  # that is when transports close


def prepared(submits: Submits) -> Iterator[tuple[int, bytes]]:
    """Messages made beforehand, with their ids: an id comes again after thousands of others, long after it was answered."""
    items = itertools.islice(submits.items(), submits.variety)
    return itertools.cycle([(number, text(encode({"type": "submit", "id": number, **item}))) for number, item in enumerate(items)])


def _read(told: bytes) -> tuple[int, str]:
    """The id that is answered (-1 for none), and what went wrong, if anything."""
    if told.startswith(_SUBMITTED):
        return int(told[len(_SUBMITTED) : told.find(b",", len(_SUBMITTED))]), ""
    message = json.loads(told)
    number = message.get("id", -1)
    return number, "" if message["type"] != "error" else told.decode()
