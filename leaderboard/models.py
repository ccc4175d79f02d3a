"""The schema. Hot-path statements over it are in `leaderboard.store`; this module is for the admin and for reading.

Rows of `GameSession` are append-only and `Catalog.version` moves with every definition: triggers, see
`migrations/0002_triggers.py`. What every submit writes has no foreign keys on PostgreSQL (`db_constraint=False`): its commit checks what
it refers to, and triggers keep that from being deleted, see `migrations/0003_cheaper_submits.py`.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from leaderboard.domain.score import SCORE_LIMIT

RANKS_INDEXED = 1_000  # as many as one page of the API holds


def _in_range(field: str) -> Q:
    return Q(**{f"{field}__gte": -SCORE_LIMIT, f"{field}__lte": SCORE_LIMIT})


class Game(models.Model):
    """Owns leaderboards and API keys; nothing crosses from one game to another."""

    slug = models.SlugField(unique=True, max_length=64)
    name = models.CharField(max_length=120)

    def __str__(self) -> str:
        return self.slug


class Leaderboard(models.Model):
    """The definition: what feeds the board, how entries meet and rank, and when it starts anew."""

    class Operator(models.TextChoices):
        BEST = "best"
        SUM = "sum"
        LATEST = "latest"
        COUNT = "count"

    class Direction(models.TextChoices):
        DESC = "desc", "more is better"
        ASC = "asc", "less is better"

    game = models.ForeignKey(Game, on_delete=models.PROTECT, related_name="leaderboards")
    slug = models.SlugField(unique=True, max_length=64)
    title = models.CharField(max_length=120)
    operator = models.CharField(max_length=8, choices=Operator, default=Operator.BEST)
    sort_order = models.CharField(max_length=4, choices=Direction, default=Direction.DESC)
    subscore_order = models.CharField(max_length=4, choices=Direction, default=Direction.DESC)
    game_mode = models.CharField(max_length=64, blank=True, default="", help_text="Blank takes every mode.")
    reset_schedule = models.CharField(
        max_length=100, blank=True, default="", help_text="Blank (all-time), daily, weekly, monthly or a cron line."
    )
    time_zone = models.CharField(max_length=64, default="UTC")
    min_score = models.BigIntegerField(null=True, blank=True, default=0)
    max_score = models.BigIntegerField(null=True, blank=True)
    authoritative = models.BooleanField(default=False, help_text="Only API keys write to it.")
    is_active = models.BooleanField(default=True)
    is_public = models.BooleanField(
        db_default=True, default=True, help_text="Anybody may read it; else a key, token or ticket of its game."
    )
    signed_only = models.BooleanField(db_default=False, default=False, help_text="Takes signed submits only.")
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["slug"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(operator__in=["best", "sum", "latest", "count"]), name="leaderboard_operator_known"),
            models.CheckConstraint(
                condition=Q(sort_order__in=["desc", "asc"]) & Q(subscore_order__in=["desc", "asc"]), name="leaderboard_order_known"
            ),
            models.CheckConstraint(
                condition=Q(min_score__isnull=True) | Q(max_score__isnull=True) | Q(min_score__lte=models.F("max_score")),
                name="leaderboard_bounds_in_order",
            ),
        ]

    def __str__(self) -> str:
        return self.slug


class GameSession(models.Model):
    """One submitted play. Append-only: the truth that every entry can be recomputed from."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="game_sessions", db_index=False, db_constraint=False
    )
    game = models.ForeignKey(Game, on_delete=models.PROTECT, related_name="sessions", db_index=False, db_constraint=False)
    score = models.BigIntegerField()
    subscore = models.BigIntegerField(default=0)
    game_mode = models.CharField(max_length=64, blank=True, default="")
    metadata = models.JSONField(default=dict, blank=True)
    timestamp = models.DateTimeField()
    submitter = models.CharField(max_length=32, default="", help_text='The credential: "key:12" or "user:5".')
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - null is "none", not ""
    fingerprint = models.BinaryField(null=True, help_text="Digest of what was asked, compared when the key comes again.")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=_in_range("score") & _in_range("subscore"), name="gamesession_score_exact"),
            # Settles retries: the second session of a key can't be stored. Partial, so that a submit without a key pays nothing.
            models.UniqueConstraint(
                fields=["submitter", "idempotency_key"], condition=Q(idempotency_key__isnull=False), name="gamesession_once_per_key"
            ),
        ]
        indexes: ClassVar = [
            models.Index("user", models.F("timestamp").desc(), name="gamesession_user_time_idx"),  # a player's history
            # Best runs of a mode. Partial, so that a submit without a mode pays nothing.
            models.Index("game_mode", models.F("score").desc(), name="gamesession_mode_score_idx", condition=~Q(game_mode="")),
        ]

    def __str__(self) -> str:
        return f"session {self.pk}"


class SubmitAnswer(models.Model):
    """The answer that was given for a session with an idempotency key; a retry gets the same bytes."""

    session = models.OneToOneField(GameSession, on_delete=models.CASCADE, primary_key=True, related_name="answer", db_constraint=False)
    answer = models.BinaryField()

    def __str__(self) -> str:
        return f"answer of session {self.pk}"


class LeaderboardEntry(models.Model):
    """What a player holds on a board.

    `score_key` and `subscore_key` are the score and subscore with the board's direction taken out (smaller is better), so that
    one index serves every direction: the total order is ascending (score_key, subscore_key, session_id).
    """

    leaderboard = models.ForeignKey(Leaderboard, on_delete=models.PROTECT, related_name="entries", db_index=False, db_constraint=False)
    season = models.BigIntegerField(default=0, help_text="When the season began, seconds since 1970 UTC; 0 is all-time.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="leaderboard_entries", db_index=False, db_constraint=False
    )
    total_score = models.BigIntegerField()
    subscore = models.BigIntegerField(default=0)
    score_key = models.BigIntegerField()
    subscore_key = models.BigIntegerField()
    session_id = models.BigIntegerField(help_text="The session that set the value; the smaller one ranks first among equals.")
    achieved_at = models.DateTimeField(help_text="When that session was.")
    submissions = models.BigIntegerField(default=1, help_text="How many sessions came in: the entry's version.")
    rank = models.BigIntegerField(null=True, blank=True, help_text="As of the last batch calculation; live ranks come from the index.")
    last_updated = models.DateTimeField()
    # Where the last submission found the entry, in the board's order; null at its first. A submit is answered with what was before, and
    # to look that up costs more than to keep it.
    previous_score_key = models.BigIntegerField(null=True, blank=True, editable=False)
    previous_subscore_key = models.BigIntegerField(null=True, blank=True, editable=False)
    previous_session_id = models.BigIntegerField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name_plural = "leaderboard entries"
        constraints: ClassVar = [
            # By the user first, so that it is also the index of a player's entries: a submit writes into one index less.
            models.UniqueConstraint(fields=["user", "leaderboard", "season"], name="leaderboardentry_once_per_player"),
            models.CheckConstraint(condition=_in_range("total_score") & _in_range("subscore"), name="leaderboardentry_score_exact"),
            models.CheckConstraint(
                condition=(Q(score_key=models.F("total_score")) | Q(score_key=-models.F("total_score")))
                & (Q(subscore_key=models.F("subscore")) | Q(subscore_key=-models.F("subscore"))),
                name="leaderboardentry_keys_match",
            ),
        ]
        indexes: ClassVar = [
            # The first pages by the calculated rank. Partial: a submit writes a new version of its entry into every index that has it.
            models.Index(fields=["leaderboard", "season", "rank"], name="leaderboard_rank_idx", condition=Q(rank__lte=RANKS_INDEXED)),
            # The board's total order: top, around and rank counts are index scans while the rank index is away. It covers nothing that
            # changes with every submit, so that a submit which moves nobody touches no index (HOT).
            models.Index(
                fields=["leaderboard", "season", "score_key", "subscore_key", "session_id"],
                include=["user", "achieved_at"],
                name="leaderboard_score_idx",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.leaderboard_id}/{self.season}/{self.user_id}"


class ApiKey(models.Model):
    """A game server's credential. The key itself is shown once; `digest` is its SHA-256 (it has 192 random bits)."""

    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=120, blank=True, default="")
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.BinaryField(max_length=32)
    scopes = models.JSONField(default=list)
    signed_only = models.BooleanField(db_default=False, default=False, help_text="Its submits must be signed.")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    replaces = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="replaced_by")

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.prefix}…"


class ApiKeyUse(models.Model):
    """When a key was last used, written now and then. A table of its own: a change of the key's row would move the catalog's version."""

    key = models.OneToOneField(ApiKey, on_delete=models.CASCADE, primary_key=True, related_name="use")
    last_used_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.key_id} at {self.last_used_at:%Y-%m-%d %H:%M}"


class UsedNonce(models.Model):
    """The nonce of a signed request: it works once. In SQL, since a Redis that forgets would let requests be played again."""

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="nonces", db_index=False)
    nonce = models.CharField(max_length=64)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["key", "nonce"], name="usednonce_once_per_key")]

    def __str__(self) -> str:
        return self.nonce


class Device(models.Model):
    """A device by which a player signs in to a game. `digest` is the SHA-256 of its id: whoever knows the id is the player."""

    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="devices", db_index=False)
    digest = models.BinaryField(max_length=32)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="devices")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["game", "digest"], name="device_once_per_game")]

    def __str__(self) -> str:
        return f"device {self.pk}"


class RefreshToken(models.Model):
    """What a player's next access token is given for. It works once: its successor is of the same `family`, which a second use ends."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="refresh_tokens")
    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="refresh_tokens", db_index=False)
    family = models.UUIDField(db_index=True)
    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"refresh token {self.pk}"


class EntryEdit(models.Model):
    """A moderator's word on an entry: what the player held after session `until_session`, or nothing.

    An entry is recomputed from its last edit and the sessions after it. Edits are never changed: they record who did what.
    """

    leaderboard = models.ForeignKey(Leaderboard, on_delete=models.CASCADE, related_name="edits", db_index=False)
    season = models.BigIntegerField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="entry_edits")
    until_session = models.BigIntegerField(help_text="Sessions up to this one are covered by the edit.")
    total_score = models.BigIntegerField(null=True, blank=True, help_text="Blank: the entry was removed.")
    subscore = models.BigIntegerField(default=0)
    before = models.JSONField(null=True, blank=True, help_text="The entry as it was; null if there was none.")
    reason = models.CharField(max_length=500, blank=True, default="")
    actor = models.CharField(max_length=150, help_text='Who: "user:5" or "key:12".')
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["leaderboard", "season", "user", "id"], name="entryedit_entry_idx")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(total_score__isnull=True) | _in_range("total_score"), name="entryedit_score_exact")
        ]

    def __str__(self) -> str:
        return f"edit {self.pk}"


class Reranking(models.Model):
    """A change of a leaderboard's rules on its way: its entries are made anew from the kept sessions, in the background."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    leaderboard = models.ForeignKey(Leaderboard, on_delete=models.CASCADE, related_name="rerankings")
    changes = models.JSONField(help_text="The fields of the definition that change, with their new values.")
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    done = models.BigIntegerField(default=0, help_text="Sessions read.")
    total = models.BigIntegerField(default=0, help_text="Sessions to read.")
    moved = models.BigIntegerField(default=0, help_text="Entries whose rank changed.")
    problem = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=150, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"reranking {self.pk}"


class Catalog(models.Model):
    """One row: the version of all definitions and keys, moved by triggers, checked by every commit.

    `players_version` moves when a user is deleted, or may play or not play any more; on PostgreSQL only.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    version = models.BigIntegerField(default=1)
    players_version = models.BigIntegerField(null=True)
    erasing = models.BooleanField(default=False, help_text="Open only inside the transaction that erases a player's sessions.")

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(id=1), name="catalog_one_row")]

    def __str__(self) -> str:
        return f"catalog {self.version}"
