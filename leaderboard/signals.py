"""Users are Django's, and whoever saves one (the admin, a site's own pages, the shell) may change what boards show.

`QuerySet.update` and SQL by hand send no signal: after them run `manage.py clear_cache`, or wait until the names run out.
"""

import logging
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_save

log = logging.getLogger(__name__)

SHOWN = {"username", "first_name", "last_name"}
TELL_TIMEOUT_S = 2.0


def connect_all() -> None:
    """Called once, when Django has loaded its applications."""
    user = get_user_model()
    pre_save.connect(_keep_old_name, sender=user)
    post_save.connect(_saved, sender=user)
    post_delete.connect(_deleted, sender=user)


def _keep_old_name(sender: Any, instance: Any, update_fields: Any = None, **_: Any) -> None:
    instance.name_before = None
    if instance.pk is not None and _touches_names(update_fields):
        instance.name_before = sender.objects.filter(pk=instance.pk).values_list("username", flat=True).first()


def _saved(sender: Any, instance: Any, created: bool, update_fields: Any = None, **_: Any) -> None:
    if created:
        transaction.on_commit(lambda: _appeared(instance.username))
    elif _touches_names(update_fields):
        names = {instance.username, getattr(instance, "name_before", None) or instance.username}
        transaction.on_commit(lambda: _changed(instance.pk, names))


def _deleted(sender: Any, instance: Any, **_: Any) -> None:
    user_id, names = instance.pk, {instance.username}  # the instance loses its key after this
    transaction.on_commit(lambda: _changed(user_id, names))


def _touches_names(update_fields: Any) -> bool:
    """A sign-in saves `last_login` alone."""
    return update_fields is None or bool(SHOWN & set(update_fields))


def _appeared(username: str) -> None:
    from leaderboard import runtime
    from leaderboard.services.players import NAME

    runtime.run(runtime.services().cache.appear(NAME, [username]))


def _changed(user_id: int, names: set[str]) -> None:
    from leaderboard import runtime
    from leaderboard.cache import CacheUnavailable
    from leaderboard.services.players import players_changed

    try:
        runtime.run(players_changed(runtime.services().cache, user_ids=[user_id], names=sorted(names)), timeout_s=TELL_TIMEOUT_S)
    except (CacheUnavailable, TimeoutError) as error:
        log.warning("a changed name may be shown for some minutes: %r", error)
