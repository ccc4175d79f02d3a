class_name LeaderboardAnswer
extends RefCounted
## What every call gives. Look at [member refusal] first: with one, the other fields are empty.

var refusal: LeaderboardRefusal = null


func is_refused() -> bool:
	return refusal != null
