"""Publishable tickets: an overlay's address reads one board, whoever got hold of it, and ends with a key that is nothing else's."""

import re
from datetime import UTC, datetime, timedelta
from io import StringIO

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from leaderboard import runtime
from leaderboard.domain.errors import InvalidDefinition, NotAuthenticated, NotFound
from leaderboard.models import ApiKey, Leaderboard
from leaderboard.services import Services, keys, publishing
from leaderboard.services.tokens import Tokens
from tests.cast import Cast

SECRET, OTHER = "arcade-secret", "arcade-other"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
TOKENS = Tokens("a secret of the tests")


# --- What the ticket may ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def house(cast: Cast, orm: None, services: Services) -> Cast:
    for slug in (SECRET, OTHER):
        await cast.board(slug, is_public=False)
    await services.catalogs.refresh()
    return cast


async def published(services: Services, slug: str = SECRET) -> publishing.Published:
    return await sync_to_async(publishing.publish)(slug, tokens=services.tokens, now=runtime.utc_now())


async def top_of(api: httpx.AsyncClient, slug: str, headers: dict[str, str]) -> int:
    return (await api.get(f"/api/v1/leaderboard/{slug}/top/", headers=headers)).status_code


async def test_it_reads_its_board_and_does_nothing_else(api: httpx.AsyncClient, house: Cast, services: Services) -> None:
    headers = {"Authorization": f"Ticket {(await published(services)).ticket}"}
    assert await top_of(api, SECRET, headers) == 200, "at once, though the key is younger than what the process holds"
    assert await top_of(api, OTHER, headers) == 404
    listed = (await api.get("/api/v1/leaderboard/", headers=headers)).json()["leaderboards"]
    assert {SECRET, OTHER} & {board["leaderboard"] for board in listed} == {SECRET}
    entry = f"/api/v1/leaderboard/{SECRET}/entries/ada/"
    refused = [
        await api.post("/api/v1/scores/", json={"player": "ada", "score": 1, "leaderboards": [SECRET]}, headers=headers),
        await api.post("/api/v1/scores/", json={"score": 1, "leaderboards": [SECRET]}, headers=headers),
        await api.post("/api/v1/tickets/", json={"leaderboards": [SECRET]}, headers=headers),
        await api.patch(f"/api/v1/leaderboard/{SECRET}/", json={"title": "Mine"}, headers=headers),
        await api.post("/api/v1/leaderboard/", json={"slug": "mine", "operator": "best"}, headers=headers),
        await api.patch(entry, json={"score": 1, "reason": "mine"}, headers=headers),
        await api.delete(entry, params={"reason": "mine"}, headers=headers),
    ]
    assert [answer.json()["code"] for answer in refused] == ["forbidden"] * len(refused), [answer.text for answer in refused]
    assert await house.count("gamesession") == 0


async def test_it_ends_with_its_key_and_the_games_other_keys_go_on(api: httpx.AsyncClient, house: Cast, services: Services) -> None:
    made = await published(services)
    headers = {"Authorization": f"Ticket {made.ticket}"}
    assert await top_of(api, SECRET, headers) == 200
    await sync_to_async(keys.revoke)(made.key_prefix, now=runtime.utc_now())
    await services.catalogs.refresh()
    assert await top_of(api, SECRET, headers) == 401
    assert await top_of(api, SECRET, house.auth) == 200
    again = await published(services)
    assert again.key_prefix != made.key_prefix
    assert await top_of(api, SECRET, {"Authorization": f"Ticket {again.ticket}"}) == 200


async def test_it_ends_on_its_day(house: Cast, services: Services) -> None:
    made = await sync_to_async(publishing.publish)(SECRET, tokens=services.tokens, days=3, now=NOW)
    assert made.expires_at == NOW + timedelta(days=3)
    services.tokens.read_ticket(made.ticket, now=NOW + timedelta(days=2, hours=23))
    with pytest.raises(NotAuthenticated):
        services.tokens.read_ticket(made.ticket, now=NOW + timedelta(days=3))


# --- Its key ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def boards(db: None) -> None:
    call_command("create_board", "--game", "default", "--slug", SECRET, "--operator", "best", "--private", stdout=StringIO())
    call_command("create_board", "--game", "default", "--slug", OTHER, "--operator", "best", "--private", stdout=StringIO())


def publish(slug: str = SECRET) -> publishing.Published:
    return publishing.publish(slug, tokens=TOKENS, now=NOW)


def test_the_overlays_of_a_board_share_a_key_that_reads_and_that_nobody_has_seen(boards: None) -> None:
    first, second, other = publish(), publish(), publish(OTHER)
    assert first.key_prefix == second.key_prefix != other.key_prefix
    row = ApiKey.objects.get(prefix=first.key_prefix)
    assert (row.name, row.scopes, row.game.slug) == (f"Overlays of {SECRET}", ["boards:read"], "default")
    assert TOKENS.read_ticket(first.ticket, now=NOW).boards == {Leaderboard.objects.get(slug=SECRET).pk}


def test_a_key_that_can_do_more_or_has_ended_is_not_taken_for_it(boards: None) -> None:
    name = f"Overlays of {SECRET}"
    others = [
        keys.create("default", scopes=["boards:read", "scores:write"], name=name).prefix,
        keys.create("default", scopes=["boards:read"], name=name, expires_at=NOW).prefix,
        keys.create("default", scopes=["boards:read"], name="another").prefix,
        (ended := keys.create("default", scopes=["boards:read"], name=name).prefix),
    ]
    keys.revoke(ended, now=NOW)
    assert publish().key_prefix not in others


def test_the_ticket_is_not_in_the_repr(boards: None) -> None:
    made = publish()
    assert made.ticket not in repr(made)


@pytest.mark.parametrize("days", [0, -1, 367])
def test_how_long_one_may_live(boards: None, days: int) -> None:
    with pytest.raises(InvalidDefinition, match="from 1 to 366 days"):
        publishing.publish(SECRET, tokens=TOKENS, days=days, now=NOW)
    assert not ApiKey.objects.exists()


def test_a_board_that_is_not_there_or_not_active_gets_none_and_leaves_no_key(boards: None) -> None:
    Leaderboard.objects.filter(slug=OTHER).update(is_active=False)
    for slug in ("nowhere", OTHER):
        with pytest.raises(NotFound, match=slug):
            publish(slug)
    assert not ApiKey.objects.exists()


# --- The command -----------------------------------------------------------------------------------------------------------


def create(*words: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("create_ticket", *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_prints_the_ticket_alone_and_the_address_beside_it(boards: None) -> None:
    out, err = create("--board", SECRET, "--days", "7", "--url", "https://scores.example/")
    ticket = out.strip()
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", out)
    said = Tokens(settings.SECRET_KEY).read_ticket(ticket, now=runtime.utc_now())
    assert timedelta(days=6, hours=23) < said.expires_at - runtime.utc_now() <= timedelta(days=7)
    assert f"Overlay: https://scores.example/overlay/{SECRET}/#ticket={ticket}\n" in err
    assert f"revoke_api_key {said.key_prefix}`" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--board", "nowhere"], "There is no active leaderboard 'nowhere'"),
        (["--board", SECRET, "--days", "367"], "A ticket lives from 1 to 366 days, not 367"),
        (["--board", SECRET, "--days", "0"], "must be a whole number from 1"),
    ],
)
def test_the_command_says_no_in_a_sentence(boards: None, words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        create(*words)
    assert not ApiKey.objects.exists()
