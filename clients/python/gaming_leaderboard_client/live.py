"""A board, live: the standings after each frame, and what else is asked for, over a socket that comes back by itself."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from gaming_leaderboard_client import calls
from gaming_leaderboard_client.rows import Position, Row, apply_delta, relation, round_up

QUIET_S = 25.0  # the server speaks at least every 10 s
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 20.0
FINAL_CODES = (4400, 4401, 4403, 4404)  # after which asking again changes nothing
FINAL_ERRORS = ("bad_message", "invalid_parameter", "not_authenticated", "forbidden", "leaderboard_not_found", "not_found")
AROUND = 3  # rows on either side, for who names a player and no number

Tell = Callable[[dict[str, Any]], object]


class Refused(Exception):
    """The server does not show this board to us. `code` is its error's."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail or code)
        self.code = code


@dataclass(frozen=True)
class Standings:
    """A board's top as of a position."""

    rows: list[Row]
    total: int
    season: str
    position: Position


async def watch(
    url: str,
    board: str,
    *,
    top: int = 10,
    api_key: str | None = None,
    token: str | None = None,
    ticket: str | None = None,
    player: str | None = None,
    own: bool = False,
    around: int = AROUND,
    on_pulse: Tell | None = None,
    on_around: Tell | None = None,
    on_overtake: Tell | None = None,
) -> AsyncGenerator[Standings, None]:
    """The standings, and again after each change, for ever. Close the iterator to stop. Raises Refused.

    It resumes where it was after a lost connection; what comes is never older than what came before within an epoch.
    `on_pulse` is called with how many watch and how fast the board is played. `player`, or `own` for the player whose credential this is,
    is followed: `on_around` is called with its rank and the `around` rows on either side, `on_overtake` with who passed it or was passed.
    They are called while the iterator is awaited.
    """
    asked = _wanted(board, top, pulse=on_pulse is not None, player=player, own=own, around=around)
    tell = {"pulse": on_pulse, "around": on_around, "overtake": on_overtake}
    headers = calls.authorization(api_key=api_key, token=token, ticket=ticket)
    address = f"{url.rstrip('/').replace('http', 'ws', 1)}/ws/"
    held: Standings | None = None
    attempt = 0
    while True:
        wait = random.random() * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**attempt)  # noqa: S311 - no secret
        attempt += 1
        try:
            async with connect(address, additional_headers=headers, open_timeout=QUIET_S) as socket:
                await _subscribe(socket, asked, held)
                while True:
                    message = json.loads(await asyncio.wait_for(socket.recv(), QUIET_S))
                    if message["type"] == "error":
                        if message["code"] in FINAL_ERRORS:
                            raise Refused(message["code"], message["detail"])
                        break  # nothing will come of this subscription
                    if message["type"] == "bye":
                        wait = message.get("retry_in_ms", 0) / 1000
                    _tell(tell.get(message["type"]), message, board)
                    after = _after(held, message, board)
                    if after == "gap":
                        held = None
                        await _subscribe(socket, asked, held)
                    elif isinstance(after, Standings):
                        held, attempt = after, 0
                        yield held
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.code in FINAL_CODES:
                raise Refused(str(closed.rcvd.code), closed.rcvd.reason) from closed
        except (OSError, TimeoutError, InvalidHandshake):
            pass
        await asyncio.sleep(wait)


def _wanted(board: str, top: int, *, pulse: bool, player: str | None, own: bool, around: int) -> dict[str, Any]:
    if own and player is not None:
        raise ValueError("player or own, not both")
    wanted: dict[str, Any] = {"leaderboard": board, "top": round_up(top)}
    if own or player is not None:
        wanted |= {"around": around} | ({"own": True} if own else {"player": player})
    return wanted | ({"pulse": True} if pulse else {})


async def _subscribe(socket: ClientConnection, asked: dict[str, Any], held: Standings | None) -> None:
    since = {"since": held.position._asdict()} if held is not None else {}
    await socket.send(json.dumps({"type": "subscribe", **asked, **since}))


def _tell(tell: Tell | None, message: dict[str, Any], board: str) -> None:
    if tell is not None and message["leaderboard"] == board:
        tell(message)


def _after(held: Standings | None, message: dict[str, Any], board: str) -> Standings | str | None:
    """The standings after a message, "gap" if one before it was lost, None if it changes nothing."""
    if message["type"] == "heartbeat":
        return "gap" if held is not None and _is_ahead(message["positions"].get(board), held.position) else None
    if message["type"] not in ("snapshot", "delta") or message["leaderboard"] != board:
        return None
    position = Position(message["epoch"], message["offset"])
    if message["type"] == "snapshot":
        return Standings(message["entries"], message["total"], message["season"], position)
    if held is None:
        return None  # a snapshot is on its way
    fit = relation(held.position, position)
    if fit != "next":
        return "gap" if fit == "gap" else None
    return Standings(apply_delta(held.rows, message), message["total"], message["season"], position)


def _is_ahead(theirs: dict[str, Any] | None, ours: Position) -> bool:
    """A heartbeat comes behind the frames that it counts: ahead of ours means that the last of them was lost."""
    return theirs is not None and (theirs["epoch"] != ours.epoch or theirs["offset"] > ours.offset)
