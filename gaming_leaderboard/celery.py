"""The Celery app: three queues by priority, and the beat timetable in one place."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaming_leaderboard.settings")

from django.conf import settings

app = Celery("gaming_leaderboard")


@setup_logging.connect
def _leave_logging_alone(**_: Any) -> None:
    """Django has configured it; see gaming_leaderboard.logs."""


# The worker reads them in this order and empties the first before the next.
QUEUES = (
    "high",  # rank updates: what watchers wait for
    "medium",  # bulk rank calculation, rebuild, checks
    "low",  # clean-up, warming
)

broker_url = settings.REDIS_URL.replace("unix://", "redis+socket://", 1)

app.conf.update(
    broker_url=broker_url,
    task_ignore_result=True,
    # Each with an exchange and key of its own: by default all three would share the default queue's, and each get every task.
    task_queues=[Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
    task_default_queue="medium",
    task_routes={
        "leaderboard.tasks.rank_update": {"queue": "high"},
        "leaderboard.tasks.sweep": {"queue": "high"},
        "leaderboard.tasks.rebuild": {"queue": "medium"},
        "leaderboard.tasks.rerank": {"queue": "medium"},
        "leaderboard.tasks.calculate_ranks": {"queue": "medium"},
        "leaderboard.tasks.warm": {"queue": "low"},
        "leaderboard.tasks.clean_up": {"queue": "low"},
        "leaderboard.tasks.forget_nonces": {"queue": "low"},
    },
    # Tasks are bells: each may be lost or come twice, the sweep and the dirty marks make up for both. So nothing is gained by
    # late acknowledgement, and a lost worker must not hold messages for the default hour.
    task_acks_late=False,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "queue_order_strategy": "priority",
        "visibility_timeout": 60,
        "socket_timeout": 5,
        "socket_connect_timeout": 1,
        "socket_keepalive": True,
        "health_check_interval": 5,
        "max_retries": 1,  # of a publish: the sweep rings again, so a bell is not worth waiting for
        "interval_start": 0,
        "interval_max": 0.2,
    },
    broker_connection_max_retries=None,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    beat_max_loop_interval=1,
    beat_schedule={
        # `expires` keeps a backlog from forming while the worker is away.
        "sweep": {"task": "leaderboard.tasks.sweep", "schedule": 2.0, "options": {"expires": 2}},
        "rerank": {"task": "leaderboard.tasks.rerank", "schedule": 10.0, "options": {"expires": 10}},
        "calculate-ranks": {"task": "leaderboard.tasks.calculate_ranks", "schedule": 300.0, "options": {"expires": 300}},
        "warm": {"task": "leaderboard.tasks.warm", "schedule": 30.0, "options": {"expires": 30}},
        "forget-nonces": {"task": "leaderboard.tasks.forget_nonces", "schedule": 60.0, "options": {"expires": 60}},
        "clean-up": {"task": "leaderboard.tasks.clean_up", "schedule": 3600.0, "options": {"expires": 3600}},
    },
)
app.autodiscover_tasks(["leaderboard"])
