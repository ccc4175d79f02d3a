"""What the last mile counts. Plain integers: one event loop, no locks."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import cast

from prometheus_client import REGISTRY, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector


@dataclass(slots=True)
class Counters:
    """Everything since the hub began, except GAUGES, which are now."""

    sockets: int = 0
    viewports: int = 0
    frames_heard: int = 0  # that came by the layer for a watched board, known ones too
    frames_received: int = 0  # applied to a board, from the layer or by catching up
    messages_sent: int = 0  # texts handed to sockets
    sends_dropped: int = 0  # messages that a socket did not get because it was slow
    stale_snapshots: int = 0  # snapshots sent instead of frames that a slow socket missed
    too_slow_closes: int = 0
    silent_closes: int = 0  # sockets whose client gave no sign of life
    refused: int = 0  # errors told to clients
    resyncs: int = 0  # boards that started again from a state: frames missing or another epoch
    caught_up: int = 0  # times that frames the layer lost were fetched
    recycles: int = 0  # times that the layer subscription was made anew
    link_failures: int = 0  # layer calls that failed or timed out
    bad_frames: int = 0  # layer messages that could not be read
    away: int = 0  # times that Redis went away
    acks: int = 0
    ack_lag_frames: int = 0  # sum over acks of how far behind the client was; divide by acks
    views_sent: int = 0  # changes of viewports that sockets were told
    views_held_back: int = 0  # times that a viewport had to wait because its socket was slow
    viewports_refused: int = 0  # subscriptions refused because there were as many viewports as there may be
    pulses_sent: int = 0


GAUGES = ("sockets", "viewports")


class _Exposed:
    """A Prometheus collector that reads a hub when it is asked."""

    def __init__(self, counters: Counters, presence: Callable[[], dict[str, int]]) -> None:
        self._counters, self._presence = counters, presence

    def collect(self) -> Iterator[Metric]:
        for name, value in asdict(self._counters).items():
            kind = GaugeMetricFamily if name in GAUGES else CounterMetricFamily
            yield kind(f"realtime_{name}", "See realtime/metrics.py", value=value)
        watchers = GaugeMetricFamily("realtime_watchers", "Sockets of this process that watch a board", labels=["leaderboard"])
        for slug, count in self._presence().items():
            watchers.add_metric([slug], count)
        yield watchers


def expose(counters: Counters, presence: Callable[[], dict[str, int]]) -> Collector:
    """Let /metrics show them; give what is returned to `REGISTRY.unregister` to end that."""
    exposed = cast(Collector, _Exposed(counters, presence))
    REGISTRY.register(exposed)
    return exposed
