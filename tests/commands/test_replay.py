import json
import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.models.signals import post_save

from leaderboard.management.commands.replay import _wait_until
from leaderboard.models import Leaderboard
from leaderboard.services import keys
from tests.commands import arcade as arcade_module
from tests.commands.arcade import KEY, Arcade, Stumble
from tests.test_contest import Try, contest_files, world_final

pytestmark = pytest.mark.django_db

# Bo is first to solve one problem, Ada solves two, Cy tries in vain.
TRIES: tuple[Try, ...] = (
    ("bo", "A", "ACCEPTED", 10),
    ("ada", "A", "WRONG_ANSWER", 12),
    ("ada", "A", "ACCEPTED", 20),
    ("cy", "A", "WRONG_ANSWER", 21),
    ("ada", "B", "ACCEPTED", 30),
)
FINAL = "rank  solved  penalty  team\n   1       2       70  Ada\n   2       1       10  Bo\n"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def write(folder: Path, *tries: Try) -> Path:
    files = contest_files(*tries, teams=("ada", "bo", "cy"))
    for name, content in {"config": files["config"], "team": files["teams"], "run": files["runs"]}.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def contest(tmp_path: Path) -> Path:
    return write(tmp_path, *TRIES)


def replay(folder: Path, arcade: Arcade, *arguments: str, key: str = KEY, err: StringIO | None = None) -> str:
    out = StringIO()
    call_command(
        "replay", str(folder), "--url", arcade.url, "--api-key", key, "--speed", "0", *arguments, stdout=out, stderr=err or StringIO()
    )
    return out.getvalue()


def counted(arcade: Arcade, slug: str = "finals") -> list[tuple[str, int, int, int]]:
    return [(row["player"], row["score"], row["subscore"], row["submissions"]) for row in arcade.standings(slug)]


@pytest.mark.slow
def test_the_world_final_ends_on_the_board_with_its_real_standings(arcade: Arcade):
    folder = world_final()
    arcade.board("finals")
    out = replay(folder, arcade)
    final = [[row["rank"], row["player"], row["score"], row["subscore"]] for row in arcade.standings("finals")]
    assert final == json.loads((folder / "expected_final.json").read_bytes())
    assert [line.split()[:3] for line in out.splitlines()[1:]] == [
        [str(rank), str(solved), str(cost)] for rank, _, solved, cost in final[:10]
    ]


def test_each_change_of_a_standing_is_posted_in_time_order(contest: Path, arcade: Arcade):
    arcade.board("finals")
    assert replay(contest, arcade) == FINAL
    assert [(path, body["player"], body["name"], body["score"], body["subscore"]) for path, _, body in arcade.received] == [
        ("/api/v1/scores/", "bo", "Bo", 1, 10),
        ("/api/v1/scores/", "ada", "Ada", 1, 40),
        ("/api/v1/scores/", "ada", "Ada", 2, 70),
    ]
    assert all(body["leaderboards"] == ["finals"] for _, _, body in arcade.received)
    assert arcade.connections == 1


def test_each_submission_has_its_own_key_that_is_the_same_the_next_time(contest: Path, arcade: Arcade):
    arcade.board("finals")
    replay(contest, arcade)
    replay(contest, arcade)
    keys = [key for _, key, _ in arcade.received]
    assert keys[:3] == keys[3:]
    digest = str(keys[0]).partition("-")[0]
    assert keys[:3] == [f"{digest}-0", f"{digest}-2", f"{digest}-4"]


def test_a_replay_that_was_broken_off_and_is_started_again_counts_nothing_twice(contest: Path, arcade: Arcade):
    arcade.board("finals")

    def break_off(count: int) -> None:
        if count == 2:
            arcade.stumbles.append(Stumble(403, "forbidden"))

    arcade.on_post = break_off
    with pytest.raises(CommandError, match="refused with forbidden: Stumbled"):
        replay(contest, arcade)
    assert len(arcade.received) == 2
    replay(contest, arcade)
    assert counted(arcade) == [("ada", 2, 70, 2), ("bo", 1, 10, 1)]


def test_another_contest_or_another_board_has_other_keys(contest: Path, arcade: Arcade, tmp_path: Path):
    arcade.board("finals")
    arcade.board("training")
    replay(contest, arcade, "--board", "finals")
    replay(contest, arcade, "--board", "training")
    write(contest, *TRIES[:-1], ("ada", "B", "ACCEPTED", 31))
    replay(contest, arcade, "--board", "finals")
    assert len({key for _, key, _ in arcade.received}) == 9


@pytest.mark.parametrize("stumble", [Stumble(503), Stumble(429), Stumble(drop="before"), Stumble(drop="after")])
def test_an_outage_is_ridden_out_without_counting_twice(contest: Path, arcade: Arcade, stumble: Stumble):
    arcade.board("finals")
    arcade.stumbles.append(stumble)
    assert replay(contest, arcade) == FINAL
    assert counted(arcade) == [("ada", 2, 70, 2), ("bo", 1, 10, 1)]


@pytest.mark.slow
def test_an_outage_is_one_line(contest: Path, arcade: Arcade, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("leaderboard.management.commands.replay.HICCUP_S", 0.0)
    arcade.board("finals")
    arcade.stumbles.extend([Stumble(503)] * 3)
    err = StringIO()
    replay(contest, arcade, err=err)
    assert err.getvalue().count("The server does not answer (HTTP 503); trying again.\n") == 1


def test_a_wrong_key_is_said_with_the_servers_own_words(contest: Path, arcade: Arcade):
    arcade.board("finals")
    with pytest.raises(CommandError, match=r"^The server refused with not_authenticated: There is no such API key\.$"):
        replay(contest, arcade, key="gl_wrong")


# --- Which board ----------------------------------------------------------------------------------------------------------


def test_the_only_board_that_fits_is_found(contest: Path, arcade: Arcade):
    arcade.board("sums", operator="sum")
    arcade.board("upside-down", subscore_order="desc")
    arcade.board("closed", is_active=False)
    arcade.board("finals")
    replay(contest, arcade)
    assert counted(arcade) == [("ada", 2, 70, 2), ("bo", 1, 10, 1)]


def test_a_board_for_one_game_mode_is_posted_to_in_its_mode(contest: Path, arcade: Arcade):
    arcade.board("finals", game_mode="icpc")
    replay(contest, arcade)
    assert {body["game_mode"] for _, _, body in arcade.received} == {"icpc"}
    assert len(counted(arcade)) == 2


def test_of_several_boards_one_must_be_chosen(contest: Path, arcade: Arcade):
    arcade.board("finals")
    arcade.board("training")
    with pytest.raises(CommandError, match=r"Several boards can rank a contest \(finals, training\); choose one with --board"):
        replay(contest, arcade)
    assert replay(contest, arcade, "--board", "training") == FINAL
    assert counted(arcade) == []


def test_a_named_board_must_exist(contest: Path, arcade: Arcade):
    with pytest.raises(CommandError, match="leaderboard_not_found: There is no leaderboard 'finals'"):
        replay(contest, arcade, "--board", "finals")


def test_a_named_board_that_would_rank_wrongly_is_refused_before_anything_is_posted(contest: Path, arcade: Arcade):
    arcade.board("sums", operator="sum")
    with pytest.raises(CommandError, match="'sums' can't rank a contest: it needs operator latest"):
        replay(contest, arcade, "--board", "sums")
    assert arcade.received == []


def test_without_a_board_and_without_the_keys_game_it_says_how_to_make_one(contest: Path, arcade: Arcade):
    with pytest.raises(CommandError, match=r"No board can rank a contest.*create_board --game GAME --slug contest --operator latest"):
        replay(contest, arcade)
    assert list(Leaderboard.objects.values_list("slug", flat=True)) == ["global"]


@pytest.fixture
def own_key(monkeypatch: pytest.MonkeyPatch) -> str:
    """A key of the game `default` in this command's own database, which is the server's, too."""
    key = keys.create("default").key
    monkeypatch.setattr(arcade_module, "KEY", key)
    return key


def test_boards_of_other_games_do_not_matter(contest: Path, arcade: Arcade, own_key: str):
    arcade.board("other", game="pong")
    arcade.board("finals", game="default")
    replay(contest, arcade, key=own_key)
    assert len(counted(arcade)) == 2


def test_a_board_is_made_where_there_is_none(contest: Path, arcade: Arcade, own_key: str):
    def serve_it(instance: Leaderboard, **_: Any) -> None:
        arcade.board(instance.slug, operator=instance.operator, subscore_order=instance.subscore_order, game_mode=instance.game_mode)

    arcade.board("other", game="pong")
    err = StringIO()
    post_save.connect(serve_it, sender=Leaderboard)
    try:
        assert replay(contest, arcade, key=own_key, err=err) == FINAL
    finally:
        post_save.disconnect(serve_it, sender=Leaderboard)
    assert "Created the board contest in the game default: operator latest, subscore order asc.\n" in err.getvalue()
    board = Leaderboard.objects.get(slug="contest")
    assert (board.game.slug, board.operator, board.sort_order, board.subscore_order) == ("default", "latest", "desc", "asc")
    assert not any(other.game_mode == board.game_mode for other in Leaderboard.objects.exclude(pk=board.pk))


def test_a_slug_that_is_taken_by_another_kind_of_board_is_said(contest: Path, arcade: Arcade, own_key: str):
    call_command("create_board", "--game", "default", "--slug", "contest", "--operator", "sum", stdout=StringIO())
    with pytest.raises(CommandError, match="There is a leaderboard 'contest' already"):
        replay(contest, arcade, key=own_key)


def test_a_server_with_another_database_is_noticed(contest: Path, arcade: Arcade, own_key: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("leaderboard.management.commands.replay.BOARD_TRIES", 1)
    with pytest.raises(CommandError, match="does not serve the board contest that was just made"):
        replay(contest, arcade, key=own_key)


# --- What it reads -----------------------------------------------------------------------------------------------------------


def test_a_folder_without_a_contest_is_refused_with_a_sentence(tmp_path: Path, arcade: Arcade):
    with pytest.raises(CommandError, match=r"config\.json can't be read: No such file or directory"):
        replay(tmp_path, arcade)


def test_a_malformed_contest_is_refused_with_a_sentence(contest: Path, arcade: Arcade):
    (contest / "team.json").write_text("{}")
    with pytest.raises(CommandError, match=r"team\.json must be a list\."):
        replay(contest, arcade)


def test_a_contest_that_nobody_solved_ends_with_an_empty_table(tmp_path: Path, arcade: Arcade):
    arcade.board("finals")
    assert replay(write(tmp_path, ("cy", "A", "WRONG_ANSWER", 1)), arcade) == FINAL.partition("\n")[0] + "\n"


@pytest.mark.parametrize("arguments", [["--speed", "-1"], ["--speed", "nan"], ["--speed", "inf"], ["--speed", "fast"]])
def test_an_impossible_speed_is_refused(contest: Path, arcade: Arcade, arguments: list[str]):
    with pytest.raises(CommandError, match="speed"):
        replay(contest, arcade, *arguments)


def test_a_url_that_is_none_is_refused(contest: Path):
    with pytest.raises(CommandError, match="The URL must look like http://host:port"):
        call_command("replay", str(contest), "--url", "localhost:8000", "--api-key", KEY)


# --- What it shows --------------------------------------------------------------------------------------------------------------


def test_it_prints_a_line_every_tenth_when_nobody_watches(tmp_path: Path, arcade: Arcade):
    arcade.board("finals")
    err = StringIO()
    replay(write(tmp_path, *[("ada", f"P{number}", "ACCEPTED", 60 + number) for number in range(40)]), arcade, err=err)
    lines = [line for line in err.getvalue().splitlines() if "%" in line]
    assert len(lines) == 10
    assert lines[0] == " 10 %  contest clock 1:03:00  4 of 40 accepted"
    assert lines[-1] == "100 %  contest clock 1:39:00  40 of 40 accepted"


def test_it_draws_a_bar_on_a_terminal_and_leaves_its_line_at_the_end(contest: Path, arcade: Arcade):
    arcade.board("finals")
    err = Terminal()
    replay(contest, arcade, err=err)
    frames = err.getvalue().split("\r")
    assert frames[1].startswith("[##########....................]  contest clock 0:10:00  1 of 3 accepted")
    assert frames[-1] == f"[{'#' * 30}]  contest clock 0:30:00  3 of 3 accepted\x1b[K\n"


# --- Time ---------------------------------------------------------------------------------------------------------------------


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_step_waits_for_the_contests_clock_and_the_clock_is_shown_meanwhile(monkeypatch: pytest.MonkeyPatch):
    time = Time()
    monkeypatch.setattr("leaderboard.management.commands.replay.time", time)
    shown: list[int] = []
    _wait_until(120_000, began=100.0, speed=60.0, tick=shown.append)
    assert time.now == pytest.approx(102.0)
    assert shown[0] == 0
    assert shown == sorted(shown)
    assert 110_000 < shown[-1] <= 120_000


def test_a_replay_that_is_late_does_not_wait(monkeypatch: pytest.MonkeyPatch):
    time = Time()
    monkeypatch.setattr("leaderboard.management.commands.replay.time", time)
    _wait_until(120_000, began=97.9, speed=60.0, tick=lambda _: pytest.fail("it waited"))
    assert time.now == 100.0


# manage.py for a test run that may itself be a background job, whose children would ignore SIGINT.
INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""


@pytest.mark.slow
def test_ctrl_c_ends_it_cleanly(contest: Path, arcade: Arcade, tmp_path: Path):
    arcade.board("finals")
    posted = Event()
    arcade.on_post = lambda count: posted.set()
    files = write(tmp_path, ("ada", "A", "ACCEPTED", 0), ("ada", "B", "ACCEPTED", 299))
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "replay", str(files), "--url", arcade.url, "--api-key", KEY, "--speed", "1"],
        cwd=Path(__file__).resolve().parents[2],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "gaming_leaderboard.settings",
            "DATABASE_URL": f"sqlite:///{tmp_path / 'empty.sqlite3'}",
            "STATE_DIR": str(tmp_path / "state"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert posted.wait(30)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert err.endswith("Stopped. Start again to go on; nothing counts twice.\n")
    assert "Traceback" not in err
    assert process.returncode == 130
