"""What `django-admin startproject` makes, under the project's settings with routes of its own."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaming_leaderboard.settings")
application = get_asgi_application()

from django.conf import settings  # noqa: E402

settings.ROOT_URLCONF = "bench.baseline.urls"
