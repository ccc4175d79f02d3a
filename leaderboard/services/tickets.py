"""Giving out tickets: for who can't send a header, or must not hold the key or token that makes them."""

from collections.abc import Sequence
from datetime import datetime

from leaderboard.domain.errors import Forbidden, InvalidBody, LeaderboardNotFound
from leaderboard.services.catalog import Catalogs
from leaderboard.services.credentials import BOARDS_READ, Credential
from leaderboard.services.tokens import TICKET_MAX_S, Tokens

PLAYER_TICKET_MAX_S = 300  # a player's page asks again; a player signed out or removed may watch and submit this long
TICKET_BOARDS = 100  # that one ticket names: it has to fit in a header


async def issue(
    catalogs: Catalogs, tokens: Tokens, credential: Credential, *, leaderboards: Sequence[str] | None, life_s: int, now: datetime
) -> str:
    """A ticket for the named boards of the credential's game, or for all. One that a key makes ends with the key.

    Raises Forbidden, InvalidBody or LeaderboardNotFound.
    """
    if credential.is_ticket or credential.game_id is None:
        raise Forbidden("A ticket is made with an API key or a player's token.")
    credential.require(BOARDS_READ)
    longest = TICKET_MAX_S if credential.is_key else PLAYER_TICKET_MAX_S
    if not 1 <= life_s <= longest:
        raise InvalidBody(f"expires_in must be from 1 to {longest}.", errors=[{"field": "expires_in", "detail": f"1..{longest}"}])
    boards = None if leaderboards is None else await _named(catalogs, credential, leaderboards)
    return tokens.ticket(
        game_id=credential.game_id,
        boards=boards,
        player=credential.player,
        key_prefix=credential.key_prefix,
        now=now,
        life_s=life_s,
    )


async def _named(catalogs: Catalogs, credential: Credential, slugs: Sequence[str]) -> set[int]:
    if not 1 <= len(slugs) <= TICKET_BOARDS:
        field = {"field": "leaderboards", "detail": f"1..{TICKET_BOARDS}"}
        raise InvalidBody(f'"leaderboards" must hold 1 to {TICKET_BOARDS} names; leave it out for all.', errors=[field])
    found = [(await catalogs.definition(slug))[1] for slug in dict.fromkeys(slugs)]
    for definition in found:
        if not credential.reaches(definition):
            raise LeaderboardNotFound(f"There is no leaderboard {definition.slug!r}.")
    return {definition.id for definition in found}
