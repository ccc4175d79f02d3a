from collections import Counter
from io import StringIO
from threading import Event, Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from leaderboard.management.commands.demo import POSTERS, Room
from leaderboard.simulation import Play
from tests.commands.arcade import KEY, REFUSED_SCORE, Arcade, Stumble

pytestmark = pytest.mark.slow

FOREVER = "3600"


def demo(arcade: Arcade, *arguments: str, key: str = KEY) -> str:
    """Run it and return what it said; the arcade's `closes_after` ends it."""
    out = StringIO()
    call_command("demo", "--url", arcade.url, "--api-key", key, *arguments, stdout=out)
    return out.getvalue()


def close_after(arcade: Arcade, posts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Close the room when the arcade has worked on so many posts: an evening as short as the test wants it."""
    rooms: list[Room] = []
    opened = Room.client

    def client(room: Room) -> Any:
        rooms.append(room)
        return opened(room)

    monkeypatch.setattr(Room, "client", client)
    arcade.on_post = lambda count: rooms[0].stop.set() if count >= posts else None


def singles(arcade: Arcade) -> list[tuple[str | None, dict[str, Any]]]:
    return [(key, body) for path, key, body in arcade.received if path == "/api/v1/scores/"]


def batches(arcade: Arcade) -> list[dict[str, Any]]:
    return [body for path, _, body in arcade.received if path == "/api/v1/scores/batch/"]


@pytest.fixture
def hall(arcade: Arcade) -> Arcade:
    """The arcade with the board that every installation has."""
    arcade.board("global", operator="sum", subscore_order="desc")
    return arcade


def test_the_board_is_full_before_the_first_play_of_the_evening(hall: Arcade, monkeypatch: pytest.MonkeyPatch):
    close_after(hall, 3, monkeypatch)
    demo(hall, "--players", "300")
    assert [len(batch["scores"]) for batch in batches(hall)] == [100, 100, 100]
    assert len(hall.standings("global")) == 300


def test_plays_are_posted_one_by_one_with_keys_of_their_own(hall: Arcade, monkeypatch: pytest.MonkeyPatch):
    close_after(hall, 200, monkeypatch)
    demo(hall, "--players", "20", "--rate", "1000")
    posted = singles(hall)
    assert len(posted) >= 199
    assert len({key for key, _ in posted}) == len(posted)
    assert len({body["game_mode"] for _, body in posted}) >= 3
    assert all(set(body) == {"player", "name", "score", "game_mode", "metadata"} for _, body in posted)


def test_two_evenings_of_one_seed_are_two_evenings(hall: Arcade, monkeypatch: pytest.MonkeyPatch):
    close_after(hall, 50, monkeypatch)
    demo(hall, "--players", "20", "--rate", "1000")
    before = sum(row["submissions"] for row in hall.standings("global"))
    close_after(hall, len(hall.received) + 50, monkeypatch)
    demo(hall, "--players", "20", "--rate", "1000")
    assert sum(row["submissions"] for row in hall.standings("global")) >= before + 50
    assert len(batches(hall)) == 1  # the second evening found everybody on the board


def test_a_stumble_counts_nothing_twice(hall: Arcade, monkeypatch: pytest.MonkeyPatch):
    for drop in ("before", "after") * 3:
        hall.stumbles.append(Stumble(drop=drop))
    hall.stumbles.appendleft(Stumble(drop="after", path="/api/v1/scores/batch/"))
    close_after(hall, 60, monkeypatch)
    demo(hall, "--players", "20", "--rate", "1000")
    assert not hall.stumbles
    keys = Counter(key for _, key, _ in hall.received)
    assert max(keys.values()) == 2
    assert sum(row["submissions"] for row in hall.standings("global")) == 20 + len({key for key, _ in singles(hall)})


def test_an_outage_is_one_line_and_its_end_another(hall: Arcade, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("leaderboard.management.commands.demo.HICCUP_S", 0.0)
    hall.stumbles.extend([Stumble(503)] * 2 * POSTERS)
    close_after(hall, 60, monkeypatch)
    said = demo(hall, "--players", "20", "--rate", "1000")
    assert said.count("The server does not answer (HTTP 503); waiting for it.\n") == 1
    assert said.count("The server answers again, after 0 s.\n") == 1


def test_a_server_that_is_not_there_yet_is_waited_for(hall: Arcade, monkeypatch: pytest.MonkeyPatch):
    hall.stumbles.extend([Stumble(drop="before", path="/api/v1/leaderboard/global/top/?limit=1000")] * 3)
    close_after(hall, 2, monkeypatch)
    demo(hall, "--players", "20", "--rate", "1000")
    assert not hall.stumbles
    assert len(batches(hall)) == 1


def test_a_wrong_key_ends_it_with_the_servers_own_words(hall: Arcade):
    with pytest.raises(CommandError, match=r"^The server refused with not_authenticated: There is no such API key\.$"):
        demo(hall, key="gl_wrong")
    assert hall.received == []


def test_a_key_that_is_revoked_in_the_evening_ends_it(hall: Arcade):
    hall.stumbles.append(Stumble(401, "not_authenticated"))
    with pytest.raises(CommandError, match="not_authenticated: Stumbled"):
        demo(hall, "--players", "20", "--rate", "1000")


def test_other_refusals_are_counted_by_their_code(hall: Arcade, monkeypatch: pytest.MonkeyPatch):
    hall.stumbles.extend([Stumble(422, "score_out_of_range"), Stumble(500, "internal_error"), Stumble(422, "score_out_of_range")])
    close_after(hall, 60, monkeypatch)
    assert "refused: internal_error 1, score_out_of_range 2\n" in demo(hall, "--players", "20", "--rate", "1000")


def test_refusals_inside_a_batch_are_counted(hall: Arcade, monkeypatch: pytest.MonkeyPatch):
    refused = [Play(0.0, f"bo-{number}", "Bo", REFUSED_SCORE, "classic", {}) for number in range(3)]
    plays = [*refused, Play(0.0, "ada", "Ada", 5, "classic", {}), Play(3600.0, "ada", "Ada", 5, "classic", {})]
    monkeypatch.setattr("leaderboard.management.commands.demo.evening", lambda **_: iter(plays))
    said = demo(hall, "--duration", "0.2")
    assert "  1 scores," in said
    assert "refused: score_out_of_range 3\n" in said


def test_it_ends_after_its_duration_even_while_the_server_is_away(hall: Arcade):
    hall.stumbles.extend([Stumble(503, path="/api/v1/scores/batch/")] * 1_000)
    said = demo(hall, "--duration", "0.3")
    assert "00:00  0 scores" in said
    assert hall.received == []


def test_a_slow_server_gets_fewer_plays_instead_of_a_longer_queue(hall: Arcade, monkeypatch: pytest.MonkeyPatch):
    """Every poster is stuck in an answer: only what fits the queue may be taken from the evening meanwhile."""
    taken, stuck, release = [0], Event(), Event()

    def plays(**_: Any) -> Any:
        while True:
            taken[0] += 1
            yield Play(0.001, f"ada-{taken[0]}", "Ada", 5, "classic", {})

    full = Event()
    put = Room.put

    def watched_put(room: Room, key: str, play: Play) -> None:
        if stuck.is_set() and room._plays.full():
            full.set()
        put(room, key, play)

    def hold(count: int) -> None:
        stuck.set()
        release.wait(30)  # the arcade works on one post at a time: the others wait behind this one

    monkeypatch.setattr("leaderboard.management.commands.demo.evening", plays)
    monkeypatch.setattr(Room, "put", watched_put)
    close_after(hall, 1, monkeypatch)
    closing = hall.on_post
    hall.on_post = hold

    evening = Thread(target=demo, args=(hall, "--rate", "1000"))
    evening.start()
    assert full.wait(30)
    assert taken[0] <= 3 * POSTERS + 3
    hall.on_post = closing
    release.set()
    evening.join(30)
    assert not evening.is_alive()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--players", "1"],
        ["--players", "5001"],
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--rate", "1001"],
        ["--duration", "0"],
        ["--duration", "nan"],
    ],
)
def test_an_impossible_evening_is_refused(hall: Arcade, arguments: list[str]):
    with pytest.raises(CommandError, match=arguments[0]):
        demo(hall, *arguments)


def test_a_url_that_is_none_is_refused():
    with pytest.raises(CommandError, match="The URL must look like http://host:port"):
        call_command("demo", "--url", "localhost:8000", "--api-key", KEY)
