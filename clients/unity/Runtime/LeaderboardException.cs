using System;
using System.Collections.Generic;

namespace GamingLeaderboard
{
    /// <summary>A call that was not answered as hoped.</summary>
    public abstract class LeaderboardException : Exception
    {
        protected LeaderboardException(string message, Exception cause) : base(message, cause) { }

        /// <summary>Whether the same may be accepted later.</summary>
        public abstract bool IsTemporary { get; }
    }

    /// <summary>A refusal: a problem document of the service. `Code` is stable, see ErrorCodes.</summary>
    public sealed class RefusedException : LeaderboardException
    {
        internal RefusedException(int status, Problem problem, TimeSpan? retryAfter)
            : base(problem.Detail ?? problem.Title ?? "The service answered " + status, null)
        {
            Status = status;
            Problem = problem;
            RetryAfter = retryAfter;
        }

        public int Status { get; }
        public Problem Problem { get; }
        public string Code => Problem.Code ?? "unknown";
        public List<IDictionary<string, object>> Errors => Problem.Errors ?? new List<IDictionary<string, object>>();

        /// <summary>How long the service asks to wait.</summary>
        public TimeSpan? RetryAfter { get; }

        public override bool IsTemporary => Status == 429 || Status >= 500;
    }

    /// <summary>No answer came: the network, or time. Whether something happened is not known.</summary>
    public sealed class NoAnswerException : LeaderboardException
    {
        internal NoAnswerException(Exception cause) : base("No answer from the leaderboard", cause) { }

        public override bool IsTemporary => true;
    }
}
