"""The operation that gives out tickets."""

import msgspec

from leaderboard import runtime
from leaderboard.api import bodies
from leaderboard.api.auth import authenticate, held_credential
from leaderboard.api.request import JSON, Answer, ApiRequest, Told, in_a_task
from leaderboard.services import tickets

_SECRET = (*JSON, (b"cache-control", b"no-store"))


def post_ticket(request: ApiRequest, told: Told) -> None:
    """Make a ticket: 201 with it and how many seconds it is good for."""
    in_a_task(_post_ticket(request, told), told)


async def _post_ticket(request: ApiRequest, told: Told) -> None:
    credential = held_credential(request) or await authenticate(request)
    asked, services = bodies.read_ticket(request), runtime.services()
    ticket = await tickets.issue(
        services.catalogs,
        services.tokens,
        credential,
        leaderboards=asked.leaderboards,
        life_s=asked.expires_in,
        now=runtime.utc_now(),
    )
    told(Answer(201, msgspec.json.encode({"ticket": ticket, "expires_in": asked.expires_in}), _SECRET))
