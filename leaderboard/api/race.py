"""The operation that tells the race of a board's best, and its view."""

from functools import partial

from django.http import HttpResponse

from leaderboard import runtime
from leaderboard.api.more_reads import values_of
from leaderboard.api.reads import find, of_board, whole
from leaderboard.api.request import ApiRequest, DjangoApiRequest, Told, in_a_task
from leaderboard.api.views import ApiView, answered
from leaderboard.services.answers import Encoded


def race(request: ApiRequest, told: Told, board: str) -> None:
    """The scores of the best over the last minutes."""
    in_a_task(of_board(request, told, board, partial(_race, request, board)), told)


async def _race(request: ApiRequest, board: str) -> Encoded:
    values, services = values_of(request), runtime.services()
    limit, minutes = whole(values, "limit", 10), whole(values, "minutes", 60)
    return await services.races.race(await find(request, board), limit=limit, minutes=minutes, now=runtime.utc_now())


class Race(ApiView):
    async def get(self, request: DjangoApiRequest, board: str) -> HttpResponse:
        return await answered(race, request, board)
