"""The desk of a process: what its settings say is what holds at the door. Other tests make desks of their own."""

import asyncio

import pytest

from leaderboard.domain.errors import OriginNotAllowed
from leaderboard.services.checking import Asked
from realtime import routing

LISTED, EMBEDDER, STRANGER = "https://game.example", "https://fans.example", "https://elsewhere.example"


@pytest.fixture
def desk(services, settings, monkeypatch):
    settings.CORS_ALLOWED_ORIGINS, settings.WS_ALLOWED_ORIGINS = [LISTED], [EMBEDDER]
    monkeypatch.setattr(routing, "_desks", {})
    return routing.current_desk


def handshake(*, origin=None, **headers):
    named = {"host": "localhost", **({"origin": origin} if origin else {}), **headers}
    return {"query_string": b"", "headers": [(name.encode(), value.encode()) for name, value in named.items()]}


async def test_pages_of_listed_origins_act_and_those_of_embedders_watch(desk):
    assert await desk().admit(handshake(origin=LISTED, cookie="sessionid=x")) is not None
    assert await desk().admit(handshake(origin=EMBEDDER)) is None
    for refused in (handshake(origin=EMBEDDER, cookie="sessionid=x"), handshake(origin=STRANGER)):
        with pytest.raises(OriginNotAllowed):
            await desk().admit(refused)


async def test_submits_over_sockets_are_counted(desk, cast, rates):
    rates(submit_key=1)
    bearer = await desk().admit(handshake(authorization=cast.auth["Authorization"]))
    told = []
    for _ in range(2):
        answer = asyncio.get_running_loop().create_future()
        desk().submit(Asked(score=1, player="ada"), None, bearer=bearer, told=answer.set_result)
        told.append(getattr(await answer, "code", "landed"))
    assert told == ["landed", "rate_limited"]
