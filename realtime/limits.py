"""Bounds of the last mile, each with its reason, and the token bucket that holds a client to its own."""

from dataclasses import dataclass

# Of accepted sockets, by the kernel. Longer than `send_timeout_s`, so that who reads too slowly is told so first.
PEER_GONE_MS = 30_000  # something sent was not taken for so long
KEEPALIVE_IDLE_S = 20
KEEPALIVE_INTERVAL_S = 5
KEEPALIVE_PROBES = 3


@dataclass(frozen=True, slots=True)
class Options:
    """Seconds where the name ends in _s."""

    poll_s: float = 1.0  # how late a lost frame may be noticed
    poll_backoff_s: float = 5.0  # the slowest poll while Redis is away
    guard_s: float = 1.0  # how often rights are looked at: who loses one watches this long on, and as long as definitions are old
    call_timeout_s: float = 2.0  # a round trip to Redis takes a ms; longer means that it is away
    state_timeout_s: float = 5.0  # a state may have to be read from SQL
    heartbeat_s: float = 8.0  # the contract says at least every 10
    send_timeout_s: float = 10.0  # a socket that takes nothing for so long is closed with 4408
    close_grace_s: float = 2.0  # how long a last word and the close frame may take
    misses_before_recycle: int = 3  # one miss may be a frame in flight, three are a deaf link
    ring: int = 64  # frames held for a board: what a slow socket may lag before it gets a snapshot
    write_buffer_bytes: int = 64 * 1024  # beyond what the kernel holds; past it a socket is behind, and is sent nothing until it is drained
    probe_every: int = 3  # heartbeats; a client that answers no ping from one probe to the next is gone
    replies: int = 64  # pongs and errors waiting for a socket; more are dropped and counted
    viewport_s: float = 1.0  # how often a viewport may change
    viewports: int = 1_000  # of this process: when all their boards move, a tick costs some 80 ms of its CPU and 40 of Redis'
    pulse_s: float = 2.0  # how often a pulse may change
    attended: int = 3  # pulses that a process may miss before its watchers are not counted any more
    submits: int = 256  # of a socket, not answered yet or the answer not taken yet; with more, nothing is read from it
    notify_batch: int = 256  # sockets written to before the event loop may do something else
    catch_up_together: int = 16  # boards that read from Redis at once after a fault
    sockets: int = 20_000  # of this process: some 10 KiB each, and a file each
    subscriptions: int = 32  # per socket
    message_bytes: int = 16 * 1024  # the longest command is some hundred
    message_burst: int = 50
    messages_per_s: float = 20.0
    retry_in_ms: tuple[int, int] = (500, 5_000)  # spread of reconnects after a restart


class TokenBucket:
    """Lets `burst` messages through at once and `per_s` a second in the long run."""

    def __init__(self, *, burst: int, per_s: float, now: float) -> None:
        self._burst, self._per_s = burst, per_s
        self._tokens, self._at = float(burst), now

    def take(self, now: float) -> bool:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
