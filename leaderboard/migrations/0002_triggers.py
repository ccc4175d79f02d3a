"""Two rules that no code path can forget, as triggers on both dialects.

1. Game sessions are append-only. The one door: inside a transaction, set `leaderboard_catalog.erasing`, delete, set it back.
   Nobody else sees the flag set, and a crash rolls it back with the rest. `leaderboard.services.moderation` is its only user.
2. Any change of a game, leaderboard or API key moves `leaderboard_catalog.version`, which every commit checks.
"""

from typing import Any

from django.db import migrations

DEFINITIONS = ("leaderboard_game", "leaderboard_leaderboard", "leaderboard_apikey")

POSTGRES = """
CREATE FUNCTION leaderboard_sessions_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND (SELECT erasing FROM leaderboard_catalog WHERE id = 1) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'game sessions are append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER gamesession_append_only BEFORE UPDATE OR DELETE ON leaderboard_gamesession
    FOR EACH ROW EXECUTE FUNCTION leaderboard_sessions_are_append_only();
CREATE TRIGGER gamesession_no_truncate BEFORE TRUNCATE ON leaderboard_gamesession
    FOR EACH STATEMENT EXECUTE FUNCTION leaderboard_sessions_are_append_only();
CREATE FUNCTION leaderboard_catalog_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE leaderboard_catalog SET version = version + 1 WHERE id = 1;
    RETURN NULL;
END $$;
""" + "".join(
    f"CREATE TRIGGER {table}_moves_catalog AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION leaderboard_catalog_moves();\n"
    for table in DEFINITIONS
)

SQLITE = [
    """CREATE TRIGGER gamesession_no_update BEFORE UPDATE ON leaderboard_gamesession
       BEGIN SELECT RAISE(ABORT, 'game sessions are append-only'); END""",
    """CREATE TRIGGER gamesession_append_only BEFORE DELETE ON leaderboard_gamesession
       WHEN NOT (SELECT erasing FROM leaderboard_catalog WHERE id = 1)
       BEGIN SELECT RAISE(ABORT, 'game sessions are append-only'); END""",
    *(
        f"""CREATE TRIGGER {table}_{event.lower()}_moves_catalog AFTER {event} ON {table}
            BEGIN UPDATE leaderboard_catalog SET version = version + 1 WHERE id = 1; END"""
        for table in DEFINITIONS
        for event in ("INSERT", "UPDATE", "DELETE")
    ),
]


def create(apps: Any, schema_editor: Any) -> None:
    schema_editor.execute("INSERT INTO leaderboard_catalog (id, version, erasing) VALUES (1, 1, false)")
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRES, params=None)
        # Entries are updated in place: room on each page keeps an update that moves no key off the indexes (HOT),
        # and vacuum comes at 2 % of dead rows, not at 20 %.
        schema_editor.execute("ALTER TABLE leaderboard_leaderboardentry SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)")
    else:
        for statement in SQLITE:
            schema_editor.execute(statement)


def default_game(apps: Any, schema_editor: Any) -> None:
    """What a newcomer posts to: the game `default` with the board `global`, the sum over all modes, all-time."""
    game = apps.get_model("leaderboard", "Game").objects.create(slug="default", name="Default game")
    apps.get_model("leaderboard", "Leaderboard").objects.create(game=game, slug="global", title="Global", operator="sum")


class Migration(migrations.Migration):
    dependencies = [("leaderboard", "0001_initial")]
    operations = [
        migrations.RunPython(create, elidable=False),
        migrations.RunPython(default_game, elidable=False),
    ]
