import hashlib
import re
import secrets
from datetime import timedelta
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from leaderboard.models import ApiKey, Catalog, Game
from leaderboard.services import keys
from leaderboard.services.signatures import signing_secret

pytestmark = pytest.mark.django_db


def create(*arguments: str) -> str:
    out = StringIO()
    call_command("create_api_key", *arguments, stdout=out)
    return out.getvalue()


def test_it_prints_the_key_alone():
    assert re.fullmatch(r"gl_[0-9a-f]{8}_[0-9a-f]{48}\n", create("--game", "default"))


def test_only_the_digest_is_stored():
    key = create("--game", "default", "--name", "arena server").strip()
    row = ApiKey.objects.get()
    assert bytes(row.digest) == hashlib.sha256(key.encode()).digest()
    assert (row.game.slug, row.name, row.prefix) == ("default", "arena server", key.split("_")[1])
    assert row.scopes == ["scores:write", "boards:read"]
    assert (row.expires_at, row.revoked_at) == (None, None)
    secret = key.rpartition("_")[2]
    assert all(secret not in str(value) for value in ApiKey.objects.values_list().get())


def test_each_key_is_another():
    assert len({create("--game", "default") for _ in range(5)}) == 5


def test_scopes_can_be_fewer():
    create("--game", "default", "--scopes", "boards:read, boards:read")
    assert ApiKey.objects.get().scopes == ["boards:read"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--game", "pong"], r"There is no game 'pong'; the games are default\."),
        (["--game", "default", "--scopes", "scores:writ"], "There is no scope 'scores:writ'; the scopes are scores:write, boards:read"),
        (["--game", "default", "--scopes", ","], "A key needs a scope"),
        (["--game", "no slug", "--create-game"], "slug: Enter a valid"),
        (["--game", "default", "--name", "x" * 121], "name: Ensure this value has at most 120 characters"),
        (["--game", "default", "--expires", "0"], "must be a whole number from 1 to 36600, not '0'"),
        (["--game", "default", "--expires", "1e9"], "must be a whole number from 1 to 36600, not '1e9'"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence_and_leaves_nothing(arguments: list[str], sentence: str):
    with pytest.raises(CommandError, match=sentence) as refusal:
        create(*arguments)
    assert refusal.value.returncode == 1
    assert not ApiKey.objects.exists()


def test_a_key_can_be_made_for_some_days():
    create("--game", "default", "--expires", "30")
    row = ApiKey.objects.get()
    assert row.expires_at is not None
    assert timedelta(days=29, hours=23) < row.expires_at - row.created_at < timedelta(days=30, hours=1)


def test_the_signing_secret_is_told_beside_the_key_and_not_stored():
    out, err = StringIO(), StringIO()
    call_command("create_api_key", "--game", "default", "--signed", stdout=out, stderr=err)
    assert re.fullmatch(r"gl_[0-9a-f]{8}_[0-9a-f]{48}\n", out.getvalue())
    (secret,) = re.fullmatch(r"Signing secret: ([A-Za-z0-9_-]{43})\n", err.getvalue()).groups()
    row = ApiKey.objects.get()
    assert row.signed_only
    assert secret == signing_secret(row.prefix, settings.SECRET_KEY)
    assert all(secret not in str(value) for value in ApiKey.objects.values_list().get())


def test_of_a_key_that_need_not_sign_the_key_alone_is_told():
    err = StringIO()
    call_command("create_api_key", "--game", "default", stdout=StringIO(), stderr=err)
    assert err.getvalue() == ""
    assert not ApiKey.objects.get().signed_only


def test_a_game_can_be_made_on_the_way():
    create("--game", "space-race", "--create-game")
    assert ApiKey.objects.get().game.name == "Space race"
    create("--game", "space-race", "--create-game")
    assert Game.objects.filter(slug="space-race").count() == 1


def test_a_refused_key_does_not_leave_a_game_behind():
    with pytest.raises(CommandError):
        create("--game", "pong", "--create-game", "--name", "x" * 121)
    assert not Game.objects.filter(slug="pong").exists()


def test_a_prefix_that_is_taken_is_drawn_again(monkeypatch: pytest.MonkeyPatch):
    draws = ["aaaaaaaa", "1" * 48, "aaaaaaaa", "2" * 48, "bbbbbbbb", "3" * 48]
    monkeypatch.setattr(secrets, "token_hex", lambda size: draws.pop(0))
    assert create("--game", "default").strip() == f"gl_aaaaaaaa_{'1' * 48}"
    assert create("--game", "default").strip() == f"gl_bbbbbbbb_{'3' * 48}"


def test_a_broken_random_source_does_not_loop_for_ever(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(secrets, "token_hex", lambda size: "a" * 2 * size)
    keys.create("default")
    with pytest.raises(RuntimeError, match="random source"):
        keys.create("default")


def test_running_processes_notice_a_new_key():
    before = Catalog.objects.get().version
    create("--game", "default")
    assert Catalog.objects.get().version > before
