using System;
using System.Collections.Generic;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace GamingLeaderboard
{
    public sealed class Request
    {
        public string Method { get; internal set; }
        public string Url { get; internal set; }
        public IDictionary<string, string> Headers { get; internal set; }

        /// <summary>JSON, or null.</summary>
        public string Body { get; internal set; }
    }

    public sealed class Reply
    {
        public int Status { get; set; }
        public string Body { get; set; }
        public TimeSpan? RetryAfter { get; set; }
    }

    /// <summary>What carries a request: HttpClient, or one of your own. Raises what it likes when no answer comes.</summary>
    public interface ITransport
    {
        Task<Reply> SendAsync(Request request, CancellationToken cancel);
    }

    /// <summary>One for all clients of a process: it keeps its connections.</summary>
    public sealed class HttpTransport : ITransport
    {
        public static readonly HttpTransport Shared = new HttpTransport();
        readonly HttpClient http = new HttpClient { Timeout = Timeout.InfiniteTimeSpan }; // the client has its own

        public async Task<Reply> SendAsync(Request request, CancellationToken cancel)
        {
            using (var message = new HttpRequestMessage(new HttpMethod(request.Method), request.Url))
            {
                foreach (var header in request.Headers) message.Headers.TryAddWithoutValidation(header.Key, header.Value);
                if (request.Body != null) message.Content = Content(request.Body);
                using (var response = await http.SendAsync(message, cancel).ConfigureAwait(false))
                {
                    var body = response.Content == null ? "" : await response.Content.ReadAsStringAsync().ConfigureAwait(false);
                    return new Reply { Status = (int)response.StatusCode, Body = body, RetryAfter = response.Headers.RetryAfter?.Delta };
                }
            }
        }

        static HttpContent Content(string body)
        {
            var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            return content;
        }
    }
}
