// Generated from the OpenAPI document by `make clients`. Changes made here are lost.
namespace GamingLeaderboard
{
    /// <summary>What a LeaderboardException's Code may be. A newer service may say others.</summary>
    public static class ErrorCodes
    {
        public const string AuthoritativeBoard = "authoritative_board";
        public const string BodyTooLarge = "body_too_large";
        public const string CsrfFailed = "csrf_failed";
        public const string Forbidden = "forbidden";
        public const string GameModeMismatch = "game_mode_mismatch";
        public const string HeadersTooLarge = "headers_too_large";
        public const string IdempotencyKeyReused = "idempotency_key_reused";
        public const string InternalError = "internal_error";
        public const string InvalidBody = "invalid_body";
        public const string InvalidCredentials = "invalid_credentials";
        public const string InvalidIdempotencyKey = "invalid_idempotency_key";
        public const string InvalidMetadata = "invalid_metadata";
        public const string InvalidParameter = "invalid_parameter";
        public const string InvalidPlayer = "invalid_player";
        public const string LeaderboardNotFound = "leaderboard_not_found";
        public const string NameTaken = "name_taken";
        public const string NonceReused = "nonce_reused";
        public const string NotAuthenticated = "not_authenticated";
        public const string NotFound = "not_found";
        public const string NotRanked = "not_ranked";
        public const string Overloaded = "overloaded";
        public const string PlayerNotAllowed = "player_not_allowed";
        public const string PlayerRequired = "player_required";
        public const string RateLimited = "rate_limited";
        public const string RequestTimeout = "request_timeout";
        public const string ScoreOutOfRange = "score_out_of_range";
        public const string SeasonNotFound = "season_not_found";
        public const string SignatureInvalid = "signature_invalid";
        public const string SignatureRequired = "signature_required";
        public const string StoreUnavailable = "store_unavailable";
        public const string TargetTooLong = "target_too_long";
        public const string TooManyAttempts = "too_many_attempts";
        public const string TotalOutOfRange = "total_out_of_range";
        public const string UnsupportedMediaType = "unsupported_media_type";
        public const string WeakPassword = "weak_password";
    }
}
