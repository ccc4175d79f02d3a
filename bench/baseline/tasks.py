"""One task a score, in a Celery app as the manual has it: a prefork worker and a queue."""

import os

import django
from asgiref.sync import async_to_sync
from celery import Celery
from channels.layers import get_channel_layer
from django.apps import apps
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaming_leaderboard.settings")
if not apps.ready:
    django.setup()  # in the worker

app = Celery("baseline", broker=settings.REDIS_URL)
app.conf.update(task_default_queue="baseline", task_ignore_result=True, broker_connection_retry_on_startup=True)


@app.task
def rank_update(leaderboard_id: int) -> None:
    """Send the top ten to whoever watches."""
    from leaderboard.models import LeaderboardEntry

    entries = LeaderboardEntry.objects.filter(leaderboard=leaderboard_id, season=0).select_related("user")
    rows = [
        {"rank": rank, "player": entry.user.username, "score": entry.total_score}
        for rank, entry in enumerate(entries.order_by("score_key", "subscore_key", "session_id")[:10], 1)
    ]
    message = {"type": "leaderboard.top", "entries": rows}
    async_to_sync(get_channel_layer().group_send)(f"top.{leaderboard_id}", message)
