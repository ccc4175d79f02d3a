"""The admin's pages: what is done there reaches ranks and watchers, what is secret is seen once, and who may not, does not."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from leaderboard import runtime
from leaderboard.models import ApiKey, EntryEdit, Game, Leaderboard, LeaderboardEntry
from leaderboard.services import Services
from leaderboard.services.rerank import Rerank
from tests.admin.conftest import Browser
from tests.cast import Cast
from tests.keeper import is_whole
from tests.services.test_when_redis_is_away import BOARD, differences, ranks, submit, warm

pytestmark = pytest.mark.slow  # hashes passwords

Hire = Callable[..., Awaitable[User]]

LISTS = ["game", "leaderboard", "apikey", "gamesession", "leaderboardentry", "entryedit"]
BOARD_FORM = {
    "slug": "odd", "title": "Zoe\u0308's Cup", "operator": "best", "sort_order": "desc", "subscore_order": "desc", "game_mode": "",
    "reset_schedule": "", "time_zone": "UTC", "min_score": "0", "max_score": "", "metadata": "{}",
}  # fmt: skip
EVIL = "<script>document.title='owned'</script>"


@pytest.fixture
async def staff(browser: Browser, hire: Hire, cast: Cast) -> Browser:
    """Mo, who may do everything; Ada leads with 30, then Bo with 20 and Cy with 10."""
    for player, score in [("ada", 30), ("bo", 20), ("cy", 10)]:
        await submit(cast, player, score)
    await warm(cast)
    await hire("mo")
    await browser.sign_in("mo")
    return browser


async def entry_of(player: str) -> int:
    found: int = await sync_to_async(LeaderboardEntry.objects.values_list("pk", flat=True).get)(
        user__username=player, leaderboard__slug=BOARD
    )
    return found


async def user_id(name: str) -> int:
    found: int = await sync_to_async(User.objects.values_list("pk", flat=True).get)(username=name)
    return found


async def act(browser: Browser, model: str, action: str, *chosen: int, **more: Any) -> Any:
    path = f"/admin/{model}/"
    await browser.get(path)
    return await browser.post(path, action=action, _selected_action=[str(pk) for pk in chosen], **more)


# --- Pages ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [*(f"leaderboard/{name}" for name in LISTS), "auth/user", "auth/group", "otp_totp/totpdevice"])
async def test_every_list_opens_and_can_be_searched(staff: Browser, model: str) -> None:
    assert (await staff.get(f"/admin/{model}/")).status_code == 200
    found = await staff.get(f"/admin/{model}/", q="a\0da")
    assert found.status_code in (200, 302)


async def test_a_board_shows_how_it_stands_and_when_it_resets(staff: Browser, cast: Cast) -> None:
    best, daily = [await sync_to_async(Leaderboard.objects.get)(slug=slug) for slug in (BOARD, "arcade-daily")]
    page = (await staff.get(f"/admin/leaderboard/leaderboard/{daily.pk}/change/")).text
    assert len(re.findall(r"\w{3} \d{4}-\d\d-\d\d 00:00<br>", page)) == 10
    assert f'href="/boards/{BOARD}/"' in (await staff.get("/admin/leaderboard/leaderboard/")).text
    assert 'class="field-entries">3<' in (await staff.get("/admin/leaderboard/leaderboard/", q=BOARD)).text
    assert "all-time" in (await staff.get(f"/admin/leaderboard/leaderboard/{best.pk}/change/")).text


async def test_a_schedule_that_cannot_be_read_is_not_saved_and_one_that_was_can_be_opened(staff: Browser, cast: Cast) -> None:
    form = {"game": cast.games["arcade"], "slug": "odd", "title": "Odd", "operator": "best", "sort_order": "desc", "subscore_order": "desc"}
    await staff.get("/admin/leaderboard/leaderboard/add/")
    answer = await staff.post("/admin/leaderboard/leaderboard/add/", **form, reset_schedule="sometimes", time_zone="UTC", metadata="{}")
    assert "neither blank, daily" in answer.text
    await cast.board("broken", time_zone="Atlantis/Center")
    broken = await sync_to_async(Leaderboard.objects.get)(slug="broken")
    assert (await staff.get(f"/admin/leaderboard/leaderboard/{broken.pk}/change/")).status_code == 200


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("slug", "Not-a-slug", "A slug has"),
        ("title", "a\u202eb", "U+202E"),
        ("title", "a\u200bb", "U+200B"),
        ("game_mode", "no spaces", "A game mode has"),
        ("max_score", "-1", "no score fits"),
        ("min_score", str(-(2**53)), "min_score is outside"),
        ("metadata", '{"a": "' + "x" * 3_000 + '"}', "more than 2048 bytes"),
    ],
)
async def test_a_board_that_rest_would_refuse_is_not_saved(staff: Browser, cast: Cast, field: str, value: str, said: str) -> None:
    form = BOARD_FORM | {"game": cast.games["arcade"], field: value}
    await staff.get("/admin/leaderboard/leaderboard/add/")
    answer = await staff.post("/admin/leaderboard/leaderboard/add/", **form)
    assert (answer.status_code, said in answer.text) == (200, True), answer.text
    assert not await sync_to_async(Leaderboard.objects.filter(game_id=cast.games["arcade"], slug=form["slug"]).exists)()


async def test_a_change_of_rules_ranks_anew_as_one_over_rest_does(staff: Browser, cast: Cast, rerank: Rerank, services: Services) -> None:
    board = await sync_to_async(Leaderboard.objects.get)(slug=BOARD)
    path = f"/admin/leaderboard/leaderboard/{board.pk}/change/"
    await staff.get(path)
    form = BOARD_FORM | {"slug": BOARD, "is_active": "on", "is_public": "on", "sort_order": "asc", "max_score": "25"}
    assert (await staff.post(path, **form)).status_code == 302
    assert "ranked anew" in (await staff.get(path)).text
    await sync_to_async(board.refresh_from_db)()
    assert (board.title, board.sort_order, board.max_score) == ("Zo\u00eb's Cup", "desc", None)
    held = await sync_to_async(board.rerankings.get)()
    assert (held.changes, held.actor) == ({"sort_order": "asc", "max_score": 25}, f"user:{await user_id('mo')}")
    await staff.post(path, **form | {"operator": "sum"})
    assert "Nothing was changed" in (await staff.get(path)).text
    assert await rerank.resume() == 1
    await is_whole(services)
    assert await ranks(cast) == [(1, "cy"), (2, "bo")]
    await sync_to_async(board.refresh_from_db)()
    assert (board.operator, board.sort_order, board.max_score) == ("best", "asc", 25)


@pytest.mark.parametrize(("model", "form"), [("game", {"slug": "g"}), ("apikey", {"scopes": "scores:write"})])
async def test_names_of_games_and_keys_hold_nothing_that_can_not_be_seen(
    staff: Browser, cast: Cast, model: str, form: dict[str, str]
) -> None:
    add = f"/admin/leaderboard/{model}/add/"
    await staff.get(add)
    before = await cast.count(model)
    refused = await staff.post(add, **form, game=cast.games["arcade"], name="a\u202eb")
    assert (refused.status_code, "U+202E" in refused.text) == (200, True)
    assert await cast.count(model) == before


async def test_a_board_with_entries_and_its_game_are_not_deleted_by_a_question_that_names_every_row(staff: Browser, cast: Cast) -> None:
    empty = (await sync_to_async(Game.objects.create)(slug="empty", name="Empty")).pk
    board = await sync_to_async(Leaderboard.objects.get)(slug=BOARD)
    for model, pk, status in (("leaderboard", board.pk, 403), ("game", board.game_id, 403), ("game", empty, 302)):
        await act(staff, f"leaderboard/{model}", "delete_selected", pk, post="yes")
        assert (await staff.post(f"/admin/leaderboard/{model}/{pk}/delete/", post="yes")).status_code == status
    slugs = await sync_to_async(lambda: set(Game.objects.values_list("slug", flat=True)))()
    assert ("arcade" in slugs, "empty" in slugs) == (True, False)
    assert await sync_to_async(Leaderboard.objects.filter(slug=BOARD).exists)()


async def test_a_players_name_is_text_in_every_list_and_form(staff: Browser, cast: Cast) -> None:
    await submit(cast, EVIL, 40)
    pages = [f"/admin/leaderboard/{name}/" for name in ("gamesession", "leaderboardentry")]
    pages += ["/admin/auth/user/", f"/admin/leaderboard/leaderboardentry/{await entry_of(EVIL)}/change/"]
    for path in pages:
        page = (await staff.get(path)).text
        assert "&lt;script&gt;document.title" in page, path
        assert "<script>document" not in page, path


# --- Entries -------------------------------------------------------------------------------------------------------------


async def test_an_entry_is_edited_through_the_services(staff: Browser, cast: Cast) -> None:
    path = f"/admin/leaderboard/leaderboardentry/{await entry_of('ada')}/change/"
    await staff.get(path)
    answer = await staff.post(path, total_score="15", subscore="0", reason="a cheat")
    assert answer.status_code == 302, answer.text
    assert await ranks(cast) == [(1, "bo"), (2, "ada"), (3, "cy")]
    assert await differences(cast) == []
    edit = await sync_to_async(EntryEdit.objects.get)()
    assert (edit.total_score, edit.reason, edit.actor) == (15, "a cheat", f"user:{await user_id('mo')}")
    assert (edit.before or {})["score"] == 30


async def test_a_value_that_no_client_could_read_is_refused(staff: Browser, cast: Cast) -> None:
    path = f"/admin/leaderboard/leaderboardentry/{await entry_of('ada')}/change/"
    await staff.get(path)
    assert (await staff.post(path, total_score=str(2**53), subscore="0", reason="")).status_code == 200
    assert await ranks(cast) == [(1, "ada"), (2, "bo"), (3, "cy")]
    assert await differences(cast) == []


async def test_mass_assignment_of_what_the_form_only_shows_changes_nothing(staff: Browser, cast: Cast) -> None:
    """OWASP API3."""
    path = f"/admin/leaderboard/leaderboardentry/{await entry_of('ada')}/change/"
    await staff.get(path)
    await staff.post(path, total_score="15", subscore="0", reason="", submissions="99", rank="1", user=await user_id("bo"))
    entry = await sync_to_async(LeaderboardEntry.objects.select_related("user").get)(pk=await entry_of("ada"))
    assert (entry.submissions, entry.user.username) == (2, "ada")


@pytest.mark.parametrize("way", ["page", "list"])
async def test_an_entry_is_removed_through_the_services(staff: Browser, cast: Cast, way: str) -> None:
    entry = await entry_of("ada")
    if way == "page":
        path = f"/admin/leaderboard/leaderboardentry/{entry}/delete/"
        await staff.get(path)
        assert (await staff.post(path, post="yes")).status_code == 302
    else:
        await act(staff, "leaderboard/leaderboardentry", "delete_selected", entry, post="yes")
    assert await ranks(cast) == [(1, "bo"), (2, "cy")]
    assert await differences(cast) == []
    assert await cast.count("entryedit") == 1


# --- Keys ----------------------------------------------------------------------------------------------------------------


async def test_a_new_key_is_shown_once_and_never_again(staff: Browser, cast: Cast, services: Services) -> None:
    add = "/admin/leaderboard/apikey/add/"
    await staff.get(add)
    made = await staff.post(add, game=cast.games["arcade"], name="match server", scopes=["scores:write", "players:admin"])
    key = re.findall(r"gl_[0-9a-f]{8}_\w+", made.text)[0]
    assert made.status_code == 200
    assert "no-store" in made.headers["Cache-Control"]
    credential = await services.credentials.find(f"Api-Key {key}".encode(), now=runtime.utc_now())
    assert set(credential.scopes) == {"scores:write", "players:admin"}
    row = await sync_to_async(ApiKey.objects.get)(prefix=key.split("_")[1])
    for path in (
        "/admin/leaderboard/apikey/",
        f"/admin/leaderboard/apikey/{row.pk}/change/",
        f"/admin/leaderboard/apikey/{row.pk}/history/",
    ):
        page = await staff.get(path)
        assert page.status_code == 200
        assert key.split("_")[2] not in page.text


async def test_a_key_is_rotated_and_revoked(staff: Browser, cast: Cast) -> None:
    old = await sync_to_async(ApiKey.objects.get)(prefix=cast.key[:11])
    made = await act(staff, "leaderboard/apikey", "rotate", old.pk)
    assert re.search(r"gl_[0-9a-f]{8}_\w+", made.text)
    await sync_to_async(old.refresh_from_db)()
    assert old.expires_at is not None
    successor = await sync_to_async(ApiKey.objects.get)(replaces=old)
    assert successor.scopes == old.scopes
    await act(staff, "leaderboard/apikey", "revoke", old.pk, successor.pk)
    assert await sync_to_async(ApiKey.objects.filter(pk__in=[old.pk, successor.pk], revoked_at=None).exists)() is False


# --- Overlays ------------------------------------------------------------------------------------------------------------


async def test_a_private_boards_overlay_has_its_ticket_shown_once_and_a_public_ones_has_none(staff: Browser, cast: Cast) -> None:
    await cast.board("arcade-secret", is_public=False)
    boards = await sync_to_async(lambda: dict(Leaderboard.objects.values_list("slug", "pk")))()
    page = await act(staff, "leaderboard/leaderboard", "overlay_address", boards["arcade-secret"], boards["arcade-best"])
    assert page.status_code == 200
    assert "no-store" in page.headers["Cache-Control"]
    assert "http://localhost/overlay/arcade-best/<" in page.text
    ticket = re.findall(r"http://localhost/overlay/arcade-secret/#ticket=([\w.-]+)<", page.text)[0]
    key = await sync_to_async(ApiKey.objects.get)(name="Overlays of arcade-secret")
    assert (key.scopes, key.prefix in page.text) == (["boards:read"], True)
    for path in ("", f"{boards['arcade-secret']}/change/", f"{boards['arcade-secret']}/history/"):
        assert ticket not in (await staff.get(f"/admin/leaderboard/leaderboard/{path}")).text
    assert key.prefix in (await staff.get(f"/admin/leaderboard/leaderboard/{boards['arcade-secret']}/history/")).text


async def test_who_may_make_no_key_publishes_no_board(browser: Browser, hire: Hire, cast: Cast) -> None:
    await cast.board("arcade-secret", is_public=False)
    await hire("di", "view_leaderboard", "change_leaderboard")
    await browser.sign_in("di")
    board = await sync_to_async(Leaderboard.objects.get)(slug="arcade-secret")
    page = await act(browser, "leaderboard/leaderboard", "overlay_address", board.pk)
    assert "ticket=" not in page.text
    assert not await sync_to_async(ApiKey.objects.filter(name__startswith="Overlays").exists)()


# --- Players -------------------------------------------------------------------------------------------------------------


async def test_a_player_is_found_by_the_whole_name_with_links_to_what_it_did(staff: Browser) -> None:
    page = (await staff.get("/admin/auth/user/", q="ada")).text
    assert 'href="/admin/leaderboard/leaderboardentry/?q=ada"' in page
    assert "1 user" in page
    assert "0 users" in (await staff.get("/admin/auth/user/", q="ad")).text
    assert "1 leaderboard entr" in (await staff.get("/admin/leaderboard/leaderboardentry/", q="ada")).text


async def test_players_are_deactivated_but_not_oneself(staff: Browser) -> None:
    await act(staff, "auth/user", "deactivate", await user_id("ada"), await user_id("mo"))
    active = await sync_to_async(lambda: dict(User.objects.values_list("username", "is_active")))()
    assert (active["ada"], active["mo"], active["bo"]) == (False, True, True)


async def test_a_player_of_any_name_is_changed_on_its_page_to_none_that_could_not_come_in(staff: Browser, cast: Cast) -> None:
    await submit(cast, "Zo\u00eb the Great \U0001f3ae", 40)
    zoe = await user_id("Zo\u00eb the Great \U0001f3ae")
    path = f"/admin/auth/user/{zoe}/change/"
    await staff.get(path)
    form = {"username": "Zoe\u0308 the Great \U0001f3ae", "first_name": "Zoe\u0308", "date_joined_0": "2026-01-01", "date_joined_1": "0:00"}
    assert (await staff.post(path, **form)).status_code == 302
    assert await sync_to_async(User.objects.filter(pk=zoe, is_active=False, first_name="Zo\u00eb").exists)()
    for field, value in (("username", "bo"), ("username", "a\u200bb"), ("first_name", "a\u202eb"), ("last_name", "\u3164")):
        assert (await staff.post(path, **form | {field: value, "is_active": "on"})).status_code == 200
    assert await user_id("Zo\u00eb the Great \U0001f3ae") == zoe


async def test_a_player_is_erased_after_a_question(staff: Browser, cast: Cast) -> None:
    ada = await user_id("ada")
    asked = await act(staff, "auth/user", "erase", ada)
    assert "Erase for good" in asked.text
    assert await ranks(cast) == [(1, "ada"), (2, "bo"), (3, "cy")]
    await act(staff, "auth/user", "erase", ada, confirmed="yes")
    assert await ranks(cast) == [(1, "bo"), (2, "cy")]
    assert await differences(cast) == []


# --- Who may (OWASP API5: function level authorization) ----------------------------------------------------------------------


@pytest.mark.parametrize("model", [f"leaderboard/{name}" for name in LISTS] + ["auth/user", "otp_totp/totpdevice"])
async def test_staff_without_a_permission_sees_nothing(browser: Browser, hire: Hire, model: str) -> None:
    await hire("di", "view_logentry")
    await browser.sign_in("di")
    assert (await browser.get("/admin/")).status_code == 200
    assert (await browser.get(f"/admin/{model}/")).status_code == 403


async def test_staff_that_may_look_changes_nothing(staff: Browser, hire: Hire, cast: Cast) -> None:
    entry, ada = await entry_of("ada"), await user_id("ada")
    await hire("di", "view_leaderboardentry", "view_user", "view_apikey", "view_leaderboard")
    staff.client.cookies.clear()
    await staff.sign_in("di")
    for path in ("change", "delete"):
        page = f"/admin/leaderboard/leaderboardentry/{entry}/{path}/"
        assert (await staff.post(page, total_score="1", subscore="0", reason="", post="yes")).status_code == 403
    key = await sync_to_async(ApiKey.objects.get)(prefix=cast.key[:11])
    for model, action, chosen in [
        ("auth/user", "erase", ada),
        ("auth/user", "deactivate", ada),
        ("leaderboard/apikey", "revoke", key.pk),
        ("leaderboard/apikey", "rotate", key.pk),
        ("leaderboard/leaderboardentry", "delete_selected", entry),
    ]:
        await act(staff, model, action, chosen, confirmed="yes", post="yes")
    assert (await staff.post("/admin/leaderboard/apikey/add/", game=cast.games["arcade"], scopes="scores:write")).status_code == 403
    assert await ranks(cast) == [(1, "ada"), (2, "bo"), (3, "cy")]
    assert await sync_to_async(User.objects.filter(pk=ada, is_active=True).exists)()
    assert await sync_to_async(ApiKey.objects.filter(pk=key.pk, revoked_at=None, expires_at=None).exists)()


async def test_staff_that_cares_for_players_makes_itself_no_superuser(browser: Browser, hire: Hire) -> None:
    await hire("boss")
    di = await hire("di", "view_user", "change_user", "delete_user")
    await browser.sign_in("di")
    form = {
        "username": "di",
        "is_superuser": "on",
        "is_staff": "on",
        "is_active": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "0:00",
    }
    for pk in (di.pk, await user_id("boss")):
        assert (await browser.post(f"/admin/auth/user/{pk}/change/", **form)).status_code == 403
        password = await browser.post(f"/admin/auth/user/{pk}/password/", password1="owned-owned-1", password2="owned-owned-1")
        assert password.status_code == 403
    await act(browser, "auth/user", "erase", await user_id("boss"), confirmed="yes")
    await sync_to_async(di.refresh_from_db)()
    assert not di.is_superuser
    assert await sync_to_async(User.objects.filter(username="boss", is_active=True).exists)()


async def test_a_forged_form_of_another_site_is_refused(staff: Browser, cast: Cast) -> None:
    """CSRF."""
    path = f"/admin/leaderboard/leaderboardentry/{await entry_of('ada')}/delete/"
    staff.client.cookies.set("csrftoken", "x" * 32)
    answer = await staff.client.post(path, data={"post": "yes"}, headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert await ranks(cast) == [(1, "ada"), (2, "bo"), (3, "cy")]
