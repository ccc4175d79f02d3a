"""The same routes under /api/, the version chosen by the Accept header: application/vnd.api+json; version=2."""

from functools import wraps
from typing import Any

from django.http.response import HttpResponseBase
from django.urls import path

from leaderboard.api import envelope, versions
from leaderboard.api.request import DjangoApiRequest
from leaderboard.api.urls import urlpatterns as version_1


def _versioned(view: Any, route: str) -> Any:
    views = {"1": view, "2": envelope.enveloped(view, route)}

    @wraps(view)
    async def chosen(request: DjangoApiRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase = await views[versions.asked(request.META.get("HTTP_ACCEPT", ""))](request, *args, **kwargs)
        return response

    return chosen


urlpatterns = [path(str(route.pattern), _versioned(route.callback, str(route.pattern))) for route in version_1 if route.callback]
