class_name LeaderboardBackoff
extends RefCounted
## How long to wait before trying again.

const FIRST_S := 0.5


## Full jitter: anywhere between nothing and a bound that doubles, so that clients of a restarted service don't come as one.
static func seconds(attempt: int, longest: float) -> float:
	return randf() * minf(longest, FIRST_S * pow(2.0, mini(attempt, 20)))
