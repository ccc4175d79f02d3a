"""Where paths lead. What starts with a prefix of `handler.PREFIXES` is served by the slim handler, the rest by Django's."""

from django.contrib import admin
from django.urls import include, path

from leaderboard.api import health, schema
from realtime import asyncapi

urlpatterns = [
    path("livez", health.Livez.as_view()),
    path("readyz", health.Readyz.as_view()),
    path("metrics", health.Metrics.as_view()),
    path("api/v1/", include("leaderboard.api.urls")),
    path("api/v2/", include("leaderboard.api.envelope")),
    path("api/schema/", schema.Schema.as_view()),
    path("api/docs/", schema.Docs.as_view()),
    path("api/asyncapi.json", asyncapi.AsyncApi.as_view()),
    path("api/", include("leaderboard.api.negotiated")),
    path("admin/", admin.site.urls),
    path("", include("realtime.urls")),
]
