"""Imports run one way: entrances -> services -> store | index | feed -> domain. Read from the source of every file, lazy imports too."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Who may import whom, besides itself. A module of `leaderboard` that is not named here is an entrance: it may import anything in
# `leaderboard`, and nothing that is named may import it.
SHARED = {"leaderboard.domain", "leaderboard.models", "leaderboard.metrics"}
MAY_IMPORT = {
    "leaderboard.domain": set(),
    "leaderboard.models": {"leaderboard.domain"},
    "leaderboard.metrics": {"leaderboard.domain"},
    "leaderboard.redis_client": {"leaderboard.domain", "leaderboard.metrics"},
    "leaderboard.store": SHARED,
    "leaderboard.index": SHARED | {"leaderboard.redis_client"},
    "leaderboard.feed": SHARED | {"leaderboard.redis_client"},
    "leaderboard.throttle": SHARED | {"leaderboard.redis_client"},
    "leaderboard.cache": SHARED | {"leaderboard.redis_client"},
    "leaderboard.services": SHARED
    | {"leaderboard.cache", "leaderboard.store", "leaderboard.index", "leaderboard.feed", "leaderboard.throttle"},
}
LAYERS = sorted(MAY_IMPORT)
OURS = {"leaderboard", "realtime", "gaming_leaderboard", "bench", "tests"}

CLOCKLESS = ["leaderboard.domain", "leaderboard.store", "leaderboard.index", "leaderboard.services"]
CLOCKS = {
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "django.utils.timezone.now",
    "django.utils.timezone.localtime",
    "django.utils.timezone.localdate",
}

DOMAIN_MAY_IMPORT = (sys.stdlib_module_names | {"cronsim", "leaderboard"}) - {"asyncio", "threading", "socket", "sqlite3", "subprocess"}


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def top(name: str) -> str:
    return name.partition(".")[0]


def layer_of(name: str) -> str | None:
    return next((layer for layer in LAYERS if is_within(name, layer)), None)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def files_of(package: str) -> list[Path]:
    folder = ROOT.joinpath(*package.split("."))
    alone = folder.with_suffix(".py")
    return sorted(folder.rglob("*.py")) or ([alone] if alone.exists() else [])


def imported_names(tree: ast.AST, module: str, *, is_package: bool = False) -> Iterator[str]:
    """Every dotted name that is imported: of `from a import b` it is a.b, which may be a module or a thing in one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".") + ([""] if is_package else [])
                base = ".".join([*parts[: -node.level], *([base] if base else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def forbidden_imports(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What a module imports of ours that it may not."""
    return [
        name
        for name in imported_names(ast.parse(source), module, is_package=is_package)
        if top(name) in OURS and not may_import(module, name)
    ]


def may_import(module: str, name: str) -> bool:
    layer = layer_of(module)
    if layer is not None:
        return any(is_within(name, allowed) for allowed in {layer, *MAY_IMPORT[layer]})
    if is_within(module, "leaderboard"):
        return top(name) in ("leaderboard", "gaming_leaderboard")
    return top(name) not in ("tests", "bench")


def clock_reads(source: str) -> list[str]:
    """Every mention of a wall clock, called or handed on, under whatever name it was imported."""
    tree = ast.parse(source)
    origins: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            origins.update({alias.asname or top(alias.name): alias.name if alias.asname else top(alias.name) for alias in node.names})
        elif isinstance(node, ast.ImportFrom) and not node.level:
            origins.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    names = (dotted(node, origins) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name))
    return [name for name in names if name in CLOCKS]


def dotted(node: ast.expr, origins: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return origins.get(node.id)
    if isinstance(node, ast.Attribute) and (before := dotted(node.value, origins)):
        return f"{before}.{node.attr}"
    return None


ALL_FILES = [path for package in ("leaderboard", "realtime", "gaming_leaderboard") for path in files_of(package)]


def test_there_is_something_to_look_at():
    names = {module_name(path) for path in ALL_FILES}
    assert {"leaderboard.domain.score", "leaderboard.store", "leaderboard.index", "leaderboard.feed", "realtime"} <= names


@pytest.mark.slow
@pytest.mark.parametrize("path", ALL_FILES, ids=module_name)
def test_a_module_imports_only_what_lies_below_it(path):
    assert forbidden_imports(path.read_text(), module_name(path), is_package=path.name == "__init__.py") == []


@pytest.mark.parametrize("path", files_of("leaderboard.domain"), ids=module_name)
def test_the_domain_is_pure(path):
    tree = ast.parse(path.read_text())
    roots = {top(name) for name in imported_names(tree, module_name(path), is_package=path.name == "__init__.py")}
    assert roots <= DOMAIN_MAY_IMPORT
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncWith | ast.AsyncFor)]


@pytest.mark.parametrize("package", CLOCKLESS)
def test_the_clock_is_read_at_the_entrances(package):
    files = files_of(package)
    if not files:
        pytest.skip(f"{package} is not there yet")
    assert {module_name(path): reads for path in files if (reads := clock_reads(path.read_text()))} == {}


# The judges above, judged: each must find what it is for.


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("leaderboard.domain.score", "import leaderboard.store"),
        ("leaderboard.domain.score", "from leaderboard import models"),
        ("leaderboard.domain.score", "def f():\n    from leaderboard.index import Index"),
        ("leaderboard.domain.score", "from ..store import Store"),
        ("leaderboard.domain.score", "from leaderboard.metrics import counter"),
        ("leaderboard.store.postgres", "from leaderboard.index import Index"),
        ("leaderboard.store.postgres", "from leaderboard import feed"),
        ("leaderboard.index.redis", "from leaderboard.store import Store"),
        ("leaderboard.index.redis", "import leaderboard.feed as f"),
        ("leaderboard.feed.redis", "from leaderboard.index.redis import x"),
        ("leaderboard.feed.redis", "from leaderboard.services import submit"),
        ("leaderboard.redis_client", "from leaderboard.index import Index"),
        ("leaderboard.services.submit", "from leaderboard.tasks import update_ranks"),
        ("leaderboard.services.submit", "from leaderboard.api import problems"),
        ("leaderboard.services.submit", "from gaming_leaderboard import settings"),
        ("leaderboard.models", "from leaderboard.store import Store"),
        ("leaderboard.api.views", "from realtime import hub"),
        ("leaderboard.tasks", "import realtime.hub"),
        ("leaderboard.management.commands.replay", "from bench import load"),
        ("realtime.hub", "from tests import cast"),
    ],
)
def test_an_import_against_the_stream_is_found(module, source):
    assert forbidden_imports(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("leaderboard.domain.board", "from leaderboard.domain.score import Rules"),
        ("leaderboard.domain.board", "from . import score"),
        ("leaderboard.store.postgres", "from leaderboard.domain.score import Entry\nimport asyncpg"),
        ("leaderboard.index.redis", "from leaderboard.redis_client import connect"),
        ("leaderboard.services.submit", "from leaderboard.store import Store\nfrom leaderboard import index, feed"),
        ("leaderboard.api.views", "from leaderboard.services import submit"),
        ("leaderboard.tasks", "from gaming_leaderboard.celery import app"),
        ("realtime.hub", "from leaderboard.services import live"),
        ("gaming_leaderboard.urls", "import realtime.routing"),
    ],
)
def test_an_import_with_the_stream_is_let_through(module, source):
    assert forbidden_imports(source, module) == []


def test_a_relative_import_in_a_package_counts_from_the_package():
    assert forbidden_imports("from .sql import x", "leaderboard.store", is_package=True) == []
    assert forbidden_imports("from .index import x", "leaderboard.store") == ["leaderboard.index.x"]


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "from time import time\ntime()",
        "from time import time as t\nx = t()",
        "import datetime\ndatetime.datetime.now()",
        "import datetime as dt\ndt.datetime.utcnow()",
        "from datetime import UTC, datetime\ndatetime.now(UTC)",
        "from datetime import date\ndate.today()",
        "from django.utils import timezone\ntimezone.now()",
        "from django.utils.timezone import now\ndefault = now",
        "import django.utils.timezone\ndjango.utils.timezone.now()",
        "def f():\n    import time\n    return time.time_ns()",
    ],
)
def test_a_look_at_the_clock_is_found(source):
    assert clock_reads(source)


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.monotonic()",
        "from time import perf_counter\nperf_counter()",
        "from datetime import datetime\ndatetime.fromtimestamp(0)",
    ],
)
def test_measuring_a_span_is_no_look_at_the_clock(source):
    assert clock_reads(source) == []
