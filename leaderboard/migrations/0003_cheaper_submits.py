"""What every submit pays for in the database, and does not need to.

1. Foreign keys of the hot tables. Each cost a look-up and a lock, written into the row it refers to, for every score. What keeps
   integrity instead: a commit checks its players and its catalog version itself, and on PostgreSQL a trigger on the other side, where
   deleting is rare, waits for the commits under way and refuses to delete what is referred to.
2. Two indexes narrowed to what they are read for. A submit without a mode, or to an entry beyond the first thousand, no longer
   touches them.
3. Storage of the tables.

All of it on PostgreSQL only: SQLite keeps its foreign keys and whole indexes.
"""

from typing import Any

from django.conf import settings
from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

REFERENCES = {
    "auth_user": ("leaderboard_gamesession", "user_id", "leaderboard_leaderboardentry", "user_id"),
    "leaderboard_game": ("leaderboard_gamesession", "game_id"),
    "leaderboard_leaderboard": ("leaderboard_leaderboardentry", "leaderboard_id"),
}

# Every commit inserts sessions, so this lock waits for those under way, and later ones see what was deleted.
GUARDS = """
CREATE FUNCTION leaderboard_is_referred_to() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    referred boolean;
BEGIN
    LOCK TABLE leaderboard_gamesession IN SHARE ROW EXCLUSIVE MODE;
    FOR i IN 0 .. TG_NARGS / 2 - 1 LOOP
        IF TG_OP = 'TRUNCATE' THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM %I)', TG_ARGV[2 * i]) INTO referred;
        ELSE
            EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE %I = $1)', TG_ARGV[2 * i], TG_ARGV[2 * i + 1]) INTO referred USING OLD.id;
        END IF;
        IF referred THEN
            RAISE EXCEPTION 'rows of % are still referred to by %', TG_TABLE_NAME, TG_ARGV[2 * i] USING ERRCODE = 'foreign_key_violation';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
""" + "".join(
    f"CREATE TRIGGER {table}_is_referred_to AFTER DELETE OR UPDATE OF id ON {table} "
    f"FOR EACH ROW EXECUTE FUNCTION leaderboard_is_referred_to({', '.join(references)});\n"
    f"CREATE TRIGGER {table}_is_referred_to_by_any BEFORE TRUNCATE ON {table} "
    f"FOR EACH STATEMENT EXECUTE FUNCTION leaderboard_is_referred_to({', '.join(references)});\n"
    for table, references in REFERENCES.items()
)
NO_GUARDS = "DROP FUNCTION leaderboard_is_referred_to() CASCADE"

# Entries: hot rows leave dead versions in every index, and what reads them pays: vacuum comes after 1 % of the rows, and does not
# pause between pages. Sessions are only added to: vacuum comes every 500,000 rows, not after a fifth of a table that only grows,
# and freezes them once.
STORAGE = """
ALTER TABLE leaderboard_leaderboardentry SET
    (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE leaderboard_gamesession SET
    (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 500000, autovacuum_freeze_min_age = 0);
"""
STORAGE_BEFORE = """
ALTER TABLE leaderboard_leaderboardentry SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE leaderboard_leaderboardentry RESET (autovacuum_vacuum_cost_delay);
ALTER TABLE leaderboard_gamesession RESET
    (autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold, autovacuum_freeze_min_age);
"""


class OnPostgres(Operation):
    """SQLite would copy the whole table for a key, losing its triggers, and does not use such partial indexes: it keeps what it has."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class AlterField(OnPostgres, migrations.AlterField):
    pass


class RemoveIndex(OnPostgres, migrations.RemoveIndex):
    pass


class AddIndex(OnPostgres, migrations.AddIndex):
    pass


def on_postgres(forwards: str, backwards: str) -> migrations.RunPython:
    def run(statements: str) -> Any:
        def execute(apps: Any, schema_editor: Any) -> None:
            if schema_editor.connection.vendor == "postgresql":
                schema_editor.execute(statements, params=None)

        return execute

    return migrations.RunPython(run(forwards), run(backwards), elidable=False)


def reference(to: str, name: str, **options: Any) -> models.ForeignKey:  # type: ignore[type-arg]
    return models.ForeignKey(to, models.PROTECT, related_name=name, db_constraint=False, **options)


class Migration(migrations.Migration):
    dependencies = [("leaderboard", "0002_triggers"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        AlterField("GameSession", "user", reference(settings.AUTH_USER_MODEL, "game_sessions", db_index=False)),
        AlterField("GameSession", "game", reference("leaderboard.game", "sessions", db_index=False)),
        AlterField("LeaderboardEntry", "leaderboard", reference("leaderboard.leaderboard", "entries", db_index=False)),
        AlterField("LeaderboardEntry", "user", reference(settings.AUTH_USER_MODEL, "leaderboard_entries")),
        AlterField(
            "SubmitAnswer",
            "session",
            models.OneToOneField(
                "leaderboard.gamesession", models.CASCADE, primary_key=True, related_name="answer", serialize=False, db_constraint=False
            ),
        ),
        on_postgres(GUARDS, NO_GUARDS),
        RemoveIndex("GameSession", "gamesession_mode_score_idx"),
        AddIndex(
            "GameSession",
            models.Index("game_mode", models.F("score").desc(), name="gamesession_mode_score_idx", condition=~models.Q(game_mode="")),
        ),
        RemoveIndex("LeaderboardEntry", "leaderboard_rank_idx"),
        AddIndex(
            "LeaderboardEntry",
            models.Index(fields=["leaderboard", "season", "rank"], name="leaderboard_rank_idx", condition=models.Q(rank__lte=1000)),
        ),
        on_postgres(STORAGE, STORAGE_BEFORE),
    ]
