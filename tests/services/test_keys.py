"""The life of API keys: made, rotated with an overlap, revoked, listed; and what the commands say of it."""

import re
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from leaderboard.domain.errors import NotFound
from leaderboard.models import ApiKey, ApiKeyUse, Catalog
from leaderboard.services import keys
from leaderboard.services.signatures import signing_secret

pytestmark = pytest.mark.django_db

HOUR = 3600


@pytest.fixture
def old() -> keys.NewKey:
    return keys.create("default", scopes=["scores:write"], name="arena", signed_only=True)


def now() -> datetime:
    return datetime.now(UTC)


def run(command: str, *words: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(command, *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_neither_the_key_nor_its_signing_secret_is_in_the_repr(old: keys.NewKey):
    assert old.prefix in repr(old)
    assert old.key.rpartition("_")[2] not in repr(old)
    assert old.signing_secret not in repr(old)


def test_each_key_has_a_signing_secret_of_its_own(old: keys.NewKey):
    other = keys.create("default")
    assert old.signing_secret == signing_secret(old.prefix, settings.SECRET_KEY)
    assert other.signing_secret != old.signing_secret
    assert signing_secret(old.prefix, "another SECRET_KEY") != old.signing_secret


# --- Rotation -----------------------------------------------------------------------------------------------------------


def test_the_successor_is_like_the_old_key_but_for_its_secrets(old: keys.NewKey):
    new = keys.rotate(old.prefix, now=now())
    row = ApiKey.objects.get(prefix=new.prefix)
    assert (row.game.slug, row.name, row.scopes, row.signed_only, row.expires_at) == ("default", "arena", ["scores:write"], True, None)
    assert row.replaces is not None
    assert row.replaces.prefix == old.prefix
    assert new.key != old.key
    assert new.signing_secret != old.signing_secret


def test_the_old_key_ends_after_the_overlap(old: keys.NewKey):
    moment = now()
    keys.rotate(old.prefix, overlap_s=HOUR, now=moment)
    assert ApiKey.objects.get(prefix=old.prefix).expires_at == moment + timedelta(hours=1)


def test_an_overlap_never_makes_a_key_live_longer():
    moment = now()
    short = keys.create("default", expires_at=moment + timedelta(minutes=5))
    keys.rotate(short.prefix, overlap_s=HOUR, now=moment)
    assert ApiKey.objects.get(prefix=short.prefix).expires_at == moment + timedelta(minutes=5)


def test_the_successor_of_a_key_for_ninety_days_has_ninety_days_from_now():
    old = keys.create("default", expires_at=now() + timedelta(days=90))
    moment = now() + timedelta(days=80)
    new = keys.rotate(old.prefix, now=moment)
    expires_at = ApiKey.objects.get(prefix=new.prefix).expires_at
    assert expires_at is not None
    assert timedelta(days=89, hours=23) < expires_at - moment <= timedelta(days=90)


def test_what_has_ended_or_has_a_successor_is_not_rotated(old: keys.NewKey):
    with pytest.raises(NotFound, match="There is no API key 'nothing'"):
        keys.rotate("nothing", now=now())
    new = keys.rotate(old.prefix, now=now())
    with pytest.raises(NotFound, match=f"rotate its successor '{new.prefix}'"):
        keys.rotate(old.prefix, now=now())
    keys.revoke(new.prefix, now=now())
    with pytest.raises(NotFound, match="has ended"):
        keys.rotate(new.prefix, now=now())
    ended = keys.create("default", expires_at=now())
    with pytest.raises(NotFound, match="has ended"):
        keys.rotate(ended.prefix, now=now())
    assert ApiKey.objects.count() == 3


# --- Revocation ---------------------------------------------------------------------------------------------------------


def test_a_key_that_is_revoked_again_keeps_the_moment_when_it_ended(old: keys.NewKey):
    first = now()
    keys.revoke(old.prefix, now=first)
    keys.revoke(old.prefix, now=first + timedelta(days=1))
    assert ApiKey.objects.get().revoked_at == first


def test_revoking_what_is_not_there_is_refused(old: keys.NewKey):
    with pytest.raises(NotFound, match="There is no API key 'nothing'"):
        keys.revoke("nothing", now=now())
    assert ApiKey.objects.get().revoked_at is None


def test_revoking_one_key_leaves_the_others(old: keys.NewKey):
    other = keys.create("default")
    keys.revoke(old.prefix, now=now())
    assert ApiKey.objects.get(revoked_at=None).prefix == other.prefix


@pytest.mark.parametrize("change", [keys.rotate, keys.revoke])
def test_running_processes_notice(old: keys.NewKey, change):
    before = Catalog.objects.get().version
    change(old.prefix, now=now())
    assert Catalog.objects.get().version > before


# --- The list -----------------------------------------------------------------------------------------------------------


def test_the_list_has_every_key_of_the_game_with_its_last_use(old: keys.NewKey):
    keys.create("pong", create_game=True)
    used = now()
    ApiKeyUse.objects.create(key=ApiKey.objects.get(prefix=old.prefix), last_used_at=used)
    new = keys.rotate(old.prefix, now=now())
    first, second = keys.listed("default")
    assert (first.prefix, first.game, first.scopes, first.signed_only) == (old.prefix, "default", ("scores:write",), True)
    assert (first.last_used_at, first.replaces, second.last_used_at, second.replaces) == (used, None, None, old.prefix)
    assert second.prefix == new.prefix
    assert len(keys.listed()) == 3
    with pytest.raises(NotFound, match="There is no game 'chess'"):
        keys.listed("chess")


def test_the_list_is_one_query_however_many_keys(old: keys.NewKey, django_assert_num_queries):
    keys.rotate(old.prefix, now=now())
    with django_assert_num_queries(1):
        keys.listed()


# --- Commands -----------------------------------------------------------------------------------------------------------


def test_rotate_prints_the_new_key_alone_and_the_signing_secret_beside_it(old: keys.NewKey):
    out, err = run("rotate_api_key", old.prefix, "--overlap", "60")
    (prefix,) = re.fullmatch(r"gl_([0-9a-f]{8})_[0-9a-f]{48}\n", out).groups()
    assert err == f"Signing secret: {signing_secret(prefix, settings.SECRET_KEY)}\n"
    rows = {row.prefix: row for row in ApiKey.objects.all()}
    left = rows[old.prefix].expires_at - rows[prefix].created_at
    assert timedelta(seconds=50) < left < timedelta(seconds=70)


def test_rotate_gives_a_day_unless_told_otherwise():
    plain = keys.create("default")
    out, err = run("rotate_api_key", plain.prefix)
    assert err == ""
    assert out.startswith("gl_")
    row = ApiKey.objects.get(prefix=plain.prefix)
    assert timedelta(hours=23) < row.expires_at - row.created_at < timedelta(hours=25)


def test_revoke_says_what_it_did(old: keys.NewKey):
    out, _ = run("revoke_api_key", old.prefix)
    assert out == f"API key {old.prefix} is revoked; running processes refuse it within 5 s.\n"
    assert ApiKey.objects.get().revoked_at is not None


@pytest.mark.parametrize("words", [("rotate_api_key", "nothing"), ("revoke_api_key", "nothing"), ("list_api_keys", "--game", "nothing")])
def test_what_is_not_there_is_a_sentence(words: tuple[str, ...]):
    with pytest.raises(CommandError, match="There is no"):
        run(*words)


@pytest.mark.parametrize("overlap", ["-1", "soon", "1e3", "99999999999999"])
def test_an_overlap_that_is_none_is_refused(old: keys.NewKey, overlap: str):
    with pytest.raises(CommandError, match="must be a whole number"):
        run("rotate_api_key", old.prefix, f"--overlap={overlap}")
    assert ApiKey.objects.get().expires_at is None


def test_the_list_shows_a_line_a_key_and_no_secret(old: keys.NewKey):
    new = keys.rotate(old.prefix, now=now())
    keys.revoke(old.prefix, now=datetime(2026, 5, 1, 12, 30, tzinfo=UTC))
    out, _ = run("list_api_keys", "--game", "default")
    heading, first, second = out.splitlines()
    assert heading.split() == ["prefix", "game", "scopes", "signed", "created", "expires", "revoked", "last", "used", "replaces", "name"]
    assert first.split()[:4] == [old.prefix, "default", "scores:write", "only"]
    assert "2026-05-01T12:30Z" in first
    assert second.split()[-2:] == [old.prefix, "arena"]
    for made in (old, new):
        assert made.key.rpartition("_")[2] not in out
        assert made.signing_secret not in out
