"""What is counted, under names that dashboards rely on. docs/operations.md has a line for each; a test holds that."""

from collections import defaultdict
from collections.abc import Iterator

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily


class Tally:
    """A counter with labels for what happens with every request: adding is a look-up, where prometheus_client's takes a lock.

    Belongs to the event loop's thread.
    """

    def __init__(self, name: str, documentation: str, labels: list[str]) -> None:
        self._family = (name, documentation, labels)
        self._counts: dict[tuple[str | int, ...], int] = defaultdict(int)
        REGISTRY.register(self)

    def add(self, *labels: str | int) -> None:
        self._counts[labels] += 1

    def collect(self) -> Iterator[CounterMetricFamily]:
        name, documentation, labels = self._family
        family = CounterMetricFamily(name, documentation, labels=labels)
        for values, count in list(self._counts.items()):
            family.add_metric([str(value) for value in values], count)
        yield family


REQUESTS = Tally("leaderboard_http_requests_total", "API answers", ["route", "method", "status"])
SUBMITTED = Tally("leaderboard_submitted_total", "Scores by outcome: landed, replayed or the refusal's code", ["outcome"])
BATCH_SIZE = Histogram("leaderboard_batch_size", "Submissions in one commit", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256))
QUEUED = Gauge("leaderboard_queued", "Submissions waiting for a commit")
RATE_LIMITED = Tally(
    "leaderboard_rate_limited_total", "Refused for asking too often, by class of route and kind of who asked", ["class", "of"]
)
INDEX_MISSED = Counter("leaderboard_index_missed_total", "Index writes that found Redis away; placed when it is back")
BELLS = Counter("leaderboard_bells_total", "Rank-update and rebuild tasks asked for")
BELLS_FAILED = Counter("leaderboard_bells_failed_total", "Bells that the broker did not take; the sweep makes up for them")
ANNOUNCE_FAILED = Counter("leaderboard_announce_failed_total", "Frames that the channel layer did not take; hubs catch up by polling")
CACHE = Counter("leaderboard_cache_total", "Look-ups in the shared cache: hit, filled, waited_in_vain or away", ["kind", "outcome"])
ANSWERS = Tally("leaderboard_answers_total", "Reads of a top: hit, shared (with a fill under way), filled or away", ["outcome"])
