using System;
using System.Security.Cryptography;

namespace GamingLeaderboard
{
    static class Backoff
    {
        const double FirstMs = 500;
        static readonly Random Chance = new Random(Seed());

        /// <summary>
        /// Full jitter: anywhere between nothing and a bound that doubles, so that clients of a restarted service don't come as one.
        /// </summary>
        internal static TimeSpan Of(int attempt, TimeSpan longest)
        {
            var bound = Math.Min(longest.TotalMilliseconds, FirstMs * Math.Pow(2, attempt));
            lock (Chance) return TimeSpan.FromMilliseconds(Chance.NextDouble() * bound);
        }

        /// <summary>A name for a submit that nobody else has.</summary>
        internal static string NewKey()
        {
            var bytes = new byte[16];
            using (var random = RandomNumberGenerator.Create()) random.GetBytes(bytes);
            return BitConverter.ToString(bytes).Replace("-", "").ToLowerInvariant();
        }

        // The clock's seed would be the same in players whose games start together.
        static int Seed() => Guid.NewGuid().GetHashCode();
    }
}
