using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace GamingLeaderboard
{
    public sealed class LeaderboardOptions
    {
        /// <summary>Where the service is: https://scores.example</summary>
        public string Url { get; set; }

        /// <summary>Of a game server; never in what players hold.</summary>
        public string ApiKey { get; set; }

        /// <summary>Gives a player's access token, a fresh one where the last has ended.</summary>
        public Func<Task<string>> Token { get; set; }

        /// <summary>Opens private boards.</summary>
        public string Ticket { get; set; }

        public ITransport Transport { get; set; } = HttpTransport.Shared;

        /// <summary>Of one try.</summary>
        public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(15);

        /// <summary>Of one call.</summary>
        public int Tries { get; set; } = 5;

        /// <summary>How the time between tries passes; for tests.</summary>
        public Func<TimeSpan, CancellationToken, Task> Wait { get; set; } = Task.Delay;
    }

    /// <summary>
    /// The REST interface. What can't be done twice is tried again while its outcome is unclear: reads, and submits, which have an
    /// idempotency key. What is refused is thrown as RefusedException, no answer at all as NoAnswerException.
    /// </summary>
    public sealed partial class LeaderboardClient
    {
        static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);
        static readonly TimeSpan LongestRetryAfter = TimeSpan.FromSeconds(60);
        readonly LeaderboardOptions options;
        readonly string url;

        public LeaderboardClient(LeaderboardOptions options)
        {
            if (string.IsNullOrEmpty(options.Url)) throw new ArgumentException("Url is needed");
            this.options = options;
            url = options.Url.TrimEnd('/');
        }

        async Task<T> AskAsync<T>(Call call, Func<JsonObject, T> from, CancellationToken cancel)
        {
            return from(await DoAsync(call, cancel));
        }

        static async Task<T> OrNullAsync<T>(Task<T> asked, string code) where T : class
        {
            try
            {
                return await asked;
            }
            catch (RefusedException refused) when (refused.Code == code)
            {
                return null;
            }
        }

        async Task<JsonObject> DoAsync(Call call, CancellationToken cancel)
        {
            for (var attempt = 0; ; attempt++)
            {
                try
                {
                    return await OnceAsync(call, cancel);
                }
                catch (LeaderboardException problem) when (attempt + 1 < options.Tries && MayRepeat(call, problem))
                {
                    await options.Wait(Pause(attempt, (problem as RefusedException)?.RetryAfter), cancel);
                }
            }
        }

        /// <summary>A sign-in whose answer was lost may have happened; one that was refused for now has not.</summary>
        static bool MayRepeat(Call call, LeaderboardException problem)
        {
            if (call.IsRepeatable) return problem.IsTemporary;
            return problem is RefusedException refused && (refused.Status == 429 || refused.Status == 503);
        }

        static TimeSpan Pause(int attempt, TimeSpan? asked)
        {
            var pause = Backoff.Of(attempt, LongestWait);
            var wanted = asked > LongestRetryAfter ? LongestRetryAfter : asked ?? TimeSpan.Zero;
            return wanted > pause ? wanted : pause;
        }

        async Task<JsonObject> OnceAsync(Call call, CancellationToken cancel)
        {
            var request = call.Request(url, await HeadersAsync());
            var reply = await ReplyAsync(request, cancel);
            var isGood = reply.Status >= 200 && reply.Status < 300;
            var data = Parsed(reply.Body);
            if (!isGood) throw new RefusedException(reply.Status, Problem.From(data ?? new JsonObject()), reply.RetryAfter);
            if (reply.Status == 204) return new JsonObject();
            if (data == null) throw new NoAnswerException(new FormatException("not JSON")); // a proxy's page, or cut off on the way
            return data;
        }

        async Task<Reply> ReplyAsync(Request request, CancellationToken cancel)
        {
            using (var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel))
            {
                limit.CancelAfter(options.Timeout);
                try
                {
                    return await options.Transport.SendAsync(request, limit.Token);
                }
                catch (Exception cause) when (!cancel.IsCancellationRequested)
                {
                    throw new NoAnswerException(cause);
                }
            }
        }

        async Task<Dictionary<string, string>> HeadersAsync()
        {
            var headers = new Dictionary<string, string> { { "Accept", "application/json" } };
            if (options.ApiKey != null) headers["Authorization"] = "Api-Key " + options.ApiKey;
            else if (options.Token != null) headers["Authorization"] = "Bearer " + await options.Token();
            else if (options.Ticket != null) headers["Authorization"] = "Ticket " + options.Ticket;
            return headers;
        }

        static JsonObject Parsed(string body)
        {
            try
            {
                return Json.Parse(body ?? "") as JsonObject;
            }
            catch (FormatException)
            {
                return null;
            }
        }
    }

    /// <summary>One request, as the generated methods put it together.</summary>
    sealed class Call
    {
        readonly string method;
        readonly string path;
        readonly List<string> query = new List<string>();
        string body;
        string key;

        internal Call(string method, string path)
        {
            this.method = method;
            this.path = path;
        }

        internal bool IsRepeatable => method == "GET" || key != null;

        internal Call With(string name, object value)
        {
            if (value is string || !(value is System.Collections.IEnumerable)) return WithOne(name, value);
            foreach (var item in (System.Collections.IEnumerable)value) WithOne(name, item);
            return this;
        }

        Call WithOne(string name, object value)
        {
            if (value != null) query.Add(name + "=" + Escaped(value));
            return this;
        }

        internal Call Sending(JsonObject data)
        {
            body = Json.Text(data);
            return this;
        }

        internal Call Once(string idempotencyKey)
        {
            key = idempotencyKey ?? Backoff.NewKey();
            return this;
        }

        internal Request Request(string url, IDictionary<string, string> headers)
        {
            if (key != null) headers["Idempotency-Key"] = key;
            var search = query.Count == 0 ? "" : "?" + string.Join("&", query.ToArray());
            return new Request { Method = method, Url = url + "/api/v1/" + path + search, Headers = headers, Body = body };
        }

        internal static string Escaped(object value)
        {
            return Uri.EscapeDataString(value is string text ? text : Json.Text(value));
        }
    }
}
