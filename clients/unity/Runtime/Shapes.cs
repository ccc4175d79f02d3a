// Generated from the OpenAPI document by `make clients`. Changes made here are lost.
using System.Collections.Generic;

namespace GamingLeaderboard
{
    /// <summary>`Unknown`: one that a newer service may say.</summary>
    public enum Direction
    {
        Unknown,
        Asc,
        Desc,
    }

    static partial class Words
    {
        internal static Direction ToDirection(string word)
        {
            switch (word)
            {
                case "asc": return Direction.Asc;
                case "desc": return Direction.Desc;
                default: return Direction.Unknown;
            }
        }

        internal static string Of(Direction value)
        {
            switch (value)
            {
                case Direction.Asc: return "asc";
                case Direction.Desc: return "desc";
                default: return "";
            }
        }
    }

    /// <summary>`Unknown`: one that a newer service may say.</summary>
    public enum Operator
    {
        Unknown,
        Best,
        Count,
        Latest,
        Sum,
    }

    static partial class Words
    {
        internal static Operator ToOperator(string word)
        {
            switch (word)
            {
                case "best": return Operator.Best;
                case "count": return Operator.Count;
                case "latest": return Operator.Latest;
                case "sum": return Operator.Sum;
                default: return Operator.Unknown;
            }
        }

        internal static string Of(Operator value)
        {
            switch (value)
            {
                case Operator.Best: return "best";
                case Operator.Count: return "count";
                case Operator.Latest: return "latest";
                case Operator.Sum: return "sum";
                default: return "";
            }
        }
    }

    /// <summary>`Unknown`: one that a newer service may say.</summary>
    public enum Ranking
    {
        Unknown,
        Competition,
        Dense,
        Ordinal,
    }

    static partial class Words
    {
        internal static Ranking ToRanking(string word)
        {
            switch (word)
            {
                case "competition": return Ranking.Competition;
                case "dense": return Ranking.Dense;
                case "ordinal": return Ranking.Ordinal;
                default: return Ranking.Unknown;
            }
        }

        internal static string Of(Ranking value)
        {
            switch (value)
            {
                case Ranking.Competition: return "competition";
                case Ranking.Dense: return "dense";
                case Ranking.Ordinal: return "ordinal";
                default: return "";
            }
        }
    }

    /// <summary>Who stands just before, and how many points would pass that row; null: none would.</summary>
    public sealed partial class Ahead
    {
        /// <summary>1 is best.</summary>
        public long Rank { get; set; }
        public string Player { get; set; }
        public string Name { get; set; }
        public long Score { get; set; }
        public long Subscore { get; set; }
        public long? Points { get; set; }

        internal static Ahead From(JsonObject data) => new Ahead
        {
            Rank = data.Whole("rank"),
            Player = data.Text("player"),
            Name = data.Text("name"),
            Score = data.Whole("score"),
            Subscore = data.Whole("subscore"),
            Points = data.OptionalWhole("points"),
        };
    }

    /// <summary>A player's row and its neighbours.</summary>
    public sealed partial class Around
    {
        public string Leaderboard { get; set; }
        /// <summary>`all-time`, or the season's start.</summary>
        public string Season { get; set; }
        public string Epoch { get; set; }
        public long Offset { get; set; }
        public List<Row> Entries { get; set; }
        public long Total { get; set; }
        /// <summary>Where ranks other than ordinal ones were asked for.</summary>
        public Ranking? Ranking { get; set; }
        public string Player { get; set; }

        internal static Around From(JsonObject data) => new Around
        {
            Leaderboard = data.Text("leaderboard"),
            Season = data.Text("season"),
            Epoch = data.Text("epoch"),
            Offset = data.Whole("offset"),
            Entries = data.ListOf("entries", item => Row.From((JsonObject)item)),
            Total = data.Whole("total"),
            Ranking = data.Has("ranking") ? Words.ToRanking(data.Text("ranking")) : (Ranking?)null,
            Player = data.Text("player"),
        };
    }

    /// <summary>Plays. An item that can't be taken gets a problem in its place; the others land.</summary>
    public sealed partial class Batch
    {
        /// <summary>Each is a Submit.</summary>
        public List<Submit> Scores { get; set; }

        internal JsonObject ToJson()
        {
            var data = new JsonObject();
            data["scores"] = JsonObject.Listed(Scores, item => item.ToJson());
            return data;
        }
    }

    /// <summary>In the order of the items.</summary>
    public sealed partial class BatchDone
    {
        public List<SubmittedOrFailed> Results { get; set; }

        internal static BatchDone From(JsonObject data) => new BatchDone
        {
            Results = data.ListOf("results", item => SubmittedOrFailed.From((JsonObject)item)),
        };
    }

    /// <summary>The active leaderboards.</summary>
    public sealed partial class Boards
    {
        public List<Definition> Leaderboards { get; set; }

        internal static Boards From(JsonObject data) => new Boards
        {
            Leaderboards = data.ListOf("leaderboards", item => Definition.From((JsonObject)item)),
        };
    }

    /// <summary>The rows that were asked for.</summary>
    public sealed partial class Chosen
    {
        public string Leaderboard { get; set; }
        /// <summary>`all-time`, or the season's start.</summary>
        public string Season { get; set; }
        public string Epoch { get; set; }
        public long Offset { get; set; }
        public List<Row> Entries { get; set; }
        public long Total { get; set; }
        /// <summary>Where ranks other than ordinal ones were asked for.</summary>
        public Ranking? Ranking { get; set; }
        public List<string> Missing { get; set; }

        internal static Chosen From(JsonObject data) => new Chosen
        {
            Leaderboard = data.Text("leaderboard"),
            Season = data.Text("season"),
            Epoch = data.Text("epoch"),
            Offset = data.Whole("offset"),
            Entries = data.ListOf("entries", item => Row.From((JsonObject)item)),
            Total = data.Whole("total"),
            Ranking = data.Has("ranking") ? Words.ToRanking(data.Text("ranking")) : (Ranking?)null,
            Missing = data.ListOf("missing", item => (string)item),
        };
    }

    /// <summary>A leaderboard as it is listed.</summary>
    public sealed partial class Definition
    {
        public string Leaderboard { get; set; }
        public string Title { get; set; }
        public string Game { get; set; }
        public Operator Operator { get; set; }
        public Direction SortOrder { get; set; }
        public Direction SubscoreOrder { get; set; }
        public string GameMode { get; set; }
        public string ResetSchedule { get; set; }
        public string TimeZone { get; set; }
        public long? MinScore { get; set; }
        public long? MaxScore { get; set; }
        public bool Authoritative { get; set; }
        public bool IsActive { get; set; }
        public bool IsPublic { get; set; }
        public bool SignedOnly { get; set; }
        public IDictionary<string, object> Metadata { get; set; }
        /// <summary>`all-time`, or the season's start.</summary>
        public string Season { get; set; }
        public string SeasonEnds { get; set; }

        internal static Definition From(JsonObject data) => new Definition
        {
            Leaderboard = data.Text("leaderboard"),
            Title = data.Text("title"),
            Game = data.Text("game"),
            Operator = data.Has("operator") ? Words.ToOperator(data.Text("operator")) : Operator.Unknown,
            SortOrder = data.Has("sort_order") ? Words.ToDirection(data.Text("sort_order")) : Direction.Unknown,
            SubscoreOrder = data.Has("subscore_order") ? Words.ToDirection(data.Text("subscore_order")) : Direction.Unknown,
            GameMode = data.Text("game_mode"),
            ResetSchedule = data.Text("reset_schedule"),
            TimeZone = data.Text("time_zone"),
            MinScore = data.OptionalWhole("min_score"),
            MaxScore = data.OptionalWhole("max_score"),
            Authoritative = data.Truth("authoritative"),
            IsActive = data.Truth("is_active"),
            IsPublic = data.Truth("is_public"),
            SignedOnly = data.Truth("signed_only"),
            Metadata = data.Map("metadata"),
            Season = data.Text("season"),
            SeasonEnds = data.Text("season_ends"),
        };
    }

    /// <summary>A leaderboard with its size and position.</summary>
    public sealed partial class Described
    {
        public string Leaderboard { get; set; }
        public string Title { get; set; }
        public string Game { get; set; }
        public Operator Operator { get; set; }
        public Direction SortOrder { get; set; }
        public Direction SubscoreOrder { get; set; }
        public string GameMode { get; set; }
        public string ResetSchedule { get; set; }
        public string TimeZone { get; set; }
        public long? MinScore { get; set; }
        public long? MaxScore { get; set; }
        public bool Authoritative { get; set; }
        public bool IsActive { get; set; }
        public bool IsPublic { get; set; }
        public bool SignedOnly { get; set; }
        public IDictionary<string, object> Metadata { get; set; }
        /// <summary>`all-time`, or the season's start.</summary>
        public string Season { get; set; }
        public string SeasonEnds { get; set; }
        public long Entries { get; set; }
        public string TieRule { get; set; }
        public string Epoch { get; set; }
        public long Offset { get; set; }

        internal static Described From(JsonObject data) => new Described
        {
            Leaderboard = data.Text("leaderboard"),
            Title = data.Text("title"),
            Game = data.Text("game"),
            Operator = data.Has("operator") ? Words.ToOperator(data.Text("operator")) : Operator.Unknown,
            SortOrder = data.Has("sort_order") ? Words.ToDirection(data.Text("sort_order")) : Direction.Unknown,
            SubscoreOrder = data.Has("subscore_order") ? Words.ToDirection(data.Text("subscore_order")) : Direction.Unknown,
            GameMode = data.Text("game_mode"),
            ResetSchedule = data.Text("reset_schedule"),
            TimeZone = data.Text("time_zone"),
            MinScore = data.OptionalWhole("min_score"),
            MaxScore = data.OptionalWhole("max_score"),
            Authoritative = data.Truth("authoritative"),
            IsActive = data.Truth("is_active"),
            IsPublic = data.Truth("is_public"),
            SignedOnly = data.Truth("signed_only"),
            Metadata = data.Map("metadata"),
            Season = data.Text("season"),
            SeasonEnds = data.Text("season_ends"),
            Entries = data.Whole("entries"),
            TieRule = data.Text("tie_rule"),
            Epoch = data.Text("epoch"),
            Offset = data.Whole("offset"),
        };
    }

    /// <summary>The id is a secret that the client made: whoever knows it is the player.</summary>
    public sealed partial class DeviceBody
    {
        public string DeviceId { get; set; }
        public string Name { get; set; }
        public string Game { get; set; }

        internal JsonObject ToJson()
        {
            var data = new JsonObject();
            data["device_id"] = DeviceId;
            if (Name != null) data["name"] = Name;
            if (Game != null) data["game"] = Game;
            return data;
        }
    }

    /// <summary>An item of a batch that was refused.</summary>
    public sealed partial class Failed
    {
        public Problem Error { get; set; }

        internal static Failed From(JsonObject data) => new Failed
        {
            Error = data.Shape("error", Problem.From),
        };
    }

    /// <summary>What a player held from this play on.</summary>
    public sealed partial class Improvement
    {
        public long SessionId { get; set; }
        public long Score { get; set; }
        public long Subscore { get; set; }
        public string AchievedAt { get; set; }

        internal static Improvement From(JsonObject data) => new Improvement
        {
            SessionId = data.Whole("session_id"),
            Score = data.Whole("score"),
            Subscore = data.Whole("subscore"),
            AchievedAt = data.Text("achieved_at"),
        };
    }

    /// <summary>A player's score over time.</summary>
    public sealed partial class Line
    {
        public string Player { get; set; }
        public string Name { get; set; }
        /// <summary>1 is best.</summary>
        public long Rank { get; set; }
        /// <summary>Whether it says all that happened since then.</summary>
        public bool Complete { get; set; }
        /// <summary>When, and the score from then on.</summary>
        public List<List<object>> Points { get; set; }

        internal static Line From(JsonObject data) => new Line
        {
            Player = data.Text("player"),
            Name = data.Text("name"),
            Rank = data.Whole("rank"),
            Complete = data.Truth("complete"),
            Points = data.ListOf("points", item => JsonObject.ListOf(item, item1 => (object)item1)),
        };
    }

    public sealed partial class LoginBody
    {
        public string Username { get; set; }
        public string Password { get; set; }
        public string Game { get; set; }

        internal JsonObject ToJson()
        {
            var data = new JsonObject();
            data["username"] = Username;
            data["password"] = Password;
            if (Game != null) data["game"] = Game;
            return data;
        }
    }

    /// <summary>A player as it sees itself. `game` is null for a browser's user.</summary>
    public sealed partial class Myself
    {
        public string Player { get; set; }
        public string Name { get; set; }
        public string Game { get; set; }

        internal static Myself From(JsonObject data) => new Myself
        {
            Player = data.Text("player"),
            Name = data.Text("name"),
            Game = data.Text("game"),
        };
    }

    /// <summary>Where a new entry would stand.</summary>
    public sealed partial class Placed
    {
        public string Leaderboard { get; set; }
        /// <summary>`all-time`, or the season's start.</summary>
        public string Season { get; set; }
        public string Epoch { get; set; }
        public long Offset { get; set; }
        public long Score { get; set; }
        public long Subscore { get; set; }
        /// <summary>1 is best.</summary>
        public long Rank { get; set; }
        public double Percentile { get; set; }
        public long Total { get; set; }

        internal static Placed From(JsonObject data) => new Placed
        {
            Leaderboard = data.Text("leaderboard"),
            Season = data.Text("season"),
            Epoch = data.Text("epoch"),
            Offset = data.Whole("offset"),
            Score = data.Whole("score"),
            Subscore = data.Whole("subscore"),
            Rank = data.Whole("rank"),
            Percentile = data.Real("percentile"),
            Total = data.Whole("total"),
        };
    }

    /// <summary>A submit that was stored.</summary>
    public sealed partial class Play
    {
        public long SessionId { get; set; }
        public long Score { get; set; }
        public long Subscore { get; set; }
        public string GameMode { get; set; }
        public IDictionary<string, object> Metadata { get; set; }
        public string Timestamp { get; set; }

        internal static Play From(JsonObject data) => new Play
        {
            SessionId = data.Whole("session_id"),
            Score = data.Whole("score"),
            Subscore = data.Whole("subscore"),
            GameMode = data.Text("game_mode"),
            Metadata = data.Map("metadata"),
            Timestamp = data.Text("timestamp"),
        };
    }

    /// <summary>The oldest first. `complete` is false where the season has more plays than are looked at.</summary>
    public sealed partial class PlayerHistory
    {
        public string Leaderboard { get; set; }
        /// <summary>`all-time`, or the season's start.</summary>
        public string Season { get; set; }
        public string Player { get; set; }
        public string Name { get; set; }
        public bool Complete { get; set; }
        public List<Improvement> History { get; set; }

        internal static PlayerHistory From(JsonObject data) => new PlayerHistory
        {
            Leaderboard = data.Text("leaderboard"),
            Season = data.Text("season"),
            Player = data.Text("player"),
            Name = data.Text("name"),
            Complete = data.Truth("complete"),
            History = data.ListOf("history", item => Improvement.From((JsonObject)item)),
        };
    }

    /// <summary>The newest first. `before` asks for those after them, null: there are none.</summary>
    public sealed partial class PlayerSessions
    {
        public string Player { get; set; }
        public List<Play> Sessions { get; set; }
        public long? Before { get; set; }

        internal static PlayerSessions From(JsonObject data) => new PlayerSessions
        {
            Player = data.Text("player"),
            Sessions = data.ListOf("sessions", item => Play.From((JsonObject)item)),
            Before = data.OptionalWhole("before"),
        };
    }

    /// <summary>By leaderboard.</summary>
    public sealed partial class PlayerStandings
    {
        public string Player { get; set; }
        public string Name { get; set; }
        public List<Standing> Standings { get; set; }

        internal static PlayerStandings From(JsonObject data) => new PlayerStandings
        {
            Player = data.Text("player"),
            Name = data.Text("name"),
            Standings = data.ListOf("standings", item => Standing.From((JsonObject)item)),
        };
    }

    /// <summary>A refusal, RFC 9457.</summary>
    public sealed partial class Problem
    {
        public string Type { get; set; }
        public string Title { get; set; }
        public long Status { get; set; }
        public string Code { get; set; }
        public string Detail { get; set; }
        public string RequestId { get; set; }
        public List<IDictionary<string, object>> Errors { get; set; }

        internal static Problem From(JsonObject data) => new Problem
        {
            Type = data.Text("type"),
            Title = data.Text("title"),
            Status = data.Whole("status"),
            Code = data.Text("code"),
            Detail = data.Text("detail"),
            RequestId = data.Text("request_id"),
            Errors = data.ListOf("errors", item => (IDictionary<string, object>)item),
        };
    }

    public sealed partial class ProfileBody
    {
        public string Name { get; set; }

        internal JsonObject ToJson()
        {
            var data = new JsonObject();
            data["name"] = Name;
            return data;
        }
    }

    /// <summary>The scores of the best over time.</summary>
    public sealed partial class Race
    {
        public string Leaderboard { get; set; }
        /// <summary>`all-time`, or the season's start.</summary>
        public string Season { get; set; }
        public string Epoch { get; set; }
        public long Offset { get; set; }
        public string Since { get; set; }
        public string Until { get; set; }
        public List<Line> Players { get; set; }

        internal static Race From(JsonObject data) => new Race
        {
            Leaderboard = data.Text("leaderboard"),
            Season = data.Text("season"),
            Epoch = data.Text("epoch"),
            Offset = data.Whole("offset"),
            Since = data.Text("since"),
            Until = data.Text("until"),
            Players = data.ListOf("players", item => Line.From((JsonObject)item)),
        };
    }

    /// <summary>One player's row.</summary>
    public sealed partial class Ranked
    {
        /// <summary>1 is best.</summary>
        public long Rank { get; set; }
        public string Player { get; set; }
        public string Name { get; set; }
        public long Score { get; set; }
        public long Subscore { get; set; }
        public long Submissions { get; set; }
        public string AchievedAt { get; set; }
        public string Leaderboard { get; set; }
        /// <summary>`all-time`, or the season's start.</summary>
        public string Season { get; set; }
        public string Epoch { get; set; }
        public long Offset { get; set; }
        public long Total { get; set; }
        public double Percentile { get; set; }
        /// <summary>Where ranks other than ordinal ones were asked for.</summary>
        public Ranking? Ranking { get; set; }

        internal static Ranked From(JsonObject data) => new Ranked
        {
            Rank = data.Whole("rank"),
            Player = data.Text("player"),
            Name = data.Text("name"),
            Score = data.Whole("score"),
            Subscore = data.Whole("subscore"),
            Submissions = data.Whole("submissions"),
            AchievedAt = data.Text("achieved_at"),
            Leaderboard = data.Text("leaderboard"),
            Season = data.Text("season"),
            Epoch = data.Text("epoch"),
            Offset = data.Whole("offset"),
            Total = data.Whole("total"),
            Percentile = data.Real("percentile"),
            Ranking = data.Has("ranking") ? Words.ToRanking(data.Text("ranking")) : (Ranking?)null,
        };
    }

    /// <summary>One player's row. Or: Where a new entry would stand.</summary>
    public sealed partial class RankedOrPlaced
    {
        /// <summary>1 is best.</summary>
        public long Rank { get; set; }
        public string Player { get; set; }
        public string Name { get; set; }
        public long Score { get; set; }
        public long Subscore { get; set; }
        public long? Submissions { get; set; }
        public string AchievedAt { get; set; }
        public string Leaderboard { get; set; }
        /// <summary>`all-time`, or the season's start.</summary>
        public string Season { get; set; }
        public string Epoch { get; set; }
        public long Offset { get; set; }
        public long Total { get; set; }
        public double Percentile { get; set; }
        /// <summary>Where ranks other than ordinal ones were asked for.</summary>
        public Ranking? Ranking { get; set; }

        internal static RankedOrPlaced From(JsonObject data) => new RankedOrPlaced
        {
            Rank = data.Whole("rank"),
            Player = data.Text("player"),
            Name = data.Text("name"),
            Score = data.Whole("score"),
            Subscore = data.Whole("subscore"),
            Submissions = data.OptionalWhole("submissions"),
            AchievedAt = data.Text("achieved_at"),
            Leaderboard = data.Text("leaderboard"),
            Season = data.Text("season"),
            Epoch = data.Text("epoch"),
            Offset = data.Whole("offset"),
            Total = data.Whole("total"),
            Percentile = data.Real("percentile"),
            Ranking = data.Has("ranking") ? Words.ToRanking(data.Text("ranking")) : (Ranking?)null,
        };
    }

    public sealed partial class RefreshBody
    {
        public string RefreshToken { get; set; }

        internal JsonObject ToJson()
        {
            var data = new JsonObject();
            data["refresh_token"] = RefreshToken;
            return data;
        }
    }

    public sealed partial class RegisterBody
    {
        public string Username { get; set; }
        public string Password { get; set; }
        public string Name { get; set; }
        public string Game { get; set; }

        internal JsonObject ToJson()
        {
            var data = new JsonObject();
            data["username"] = Username;
            data["password"] = Password;
            if (Name != null) data["name"] = Name;
            if (Game != null) data["game"] = Game;
            return data;
        }
    }

    /// <summary>What a player holds on one board after a submit.</summary>
    public sealed partial class Result
    {
        public string Leaderboard { get; set; }
        /// <summary>`all-time`, or the season's start.</summary>
        public string Season { get; set; }
        public long TotalScore { get; set; }
        public long Subscore { get; set; }
        /// <summary>1 is best.</summary>
        public long Rank { get; set; }
        /// <summary>1 is best.</summary>
        public long? PreviousRank { get; set; }
        public bool Improved { get; set; }
        public long Total { get; set; }

        internal static Result From(JsonObject data) => new Result
        {
            Leaderboard = data.Text("leaderboard"),
            Season = data.Text("season"),
            TotalScore = data.Whole("total_score"),
            Subscore = data.Whole("subscore"),
            Rank = data.Whole("rank"),
            PreviousRank = data.OptionalWhole("previous_rank"),
            Improved = data.Truth("improved"),
            Total = data.Whole("total"),
        };
    }

    /// <summary>An entry with its place.</summary>
    public sealed partial class Row
    {
        /// <summary>1 is best.</summary>
        public long Rank { get; set; }
        public string Player { get; set; }
        public string Name { get; set; }
        public long Score { get; set; }
        public long Subscore { get; set; }
        public long Submissions { get; set; }
        public string AchievedAt { get; set; }

        internal static Row From(JsonObject data) => new Row
        {
            Rank = data.Whole("rank"),
            Player = data.Text("player"),
            Name = data.Text("name"),
            Score = data.Whole("score"),
            Subscore = data.Whole("subscore"),
            Submissions = data.Whole("submissions"),
            AchievedAt = data.Text("achieved_at"),
        };
    }

    /// <summary>The player, and two tokens: one to ask with, one for the next two.</summary>
    public sealed partial class SignedIn
    {
        public string Player { get; set; }
        public string Name { get; set; }
        public string AccessToken { get; set; }
        public string TokenType { get; set; }
        public long ExpiresIn { get; set; }
        public string RefreshToken { get; set; }
        public long RefreshExpiresIn { get; set; }

        internal static SignedIn From(JsonObject data) => new SignedIn
        {
            Player = data.Text("player"),
            Name = data.Text("name"),
            AccessToken = data.Text("access_token"),
            TokenType = data.Text("token_type"),
            ExpiresIn = data.Whole("expires_in"),
            RefreshToken = data.Text("refresh_token"),
            RefreshExpiresIn = data.Whole("refresh_expires_in"),
        };
    }

    /// <summary>A player's row on one leaderboard.</summary>
    public sealed partial class Standing
    {
        public string Leaderboard { get; set; }
        /// <summary>`all-time`, or the season's start.</summary>
        public string Season { get; set; }
        /// <summary>1 is best.</summary>
        public long Rank { get; set; }
        public long Score { get; set; }
        public long Subscore { get; set; }
        public long Submissions { get; set; }
        public string AchievedAt { get; set; }
        public long Total { get; set; }
        public double Percentile { get; set; }

        internal static Standing From(JsonObject data) => new Standing
        {
            Leaderboard = data.Text("leaderboard"),
            Season = data.Text("season"),
            Rank = data.Whole("rank"),
            Score = data.Whole("score"),
            Subscore = data.Whole("subscore"),
            Submissions = data.Whole("submissions"),
            AchievedAt = data.Text("achieved_at"),
            Total = data.Whole("total"),
            Percentile = data.Real("percentile"),
        };
    }

    /// <summary>One play. Whole numbers are written as such: 1.0 is refused.</summary>
    public sealed partial class Submit
    {
        public long Score { get; set; }
        public long? Subscore { get; set; }
        public string GameMode { get; set; }
        public string Player { get; set; }
        public string Name { get; set; }
        public IDictionary<string, object> Metadata { get; set; }
        public List<string> Leaderboards { get; set; }

        internal JsonObject ToJson()
        {
            var data = new JsonObject();
            data["score"] = Score;
            if (Subscore != null) data["subscore"] = Subscore;
            if (GameMode != null) data["game_mode"] = GameMode;
            if (Player != null) data["player"] = Player;
            if (Name != null) data["name"] = Name;
            if (Metadata != null) data["metadata"] = Metadata;
            if (Leaderboards != null) data["leaderboards"] = Leaderboards;
            return data;
        }
    }

    /// <summary>A play that is stored.</summary>
    public sealed partial class Submitted
    {
        public long SessionId { get; set; }
        public string Player { get; set; }
        public long Score { get; set; }
        public long Subscore { get; set; }
        public string GameMode { get; set; }
        public string Timestamp { get; set; }
        public List<Result> Results { get; set; }

        internal static Submitted From(JsonObject data) => new Submitted
        {
            SessionId = data.Whole("session_id"),
            Player = data.Text("player"),
            Score = data.Whole("score"),
            Subscore = data.Whole("subscore"),
            GameMode = data.Text("game_mode"),
            Timestamp = data.Text("timestamp"),
            Results = data.ListOf("results", item => Result.From((JsonObject)item)),
        };
    }

    /// <summary>A play that is stored. Or: An item of a batch that was refused.</summary>
    public sealed partial class SubmittedOrFailed
    {
        public long? SessionId { get; set; }
        public string Player { get; set; }
        public long? Score { get; set; }
        public long? Subscore { get; set; }
        public string GameMode { get; set; }
        public string Timestamp { get; set; }
        public List<Result> Results { get; set; }
        public Problem Error { get; set; }

        internal static SubmittedOrFailed From(JsonObject data) => new SubmittedOrFailed
        {
            SessionId = data.OptionalWhole("session_id"),
            Player = data.Text("player"),
            Score = data.OptionalWhole("score"),
            Subscore = data.OptionalWhole("subscore"),
            GameMode = data.Text("game_mode"),
            Timestamp = data.Text("timestamp"),
            Results = data.ListOf("results", item => Result.From((JsonObject)item)),
            Error = data.Shape("error", Problem.From),
        };
    }

    /// <summary>POST /tickets/.</summary>
    public sealed partial class TicketBody
    {
        public List<string> Leaderboards { get; set; }
        public long? ExpiresIn { get; set; }

        internal JsonObject ToJson()
        {
            var data = new JsonObject();
            if (Leaderboards != null) data["leaderboards"] = Leaderboards;
            if (ExpiresIn != null) data["expires_in"] = ExpiresIn;
            return data;
        }
    }

    /// <summary>A ticket, good for so many seconds.</summary>
    public sealed partial class TicketMade
    {
        public string Ticket { get; set; }
        public long ExpiresIn { get; set; }

        internal static TicketMade From(JsonObject data) => new TicketMade
        {
            Ticket = data.Text("ticket"),
            ExpiresIn = data.Whole("expires_in"),
        };
    }

    /// <summary>Rows from the top.</summary>
    public sealed partial class Top
    {
        public string Leaderboard { get; set; }
        /// <summary>`all-time`, or the season's start.</summary>
        public string Season { get; set; }
        public string Epoch { get; set; }
        public long Offset { get; set; }
        public List<Row> Entries { get; set; }
        public long Total { get; set; }
        /// <summary>Where ranks other than ordinal ones were asked for.</summary>
        public Ranking? Ranking { get; set; }

        internal static Top From(JsonObject data) => new Top
        {
            Leaderboard = data.Text("leaderboard"),
            Season = data.Text("season"),
            Epoch = data.Text("epoch"),
            Offset = data.Whole("offset"),
            Entries = data.ListOf("entries", item => Row.From((JsonObject)item)),
            Total = data.Whole("total"),
            Ranking = data.Has("ranking") ? Words.ToRanking(data.Text("ranking")) : (Ranking?)null,
        };
    }

    /// <summary>Where a score would stand.</summary>
    public sealed partial class WhatIf
    {
        public string Leaderboard { get; set; }
        /// <summary>`all-time`, or the season's start.</summary>
        public string Season { get; set; }
        public string Epoch { get; set; }
        public long Offset { get; set; }
        public long Score { get; set; }
        public long Subscore { get; set; }
        /// <summary>1 is best.</summary>
        public long Rank { get; set; }
        public double Percentile { get; set; }
        public long Total { get; set; }
        public Ahead Next { get; set; }
        public bool? WouldImprove { get; set; }

        internal static WhatIf From(JsonObject data) => new WhatIf
        {
            Leaderboard = data.Text("leaderboard"),
            Season = data.Text("season"),
            Epoch = data.Text("epoch"),
            Offset = data.Whole("offset"),
            Score = data.Whole("score"),
            Subscore = data.Whole("subscore"),
            Rank = data.Whole("rank"),
            Percentile = data.Real("percentile"),
            Total = data.Whole("total"),
            Next = data.Shape("next", Ahead.From),
            WouldImprove = data.OptionalTruth("would_improve"),
        };
    }
}
