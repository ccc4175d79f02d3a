"""Waits until the index holds every board, as the worker fills it after a start: `python -m bench.ready`."""

import os
import time

import django

POLL_S = 0.1


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaming_leaderboard.settings")
    django.setup()
    from leaderboard import runtime

    while not runtime.run(_all_ready()):
        time.sleep(POLL_S)


async def _all_ready() -> bool:
    from leaderboard import runtime

    services = runtime.services()
    boards = await services.upkeep.indexed_boards(now=runtime.utc_now())
    return all(await services.index.ready(boards))


if __name__ == "__main__":
    main()
