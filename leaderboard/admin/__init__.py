"""Django's admin. What has ranks is changed through the services: by the ORM alone the index and watchers would not hear of it.

Every list is quick on a million rows: in the order of an index, counted up to a bound, searched by a whole name.
"""

from leaderboard.admin import boards, entries, keys, players

__all__ = ["boards", "entries", "keys", "players"]
