class_name LeaderboardRefusal
extends RefCounted
## Why a call was not answered as hoped: a refusal of the service, or no answer at all.

## That nothing came: the network, or time. Whether something happened is not known.
const NO_ANSWER := "no_answer"

## Of HTTP; 0 where no answer came.
var status := 0
## Stable, see [LeaderboardErrorCode]; or [constant NO_ANSWER].
var code := ""
var detail := ""
var errors: Array = []
## How long the service asks to wait, in seconds.
var retry_after := 0.0


static func of(refused_status: int, problem: Dictionary, wait: float) -> LeaderboardRefusal:
	var it := LeaderboardRefusal.new()
	it.status = refused_status
	it.code = LeaderboardJson.text(problem, "code") if problem.has("code") else "unknown"
	it.detail = LeaderboardJson.text(problem, "detail")
	it.errors = LeaderboardJson.items(problem, "errors")
	it.retry_after = wait
	return it


static func no_answer(why: String) -> LeaderboardRefusal:
	var it := LeaderboardRefusal.new()
	it.code = NO_ANSWER
	it.detail = why
	return it


## Whether the same may be accepted later.
func is_temporary() -> bool:
	return status == 0 or status == 429 or status >= 500
