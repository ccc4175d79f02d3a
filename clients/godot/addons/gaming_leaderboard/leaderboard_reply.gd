class_name LeaderboardReply
extends RefCounted
## What came of a call: data, or a refusal.

var data := {}
var refusal: LeaderboardRefusal = null


static func refused(why: LeaderboardRefusal) -> LeaderboardReply:
	var it := LeaderboardReply.new()
	it.refusal = why
	return it
