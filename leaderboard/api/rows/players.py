"""Signing players in, and reading one player."""

from leaderboard.api import identity, shapes
from leaderboard.api.rows.parts import (
    BROWSER,
    CREDENTIALED,
    KEY,
    OF_A_PLAYER,
    PLAYER,
    READER,
    SEASON,
    V1,
    WRITING_BROWSER,
    WRITTEN,
    Operation,
    limit,
    query,
)
from leaderboard.domain import errors

_PLAYER = f"GET {V1}players/{{player}}/"
_LOGIN = {"username": "eve", "password": "nine lives are plenty"}
_REFRESH = {"refresh_token": "n1Vd0sJq7Lk2"}

OPERATIONS: dict[str, Operation] = {
    f"POST {V1}auth/device/": Operation(
        "sign_in_device", "Sign a device's player in; make it the first time (201)", {200: shapes.SignedIn, 201: shapes.SignedIn},
        (errors.InvalidPlayer, errors.InvalidCredentials), body=identity.DeviceBody,
        body_example={"device_id": "0b9a7a52-6d0e-4c6e-8b8f-3f6f1d7c2a11", "name": "Dora"},
    ),
    f"POST {V1}auth/register/": Operation(
        "register", "Make a player with a password", {201: shapes.SignedIn}, (errors.InvalidPlayer, errors.WeakPassword, errors.NameTaken),
        body=identity.RegisterBody, body_example={**_LOGIN, "name": "Eve"},
    ),
    f"POST {V1}auth/login/": Operation(
        "log_in", "Sign a player in by its password", {200: shapes.SignedIn},
        (errors.InvalidPlayer, errors.InvalidCredentials, errors.TooManyAttempts), body=identity.LoginBody, body_example=_LOGIN,
    ),
    f"POST {V1}auth/refresh/": Operation(
        "refresh", "New tokens for a refresh token, which works once", {200: shapes.SignedIn}, (errors.InvalidCredentials,),
        body=identity.RefreshBody, body_example=_REFRESH,
    ),
    f"POST {V1}auth/logout/": Operation(
        "log_out", "End a refresh token and all that came from the same sign-in", {204: None}, body=identity.RefreshBody,
        body_example=_REFRESH,
    ),
    f"GET {V1}players/me/": Operation("me", "The player itself", {200: shapes.Myself}, CREDENTIALED, (*PLAYER, *BROWSER)),
    f"PATCH {V1}players/me/": Operation(
        "rename_me", "Change the name that boards show", {200: shapes.Myself}, (*WRITTEN, errors.InvalidPlayer),
        (*PLAYER, *WRITING_BROWSER), identity.ProfileBody, {"name": "Eve the Great"},
    ),
    f"{_PLAYER}standings/": Operation(
        "player_standings", "One player on all leaderboards", {200: shapes.PlayerStandings}, (errors.NotAuthenticated, errors.NotRanked),
        READER, parameters=(query("game", "Of this game only", type="string"),), has_tag=True,
    ),
    f"{_PLAYER}sessions/": Operation(
        "player_sessions", "A player's plays, the newest first", {200: shapes.PlayerSessions}, (*CREDENTIALED, errors.NotRanked),
        (*KEY, *PLAYER), parameters=(limit(20, "Plays"), query("before", "Those older than this play", type="integer", minimum=1)),
        has_tag=True,
    ),
    f"{_PLAYER}history/": Operation(
        "player_history", "The plays that made a player's row better, the oldest first", {200: shapes.PlayerHistory}, OF_A_PLAYER, READER,
        parameters=(query("leaderboard", "A slug", required=True, type="string", example="global"), limit(100, "Plays"), SEASON),
        has_tag=True,
    ),
}  # fmt: skip
