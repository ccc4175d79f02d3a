class_name LeaderboardShapes
extends RefCounted
## What is sent and answered.
# Generated from the OpenAPI document by `make clients`. Changes made here are lost.


## A newer service may say others.
class Direction:
	const ASC := "asc"
	const DESC := "desc"


## A newer service may say others.
class Operator:
	const BEST := "best"
	const COUNT := "count"
	const LATEST := "latest"
	const SUM := "sum"


## A newer service may say others.
class Ranking:
	const COMPETITION := "competition"
	const DENSE := "dense"
	const ORDINAL := "ordinal"


## Who stands just before, and how many points would pass that row; null: none would.
class Ahead:
	extends LeaderboardAnswer
	## 1 is best.
	var rank: int = 0
	var player: String = ""
	var name: String = ""
	var score: int = 0
	var subscore: int = 0
	## Or null.
	var points: Variant = null

	static func from(data: Dictionary) -> Ahead:
		var it := Ahead.new()
		it.rank = LeaderboardJson.whole(data, "rank")
		it.player = LeaderboardJson.text(data, "player")
		it.name = LeaderboardJson.text(data, "name")
		it.score = LeaderboardJson.whole(data, "score")
		it.subscore = LeaderboardJson.whole(data, "subscore")
		it.points = LeaderboardJson.optional_whole(data, "points")
		return it


## A player's row and its neighbours.
class Around:
	extends LeaderboardAnswer
	var leaderboard: String = ""
	## `all-time`, or the season's start.
	var season: String = ""
	var epoch: String = ""
	var offset: int = 0
	var entries: Array[Row] = []
	var total: int = 0
	## Where ranks other than ordinal ones were asked for.
	var ranking: String = ""
	var player: String = ""

	static func from(data: Dictionary) -> Around:
		var it := Around.new()
		it.leaderboard = LeaderboardJson.text(data, "leaderboard")
		it.season = LeaderboardJson.text(data, "season")
		it.epoch = LeaderboardJson.text(data, "epoch")
		it.offset = LeaderboardJson.whole(data, "offset")
		for item: Variant in LeaderboardJson.items(data, "entries"):
			it.entries.append(Row.from(item))
		it.total = LeaderboardJson.whole(data, "total")
		it.ranking = LeaderboardJson.text(data, "ranking")
		it.player = LeaderboardJson.text(data, "player")
		return it


## Plays. An item that can't be taken gets a problem in its place; the others land.
class Batch:
	extends RefCounted
	## Each is a Submit.
	var scores: Array[Submit] = []

	func to_dictionary() -> Dictionary:
		var data := {}
		data["scores"] = scores.map(func(item: Submit) -> Dictionary: return item.to_dictionary())
		return data


## In the order of the items.
class BatchDone:
	extends LeaderboardAnswer
	var results: Array[SubmittedOrFailed] = []

	static func from(data: Dictionary) -> BatchDone:
		var it := BatchDone.new()
		for item: Variant in LeaderboardJson.items(data, "results"):
			it.results.append(SubmittedOrFailed.from(item))
		return it


## The active leaderboards.
class Boards:
	extends LeaderboardAnswer
	var leaderboards: Array[Definition] = []

	static func from(data: Dictionary) -> Boards:
		var it := Boards.new()
		for item: Variant in LeaderboardJson.items(data, "leaderboards"):
			it.leaderboards.append(Definition.from(item))
		return it


## The rows that were asked for.
class Chosen:
	extends LeaderboardAnswer
	var leaderboard: String = ""
	## `all-time`, or the season's start.
	var season: String = ""
	var epoch: String = ""
	var offset: int = 0
	var entries: Array[Row] = []
	var total: int = 0
	## Where ranks other than ordinal ones were asked for.
	var ranking: String = ""
	var missing: Array[String] = []

	static func from(data: Dictionary) -> Chosen:
		var it := Chosen.new()
		it.leaderboard = LeaderboardJson.text(data, "leaderboard")
		it.season = LeaderboardJson.text(data, "season")
		it.epoch = LeaderboardJson.text(data, "epoch")
		it.offset = LeaderboardJson.whole(data, "offset")
		for item: Variant in LeaderboardJson.items(data, "entries"):
			it.entries.append(Row.from(item))
		it.total = LeaderboardJson.whole(data, "total")
		it.ranking = LeaderboardJson.text(data, "ranking")
		for item: Variant in LeaderboardJson.items(data, "missing"):
			it.missing.append(str(item))
		return it


## A leaderboard as it is listed.
class Definition:
	extends LeaderboardAnswer
	var leaderboard: String = ""
	var title: String = ""
	var game: String = ""
	var operator: String = ""
	var sort_order: String = ""
	var subscore_order: String = ""
	var game_mode: String = ""
	var reset_schedule: String = ""
	var time_zone: String = ""
	## Or null.
	var min_score: Variant = null
	## Or null.
	var max_score: Variant = null
	var authoritative: bool = false
	var is_active: bool = false
	var is_public: bool = false
	var signed_only: bool = false
	var metadata: Dictionary = {}
	## `all-time`, or the season's start.
	var season: String = ""
	var season_ends: String = ""

	static func from(data: Dictionary) -> Definition:
		var it := Definition.new()
		it.leaderboard = LeaderboardJson.text(data, "leaderboard")
		it.title = LeaderboardJson.text(data, "title")
		it.game = LeaderboardJson.text(data, "game")
		it.operator = LeaderboardJson.text(data, "operator")
		it.sort_order = LeaderboardJson.text(data, "sort_order")
		it.subscore_order = LeaderboardJson.text(data, "subscore_order")
		it.game_mode = LeaderboardJson.text(data, "game_mode")
		it.reset_schedule = LeaderboardJson.text(data, "reset_schedule")
		it.time_zone = LeaderboardJson.text(data, "time_zone")
		it.min_score = LeaderboardJson.optional_whole(data, "min_score")
		it.max_score = LeaderboardJson.optional_whole(data, "max_score")
		it.authoritative = LeaderboardJson.truth(data, "authoritative")
		it.is_active = LeaderboardJson.truth(data, "is_active")
		it.is_public = LeaderboardJson.truth(data, "is_public")
		it.signed_only = LeaderboardJson.truth(data, "signed_only")
		it.metadata = LeaderboardJson.map(data, "metadata")
		it.season = LeaderboardJson.text(data, "season")
		it.season_ends = LeaderboardJson.text(data, "season_ends")
		return it


## A leaderboard with its size and position.
class Described:
	extends LeaderboardAnswer
	var leaderboard: String = ""
	var title: String = ""
	var game: String = ""
	var operator: String = ""
	var sort_order: String = ""
	var subscore_order: String = ""
	var game_mode: String = ""
	var reset_schedule: String = ""
	var time_zone: String = ""
	## Or null.
	var min_score: Variant = null
	## Or null.
	var max_score: Variant = null
	var authoritative: bool = false
	var is_active: bool = false
	var is_public: bool = false
	var signed_only: bool = false
	var metadata: Dictionary = {}
	## `all-time`, or the season's start.
	var season: String = ""
	var season_ends: String = ""
	var entries: int = 0
	var tie_rule: String = ""
	var epoch: String = ""
	var offset: int = 0

	static func from(data: Dictionary) -> Described:
		var it := Described.new()
		it.leaderboard = LeaderboardJson.text(data, "leaderboard")
		it.title = LeaderboardJson.text(data, "title")
		it.game = LeaderboardJson.text(data, "game")
		it.operator = LeaderboardJson.text(data, "operator")
		it.sort_order = LeaderboardJson.text(data, "sort_order")
		it.subscore_order = LeaderboardJson.text(data, "subscore_order")
		it.game_mode = LeaderboardJson.text(data, "game_mode")
		it.reset_schedule = LeaderboardJson.text(data, "reset_schedule")
		it.time_zone = LeaderboardJson.text(data, "time_zone")
		it.min_score = LeaderboardJson.optional_whole(data, "min_score")
		it.max_score = LeaderboardJson.optional_whole(data, "max_score")
		it.authoritative = LeaderboardJson.truth(data, "authoritative")
		it.is_active = LeaderboardJson.truth(data, "is_active")
		it.is_public = LeaderboardJson.truth(data, "is_public")
		it.signed_only = LeaderboardJson.truth(data, "signed_only")
		it.metadata = LeaderboardJson.map(data, "metadata")
		it.season = LeaderboardJson.text(data, "season")
		it.season_ends = LeaderboardJson.text(data, "season_ends")
		it.entries = LeaderboardJson.whole(data, "entries")
		it.tie_rule = LeaderboardJson.text(data, "tie_rule")
		it.epoch = LeaderboardJson.text(data, "epoch")
		it.offset = LeaderboardJson.whole(data, "offset")
		return it


## The id is a secret that the client made: whoever knows it is the player.
class DeviceBody:
	extends RefCounted
	var device_id: String = ""
	var name: String = ""
	var game: String = "default"

	func to_dictionary() -> Dictionary:
		var data := {}
		data["device_id"] = device_id
		if not name.is_empty():
			data["name"] = name
		data["game"] = game
		return data


## An item of a batch that was refused.
class Failed:
	extends LeaderboardAnswer
	var error: Problem = null

	static func from(data: Dictionary) -> Failed:
		var it := Failed.new()
		if data.get("error") is Dictionary:
			it.error = Problem.from(data["error"])
		return it


## What a player held from this play on.
class Improvement:
	extends LeaderboardAnswer
	var session_id: int = 0
	var score: int = 0
	var subscore: int = 0
	var achieved_at: String = ""

	static func from(data: Dictionary) -> Improvement:
		var it := Improvement.new()
		it.session_id = LeaderboardJson.whole(data, "session_id")
		it.score = LeaderboardJson.whole(data, "score")
		it.subscore = LeaderboardJson.whole(data, "subscore")
		it.achieved_at = LeaderboardJson.text(data, "achieved_at")
		return it


## A player's score over time.
class Line:
	extends LeaderboardAnswer
	var player: String = ""
	var name: String = ""
	## 1 is best.
	var rank: int = 0
	## Whether it says all that happened since then.
	var complete: bool = false
	## When, and the score from then on.
	var points: Array = []

	static func from(data: Dictionary) -> Line:
		var it := Line.new()
		it.player = LeaderboardJson.text(data, "player")
		it.name = LeaderboardJson.text(data, "name")
		it.rank = LeaderboardJson.whole(data, "rank")
		it.complete = LeaderboardJson.truth(data, "complete")
		for item: Variant in LeaderboardJson.items(data, "points"):
			it.points.append(item)
		return it


class LoginBody:
	extends RefCounted
	var username: String = ""
	var password: String = ""
	var game: String = "default"

	func to_dictionary() -> Dictionary:
		var data := {}
		data["username"] = username
		data["password"] = password
		data["game"] = game
		return data


## A player as it sees itself. `game` is null for a browser's user.
class Myself:
	extends LeaderboardAnswer
	var player: String = ""
	var name: String = ""
	var game: String = ""

	static func from(data: Dictionary) -> Myself:
		var it := Myself.new()
		it.player = LeaderboardJson.text(data, "player")
		it.name = LeaderboardJson.text(data, "name")
		it.game = LeaderboardJson.text(data, "game")
		return it


## Where a new entry would stand.
class Placed:
	extends LeaderboardAnswer
	var leaderboard: String = ""
	## `all-time`, or the season's start.
	var season: String = ""
	var epoch: String = ""
	var offset: int = 0
	var score: int = 0
	var subscore: int = 0
	## 1 is best.
	var rank: int = 0
	var percentile: float = 0.0
	var total: int = 0

	static func from(data: Dictionary) -> Placed:
		var it := Placed.new()
		it.leaderboard = LeaderboardJson.text(data, "leaderboard")
		it.season = LeaderboardJson.text(data, "season")
		it.epoch = LeaderboardJson.text(data, "epoch")
		it.offset = LeaderboardJson.whole(data, "offset")
		it.score = LeaderboardJson.whole(data, "score")
		it.subscore = LeaderboardJson.whole(data, "subscore")
		it.rank = LeaderboardJson.whole(data, "rank")
		it.percentile = LeaderboardJson.real(data, "percentile")
		it.total = LeaderboardJson.whole(data, "total")
		return it


## A submit that was stored.
class Play:
	extends LeaderboardAnswer
	var session_id: int = 0
	var score: int = 0
	var subscore: int = 0
	var game_mode: String = ""
	var metadata: Dictionary = {}
	var timestamp: String = ""

	static func from(data: Dictionary) -> Play:
		var it := Play.new()
		it.session_id = LeaderboardJson.whole(data, "session_id")
		it.score = LeaderboardJson.whole(data, "score")
		it.subscore = LeaderboardJson.whole(data, "subscore")
		it.game_mode = LeaderboardJson.text(data, "game_mode")
		it.metadata = LeaderboardJson.map(data, "metadata")
		it.timestamp = LeaderboardJson.text(data, "timestamp")
		return it


## The oldest first. `complete` is false where the season has more plays than are looked at.
class PlayerHistory:
	extends LeaderboardAnswer
	var leaderboard: String = ""
	## `all-time`, or the season's start.
	var season: String = ""
	var player: String = ""
	var name: String = ""
	var complete: bool = false
	var history: Array[Improvement] = []

	static func from(data: Dictionary) -> PlayerHistory:
		var it := PlayerHistory.new()
		it.leaderboard = LeaderboardJson.text(data, "leaderboard")
		it.season = LeaderboardJson.text(data, "season")
		it.player = LeaderboardJson.text(data, "player")
		it.name = LeaderboardJson.text(data, "name")
		it.complete = LeaderboardJson.truth(data, "complete")
		for item: Variant in LeaderboardJson.items(data, "history"):
			it.history.append(Improvement.from(item))
		return it


## The newest first. `before` asks for those after them, null: there are none.
class PlayerSessions:
	extends LeaderboardAnswer
	var player: String = ""
	var sessions: Array[Play] = []
	## Or null.
	var before: Variant = null

	static func from(data: Dictionary) -> PlayerSessions:
		var it := PlayerSessions.new()
		it.player = LeaderboardJson.text(data, "player")
		for item: Variant in LeaderboardJson.items(data, "sessions"):
			it.sessions.append(Play.from(item))
		it.before = LeaderboardJson.optional_whole(data, "before")
		return it


## By leaderboard.
class PlayerStandings:
	extends LeaderboardAnswer
	var player: String = ""
	var name: String = ""
	var standings: Array[Standing] = []

	static func from(data: Dictionary) -> PlayerStandings:
		var it := PlayerStandings.new()
		it.player = LeaderboardJson.text(data, "player")
		it.name = LeaderboardJson.text(data, "name")
		for item: Variant in LeaderboardJson.items(data, "standings"):
			it.standings.append(Standing.from(item))
		return it


## A refusal, RFC 9457.
class Problem:
	extends LeaderboardAnswer
	var type: String = ""
	var title: String = ""
	var status: int = 0
	var code: String = ""
	var detail: String = ""
	var request_id: String = ""
	var errors: Array[Dictionary] = []

	static func from(data: Dictionary) -> Problem:
		var it := Problem.new()
		it.type = LeaderboardJson.text(data, "type")
		it.title = LeaderboardJson.text(data, "title")
		it.status = LeaderboardJson.whole(data, "status")
		it.code = LeaderboardJson.text(data, "code")
		it.detail = LeaderboardJson.text(data, "detail")
		it.request_id = LeaderboardJson.text(data, "request_id")
		for item: Variant in LeaderboardJson.items(data, "errors"):
			it.errors.append(item)
		return it


class ProfileBody:
	extends RefCounted
	var name: String = ""

	func to_dictionary() -> Dictionary:
		var data := {}
		data["name"] = name
		return data


## The scores of the best over time.
class Race:
	extends LeaderboardAnswer
	var leaderboard: String = ""
	## `all-time`, or the season's start.
	var season: String = ""
	var epoch: String = ""
	var offset: int = 0
	var since: String = ""
	var until: String = ""
	var players: Array[Line] = []

	static func from(data: Dictionary) -> Race:
		var it := Race.new()
		it.leaderboard = LeaderboardJson.text(data, "leaderboard")
		it.season = LeaderboardJson.text(data, "season")
		it.epoch = LeaderboardJson.text(data, "epoch")
		it.offset = LeaderboardJson.whole(data, "offset")
		it.since = LeaderboardJson.text(data, "since")
		it.until = LeaderboardJson.text(data, "until")
		for item: Variant in LeaderboardJson.items(data, "players"):
			it.players.append(Line.from(item))
		return it


## One player's row.
class Ranked:
	extends LeaderboardAnswer
	## 1 is best.
	var rank: int = 0
	var player: String = ""
	var name: String = ""
	var score: int = 0
	var subscore: int = 0
	var submissions: int = 0
	var achieved_at: String = ""
	var leaderboard: String = ""
	## `all-time`, or the season's start.
	var season: String = ""
	var epoch: String = ""
	var offset: int = 0
	var total: int = 0
	var percentile: float = 0.0
	## Where ranks other than ordinal ones were asked for.
	var ranking: String = ""

	static func from(data: Dictionary) -> Ranked:
		var it := Ranked.new()
		it.rank = LeaderboardJson.whole(data, "rank")
		it.player = LeaderboardJson.text(data, "player")
		it.name = LeaderboardJson.text(data, "name")
		it.score = LeaderboardJson.whole(data, "score")
		it.subscore = LeaderboardJson.whole(data, "subscore")
		it.submissions = LeaderboardJson.whole(data, "submissions")
		it.achieved_at = LeaderboardJson.text(data, "achieved_at")
		it.leaderboard = LeaderboardJson.text(data, "leaderboard")
		it.season = LeaderboardJson.text(data, "season")
		it.epoch = LeaderboardJson.text(data, "epoch")
		it.offset = LeaderboardJson.whole(data, "offset")
		it.total = LeaderboardJson.whole(data, "total")
		it.percentile = LeaderboardJson.real(data, "percentile")
		it.ranking = LeaderboardJson.text(data, "ranking")
		return it


## One player's row. Or: Where a new entry would stand.
class RankedOrPlaced:
	extends LeaderboardAnswer
	## 1 is best.
	var rank: int = 0
	var player: String = ""
	var name: String = ""
	var score: int = 0
	var subscore: int = 0
	## Or null.
	var submissions: Variant = null
	var achieved_at: String = ""
	var leaderboard: String = ""
	## `all-time`, or the season's start.
	var season: String = ""
	var epoch: String = ""
	var offset: int = 0
	var total: int = 0
	var percentile: float = 0.0
	## Where ranks other than ordinal ones were asked for.
	var ranking: String = ""

	static func from(data: Dictionary) -> RankedOrPlaced:
		var it := RankedOrPlaced.new()
		it.rank = LeaderboardJson.whole(data, "rank")
		it.player = LeaderboardJson.text(data, "player")
		it.name = LeaderboardJson.text(data, "name")
		it.score = LeaderboardJson.whole(data, "score")
		it.subscore = LeaderboardJson.whole(data, "subscore")
		it.submissions = LeaderboardJson.optional_whole(data, "submissions")
		it.achieved_at = LeaderboardJson.text(data, "achieved_at")
		it.leaderboard = LeaderboardJson.text(data, "leaderboard")
		it.season = LeaderboardJson.text(data, "season")
		it.epoch = LeaderboardJson.text(data, "epoch")
		it.offset = LeaderboardJson.whole(data, "offset")
		it.total = LeaderboardJson.whole(data, "total")
		it.percentile = LeaderboardJson.real(data, "percentile")
		it.ranking = LeaderboardJson.text(data, "ranking")
		return it


class RefreshBody:
	extends RefCounted
	var refresh_token: String = ""

	func to_dictionary() -> Dictionary:
		var data := {}
		data["refresh_token"] = refresh_token
		return data


class RegisterBody:
	extends RefCounted
	var username: String = ""
	var password: String = ""
	var name: String = ""
	var game: String = "default"

	func to_dictionary() -> Dictionary:
		var data := {}
		data["username"] = username
		data["password"] = password
		if not name.is_empty():
			data["name"] = name
		data["game"] = game
		return data


## What a player holds on one board after a submit.
class Result:
	extends LeaderboardAnswer
	var leaderboard: String = ""
	## `all-time`, or the season's start.
	var season: String = ""
	var total_score: int = 0
	var subscore: int = 0
	## 1 is best.
	var rank: int = 0
	## 1 is best. Or null.
	var previous_rank: Variant = null
	var improved: bool = false
	var total: int = 0

	static func from(data: Dictionary) -> Result:
		var it := Result.new()
		it.leaderboard = LeaderboardJson.text(data, "leaderboard")
		it.season = LeaderboardJson.text(data, "season")
		it.total_score = LeaderboardJson.whole(data, "total_score")
		it.subscore = LeaderboardJson.whole(data, "subscore")
		it.rank = LeaderboardJson.whole(data, "rank")
		it.previous_rank = LeaderboardJson.optional_whole(data, "previous_rank")
		it.improved = LeaderboardJson.truth(data, "improved")
		it.total = LeaderboardJson.whole(data, "total")
		return it


## An entry with its place.
class Row:
	extends LeaderboardAnswer
	## 1 is best.
	var rank: int = 0
	var player: String = ""
	var name: String = ""
	var score: int = 0
	var subscore: int = 0
	var submissions: int = 0
	var achieved_at: String = ""

	static func from(data: Dictionary) -> Row:
		var it := Row.new()
		it.rank = LeaderboardJson.whole(data, "rank")
		it.player = LeaderboardJson.text(data, "player")
		it.name = LeaderboardJson.text(data, "name")
		it.score = LeaderboardJson.whole(data, "score")
		it.subscore = LeaderboardJson.whole(data, "subscore")
		it.submissions = LeaderboardJson.whole(data, "submissions")
		it.achieved_at = LeaderboardJson.text(data, "achieved_at")
		return it

	func at(new_rank: int) -> Row:
		var it := Row.new()
		it.rank = new_rank
		it.player = player
		it.name = name
		it.score = score
		it.subscore = subscore
		it.submissions = submissions
		it.achieved_at = achieved_at
		return it


## The player, and two tokens: one to ask with, one for the next two.
class SignedIn:
	extends LeaderboardAnswer
	var player: String = ""
	var name: String = ""
	var access_token: String = ""
	var token_type: String = ""
	var expires_in: int = 0
	var refresh_token: String = ""
	var refresh_expires_in: int = 0

	static func from(data: Dictionary) -> SignedIn:
		var it := SignedIn.new()
		it.player = LeaderboardJson.text(data, "player")
		it.name = LeaderboardJson.text(data, "name")
		it.access_token = LeaderboardJson.text(data, "access_token")
		it.token_type = LeaderboardJson.text(data, "token_type")
		it.expires_in = LeaderboardJson.whole(data, "expires_in")
		it.refresh_token = LeaderboardJson.text(data, "refresh_token")
		it.refresh_expires_in = LeaderboardJson.whole(data, "refresh_expires_in")
		return it


## A player's row on one leaderboard.
class Standing:
	extends LeaderboardAnswer
	var leaderboard: String = ""
	## `all-time`, or the season's start.
	var season: String = ""
	## 1 is best.
	var rank: int = 0
	var score: int = 0
	var subscore: int = 0
	var submissions: int = 0
	var achieved_at: String = ""
	var total: int = 0
	var percentile: float = 0.0

	static func from(data: Dictionary) -> Standing:
		var it := Standing.new()
		it.leaderboard = LeaderboardJson.text(data, "leaderboard")
		it.season = LeaderboardJson.text(data, "season")
		it.rank = LeaderboardJson.whole(data, "rank")
		it.score = LeaderboardJson.whole(data, "score")
		it.subscore = LeaderboardJson.whole(data, "subscore")
		it.submissions = LeaderboardJson.whole(data, "submissions")
		it.achieved_at = LeaderboardJson.text(data, "achieved_at")
		it.total = LeaderboardJson.whole(data, "total")
		it.percentile = LeaderboardJson.real(data, "percentile")
		return it


## One play. Whole numbers are written as such: 1.0 is refused.
class Submit:
	extends RefCounted
	var score: int = 0
	var subscore: int = 0
	var game_mode: String = ""
	var player: String = ""
	var name: String = ""
	var metadata: Dictionary = {}
	var leaderboards: Array[String] = []

	func to_dictionary() -> Dictionary:
		var data := {}
		data["score"] = score
		data["subscore"] = subscore
		data["game_mode"] = game_mode
		if not player.is_empty():
			data["player"] = player
		if not name.is_empty():
			data["name"] = name
		if not metadata.is_empty():
			data["metadata"] = metadata
		if not leaderboards.is_empty():
			data["leaderboards"] = leaderboards
		return data


## A play that is stored.
class Submitted:
	extends LeaderboardAnswer
	var session_id: int = 0
	var player: String = ""
	var score: int = 0
	var subscore: int = 0
	var game_mode: String = ""
	var timestamp: String = ""
	var results: Array[Result] = []

	static func from(data: Dictionary) -> Submitted:
		var it := Submitted.new()
		it.session_id = LeaderboardJson.whole(data, "session_id")
		it.player = LeaderboardJson.text(data, "player")
		it.score = LeaderboardJson.whole(data, "score")
		it.subscore = LeaderboardJson.whole(data, "subscore")
		it.game_mode = LeaderboardJson.text(data, "game_mode")
		it.timestamp = LeaderboardJson.text(data, "timestamp")
		for item: Variant in LeaderboardJson.items(data, "results"):
			it.results.append(Result.from(item))
		return it


## A play that is stored. Or: An item of a batch that was refused.
class SubmittedOrFailed:
	extends LeaderboardAnswer
	## Or null.
	var session_id: Variant = null
	var player: String = ""
	## Or null.
	var score: Variant = null
	## Or null.
	var subscore: Variant = null
	var game_mode: String = ""
	var timestamp: String = ""
	var results: Array[Result] = []
	var error: Problem = null

	static func from(data: Dictionary) -> SubmittedOrFailed:
		var it := SubmittedOrFailed.new()
		it.session_id = LeaderboardJson.optional_whole(data, "session_id")
		it.player = LeaderboardJson.text(data, "player")
		it.score = LeaderboardJson.optional_whole(data, "score")
		it.subscore = LeaderboardJson.optional_whole(data, "subscore")
		it.game_mode = LeaderboardJson.text(data, "game_mode")
		it.timestamp = LeaderboardJson.text(data, "timestamp")
		for item: Variant in LeaderboardJson.items(data, "results"):
			it.results.append(Result.from(item))
		if data.get("error") is Dictionary:
			it.error = Problem.from(data["error"])
		return it


## POST /tickets/.
class TicketBody:
	extends RefCounted
	var leaderboards: Array[String] = []
	var expires_in: int = 60

	func to_dictionary() -> Dictionary:
		var data := {}
		if not leaderboards.is_empty():
			data["leaderboards"] = leaderboards
		data["expires_in"] = expires_in
		return data


## A ticket, good for so many seconds.
class TicketMade:
	extends LeaderboardAnswer
	var ticket: String = ""
	var expires_in: int = 0

	static func from(data: Dictionary) -> TicketMade:
		var it := TicketMade.new()
		it.ticket = LeaderboardJson.text(data, "ticket")
		it.expires_in = LeaderboardJson.whole(data, "expires_in")
		return it


## Rows from the top.
class Top:
	extends LeaderboardAnswer
	var leaderboard: String = ""
	## `all-time`, or the season's start.
	var season: String = ""
	var epoch: String = ""
	var offset: int = 0
	var entries: Array[Row] = []
	var total: int = 0
	## Where ranks other than ordinal ones were asked for.
	var ranking: String = ""

	static func from(data: Dictionary) -> Top:
		var it := Top.new()
		it.leaderboard = LeaderboardJson.text(data, "leaderboard")
		it.season = LeaderboardJson.text(data, "season")
		it.epoch = LeaderboardJson.text(data, "epoch")
		it.offset = LeaderboardJson.whole(data, "offset")
		for item: Variant in LeaderboardJson.items(data, "entries"):
			it.entries.append(Row.from(item))
		it.total = LeaderboardJson.whole(data, "total")
		it.ranking = LeaderboardJson.text(data, "ranking")
		return it


## Where a score would stand.
class WhatIf:
	extends LeaderboardAnswer
	var leaderboard: String = ""
	## `all-time`, or the season's start.
	var season: String = ""
	var epoch: String = ""
	var offset: int = 0
	var score: int = 0
	var subscore: int = 0
	## 1 is best.
	var rank: int = 0
	var percentile: float = 0.0
	var total: int = 0
	var next: Ahead = null
	## Or null.
	var would_improve: Variant = null

	static func from(data: Dictionary) -> WhatIf:
		var it := WhatIf.new()
		it.leaderboard = LeaderboardJson.text(data, "leaderboard")
		it.season = LeaderboardJson.text(data, "season")
		it.epoch = LeaderboardJson.text(data, "epoch")
		it.offset = LeaderboardJson.whole(data, "offset")
		it.score = LeaderboardJson.whole(data, "score")
		it.subscore = LeaderboardJson.whole(data, "subscore")
		it.rank = LeaderboardJson.whole(data, "rank")
		it.percentile = LeaderboardJson.real(data, "percentile")
		it.total = LeaderboardJson.whole(data, "total")
		if data.get("next") is Dictionary:
			it.next = Ahead.from(data["next"])
		it.would_improve = LeaderboardJson.optional_truth(data, "would_improve")
		return it
