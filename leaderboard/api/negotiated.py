"""The same routes under /api/, the version chosen by the Accept header: application/vnd.api+json; version=1."""

from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.http.request import MediaType
from django.urls import path

from leaderboard.api.urls import urlpatterns as version_1
from leaderboard.domain.errors import NotAcceptable

VERSIONS = ("1",)


def _asked_version(request: HttpRequest) -> str:
    """The version in the Accept header, the newest if it names none."""
    for part in request.META.get("HTTP_ACCEPT", "").split(","):
        media = MediaType(part)
        if (media.main_type, media.sub_type) == ("application", "vnd.api+json"):
            return str(media.params.get("version", VERSIONS[-1]))
    return VERSIONS[-1]


def _versioned(view: Any) -> Any:
    @wraps(view)
    async def chosen(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        version = _asked_version(request)
        if version not in VERSIONS:
            raise NotAcceptable(f"There is no version {version!r}; there is {', '.join(VERSIONS)}.")
        return await view(request, *args, **kwargs)

    return chosen


urlpatterns = [path(str(route.pattern), _versioned(route.callback)) for route in version_1 if route.callback is not None]
