"""What every submit looked up, and does not need to.

1. The entry as it was before: each entry says where its last submission found it.
2. Whether the player may play: a version moves when any user's right to does. A process that has seen a player under the present
   version need not look again. (SQLite, which has no round trips to save, goes on looking.)
3. The index of entries by user: the unique constraint begins with the user and serves both. It also was the index that boards were
   paged through by user; PostgreSQL now reads them in their order instead. SQLite keeps the indexes that it has.
"""

from importlib import import_module

from django.conf import settings
from django.db import migrations, models

cheaper = import_module("leaderboard.migrations.0003_cheaper_submits")

# The moment of the change, as the catalog's version is: none is given out twice, also not after a restore.
MOVE = """UPDATE leaderboard_catalog
    SET players_version = greatest(players_version + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) WHERE id = 1;"""
# By statement: a thousand users deleted at once move it once. An UPDATE with a list of columns may not see the rows before and after.
PLAYERS = f"""
{MOVE}
CREATE FUNCTION leaderboard_players_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        {MOVE}
    ELSIF EXISTS (SELECT FROM was FULL JOIN now USING (id) WHERE was.is_active IS DISTINCT FROM now.is_active) THEN
        {MOVE}
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER auth_user_update_moves_players AFTER UPDATE ON auth_user
    REFERENCING OLD TABLE AS was NEW TABLE AS now FOR EACH STATEMENT EXECUTE FUNCTION leaderboard_players_move();
CREATE TRIGGER auth_user_delete_moves_players AFTER DELETE OR TRUNCATE ON auth_user
    FOR EACH STATEMENT EXECUTE FUNCTION leaderboard_players_move();
"""
NO_PLAYERS = "DROP FUNCTION leaderboard_players_move() CASCADE"


class RemoveConstraint(cheaper.OnPostgres, migrations.RemoveConstraint):
    pass


class AddConstraint(cheaper.OnPostgres, migrations.AddConstraint):
    pass


class Migration(migrations.Migration):
    dependencies = [("leaderboard", "0005_trust"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        *(
            migrations.AddField("leaderboardentry", name, models.BigIntegerField(blank=True, editable=False, null=True))
            for name in ("previous_score_key", "previous_subscore_key", "previous_session_id")
        ),
        migrations.AddField("catalog", "players_version", models.BigIntegerField(null=True)),
        cheaper.on_postgres(PLAYERS, NO_PLAYERS),
        RemoveConstraint("leaderboardentry", "leaderboardentry_once_per_player"),
        AddConstraint(
            "leaderboardentry",
            models.UniqueConstraint(fields=["user", "leaderboard", "season"], name="leaderboardentry_once_per_player"),
        ),
        cheaper.AlterField("LeaderboardEntry", "user", cheaper.reference(settings.AUTH_USER_MODEL, "leaderboard_entries", db_index=False)),
    ]
