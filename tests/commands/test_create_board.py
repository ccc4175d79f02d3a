from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from leaderboard.models import Catalog, Game, Leaderboard

pytestmark = pytest.mark.django_db

NEW = ("--game", "default", "--slug", "weekly-best", "--operator", "best")


def create(*arguments: str) -> str:
    out = StringIO()
    call_command("create_board", *arguments, stdout=out)
    return out.getvalue()


def test_a_board_with_the_defaults_says_what_it_is():
    assert create(*NEW) == (
        "Leaderboard weekly-best of game default: operator best, score desc, subscore desc, every game mode, all-time, scores from 0.\n"
    )
    board = Leaderboard.objects.get(slug="weekly-best")
    assert (board.game.slug, board.title, board.operator, board.sort_order, board.subscore_order) == (
        "default",
        "Weekly best",
        "best",
        "desc",
        "desc",
    )
    assert (board.game_mode, board.reset_schedule, board.time_zone, board.min_score, board.max_score) == ("", "", "UTC", 0, None)
    assert board.is_active
    assert not board.authoritative


def test_every_option_arrives():
    said = create(
        *NEW[:4],
        *("--operator", "latest", "--order", "asc", "--subscore-order", "asc", "--game-mode", "blitz", "--reset", "weekly"),
        *("--time-zone", "Europe/Berlin", "--min-score", "-5", "--max-score", "99", "--title", "Blitz of the week"),
    )
    assert said.endswith("score asc, subscore asc, game mode blitz, reset weekly (Europe/Berlin), scores from -5 to 99.\n")
    board = Leaderboard.objects.get(slug="weekly-best")
    assert (board.title, board.operator, board.sort_order, board.subscore_order) == ("Blitz of the week", "latest", "asc", "asc")
    assert (board.game_mode, board.reset_schedule, board.time_zone) == ("blitz", "weekly", "Europe/Berlin")
    assert (board.min_score, board.max_score) == (-5, 99)


def test_a_board_is_public_unless_it_is_made_private():
    assert create(*NEW, "--private").endswith("all-time, scores from 0, private.\n")
    create(*NEW[:2], "--slug", "open", "--operator", "best")
    assert dict(Leaderboard.objects.values_list("slug", "is_public")) == {"global": True, "weekly-best": False, "open": True}


def test_a_board_can_take_signed_submits_only():
    assert create(*NEW, "--signed").endswith("scores from 0, signed submits only.\n")
    assert Leaderboard.objects.get(slug="weekly-best").signed_only
    create("--game", "default", "--slug", "other", "--operator", "best")
    assert not Leaderboard.objects.get(slug="other").signed_only


@pytest.mark.parametrize("operator", ["best", "sum", "latest", "count"])
def test_every_operator_can_be_had(operator: str):
    create("--game", "default", "--slug", "board", "--operator", operator)
    assert Leaderboard.objects.get(slug="board").operator == operator


def test_a_schedule_may_be_a_cron_line():
    assert "reset 0 18 * * 5 (UTC)" in create(*NEW, "--reset", "0 18 * * 5")


def test_the_lower_bound_goes_only_when_asked():
    assert create(*NEW, "--no-min-score").endswith("scores without bounds.\n")
    assert Leaderboard.objects.get(slug="weekly-best").min_score is None
    assert create(*NEW[:2], "--slug", "other", "--operator", "best", "--no-min-score", "--max-score", "7").endswith("scores up to 7.\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--game", "pong", "--slug", "a", "--operator", "best"], r"There is no game 'pong'; the games are default\."),
        (["--game", "default", "--slug", "global", "--operator", "best"], "There is a leaderboard 'global' already"),
        (["--game", "default", "--slug", "Not a slug", "--operator", "best"], "slug"),
        ([*NEW, "--reset", "hourly"], "'hourly'"),
        ([*NEW, "--time-zone", "Europe/Atlantis"], "Atlantis"),
        ([*NEW, "--min-score", "5", "--max-score", "4"], "max_score 4 is less than min_score 5"),
        ([*NEW, "--max-score", str(2**53)], "max_score is outside"),
        ([*NEW, "--game-mode", "no spaces"], "game.mode"),
        ([*NEW, "--title", "x" * 121], "title"),
    ],
)
def test_what_contradicts_itself_is_refused_with_a_sentence_and_leaves_nothing(arguments: list[str], sentence: str):
    with pytest.raises(CommandError, match=sentence) as refusal:
        create(*arguments)
    assert refusal.value.returncode == 1
    assert list(Leaderboard.objects.values_list("slug", flat=True)) == ["global"]


def test_a_game_can_be_made_on_the_way_but_not_for_a_board_that_is_refused():
    with pytest.raises(CommandError):
        create("--game", "pong", "--create-game", "--slug", "pong-best", "--operator", "best", "--reset", "never")
    assert not Game.objects.filter(slug="pong").exists()
    create("--game", "pong", "--create-game", "--slug", "pong-best", "--operator", "best")
    assert Leaderboard.objects.get(slug="pong-best").game.slug == "pong"


def test_running_processes_notice_a_new_board():
    before = Catalog.objects.get().version
    create(*NEW)
    assert Catalog.objects.get().version > before
