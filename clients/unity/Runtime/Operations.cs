// Generated from the OpenAPI document by `make clients`. Changes made here are lost.
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace GamingLeaderboard
{
    public sealed partial class LeaderboardClient
    {
        /// <summary>Sign a device's player in; make it the first time (201).</summary>
        public Task<SignedIn> SignInDeviceAsync(DeviceBody body, CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("POST", "auth/device/")
                .Sending(body.ToJson());
            return AskAsync(call, SignedIn.From, cancel);
        }

        /// <summary>Sign a player in by its password.</summary>
        public Task<SignedIn> LogInAsync(LoginBody body, CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("POST", "auth/login/")
                .Sending(body.ToJson());
            return AskAsync(call, SignedIn.From, cancel);
        }

        /// <summary>End a refresh token and all that came from the same sign-in.</summary>
        public Task LogOutAsync(RefreshBody body, CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("POST", "auth/logout/")
                .Sending(body.ToJson());
            return DoAsync(call, cancel);
        }

        /// <summary>New tokens for a refresh token, which works once.</summary>
        public Task<SignedIn> RefreshAsync(RefreshBody body, CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("POST", "auth/refresh/")
                .Sending(body.ToJson());
            return AskAsync(call, SignedIn.From, cancel);
        }

        /// <summary>Make a player with a password.</summary>
        public Task<SignedIn> RegisterAsync(RegisterBody body, CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("POST", "auth/register/")
                .Sending(body.ToJson());
            return AskAsync(call, SignedIn.From, cancel);
        }

        /// <summary>List the leaderboards.</summary>
        public Task<Boards> ListLeaderboardsAsync(CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("GET", "leaderboard/");
            return AskAsync(call, Boards.From, cancel);
        }

        /// <summary>One leaderboard's definition and size.</summary>
        /// <param name="board">The leaderboard's slug</param>
        public Task<Described> DescribeLeaderboardAsync(string board, CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("GET", "leaderboard/" + Call.Escaped(board) + "/");
            return AskAsync(call, Described.From, cancel);
        }

        /// <summary>A player's row and its neighbours. Null: not ranked.</summary>
        /// <param name="board">The leaderboard's slug</param>
        /// <param name="player">The name under which the player's scores come in</param>
        /// <param name="limit">Rows on either side</param>
        /// <param name="season">`current`, `previous`, `all-time`, or a season's start as answers name it</param>
        /// <param name="ranking">Which ranks equals get; empty is the default</param>
        public Task<Around> AroundAsync(
            string board,
            string player,
            long? limit = null,
            string season = null,
            Ranking? ranking = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("GET", "leaderboard/" + Call.Escaped(board) + "/around/" + Call.Escaped(player) + "/")
                .With("limit", limit)
                .With("season", season)
                .With("ranking", ranking.HasValue ? Words.Of(ranking.Value) : null);
            return OrNullAsync(AskAsync(call, Around.From, cancel), ErrorCodes.NotRanked);
        }

        /// <summary>The rows of some players, or of a range of ranks or scores: ask for one of the three.</summary>
        /// <param name="board">The leaderboard's slug</param>
        /// <param name="players">Of some players, 1 to 100: their names with commas between them</param>
        /// <param name="player">The same, each name by itself</param>
        /// <param name="rankFrom">Of a range of ranks: the first</param>
        /// <param name="rankTo">And the last, at most 1000 rows on</param>
        /// <param name="scoreFrom">Of a range of scores: the least; either may be left out</param>
        /// <param name="scoreTo">And the largest</param>
        /// <param name="limit">Rows of the range of scores</param>
        /// <param name="offset">Rows to skip</param>
        /// <param name="season">`current`, `previous`, `all-time`, or a season's start as answers name it</param>
        /// <param name="ranking">Which ranks equals get; empty is the default</param>
        public Task<Chosen> EntriesAsync(
            string board,
            string players = null,
            List<string> player = null,
            long? rankFrom = null,
            long? rankTo = null,
            long? scoreFrom = null,
            long? scoreTo = null,
            long? limit = null,
            long? offset = null,
            string season = null,
            Ranking? ranking = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("GET", "leaderboard/" + Call.Escaped(board) + "/entries/")
                .With("players", players)
                .With("player", player)
                .With("rank_from", rankFrom)
                .With("rank_to", rankTo)
                .With("score_from", scoreFrom)
                .With("score_to", scoreTo)
                .With("limit", limit)
                .With("offset", offset)
                .With("season", season)
                .With("ranking", ranking.HasValue ? Words.Of(ranking.Value) : null);
            return AskAsync(call, Chosen.From, cancel);
        }

        /// <summary>The percentile of a player or a score, or the row at which one begins: ask for one of the three. Null: not ranked.</summary>
        /// <param name="board">The leaderboard's slug</param>
        /// <param name="player">Whose row</param>
        /// <param name="score">Of a new entry</param>
        /// <param name="subscore">Ranks among equal scores</param>
        /// <param name="percentile">0 to 100, with up to two decimals</param>
        /// <param name="season">`current`, `previous`, `all-time`, or a season's start as answers name it</param>
        public Task<RankedOrPlaced> PercentileAsync(
            string board,
            string player = null,
            long? score = null,
            long? subscore = null,
            string percentile = null,
            string season = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("GET", "leaderboard/" + Call.Escaped(board) + "/percentile/")
                .With("player", player)
                .With("score", score)
                .With("subscore", subscore)
                .With("percentile", percentile)
                .With("season", season);
            return OrNullAsync(AskAsync(call, RankedOrPlaced.From, cancel), ErrorCodes.NotRanked);
        }

        /// <summary>The scores of the best over the last minutes.</summary>
        /// <param name="board">The leaderboard's slug</param>
        /// <param name="limit">Players</param>
        /// <param name="minutes">How far back</param>
        public Task<Race> RaceAsync(
            string board,
            long? limit = null,
            long? minutes = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("GET", "leaderboard/" + Call.Escaped(board) + "/race/")
                .With("limit", limit)
                .With("minutes", minutes);
            return AskAsync(call, Race.From, cancel);
        }

        /// <summary>One player's row. Null: not ranked.</summary>
        /// <param name="board">The leaderboard's slug</param>
        /// <param name="player">The name under which the player's scores come in</param>
        /// <param name="season">`current`, `previous`, `all-time`, or a season's start as answers name it</param>
        /// <param name="ranking">Which ranks equals get; empty is the default</param>
        public Task<Ranked> RankAsync(
            string board,
            string player,
            string season = null,
            Ranking? ranking = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("GET", "leaderboard/" + Call.Escaped(board) + "/rank/" + Call.Escaped(player) + "/")
                .With("season", season)
                .With("ranking", ranking.HasValue ? Words.Of(ranking.Value) : null);
            return OrNullAsync(AskAsync(call, Ranked.From, cancel), ErrorCodes.NotRanked);
        }

        /// <summary>Rows from the top.</summary>
        /// <param name="board">The leaderboard's slug</param>
        /// <param name="limit">Rows</param>
        /// <param name="offset">Rows to skip</param>
        /// <param name="season">`current`, `previous`, `all-time`, or a season's start as answers name it</param>
        /// <param name="ranking">Which ranks equals get; empty is the default</param>
        public Task<Top> TopAsync(
            string board,
            long? limit = null,
            long? offset = null,
            string season = null,
            Ranking? ranking = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("GET", "leaderboard/" + Call.Escaped(board) + "/top/")
                .With("limit", limit)
                .With("offset", offset)
                .With("season", season)
                .With("ranking", ranking.HasValue ? Words.Of(ranking.Value) : null);
            return AskAsync(call, Top.From, cancel);
        }

        /// <summary>Where a score would stand; nothing is written.</summary>
        /// <param name="board">The leaderboard's slug</param>
        /// <param name="score">Of the play</param>
        /// <param name="subscore">Ranks among equal scores</param>
        /// <param name="player">Whose play it would be; without one, of a new entry</param>
        /// <param name="season">`current`, `previous`, `all-time`, or a season's start as answers name it</param>
        public Task<WhatIf> WhatIfAsync(
            string board,
            long score,
            long? subscore = null,
            string player = null,
            string season = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("GET", "leaderboard/" + Call.Escaped(board) + "/what_if/")
                .With("score", score)
                .With("subscore", subscore)
                .With("player", player)
                .With("season", season);
            return AskAsync(call, WhatIf.From, cancel);
        }

        /// <summary>The player itself.</summary>
        public Task<Myself> MeAsync(CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("GET", "players/me/");
            return AskAsync(call, Myself.From, cancel);
        }

        /// <summary>Change the name that boards show.</summary>
        public Task<Myself> RenameMeAsync(ProfileBody body, CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("PATCH", "players/me/")
                .Sending(body.ToJson());
            return AskAsync(call, Myself.From, cancel);
        }

        /// <summary>The plays that made a player's row better, the oldest first. Null: not ranked.</summary>
        /// <param name="player">The name under which the player's scores come in</param>
        /// <param name="leaderboard">A slug</param>
        /// <param name="limit">Plays</param>
        /// <param name="season">`current`, `previous`, `all-time`, or a season's start as answers name it</param>
        public Task<PlayerHistory> PlayerHistoryAsync(
            string player,
            string leaderboard,
            long? limit = null,
            string season = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("GET", "players/" + Call.Escaped(player) + "/history/")
                .With("leaderboard", leaderboard)
                .With("limit", limit)
                .With("season", season);
            return OrNullAsync(AskAsync(call, PlayerHistory.From, cancel), ErrorCodes.NotRanked);
        }

        /// <summary>A player's plays, the newest first. Null: not ranked.</summary>
        /// <param name="player">The name under which the player's scores come in</param>
        /// <param name="limit">Plays</param>
        /// <param name="before">Those older than this play</param>
        public Task<PlayerSessions> PlayerSessionsAsync(
            string player,
            long? limit = null,
            long? before = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("GET", "players/" + Call.Escaped(player) + "/sessions/")
                .With("limit", limit)
                .With("before", before);
            return OrNullAsync(AskAsync(call, PlayerSessions.From, cancel), ErrorCodes.NotRanked);
        }

        /// <summary>One player on all leaderboards. Null: not ranked.</summary>
        /// <param name="player">The name under which the player's scores come in</param>
        /// <param name="game">Of this game only</param>
        public Task<PlayerStandings> PlayerStandingsAsync(
            string player,
            string game = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("GET", "players/" + Call.Escaped(player) + "/standings/")
                .With("game", game);
            return OrNullAsync(AskAsync(call, PlayerStandings.From, cancel), ErrorCodes.NotRanked);
        }

        /// <summary>Submit a score; answers ranks.</summary>
        /// <param name="idempotencyKey">Your own, to go on with the same submit after a restart; one is made if you give none.</param>
        public Task<Submitted> SubmitScoreAsync(
            Submit body,
            string idempotencyKey = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("POST", "scores/")
                .Sending(body.ToJson())
                .Once(idempotencyKey);
            return AskAsync(call, Submitted.From, cancel);
        }

        /// <summary>Submit up to 1000 scores.</summary>
        /// <param name="idempotencyKey">Your own, to go on with the same submit after a restart; one is made if you give none.</param>
        public Task<BatchDone> SubmitScoresAsync(
            Batch body,
            string idempotencyKey = null,
            CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("POST", "scores/batch/")
                .Sending(body.ToJson())
                .Once(idempotencyKey);
            return AskAsync(call, BatchDone.From, cancel);
        }

        /// <summary>Make a ticket: a short-lived right to read, to give to others.</summary>
        public Task<TicketMade> MakeTicketAsync(TicketBody body, CancellationToken cancel = default(CancellationToken))
        {
            var call = new Call("POST", "tickets/")
                .Sending(body.ToJson());
            return AskAsync(call, TicketMade.From, cancel);
        }
    }
}
