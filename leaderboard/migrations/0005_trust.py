"""What trust needs: private and signed boards, keys that are replaced, players' devices and tokens, edits, rerankings."""

from importlib import import_module
from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

moments = import_module("leaderboard.migrations.0004_catalog_moments").moments


def triggers_again(apps: Any, schema_editor: Any) -> None:
    """SQLite makes a table anew to give it a column, and its triggers go with the old one."""
    if schema_editor.connection.vendor == "sqlite":
        moments(apps, schema_editor)


class Migration(migrations.Migration):
    dependencies = [
        ("leaderboard", "0004_catalog_moments"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiKeyUse",
            fields=[
                (
                    "key",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="use",
                        serialize=False,
                        to="leaderboard.apikey",
                    ),
                ),
                ("last_used_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="apikey",
            name="replaces",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="replaced_by", to="leaderboard.apikey"
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="signed_only",
            field=models.BooleanField(db_default=False, default=False, help_text="Its submits must be signed."),
        ),
        migrations.AddField(
            model_name="leaderboard",
            name="is_public",
            field=models.BooleanField(
                db_default=True, default=True, help_text="Anybody may read it; else a key, token or ticket of its game."
            ),
        ),
        migrations.AddField(
            model_name="leaderboard",
            name="signed_only",
            field=models.BooleanField(db_default=False, default=False, help_text="Takes signed submits only."),
        ),
        migrations.CreateModel(
            name="RefreshToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("family", models.UUIDField(db_index=True)),
                ("digest", models.BinaryField(max_length=32, unique=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("used_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "game",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="refresh_tokens", to="leaderboard.game"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="refresh_tokens", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Reranking",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("changes", models.JSONField(help_text="The fields of the definition that change, with their new values.")),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("running", "Running"), ("done", "Done"), ("failed", "Failed")],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("done", models.BigIntegerField(default=0, help_text="Sessions read.")),
                ("total", models.BigIntegerField(default=0, help_text="Sessions to read.")),
                ("moved", models.BigIntegerField(default=0, help_text="Entries whose rank changed.")),
                ("problem", models.TextField(blank=True, default="")),
                ("actor", models.CharField(blank=True, default="", max_length=150)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("changed_at", models.DateTimeField(auto_now=True)),
                (
                    "leaderboard",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="rerankings", to="leaderboard.leaderboard"),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Device",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.BinaryField(max_length=32)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "game",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="devices", to="leaderboard.game"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="devices", to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("game", "digest"), name="device_once_per_game")],
            },
        ),
        migrations.CreateModel(
            name="EntryEdit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("season", models.BigIntegerField()),
                ("until_session", models.BigIntegerField(help_text="Sessions up to this one are covered by the edit.")),
                ("total_score", models.BigIntegerField(blank=True, help_text="Blank: the entry was removed.", null=True)),
                ("subscore", models.BigIntegerField(default=0)),
                ("before", models.JSONField(blank=True, help_text="The entry as it was; null if there was none.", null=True)),
                ("reason", models.CharField(blank=True, default="", max_length=500)),
                ("actor", models.CharField(help_text='Who: "user:5" or "key:12".', max_length=150)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "leaderboard",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="edits", to="leaderboard.leaderboard"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="entry_edits", to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["leaderboard", "season", "user", "id"], name="entryedit_entry_idx")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("total_score__isnull", True),
                            models.Q(("total_score__gte", -9007199254740991), ("total_score__lte", 9007199254740991)),
                            _connector="OR",
                        ),
                        name="entryedit_score_exact",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="UsedNonce",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("nonce", models.CharField(max_length=64)),
                ("expires_at", models.DateTimeField(db_index=True)),
                (
                    "key",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="nonces", to="leaderboard.apikey"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("key", "nonce"), name="usednonce_once_per_key")],
            },
        ),
        migrations.RunPython(triggers_again, triggers_again, elidable=False),
    ]
