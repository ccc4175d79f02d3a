"""Who may do what how often: which bucket a request takes from.

Of a class of route there are up to three rates, by the kind of who asks: an API key, a player (by token or session), or an address, for
all who did not say who they are. Sign-in is by address alone: whoever guesses passwords has any number of names.
"""

from collections.abc import Callable, Mapping

from leaderboard.domain.throttle import Rate
from leaderboard.services.credentials import Credential
from leaderboard.throttle.redis import Bucket, Throttle

SUBMIT, READ, AUTH, ADMIN = "submit", "read", "auth", "admin"
KEY, PLAYER, ADDRESS = "key", "player", "address"

Rates = Mapping[tuple[str, str], Rate]  # by class and kind


class Limits:
    """Without rates nothing is limited."""

    def __init__(self, throttle: Throttle, rates: Rates) -> None:
        self._throttle, self._rates = throttle, dict(rates)

    def bucket(self, route_class: str, credential: Credential | None, address: Callable[[], str]) -> Bucket | None:
        """What a request takes from; None where there is no limit. `address` is asked where nobody is known."""
        if route_class != AUTH and credential is not None:
            if credential.is_key:
                return self._of(route_class, KEY, credential.submitter)
            if credential.player is not None:
                return self._of(route_class, PLAYER, f"player:{credential.player.id}")
        return self._of(route_class, ADDRESS, f"address:{address()}")

    def _of(self, route_class: str, kind: str, subject: str) -> Bucket | None:
        rate = self._rates.get((route_class, kind))
        return None if rate is None else self._throttle.bucket(route_class, subject, rate)
