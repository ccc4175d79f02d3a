class_name LeaderboardClient
extends LeaderboardCalls
## The REST interface: a method for every route that is for games. Each is awaited; look at `refusal` first.
# Generated from the OpenAPI document by `make clients`. Changes made here are lost.


## Sign a device's player in; make it the first time (201).
func sign_in_device(body: LeaderboardShapes.DeviceBody) -> LeaderboardShapes.SignedIn:
	var asked := LeaderboardCall.new("POST", "auth/device/")
	asked.body = body.to_dictionary()
	var reply := await ask(asked)
	var answer := LeaderboardShapes.SignedIn.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## Sign a player in by its password.
func log_in(body: LeaderboardShapes.LoginBody) -> LeaderboardShapes.SignedIn:
	var asked := LeaderboardCall.new("POST", "auth/login/")
	asked.body = body.to_dictionary()
	var reply := await ask(asked)
	var answer := LeaderboardShapes.SignedIn.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## End a refresh token and all that came from the same sign-in.
func log_out(body: LeaderboardShapes.RefreshBody) -> LeaderboardAnswer:
	var asked := LeaderboardCall.new("POST", "auth/logout/")
	asked.body = body.to_dictionary()
	var reply := await ask(asked)
	var answer := LeaderboardAnswer.new()
	answer.refusal = reply.refusal
	return answer


## New tokens for a refresh token, which works once.
func refresh(body: LeaderboardShapes.RefreshBody) -> LeaderboardShapes.SignedIn:
	var asked := LeaderboardCall.new("POST", "auth/refresh/")
	asked.body = body.to_dictionary()
	var reply := await ask(asked)
	var answer := LeaderboardShapes.SignedIn.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## Make a player with a password.
func register(body: LeaderboardShapes.RegisterBody) -> LeaderboardShapes.SignedIn:
	var asked := LeaderboardCall.new("POST", "auth/register/")
	asked.body = body.to_dictionary()
	var reply := await ask(asked)
	var answer := LeaderboardShapes.SignedIn.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## List the leaderboards.
func list_leaderboards() -> LeaderboardShapes.Boards:
	var asked := LeaderboardCall.new("GET", "leaderboard/")
	var reply := await ask(asked)
	var answer := LeaderboardShapes.Boards.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## One leaderboard's definition and size.
## [param board]: The leaderboard's slug.
func describe_leaderboard(board: String) -> LeaderboardShapes.Described:
	var asked := LeaderboardCall.new("GET", "leaderboard/%s/" % [board.uri_encode()])
	var reply := await ask(asked)
	var answer := LeaderboardShapes.Described.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## A player's row and its neighbours.
## [param board]: The leaderboard's slug.
## [param player]: The name under which the player's scores come in.
## [param limit]: Rows on either side.
## [param season]: `current`, `previous`, `all-time`, or a season's start as answers name it.
## [param ranking]: Which ranks equals get; empty is the default.
func around(
		board: String,
		player: String,
		limit: int = 5,
		season: String = "current",
		ranking: String = "ordinal"
) -> LeaderboardShapes.Around:
	var asked := LeaderboardCall.new("GET", "leaderboard/%s/around/%s/" % [board.uri_encode(), player.uri_encode()])
	asked.with("limit", limit, 5)
	asked.with("season", season, "current")
	asked.with("ranking", ranking, "ordinal")
	var reply := await ask(asked)
	var answer := LeaderboardShapes.Around.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## The rows of some players, or of a range of ranks or scores: ask for one of the three.
## [param board]: The leaderboard's slug.
## [param players]: Of some players, 1 to 100: their names with commas between them.
## [param player]: The same, each name by itself.
## [param rank_from]: Of a range of ranks: the first.
## [param rank_to]: And the last, at most 1000 rows on.
## [param score_from]: Of a range of scores: the least; either may be left out.
## [param score_to]: And the largest.
## [param limit]: Rows of the range of scores.
## [param offset]: Rows to skip.
## [param season]: `current`, `previous`, `all-time`, or a season's start as answers name it.
## [param ranking]: Which ranks equals get; empty is the default.
func entries(
		board: String,
		players: String = "",
		player: Array[String] = [],
		rank_from: Variant = null,
		rank_to: Variant = null,
		score_from: Variant = null,
		score_to: Variant = null,
		limit: int = 10,
		offset: int = 0,
		season: String = "current",
		ranking: String = "ordinal"
) -> LeaderboardShapes.Chosen:
	var asked := LeaderboardCall.new("GET", "leaderboard/%s/entries/" % [board.uri_encode()])
	asked.with("players", players, "")
	asked.with_each("player", player)
	asked.with("rank_from", rank_from, null)
	asked.with("rank_to", rank_to, null)
	asked.with("score_from", score_from, null)
	asked.with("score_to", score_to, null)
	asked.with("limit", limit, 10)
	asked.with("offset", offset, 0)
	asked.with("season", season, "current")
	asked.with("ranking", ranking, "ordinal")
	var reply := await ask(asked)
	var answer := LeaderboardShapes.Chosen.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## The percentile of a player or a score, or the row at which one begins: ask for one of the three.
## [param board]: The leaderboard's slug.
## [param player]: Whose row.
## [param score]: Of a new entry.
## [param subscore]: Ranks among equal scores.
## [param percentile]: 0 to 100, with up to two decimals.
## [param season]: `current`, `previous`, `all-time`, or a season's start as answers name it.
func percentile(
		board: String,
		player: String = "",
		score: Variant = null,
		subscore: int = 0,
		percentile: String = "",
		season: String = "current"
) -> LeaderboardShapes.RankedOrPlaced:
	var asked := LeaderboardCall.new("GET", "leaderboard/%s/percentile/" % [board.uri_encode()])
	asked.with("player", player, "")
	asked.with("score", score, null)
	asked.with("subscore", subscore, 0)
	asked.with("percentile", percentile, "")
	asked.with("season", season, "current")
	var reply := await ask(asked)
	var answer := LeaderboardShapes.RankedOrPlaced.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## The scores of the best over the last minutes.
## [param board]: The leaderboard's slug.
## [param limit]: Players.
## [param minutes]: How far back.
func race(board: String, limit: int = 10, minutes: int = 60) -> LeaderboardShapes.Race:
	var asked := LeaderboardCall.new("GET", "leaderboard/%s/race/" % [board.uri_encode()])
	asked.with("limit", limit, 10)
	asked.with("minutes", minutes, 60)
	var reply := await ask(asked)
	var answer := LeaderboardShapes.Race.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## One player's row.
## [param board]: The leaderboard's slug.
## [param player]: The name under which the player's scores come in.
## [param season]: `current`, `previous`, `all-time`, or a season's start as answers name it.
## [param ranking]: Which ranks equals get; empty is the default.
func rank(
		board: String,
		player: String,
		season: String = "current",
		ranking: String = "ordinal"
) -> LeaderboardShapes.Ranked:
	var asked := LeaderboardCall.new("GET", "leaderboard/%s/rank/%s/" % [board.uri_encode(), player.uri_encode()])
	asked.with("season", season, "current")
	asked.with("ranking", ranking, "ordinal")
	var reply := await ask(asked)
	var answer := LeaderboardShapes.Ranked.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## Rows from the top.
## [param board]: The leaderboard's slug.
## [param limit]: Rows.
## [param offset]: Rows to skip.
## [param season]: `current`, `previous`, `all-time`, or a season's start as answers name it.
## [param ranking]: Which ranks equals get; empty is the default.
func top(
		board: String,
		limit: int = 10,
		offset: int = 0,
		season: String = "current",
		ranking: String = "ordinal"
) -> LeaderboardShapes.Top:
	var asked := LeaderboardCall.new("GET", "leaderboard/%s/top/" % [board.uri_encode()])
	asked.with("limit", limit, 10)
	asked.with("offset", offset, 0)
	asked.with("season", season, "current")
	asked.with("ranking", ranking, "ordinal")
	var reply := await ask(asked)
	var answer := LeaderboardShapes.Top.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## Where a score would stand; nothing is written.
## [param board]: The leaderboard's slug.
## [param score]: Of the play.
## [param subscore]: Ranks among equal scores.
## [param player]: Whose play it would be; without one, of a new entry.
## [param season]: `current`, `previous`, `all-time`, or a season's start as answers name it.
func what_if(
		board: String,
		score: int,
		subscore: int = 0,
		player: String = "",
		season: String = "current"
) -> LeaderboardShapes.WhatIf:
	var asked := LeaderboardCall.new("GET", "leaderboard/%s/what_if/" % [board.uri_encode()])
	asked.with("score", score, null)
	asked.with("subscore", subscore, 0)
	asked.with("player", player, "")
	asked.with("season", season, "current")
	var reply := await ask(asked)
	var answer := LeaderboardShapes.WhatIf.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## The player itself.
func me() -> LeaderboardShapes.Myself:
	var asked := LeaderboardCall.new("GET", "players/me/")
	var reply := await ask(asked)
	var answer := LeaderboardShapes.Myself.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## Change the name that boards show.
func rename_me(body: LeaderboardShapes.ProfileBody) -> LeaderboardShapes.Myself:
	var asked := LeaderboardCall.new("PATCH", "players/me/")
	asked.body = body.to_dictionary()
	var reply := await ask(asked)
	var answer := LeaderboardShapes.Myself.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## The plays that made a player's row better, the oldest first.
## [param player]: The name under which the player's scores come in.
## [param leaderboard]: A slug.
## [param limit]: Plays.
## [param season]: `current`, `previous`, `all-time`, or a season's start as answers name it.
func player_history(
		player: String,
		leaderboard: String,
		limit: int = 100,
		season: String = "current"
) -> LeaderboardShapes.PlayerHistory:
	var asked := LeaderboardCall.new("GET", "players/%s/history/" % [player.uri_encode()])
	asked.with("leaderboard", leaderboard, null)
	asked.with("limit", limit, 100)
	asked.with("season", season, "current")
	var reply := await ask(asked)
	var answer := LeaderboardShapes.PlayerHistory.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## A player's plays, the newest first.
## [param player]: The name under which the player's scores come in.
## [param limit]: Plays.
## [param before]: Those older than this play.
func player_sessions(player: String, limit: int = 20, before: Variant = null) -> LeaderboardShapes.PlayerSessions:
	var asked := LeaderboardCall.new("GET", "players/%s/sessions/" % [player.uri_encode()])
	asked.with("limit", limit, 20)
	asked.with("before", before, null)
	var reply := await ask(asked)
	var answer := LeaderboardShapes.PlayerSessions.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## One player on all leaderboards.
## [param player]: The name under which the player's scores come in.
## [param game]: Of this game only.
func player_standings(player: String, game: String = "") -> LeaderboardShapes.PlayerStandings:
	var asked := LeaderboardCall.new("GET", "players/%s/standings/" % [player.uri_encode()])
	asked.with("game", game, "")
	var reply := await ask(asked)
	var answer := LeaderboardShapes.PlayerStandings.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## Submit a score; answers ranks.
## [param idempotency_key]: Your own, to go on with the same submit after a restart; one is made if you give none.
func submit_score(body: LeaderboardShapes.Submit, idempotency_key: String = "") -> LeaderboardShapes.Submitted:
	var asked := LeaderboardCall.new("POST", "scores/")
	asked.body = body.to_dictionary()
	asked.key = idempotency_key if idempotency_key else LeaderboardCall.new_key()
	var reply := await ask(asked)
	var answer := LeaderboardShapes.Submitted.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## Submit up to 1000 scores.
## [param idempotency_key]: Your own, to go on with the same submit after a restart; one is made if you give none.
func submit_scores(body: LeaderboardShapes.Batch, idempotency_key: String = "") -> LeaderboardShapes.BatchDone:
	var asked := LeaderboardCall.new("POST", "scores/batch/")
	asked.body = body.to_dictionary()
	asked.key = idempotency_key if idempotency_key else LeaderboardCall.new_key()
	var reply := await ask(asked)
	var answer := LeaderboardShapes.BatchDone.from(reply.data)
	answer.refusal = reply.refusal
	return answer


## Make a ticket: a short-lived right to read, to give to others.
func make_ticket(body: LeaderboardShapes.TicketBody) -> LeaderboardShapes.TicketMade:
	var asked := LeaderboardCall.new("POST", "tickets/")
	asked.body = body.to_dictionary()
	var reply := await ask(asked)
	var answer := LeaderboardShapes.TicketMade.from(reply.data)
	answer.refusal = reply.refusal
	return answer
