"""`manage.py replay`: a real contest through REST, one accepted submission after the other, as it happened.

Order is the point: equal standings rank by who got there first, so a step is posted only after the one before it was
answered. Every step has its own Idempotency-Key, made from the contest, the board and the submission: a replay that is broken
off and started again counts nothing twice.
"""

import hashlib
import math
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.db import Error as DatabaseError

from leaderboard.contest import Contest, MalformedContest, Step, parse, timeline
from leaderboard.domain.score import Direction, Operator, Rules
from leaderboard.management.client import Client, Refused, Unreachable, board_path
from leaderboard.management.errors import one_sentence

NEW_BOARD = "contest"
FRAME_S = 0.1  # how often the clock moves on a terminal while the next step is not yet due
BAR_WIDTH = 30
HICCUP_S = 1.0  # trouble that is over sooner is not worth a line
LARGEST_FILE = 256 * 1024 * 1024  # bytes; a world final is under 1 MB
BOARD_TRIES = 20  # half a second apart at most, until a board that was just made is served
INTERRUPTED = 130  # exit code, by the shell's convention for SIGINT


def speed(text: str) -> float:
    """Contest seconds per second; 0 is as fast as possible."""
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ArgumentTypeError("must be 0 (as fast as possible) or more")
    return value


class Command(BaseCommand):
    help = "Play a contest in the XCPCIO format (run.json, team.json, config.json) through REST in time order."
    requires_system_checks: list[str] = []  # a client: the server may have quite another configuration

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dir", type=Path, metavar="DIR", help="the folder with the three files")
        parser.add_argument("--url", required=True, help="the server, as http://host:port")
        parser.add_argument("--api-key", required=True, metavar="KEY")
        parser.add_argument(
            "--speed", type=speed, default=60.0, metavar="X", help="contest seconds per second; 0: no waiting (default: 60)"
        )
        parser.add_argument("--board", metavar="SLUG", help="default: the game's board with operator latest and subscore order asc")

    def handle(self, *args: Any, **options: Any) -> None:
        contest = _load(options["dir"])
        progress = Progress(self.stderr, steps=timeline(contest))
        try:
            client = Client(options["url"], options["api_key"], on_trouble=progress.trouble)
        except ValueError as error:
            raise CommandError(str(error)) from error
        try:
            board = self._board(client, options["api_key"], options["board"])
            self.stderr.write(f"{contest.name} on {board.slug}: {len(progress.steps)} changes of standing.", style_func=str)
            _play(client, board, contest, speed=options["speed"], progress=progress)
            self._print_top(client, board)
        except Refused as refused:
            progress.end()
            raise CommandError(f"The server refused with {refused.code}: {refused.detail}") from refused
        except Unreachable as unreachable:
            progress.end()
            raise CommandError(f"{unreachable} Start again to go on; nothing counts twice.") from unreachable
        except KeyboardInterrupt:
            progress.end()
            self.stderr.write("Stopped. Start again to go on; nothing counts twice.", style_func=str)
            sys.exit(INTERRUPTED)
        finally:
            client.close()

    def _board(self, client: Client, api_key: str, named: str | None) -> "Board":
        if named is not None:
            board = client.get(board_path(named))
            if not _ranks_contests(board):
                raise CommandError(f"{named!r} can't rank a contest: it needs operator latest, order desc and subscore order asc.")
            return Board(named, board["game_mode"])
        game = _game_of(api_key)
        fitting = [board for board in _boards(client) if _ranks_contests(board) and game in (None, board["game"])]
        if len(fitting) == 1:
            return Board(fitting[0]["leaderboard"], fitting[0]["game_mode"])
        if fitting:
            slugs = ", ".join(board["leaderboard"] for board in fitting)
            raise CommandError(f"Several boards can rank a contest ({slugs}); choose one with --board.")
        if game is None:
            raise CommandError(
                "No board can rank a contest. Make one where the server runs: "
                "manage.py create_board --game GAME --slug contest --operator latest --subscore-order asc"
            )
        return self._create_board(client, game)

    def _create_board(self, client: Client, game: str) -> "Board":
        """A board with a game mode of its own, so that the game's other scores stay off it."""
        from leaderboard.services.definitions import create_board

        rules = Rules(Operator.LATEST, Direction.DESC, Direction.ASC)
        with one_sentence():
            create_board(game, slug=NEW_BOARD, rules=rules, title="Contest", game_mode=NEW_BOARD)
        self.stderr.write(f"Created the board {NEW_BOARD} in the game {game}: operator latest, subscore order asc.", style_func=str)
        for attempt in range(BOARD_TRIES):
            if any(board["leaderboard"] == NEW_BOARD for board in _boards(client)):
                return Board(NEW_BOARD, NEW_BOARD)
            time.sleep(min(0.5, 0.05 * 2**attempt))
        raise CommandError(f"{client.url} does not serve the board {NEW_BOARD} that was just made: does it use another database?")

    def _print_top(self, client: Client, board: "Board") -> None:
        top = client.get(f"{board_path(board.slug)}top/?limit=10")
        self.stdout.write(f"{'rank':>4}  {'solved':>6}  {'penalty':>7}  team")
        for row in top["entries"]:
            self.stdout.write(f"{row['rank']:>4}  {row['score']:>6}  {row['subscore']:>7}  {row['name']}")


class Board(NamedTuple):
    """Where the contest is played. `game_mode` is the board's own, so that it takes what is posted."""

    slug: str
    game_mode: str


class Progress:
    """The contest's clock and how many steps were accepted: a bar on a terminal, a line every tenth elsewhere."""

    def __init__(self, out: OutputWrapper, *, steps: list[Step]) -> None:
        self._out, self.steps = out, steps
        self._live = out.isatty()
        self._accepted = 0
        self._open_line = False
        self._troubled = False

    def accepted(self, step: Step) -> None:
        self._accepted += 1
        self._troubled = False
        tenths, before = (10 * count // len(self.steps) for count in (self._accepted, self._accepted - 1))
        if self._live:
            self.at(step.at_ms)
        elif tenths > before:
            self._line(f"{10 * tenths:>3} %  {self._state(step.at_ms)}")

    def at(self, contest_ms: int) -> None:
        """Show the clock; only on a terminal."""
        if self._live:
            filled = BAR_WIDTH * self._accepted // len(self.steps)
            self._write(f"\r[{'#' * filled}{'.' * (BAR_WIDTH - filled)}]  {self._state(contest_ms)}\x1b[K")
            self._open_line = True

    def trouble(self, what: str, since_s: float) -> None:
        """One line for an outage, however many tries it lasts; none for a hiccup."""
        if since_s >= HICCUP_S and not self._troubled:
            self._troubled = True
            self._line(f"The server does not answer ({what}); trying again.")

    def end(self) -> None:
        """Leave the bar's line, if one is open."""
        if self._open_line:
            self._write("\n")
            self._open_line = False

    def _state(self, contest_ms: int) -> str:
        seconds = contest_ms // 1000
        clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return f"contest clock {clock}  {self._accepted} of {len(self.steps)} accepted"

    def _line(self, text: str) -> None:
        self.end()
        self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        self._out.write(text, style_func=str, ending="")
        self._out.flush()


def _play(client: Client, board: Board, contest: Contest, *, speed: float, progress: Progress) -> None:
    keys = _key_maker(contest, board)
    began = time.monotonic()
    for step in progress.steps:
        if speed > 0:
            _wait_until(step.at_ms, began=began, speed=speed, tick=progress.at)
        client.post("/api/v1/scores/", _body(step, board), idempotency_key=keys(step))
        progress.accepted(step)
    progress.end()


def _wait_until(at_ms: int, *, began: float, speed: float, tick: Callable[[int], None]) -> None:
    """Return when the contest's clock shows `at_ms`; a replay that is late goes on at once."""
    while (left_s := at_ms / 1000 / speed - (time.monotonic() - began)) > 0:
        tick(at_ms - int(1000 * left_s * speed))
        time.sleep(min(left_s, FRAME_S))


def _body(step: Step, board: Board) -> dict[str, Any]:
    return {
        "player": step.team_id,
        "name": step.name,
        "score": step.solved,
        "subscore": step.penalty,
        "game_mode": board.game_mode,
        "leaderboards": [board.slug],
    }


def _key_maker(contest: Contest, board: Board) -> Callable[[Step], str]:
    """The board is part of the hash: the same contest on another board is another replay."""
    digest = hashlib.sha256(f"{contest.fingerprint}/{board.slug}".encode()).hexdigest()[:16]
    return lambda step: f"{digest}-{step.submission_id}"


def _load(folder: Path) -> Contest:
    try:
        contents = {name: _read(folder / f"{name}.json") for name in ("config", "team", "run")}
        return parse(config=contents["config"], teams=contents["team"], runs=contents["run"])
    except OSError as error:
        raise CommandError(f"{error.filename} can't be read: {error.strerror}.") from error
    except MalformedContest as malformed:
        raise CommandError(str(malformed)) from malformed


def _read(path: Path) -> bytes:
    if path.stat().st_size > LARGEST_FILE:
        raise MalformedContest(f"{path.name} is too large for a contest.")
    return path.read_bytes()


def _boards(client: Client) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/leaderboard/")
    if not isinstance(answer, dict) or not isinstance(answer.get("leaderboards"), list):
        raise CommandError(f"{client.url} does not answer like a leaderboard server.")
    return list(answer["leaderboards"])


def _ranks_contests(board: dict[str, Any]) -> bool:
    wanted = {"operator": "latest", "sort_order": "desc", "subscore_order": "asc", "is_active": True}
    return all(board.get(name) == value for name, value in wanted.items())


def _game_of(api_key: str) -> str | None:
    """The key's game, if this command's own database is the server's. Only then can it tell, and make a board."""
    from leaderboard.models import ApiKey

    try:
        key = ApiKey.objects.select_related("game").filter(digest=hashlib.sha256(api_key.encode()).digest()).first()
    except DatabaseError:
        return None
    return key.game.slug if key is not None else None
