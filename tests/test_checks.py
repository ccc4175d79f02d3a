"""Each wrong deployment gets its sentence, and the two usual ones (a laptop, a cluster) get none."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.db import connections
from pytest_django.fixtures import Settings

from leaderboard import checks
from tests.servers.postgres import PostgresServer, server_of
from tests.servers.redis import RedisServer

SECRET = "s" * 50
SQLITE = "django.db.backends.sqlite3"
POSTGRESQL = "django.db.backends.postgresql"


@pytest.fixture
def deployment(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Settings of a sound single machine with what is given changed -> the ids of the messages about it."""

    def ids(*, engine: str = SQLITE, name: str = str(tmp_path / "db.sqlite3"), **changed: Any) -> list[str]:
        # In place: Django warns of a new DATABASES, since open connections would not follow. These are never opened.
        monkeypatch.setitem(settings.DATABASES, "default", {**settings.DATABASES["default"], "ENGINE": engine, "NAME": name})
        sound = {
            "SECRET_KEY": SECRET,
            "DEBUG": False,
            "ALLOWED_HOSTS": ["localhost"],
            "STATE_DIR": tmp_path,
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "SECURE_SSL_REDIRECT": False,
        }
        for setting, value in {**sound, **changed}.items():
            setattr(settings, setting, value)
        return _ids(run_checks())

    return ids


def _ids(messages: list[CheckMessage]) -> list[str]:
    return [str(message.id) for message in messages if str(message.id).startswith("leaderboard.")]


def test_a_laptop_is_fine(deployment: Callable[..., list[str]]) -> None:
    assert deployment() == []


def test_a_cluster_is_fine(deployment: Callable[..., list[str]]) -> None:
    hosts = ["scores.example.org"]
    assert deployment(engine=POSTGRESQL, name="leaderboard", REDIS_URL="rediss://:secret@redis.internal:6380/0", ALLOWED_HOSTS=hosts) == []


@pytest.mark.parametrize(("debug", "expected"), [(False, "leaderboard.W001"), (True, "leaderboard.W001")])
def test_a_short_secret_is_refused_and_only_warned_of_while_developing(
    deployment: Callable[..., list[str]], debug: bool, expected: str
) -> None:
    assert deployment(SECRET_KEY="s" * 31, DEBUG=debug) == [expected]
    assert deployment(SECRET_KEY="s" * 32, DEBUG=debug) == []


def test_a_secret_that_this_machine_made_is_warned_of_where_there_may_be_others(
    deployment: Callable[..., list[str]], tmp_path: Path
) -> None:
    (tmp_path / "secret_key").write_text(SECRET)
    assert deployment(engine=POSTGRESQL, name="leaderboard") == ["leaderboard.W002"]
    assert deployment() == []
    assert deployment(engine=POSTGRESQL, name="leaderboard", SECRET_KEY="t" * 50) == []


@pytest.mark.parametrize("host", ["scores.example.org", "*", "192.168.1.7", ".example.org", "localhost.example.org"])
def test_debug_is_warned_of_where_strangers_come_in(deployment: Callable[..., list[str]], host: str) -> None:
    assert deployment(DEBUG=True, ALLOWED_HOSTS=["localhost", host]) == ["leaderboard.W003"]
    assert deployment(DEBUG=False, ALLOWED_HOSTS=["localhost", host]) == []


def test_https_without_a_trusted_proxy(deployment: Callable[..., list[str]]) -> None:
    assert deployment(SECURE_SSL_REDIRECT=True, TRUSTED_PROXIES=()) == ["leaderboard.W008"]
    assert deployment(SECURE_SSL_REDIRECT=True, TRUSTED_PROXIES=("a proxy",)) == []


def test_debug_among_local_names_is_fine(deployment: Callable[..., list[str]]) -> None:
    assert deployment(DEBUG=True, ALLOWED_HOSTS=["localhost", "127.0.0.1", "127.1.2.3", "[::1]", ".localhost", "a.localhost"]) == []


def test_an_sqlite_without_returning_is_refused(deployment: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    assert deployment() == ["leaderboard.E001"]


@pytest.mark.parametrize("name", [":memory:", "file:scores?mode=memory&cache=shared"])
def test_a_database_in_memory_is_refused(deployment: Callable[..., list[str]], name: str) -> None:
    assert deployment(name=name) == ["leaderboard.E002"]


def test_an_sqlite_file_in_a_folder_that_is_not_there_is_refused(deployment: Callable[..., list[str]], tmp_path: Path) -> None:
    assert deployment(name=str(tmp_path / "missing" / "db.sqlite3")) == ["leaderboard.E003"]


@pytest.mark.parametrize("locked", ["folder", "file"])
def test_an_sqlite_file_that_can_not_be_written_is_refused(
    deployment: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: str
) -> None:
    """Root may write everywhere, so the system's answer for another user is put in its place."""
    folder = tmp_path / "data"
    folder.mkdir()
    file = folder / "db.sqlite3"
    file.touch()
    refused = {"folder": folder, "file": file}[locked]
    monkeypatch.setattr(checks.os, "access", lambda path, mode: path != refused)
    assert deployment(name=str(file)) == ["leaderboard.E004"]


def test_the_embedded_redis_beside_postgresql_is_warned_of(deployment: Callable[..., list[str]], tmp_path: Path) -> None:
    url = "redis://127.0.0.1:41234/0"
    (tmp_path / "redis.url").write_text(url)
    assert deployment(engine=POSTGRESQL, name="leaderboard", REDIS_URL=url) == ["leaderboard.W004"]
    assert deployment(REDIS_URL=url) == []


def test_sqlite_beside_a_redis_that_others_reach_is_warned_of(deployment: Callable[..., list[str]]) -> None:
    assert deployment(REDIS_URL="redis://redis.internal:6379/0") == ["leaderboard.W005"]


@pytest.mark.parametrize("url", ["redis://localhost/0", "redis://[::1]:6379/0", "unix:///run/redis.sock"])
def test_sqlite_beside_a_redis_of_this_machine_is_fine(deployment: Callable[..., list[str]], url: str) -> None:
    assert deployment(REDIS_URL=url) == []


def test_a_message_says_what_to_do(deployment: Callable[..., list[str]]) -> None:
    assert deployment(SECRET_KEY="short", DEBUG=True, ALLOWED_HOSTS=["*"], REDIS_URL="redis://elsewhere") != []
    assert all(message.hint for message in run_checks() if _ids([message]))


# --- Those that ask the servers -------------------------------------------------------------------------------------------


def test_a_redis_that_drops_keys_is_warned_of(redis_server: RedisServer, redis_url: str, settings: Settings) -> None:
    settings.REDIS_URL = redis_url
    try:
        assert redis_server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru") == "OK"
        assert _ids(checks.redis_does_not_forget(databases=["default"])) == []  # without a limit nothing is dropped
        assert redis_server.command("CONFIG", "SET", "maxmemory", "1gb") == "OK"
        assert _ids(checks.redis_does_not_forget(databases=["default"])) == ["leaderboard.W007"]
        assert redis_server.command("CONFIG", "SET", "maxmemory-policy", "noeviction") == "OK"
        assert _ids(checks.redis_does_not_forget(databases=["default"])) == []
    finally:
        redis_server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        redis_server.command("CONFIG", "SET", "maxmemory", "0")


def test_a_redis_that_is_away_is_no_fault_of_the_deployment(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert checks.redis_does_not_forget(databases=["default"]) == []


def test_no_server_is_asked_unless_the_database_is_named(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert checks.redis_does_not_forget() == []
    assert checks.database_keeps_what_it_commits() == []


def test_sqlite_is_not_asked_what_only_postgresql_knows() -> None:
    assert connections["default"].vendor == "postgresql" or checks.database_keeps_what_it_commits(databases=["default"]) == []


ROOT = Path(__file__).resolve().parent.parent


def checked(database_url: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1/0", "SECRET_KEY": SECRET}
    argv = [sys.executable, "manage.py", "check", "--database", "default"]
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
def test_a_postgresql_that_forgets_commits_in_a_crash_is_warned_of(postgres_database: str) -> None:
    name = postgres_database.rsplit("/", 1)[1]
    assert "synchronous_commit" not in checked(postgres_database).stderr
    server_of(postgres_database).execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    done = checked(postgres_database)
    assert done.returncode == 0
    assert "(leaderboard.W006) PostgreSQL runs with" in done.stderr
    assert "synchronous_commit off" in done.stderr


@pytest.mark.slow
def test_a_postgresql_database_for_one_script_is_refused(postgres_server: PostgresServer) -> None:
    postgres_server.execute("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    try:
        done = checked(postgres_server.url("latin"))
        assert done.returncode == 1
        assert "(leaderboard.E005) The PostgreSQL database is encoded in LATIN1" in done.stderr
    finally:
        postgres_server.drop_database("latin")


@pytest.mark.slow
@pytest.mark.parametrize("origin", ["fans.example", "https://fans.example/page", "https://fans.example, fans"])
def test_an_origin_for_sockets_that_is_none_names_its_setting_at_start(origin: str) -> None:
    env = {**os.environ, "WS_ALLOWED_ORIGINS": origin, "DJANGO_SETTINGS_MODULE": "gaming_leaderboard.settings"}
    argv = [sys.executable, "-c", "from django.conf import settings; settings.DEBUG"]
    ended = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert "WS_ALLOWED_ORIGINS must be * or origins" in ended.stderr
