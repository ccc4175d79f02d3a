"""An application with a hub over an arena, for a server in a process of its own: see test_shutdown."""

import asyncio
import os

import django
from django.apps import apps

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaming_leaderboard.settings")
    django.setup()

from realtime.hub import Hub
from realtime.routing import say_bye_at_signal, websocket_app
from tests.realtime.arena import Arena, NoDesk, make_layer

hubs = []


def get_hub():
    if not hubs:
        url = os.environ["REDIS_URL"]
        hubs.append(Hub(source=Arena(url, "arcade"), layer=make_layer(url)))
        say_bye_at_signal(hubs[0], asyncio.get_running_loop())
    return hubs[0]


application = websocket_app(get_hub, NoDesk)
