"""System checks: each turns a wrong deployment into a sentence. They run with every `manage.py` command, `migrate` included.

In: the settings; those that look at a server run only where the database is named: `migrate`, `check --database default`.
Out: messages with ids, leaderboard.W001 and so on. What Django or corsheaders checks (malformed origins, an old PostgreSQL) is not
said twice.
"""

import ipaddress
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name for it
from django.db import connections

SECRET_LENGTH = 32  # characters; a session or player token can be forged by who guesses the secret
OLDEST_SQLITE = (3, 35, 0)  # RETURNING
LOOK_TIMEOUT_S = 0.5  # a Redis that is away is no error of the deployment


def register_all() -> None:
    """Called once, when Django has loaded its applications."""
    settings_alone = (secret_is_long, secret_is_shared, debug_is_local, https_is_seen, sqlite_is_usable, redis_is_shared)
    for check in (*settings_alone, sqlite_is_for_one_machine):
        register(check)
    register(database_keeps_what_it_commits, Tags.database)
    register(redis_does_not_forget, Tags.database)


def secret_is_long(**_: Any) -> list[CheckMessage]:
    if len(settings.SECRET_KEY) >= SECRET_LENGTH:
        return []
    hint = 'Make one: python -c "import secrets; print(secrets.token_urlsafe(48))"'
    said = f"SECRET_KEY has {len(settings.SECRET_KEY)} characters; with fewer than {SECRET_LENGTH} sessions can be forged."
    return [Warning(said, hint=hint, id="leaderboard.W001")]


def secret_is_shared(**_: Any) -> list[CheckMessage]:
    """PostgreSQL is for several machines, and a secret that one of them made for itself is no other's."""
    if _is_sqlite() or _kept("secret_key") != settings.SECRET_KEY:
        return []
    return [
        Warning(
            "SECRET_KEY is not set, so this machine made its own: a session of another machine is not valid here.",
            hint="Set the same SECRET_KEY on every machine.",
            id="leaderboard.W002",
        )
    ]


def debug_is_local(**_: Any) -> list[CheckMessage]:
    strangers = [host for host in settings.ALLOWED_HOSTS if not _is_local(host)]
    if not settings.DEBUG or not strangers:
        return []
    return [
        Warning(
            f"DEBUG is on while ALLOWED_HOSTS lets {', '.join(strangers)} in: error pages show code and settings to anybody.",
            hint="Unset DEBUG.",
            id="leaderboard.W003",
        )
    ]


def https_is_seen(**_: Any) -> list[CheckMessage]:
    """The web itself speaks plain http: only a proxy can say that a browser came by https."""
    if not settings.SECURE_SSL_REDIRECT or settings.TRUSTED_PROXIES:
        return []
    said = "HTTPS is on but TRUSTED_PROXIES names no proxy: every page would be sent to https again, for ever."
    return [Warning(said, hint="Name the proxy's addresses in TRUSTED_PROXIES.", id="leaderboard.W008")]


def sqlite_is_usable(**_: Any) -> list[CheckMessage]:
    if not _is_sqlite():
        return []
    name = str(settings.DATABASES["default"]["NAME"])
    found: list[CheckMessage] = []
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        said = f"This Python brings SQLite {sqlite3.sqlite_version}; 3.35 or newer is needed."
        found.append(Error(said, hint="Use a newer Python, or PostgreSQL: DATABASE_URL.", id="leaderboard.E001"))
    if ":memory:" in name or "mode=memory" in name:
        said = "DATABASE_URL names a database in memory: the web, the worker and the commands would each see their own."
        return [*found, Error(said, hint="Name a file: sqlite:////var/lib/leaderboard/db.sqlite3", id="leaderboard.E002")]
    return found + _file_problems(Path(name))


def _file_problems(file: Path) -> list[CheckMessage]:
    """SQLite in WAL mode writes beside its file, so the folder counts as much as the file."""
    folder = file.absolute().parent
    if not folder.is_dir():
        return [
            Error(f"The SQLite database's folder {folder} does not exist.", hint="Make it, or set DATABASE_URL.", id="leaderboard.E003")
        ]
    locked = [path for path in (folder, file) if path.exists() and not os.access(path, os.W_OK)]
    if not locked:
        return []
    said = f"{locked[0]} is not writable by this user; SQLite needs to write the database and beside it."
    return [Error(said, hint="Change its owner, or set DATABASE_URL.", id="leaderboard.E004")]


def redis_is_shared(**_: Any) -> list[CheckMessage]:
    if _is_sqlite() or _kept("redis.url") != settings.REDIS_URL:
        return []
    return [
        Warning(
            "DATABASE_URL is PostgreSQL but Redis is this machine's embedded server: other machines' watchers would miss frames.",
            hint="Set REDIS_URL, or run on this machine only.",
            id="leaderboard.W004",
        )
    ]


def sqlite_is_for_one_machine(**_: Any) -> list[CheckMessage]:
    url = urlsplit(settings.REDIS_URL)
    if not _is_sqlite() or url.scheme == "unix" or _is_local(url.hostname or "localhost"):
        return []
    return [
        Warning(
            f"Redis is on {url.hostname} but the database is a SQLite file: a second machine would rank other scores in the same place.",
            hint="With more than one machine set DATABASE_URL to PostgreSQL.",
            id="leaderboard.W005",
        )
    ]


def database_keeps_what_it_commits(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """An acknowledged score is one that a power cut leaves in place; these settings of PostgreSQL take that away."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        if connections[alias].vendor == "postgresql":
            found += _durability(alias)
    return found


def _durability(alias: str) -> list[CheckMessage]:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')")
        off = sorted(name for name, setting in cursor.fetchall() if setting == "off")
        cursor.execute("SHOW server_encoding")
        encoding = cursor.fetchone()[0]
    found: list[CheckMessage] = []
    if off:
        said = f"PostgreSQL runs with {', '.join(off)} off: scores that were acknowledged can be lost in a crash."
        found.append(Warning(said, hint="Turn it on in postgresql.conf, or for this database and role.", id="leaderboard.W006"))
    if encoding != "UTF8":
        said = f"The PostgreSQL database is encoded in {encoding}: names of players in other scripts would be refused."
        found.append(Error(said, hint="Create the database WITH ENCODING 'UTF8'.", id="leaderboard.E005"))
    return found


def redis_does_not_forget(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """The rank index and the broker must not be thinned out. A Redis that is away is a state, and not told here."""
    if not databases:
        return []
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=LOOK_TIMEOUT_S, socket_connect_timeout=LOOK_TIMEOUT_S, retry=None
        ) as client:
            memory = client.info("memory")
    except redis.RedisError:
        return []
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy == "noeviction" or not memory.get("maxmemory"):
        return []
    return [
        Warning(
            f"Redis drops keys when its memory is full (maxmemory-policy {policy}): ranks would silently miss players.",
            hint="Set maxmemory-policy noeviction, and keep caches in another Redis.",
            id="leaderboard.W007",
        )
    ]


def _is_sqlite() -> bool:
    return bool(settings.DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3")


def _kept(name: str) -> str | None:
    """What `manage.py run` and the settings keep in the state directory."""
    try:
        return Path(settings.STATE_DIR, name).read_text().strip()
    except OSError:
        return None


def _is_local(host: str) -> bool:
    """Whether only this machine is called so."""
    name = host.strip("[]").removeprefix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
