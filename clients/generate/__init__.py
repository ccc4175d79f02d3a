"""The typed clients for Unity and Godot, written from the OpenAPI document: `make clients`.

What a game asks is generated: shapes, enums, error codes, a method for every route. What travels beside it is written by hand next to
the generated files: the calls with their retries, the live board, the reducer.
"""

from pathlib import Path

from clients.generate import csharp, gdscript
from clients.generate.model import Api, api_of

CLIENTS = Path(__file__).resolve().parent.parent


def files_of(api: Api) -> dict[Path, str]:
    """Every generated file under clients/, and its text."""
    return {**csharp.files(api, CLIENTS / "unity"), **gdscript.files(api, CLIENTS / "godot" / "addons" / "gaming_leaderboard")}


def present() -> Api:
    """What the code here serves. Django is set up."""
    from leaderboard.api import schema

    return api_of(schema.Generator().get_schema())  # type: ignore[no-untyped-call]
