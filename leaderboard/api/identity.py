"""The routes by which players sign in, and see and name themselves. The work is `leaderboard.services.sign_in`'s."""

from typing import Annotated, Any

import msgspec
from django.http import HttpResponse

from leaderboard import runtime
from leaderboard.api.auth import authenticate
from leaderboard.api.bodies import read_json
from leaderboard.api.request import JSON, Answer, ApiRequest, DjangoApiRequest, client_address
from leaderboard.api.views import ApiView, response
from leaderboard.domain.errors import Forbidden
from leaderboard.services.credentials import Credential, read_header
from leaderboard.store import Player

_SECRET = (*JSON, (b"cache-control", b"no-store"))

_encode = msgspec.json.Encoder().encode


class DeviceBody(msgspec.Struct, forbid_unknown_fields=True):
    """The id is a secret that the client made: whoever knows it is the player."""

    device_id: Annotated[str, msgspec.Meta(min_length=16, max_length=200)]
    name: str | None = None
    game: str = "default"


class RegisterBody(msgspec.Struct, forbid_unknown_fields=True):
    username: str
    password: str
    name: str | None = None
    game: str = "default"


class LoginBody(msgspec.Struct, forbid_unknown_fields=True):
    username: str
    password: str
    game: str = "default"


class RefreshBody(msgspec.Struct, forbid_unknown_fields=True):
    refresh_token: Annotated[str, msgspec.Meta(max_length=200)]


class ProfileBody(msgspec.Struct, forbid_unknown_fields=True):
    name: str


_device, _register, _login = map(msgspec.json.Decoder, (DeviceBody, RegisterBody, LoginBody))
_refresh, _profile = map(msgspec.json.Decoder, (RefreshBody, ProfileBody))


class DeviceSignIn(ApiView):
    async def post(self, request: DjangoApiRequest) -> HttpResponse:
        """The player of a device: 200, or 201 if this is its first time."""
        body: DeviceBody = read_json(request.api, _device)
        signed, is_new = await runtime.services().sign_in.by_device(body.device_id, name=body.name, game=body.game, now=runtime.utc_now())
        return _answer(signed, status=201 if is_new else 200)


class Register(ApiView):
    async def post(self, request: DjangoApiRequest) -> HttpResponse:
        """A new player with a name and a password."""
        body: RegisterBody = read_json(request.api, _register)
        signed = await runtime.services().sign_in.register(
            body.username, body.password, name=body.name, game=body.game, now=runtime.utc_now()
        )
        return _answer(signed, status=201)


class Login(ApiView):
    async def post(self, request: DjangoApiRequest) -> HttpResponse:
        """The player of a name and a password."""
        body: LoginBody = read_json(request.api, _login)
        signed = await runtime.services().sign_in.login(
            body.username, body.password, game=body.game, address=client_address(request.api), now=runtime.utc_now()
        )
        return _answer(signed)


class Refresh(ApiView):
    async def post(self, request: DjangoApiRequest) -> HttpResponse:
        """New tokens for a refresh token, which stops working."""
        body: RefreshBody = read_json(request.api, _refresh)
        return _answer(await runtime.services().sign_in.refresh(body.refresh_token, now=runtime.utc_now()))


class Logout(ApiView):
    async def post(self, request: DjangoApiRequest) -> HttpResponse:
        """End what this refresh token and those before and after it can do."""
        body: RefreshBody = read_json(request.api, _refresh)
        await runtime.services().sign_in.log_out(body.refresh_token, now=runtime.utc_now())
        return response(Answer(204, b"", ()))


class Me(ApiView):
    async def get(self, request: DjangoApiRequest) -> HttpResponse:
        """The player whose token this is."""
        credential, player = await _myself(request.api)
        return _answer(await runtime.services().sign_in.profile(player.id, game_id=credential.game_id))

    async def patch(self, request: DjangoApiRequest) -> HttpResponse:
        """Change the name that boards show."""
        credential, player = await _myself(request.api)
        body: ProfileBody = read_json(request.api, _profile)
        return _answer(await runtime.services().sign_in.rename(player.id, body.name, game_id=credential.game_id))


async def _myself(request: ApiRequest) -> tuple[Credential, Player]:
    """Raises NotAuthenticated, CsrfFailed or Forbidden: a key is nobody, and a ticket, which may be in an address, opens boards only."""
    credential = await authenticate(request)
    header = request.headers.get(b"authorization")
    if credential.player is None or (header is not None and read_header(header)[0] != b"bearer"):
        raise Forbidden("Sign in as a player, and send its access token.")
    return credential, credential.player


def _answer(body: Any, *, status: int = 200) -> HttpResponse:
    return response(Answer(status, _encode(body), _SECRET))
