"""A catalog version is never given out twice, also not after a restore: each is the moment of its change.

Counted up by one, a version that was lost with a restore would be given to other definitions, and a cached document of the
lost ones would be taken for theirs.
"""

from typing import Any

from django.db import migrations

DEFINITIONS = ("leaderboard_game", "leaderboard_leaderboard", "leaderboard_apikey")
MOVE = "UPDATE leaderboard_catalog SET version = {next} WHERE id = 1"
# Microseconds since 1970; one more than the last if two changes share one, or if the clock went back.
POSTGRES_NEXT = "greatest(version + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
SQLITE_NEXT = "max(version + 1, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000)"
ONE_MORE = "version + 1"


def replace(schema_editor: Any, *, postgres_next: str, sqlite_next: str) -> None:
    if schema_editor.connection.vendor == "postgresql":
        function = (
            "CREATE OR REPLACE FUNCTION leaderboard_catalog_moves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"{MOVE.format(next=postgres_next)}; RETURN NULL; END $$"
        )
        schema_editor.execute(function, params=None)
        schema_editor.execute(MOVE.format(next=postgres_next), params=None)
        return
    for table in DEFINITIONS:
        for event in ("INSERT", "UPDATE", "DELETE"):
            trigger = f"{table}_{event.lower()}_moves_catalog"
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {trigger}")
            schema_editor.execute(f"CREATE TRIGGER {trigger} AFTER {event} ON {table} BEGIN {MOVE.format(next=sqlite_next)}; END")
    schema_editor.execute(MOVE.format(next=sqlite_next))


def moments(apps: Any, schema_editor: Any) -> None:
    replace(schema_editor, postgres_next=POSTGRES_NEXT, sqlite_next=SQLITE_NEXT)


def counted(apps: Any, schema_editor: Any) -> None:
    replace(schema_editor, postgres_next=ONE_MORE, sqlite_next=ONE_MORE)


class Migration(migrations.Migration):
    dependencies = [("leaderboard", "0003_cheaper_submits")]
    operations = [migrations.RunPython(moments, counted, elidable=False)]
