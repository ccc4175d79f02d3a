"""All settings, read from the environment once. A bad value names itself at start.

Every variable has its line in docs/operations.md; a test holds that.
"""

import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured

from leaderboard.domain.address import Network, read_network
from leaderboard.domain.throttle import Rate, read_rate

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# What the process set keeps beside the database: the embedded server's address, the generated secret.
STATE_DIR = Path(env.str("STATE_DIR", default=str(BASE_DIR / "var")))


def _generated_secret() -> str:
    """A secret of this installation, made at the first start, so that no default one exists."""
    path = STATE_DIR / "secret_key"
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        STATE_DIR.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(48))
    try:
        os.link(draft, path)  # the first of several processes wins; all read the same
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text()


def _embedded_redis_url() -> str:
    """Where `manage.py run` started the embedded server; without one, the usual local port."""
    try:
        return (STATE_DIR / "redis.url").read_text().strip()
    except FileNotFoundError:
        return "redis://127.0.0.1:6379/0"


def _whole(name: str, *, default: int, low: int, high: int) -> int:
    raw = env.str(name, default=str(default))
    if not raw.isascii() or not raw.isdigit() or not low <= int(raw) <= high:
        raise ImproperlyConfigured(f"{name} must be a whole number from {low} to {high}, not {raw!r}")
    return int(raw)


def _one_of(name: str, *, default: str, choices: tuple[str, ...]) -> str:
    value: str = env.str(name, default=default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    return value


def _rate(name: str, *, default: str) -> Rate:
    raw = env.str(name, default=default)
    try:
        return read_rate(raw)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be per_second:burst, such as {default}, not {raw!r}: {error}") from None


def _networks(name: str) -> tuple[Network, ...]:
    found = []
    for item in _list(name):
        try:
            found.append(read_network(item))
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} must list addresses and CIDR blocks, such as 10.0.0.0/8: {error}") from None
    return tuple(found)


def _moment(name: str, raw: str) -> datetime | None:
    """A date or a time of RFC 3339; a date alone is its midnight in UTC."""
    if not raw:
        return None
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a time such as 2027-01-31T00:00:00Z, not {raw!r}") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _list(name: str, *, default: str = "") -> list[str]:
    return [item.strip() for item in env.str(name, default=default).split(",") if item.strip()]


# --- What an operator sets ---------------------------------------------------------------------------------------------
DEBUG = _one_of("DEBUG", default="false", choices=("true", "false", "1", "0", "True", "False")).lower() in ("true", "1")
SECRET_KEY = env.str("SECRET_KEY", default="") or _generated_secret()
ALLOWED_HOSTS = _list("ALLOWED_HOSTS", default="localhost,127.0.0.1,[::1]")
CORS_ALLOWED_ORIGINS = _list("CORS_ALLOWED_ORIGINS")
CORS_ALLOW_HEADERS = [*default_headers, "idempotency-key", "last-event-id", "x-request-id"]
CORS_EXPOSE_HEADERS = [
    "Deprecation",
    "Idempotency-Replayed",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sunset",
    "X-Request-ID",
]
CSRF_TRUSTED_ORIGINS = _list("CSRF_TRUSTED_ORIGINS")
# Whether browsers come by https, usually through a proxy. Off, so that a laptop's plain http works, cookies and all.
HTTPS = _one_of("HTTPS", default="false", choices=("true", "false")) == "true"
HSTS_SUBDOMAINS = _one_of("HSTS_SUBDOMAINS", default="false", choices=("true", "false")) == "true"
STAFF_SECOND_FACTOR = _one_of("STAFF_SECOND_FACTOR", default="on" if HTTPS else "off", choices=("on", "off")) == "on"
WS_ALLOWED_ORIGINS = _list("WS_ALLOWED_ORIGINS", default="*")
for _origin in WS_ALLOWED_ORIGINS:
    if _origin != "*" and not (urlsplit(_origin).netloc and _origin == "{0.scheme}://{0.netloc}".format(urlsplit(_origin))):
        raise ImproperlyConfigured(f"WS_ALLOWED_ORIGINS must be * or origins such as https://game.example, not {_origin!r}")
HOST = env.str("HOST", default="") or "127.0.0.1"  # where `manage.py run` listens
PORT = _whole("PORT", default=8000, low=1, high=65535)
LOG_FORMAT = _one_of("LOG_FORMAT", default="console", choices=("json", "console"))
LOG_LEVEL = _one_of("LOG_LEVEL", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
LIVE_TICK_MS = _whole("LIVE_TICK_MS", default=100, low=10, high=60_000)
LOGIN_FAILURES = _whole("LOGIN_FAILURES", default=5, low=1, high=1_000)
LOGIN_COOLOFF_S = _whole("LOGIN_COOLOFF_S", default=900, low=1, high=86_400)

# What answers of version 1 say of its end, in the headers Deprecation and Sunset.
API_V1_DEPRECATED_AT = _moment("API_V1_DEPRECATED_AT", env.str("API_V1_DEPRECATED_AT", default=""))
API_V1_SUNSET_AT = _moment("API_V1_SUNSET_AT", env.str("API_V1_SUNSET_AT", default=""))
if API_V1_DEPRECATED_AT and API_V1_SUNSET_AT and API_V1_SUNSET_AT < API_V1_DEPRECATED_AT:
    raise ImproperlyConfigured("API_V1_SUNSET_AT must not be before API_V1_DEPRECATED_AT")

DATABASE_URL = env.str("DATABASE_URL", default="") or f"sqlite:///{BASE_DIR / 'db.sqlite3'}"
REDIS_URL = env.str("REDIS_URL", default="") or _embedded_redis_url()

# Hot-path pool, per process. Behind PgBouncer before 1.21 in transaction mode set DATABASE_STATEMENT_CACHE=0.
DATABASE_POOL_SIZE = _whole("DATABASE_POOL_SIZE", default=6, low=2, high=200)
DATABASE_STATEMENT_CACHE = _whole("DATABASE_STATEMENT_CACHE", default=100, low=0, high=10_000)

# --- How often somebody may ask, per second and at once: by class of route and by who asks; see leaderboard.services.limits --
RATE_LIMITS = _one_of("RATE_LIMITS", default="off" if DEBUG else "on", choices=("on", "off")) == "on"
RATES: dict[tuple[str, str], Rate] = {
    ("submit", "key"): _rate("RATE_LIMIT_SUBMIT_KEY", default="20000:40000"),  # twice what a web process takes
    ("submit", "player"): _rate("RATE_LIMIT_SUBMIT_PLAYER", default="10:40"),
    ("submit", "address"): _rate("RATE_LIMIT_SUBMIT_ADDRESS", default="20:100"),
    ("read", "key"): _rate("RATE_LIMIT_READ_KEY", default="20000:40000"),
    ("read", "player"): _rate("RATE_LIMIT_READ_PLAYER", default="50:200"),
    ("read", "address"): _rate("RATE_LIMIT_READ_ADDRESS", default="100:400"),  # a house or a school behind one address
    ("admin", "key"): _rate("RATE_LIMIT_ADMIN_KEY", default="50:200"),
    ("admin", "player"): _rate("RATE_LIMIT_ADMIN_PLAYER", default="5:20"),
    ("admin", "address"): _rate("RATE_LIMIT_ADMIN_ADDRESS", default="5:20"),
    ("auth", "address"): _rate("RATE_LIMIT_AUTH_ADDRESS", default="1:20"),
}
TRUSTED_PROXIES = _networks("TRUSTED_PROXIES")  # the only peers whose X-Forwarded-For and X-Forwarded-Proto are believed

# --- Bounds of the submit path and the live feed: each with its reason -------------------------------------------------
STORE_TIMEOUT_MS = 5_000  # a statement that takes longer is a fault, not load
INDEX_TIMEOUT_MS = 500  # one Lua call on a batch takes a few ms; longer means that Redis is away
CACHE_TIMEOUT_MS = 200  # SQL knows the same: not worth a longer wait
INDEX_RETRY_MS = 500  # how long a Redis that failed is left alone before it is asked again
BATCH_LIMIT = 512  # submissions a commit: past this a batch gets hardly cheaper, only later
QUEUE_LIMIT = 4_096  # submissions waiting in a process: about 0.3 s of work; then 503 overloaded
BODY_LIMIT = 16 * 1024  # bytes of a submit: 2 KiB of metadata and room
BATCH_BODY_LIMIT = 4 * 1024 * 1024  # bytes of a batch: 1000 submits with full metadata
METADATA_LIMIT = 2 * 1024  # bytes of JSON
CATALOG_MAX_AGE_MS = 1_000  # how old definitions may be for reads; commits always check the version

# --- Django --------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "daphne",  # first: it serves `runserver`
    "gaming_leaderboard.apps.StaffAdmin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "corsheaders",
    "channels",
    "rest_framework",
    "adrf",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "leaderboard",
    "realtime",
]
MIDDLEWARE = [
    "gaming_leaderboard.pages.pages_are_protected",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # last: turns what a login form refused into 429
]
ROOT_URLCONF = "gaming_leaderboard.urls"
ASGI_APPLICATION = "asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "gaming_leaderboard" / "templates"],  # before the admin's own of the same name
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [("clients", BASE_DIR / "clients" / "js" / "src")]  # the pages are made with the client library as it is
SERVESTATIC_USE_FINDERS = True  # no collectstatic step to forget; a deployment may still run it
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
OTP_TOTP_ISSUER = "Gaming Leaderboard"
OTP_ADMIN_HIDE_SENSITIVE_DATA = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HSTS_SUBDOMAINS


def _database() -> dict[str, Any]:
    scheme = urlsplit(DATABASE_URL).scheme
    config: dict[str, Any]
    if scheme == "sqlite":
        config = env.db_url_config(DATABASE_URL)
        # WAL lets readers go on beside the one writer; FULL makes a commit durable before it is acknowledged.
        config["OPTIONS"] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
        return config
    if scheme in ("postgres", "postgresql"):
        config = env.db_url_config(DATABASE_URL)
        # Under ASGI a request would open its own connection; the pool keeps few. CONN_MAX_AGE must be 0 with it.
        config["OPTIONS"] = {**config.get("OPTIONS", {}), "pool": {"min_size": 0, "max_size": 4, "timeout": 5}}
        return config
    raise ImproperlyConfigured(f"DATABASE_URL must start with sqlite:// or postgresql://, not {scheme!r}")


DATABASES = {"default": _database()}
SILENCED_SYSTEM_CHECKS = ["models.W040"]  # SQLite has no covering columns in an index; it works without them
if urlsplit(REDIS_URL).scheme not in ("redis", "rediss", "unix"):
    raise ImproperlyConfigured(f"REDIS_URL must start with redis://, rediss:// or unix://, not {REDIS_URL.split(':')[0]!r}")

# What is behind django.core.cache: browser sessions. Both are tolerant of a Redis that is away, and neither ever unpickles.
CACHES: dict[str, Any] = {
    "default": {
        "BACKEND": "leaderboard.cache.django.TolerantRedisCache",
        "LOCATION": [REDIS_URL],  # a list: a string would be split at commas, which a password may hold
        "KEY_PREFIX": "gl:cache:django",
        "OPTIONS": {
            "serializer": "leaderboard.cache.django.MsgpackSerializer",
            "socket_timeout": CACHE_TIMEOUT_MS / 1000,
            "socket_connect_timeout": CACHE_TIMEOUT_MS / 1000,
        },
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

# The layer that carries frames to the hubs: one subscription per process and watched board, see realtime.hub.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "gl.layer"},
    }
}

REST_FRAMEWORK: dict[str, Any] = {"UNAUTHENTICATED_USER": None, "DEFAULT_AUTHENTICATION_CLASSES": [], "DEFAULT_PERMISSION_CLASSES": []}
REST_FRAMEWORK["DEFAULT_SCHEMA_CLASS"] = "leaderboard.api.schema.RowSchema"
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Gaming Leaderboard",
    "DESCRIPTION": "Scores in, ranks out. The same routes are under /api/, where the Accept header chooses the version: "
    "application/vnd.api+json; version=2.",
    "VERSION": "2",
    "OAS_VERSION": "3.1.0",
    "DEFAULT_GENERATOR_CLASS": "leaderboard.api.schema.Generator",
    "PREPROCESSING_HOOKS": ["leaderboard.api.schema.ours"],
    "POSTPROCESSING_HOOKS": [],
}

# --- Passwords and logins ----------------------------------------------------------------------------------------------
PASSWORD_HASHERS = [
    "leaderboard.services.passwords.Argon2",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",  # of accounts that are older than this list; hashed anew at their next login
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]  # the first only refuses
AXES_HANDLER = "leaderboard.services.attempts.LoginAttempts"
AXES_FAILURE_LIMIT = LOGIN_FAILURES
AXES_COOLOFF_TIME = timedelta(seconds=LOGIN_COOLOFF_S)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "username", "ip_address"]  # the order that the handler counts them in
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # else whoever keeps guessing locks the owner out for good
AXES_DISABLE_ACCESS_LOG = True  # a row for every login for ever, that nobody reads
AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "csrfmiddlewaretoken", "otp_token", "refresh_token", "device_id"]
AXES_COOLOFF_MESSAGE = "Too many failed logins. Try again later."

# --- Logs ----------------------------------------------------------------------------------------------------------
LOGGING_CONFIG = "gaming_leaderboard.logs.configure"
LOGGING = {"format": LOG_FORMAT, "level": LOG_LEVEL}
