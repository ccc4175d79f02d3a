"""Use cases: the only callers of store, index and feed together.

In: what an entrance (REST, WebSocket, task, command) was asked, with the moment and the credential. Out: plain answers in the
contracts' shapes, or a `Refusal`. `Services` holds one of each, built once per process by `leaderboard.runtime`.
"""

from dataclasses import dataclass

from leaderboard.cache.redis import Cache
from leaderboard.feed import Feed
from leaderboard.index import Index
from leaderboard.services.caching import Caching
from leaderboard.services.careers import Careers
from leaderboard.services.catalog import Catalogs
from leaderboard.services.credentials import Credentials
from leaderboard.services.key_uses import KeyUses
from leaderboard.services.limits import Limits
from leaderboard.services.live import Live
from leaderboard.services.players import Players
from leaderboard.services.race import Races
from leaderboard.services.ranges import Ranges
from leaderboard.services.rerank import Rerank
from leaderboard.services.sign_in import SignIn
from leaderboard.services.signatures import Signatures
from leaderboard.services.standings import Standings
from leaderboard.services.submit import Submits
from leaderboard.services.tokens import Tokens
from leaderboard.services.totals import Totals
from leaderboard.services.upkeep import Upkeep
from leaderboard.store import Store


@dataclass(frozen=True, slots=True)
class Services:
    store: Store
    index: Index
    feed: Feed
    cache: Cache
    caching: Caching
    catalogs: Catalogs
    credentials: Credentials
    tokens: Tokens
    signatures: Signatures
    limits: Limits
    key_uses: KeyUses
    sign_in: SignIn
    players: Players
    submits: Submits
    totals: Totals
    standings: Standings
    ranges: Ranges
    careers: Careers
    races: Races
    live: Live
    upkeep: Upkeep
    rerank: Rerank

    async def aclose(self) -> None:
        """Finish what is under way, then close the connections."""
        await self.sign_in.aclose()
        await self.submits.aclose()
        await self.totals.aclose()
        await self.races.aclose()
        await self.key_uses.aclose()
        await self.cache.aclose()
        await self.feed.aclose()
        await self.index.aclose()
        await self.store.aclose()
