"""What is counted, under names that dashboards rely on. docs/operations.md has a line for each; a test holds that."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("leaderboard_http_requests_total", "API answers", ["route", "method", "status"])
SUBMITTED = Counter("leaderboard_submitted_total", "Scores by outcome: landed, replayed or the refusal's code", ["outcome"])
BATCH_SIZE = Histogram("leaderboard_batch_size", "Submissions in one commit", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256))
QUEUED = Gauge("leaderboard_queued", "Submissions waiting for a commit")
INDEX_MISSED = Counter("leaderboard_index_missed_total", "Index writes that found Redis away; placed when it is back")
BELLS = Counter("leaderboard_bells_total", "Rank-update and rebuild tasks asked for")
BELLS_FAILED = Counter("leaderboard_bells_failed_total", "Bells that the broker did not take; the sweep makes up for them")
ANNOUNCE_FAILED = Counter("leaderboard_announce_failed_total", "Frames that the channel layer did not take; hubs catch up by polling")
