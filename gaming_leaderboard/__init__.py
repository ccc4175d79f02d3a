"""The project: wiring, no behaviour. In: the environment. Out: a configured Django, Celery app and ASGI handler."""

from gaming_leaderboard.celery import app as celery_app

__all__ = ["celery_app"]
