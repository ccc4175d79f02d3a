using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net.WebSockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace GamingLeaderboard
{
    public sealed class LiveOptions
    {
        /// <summary>Where the service is: https://scores.example</summary>
        public string Url { get; set; }

        public string Board { get; set; }

        /// <summary>Rows wanted, 1 to 100.</summary>
        public int Top { get; set; } = 10;

        /// <summary>Opens a private board, and names the player whose own rows are followed.</summary>
        public string Ticket { get; set; }

        /// <summary>Tell how many watch and how many scores come in: Pulsed.</summary>
        public bool Pulse { get; set; }

        /// <summary>Rows either side of `Player`, 1 to 10: SurroundingsChanged and Overtaken. 0: none.</summary>
        public int Around { get; set; }

        /// <summary>Whose surroundings; if null, those of the ticket's player.</summary>
        public string Player { get; set; }
    }

    public enum LiveState
    {
        Connecting,
        Live,
        /// <summary>Connected, but the service's own feed is away.</summary>
        Paused,
        /// <summary>Before the next attempt.</summary>
        Waiting,
        /// <summary>Asking again changes nothing.</summary>
        Refused,
    }

    public sealed class Standings
    {
        public List<Row> Rows { get; internal set; }
        public long Total { get; internal set; }
        public string Season { get; internal set; }
        public Position Position { get; internal set; }
    }

    public sealed class Pulse
    {
        public long Watching { get; internal set; }

        /// <summary>Null: not known yet.</summary>
        public long? ScoresPerMinute { get; internal set; }
    }

    public sealed class Surroundings
    {
        public string Player { get; internal set; }

        /// <summary>Null: not ranked.</summary>
        public long? Rank { get; internal set; }

        public long Total { get; internal set; }
        public List<Row> Entries { get; internal set; }
    }

    public sealed class Overtake
    {
        public long? Rank { get; internal set; }
        public long? PreviousRank { get; internal set; }
        public List<string> PassedBy { get; internal set; }
        public List<string> Passed { get; internal set; }
    }

    /// <summary>
    /// A board that keeps itself up to date. It resumes after a lost connection from where it was, asks for a snapshot when a frame is
    /// missing, and comes back with pauses that grow at random. Its events come on the thread that called Start, as Unity needs it.
    /// </summary>
    public sealed class LiveBoard : IDisposable
    {
        // The service speaks at least every 10 s; two missed heartbeats and a half are no accident.
        static readonly TimeSpan Quiet = TimeSpan.FromSeconds(25);
        static readonly TimeSpan Answer = TimeSpan.FromSeconds(8);
        static readonly TimeSpan Steady = TimeSpan.FromSeconds(5);
        static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(20);
        static readonly HashSet<int> FinalCodes = new HashSet<int> { 4400, 4401, 4403, 4404 };
        const int TooMany = 4429;
        const int TooManyAttempt = 4;
        const int LargestFrame = 1 << 20; // bytes; a hundred rows are 30,000

        readonly LiveOptions options;
        readonly int top;
        CancellationTokenSource running;
        ClientWebSocket socket;
        Position? position; // none before the first snapshot and after a gap: then deltas don't apply
        bool isFeedAway;
        TimeSpan asked;

        public LiveBoard(LiveOptions options)
        {
            this.options = options;
            top = Rows.RoundUp(options.Top);
        }

        /// <summary>The present ones; null before the first snapshot.</summary>
        public Standings Standings { get; private set; }

        public LiveState State { get; private set; }

        public event Action<Standings> Changed = delegate { };
        public event Action<LiveState> StateChanged = delegate { };
        public event Action<Pulse> Pulsed = delegate { };
        public event Action<Surroundings> SurroundingsChanged = delegate { };
        public event Action<Overtake> Overtaken = delegate { };

        /// <summary>Ends when Stop is called, or when the service refuses the board.</summary>
        public async Task Start()
        {
            Stop();
            running = new CancellationTokenSource();
            var cancel = running.Token;
            for (var attempt = 0; !cancel.IsCancellationRequested; attempt++)
            {
                var began = DateTime.UtcNow;
                var code = await LiveUntilLost(cancel);
                if (cancel.IsCancellationRequested) return;
                if (FinalCodes.Contains(code))
                {
                    Tell(LiveState.Refused);
                    return;
                }
                if (DateTime.UtcNow - began > Steady) attempt = 0; // it was a good one: start again from short waits
                if (code == TooMany) attempt = Math.Max(attempt, TooManyAttempt);
                Tell(LiveState.Waiting);
                await Pause(attempt, cancel);
            }
        }

        /// <summary>Let go of the socket; Start resumes where it was.</summary>
        public void Stop()
        {
            running?.Cancel();
            running = null;
        }

        public void Dispose() => Stop();

        async Task Pause(int attempt, CancellationToken cancel)
        {
            var pause = Backoff.Of(attempt, LongestWait);
            try
            {
                await Task.Delay(asked > pause ? asked : pause, cancel);
            }
            catch (OperationCanceledException)
            {
            }
        }

        /// <summary>The close code; 0 where the line was lost.</summary>
        async Task<int> LiveUntilLost(CancellationToken cancel)
        {
            isFeedAway = false;
            asked = TimeSpan.Zero;
            using (socket = new ClientWebSocket())
            {
                try
                {
                    Tell(LiveState.Connecting);
                    await Open(cancel);
                    for (var text = await Receive(cancel); text != null; text = await Receive(cancel)) await Hear(text, cancel);
                    return (int)(socket.CloseStatus ?? 0);
                }
                catch (Exception problem) when (IsOfTheLine(problem))
                {
                    return (int)(socket.CloseStatus ?? 0);
                }
            }
        }

        static bool IsOfTheLine(Exception problem)
        {
            return problem is WebSocketException || problem is IOException || problem is OperationCanceledException || problem is FormatException;
        }

        async Task Open(CancellationToken cancel)
        {
            if (options.Ticket != null)
            {
                socket.Options.AddSubProtocol("leaderboard.v1");
                socket.Options.AddSubProtocol("ticket." + options.Ticket);
            }
            using (var limit = Limit(Answer, cancel)) await socket.ConnectAsync(new Uri(Address()), limit.Token);
            if (position != null) await Subscribe(cancel);
        }

        /// <summary>By the path a snapshot comes unasked, and a refusal is a close code; the bare address takes `since`.</summary>
        string Address()
        {
            var url = "ws" + options.Url.TrimEnd('/').Substring("http".Length);
            if (position != null) return url + "/ws/";
            var wishes = Wishes().Select(wish => "&" + wish.Key + "=" + (wish.Value is bool ? "1" : Call.Escaped(wish.Value)));
            return url + "/ws/leaderboard/" + Call.Escaped(options.Board) + "/?top=" + top + string.Concat(wishes.ToArray());
        }

        JsonObject Wishes()
        {
            var wishes = new JsonObject();
            if (options.Pulse) wishes["pulse"] = true;
            if (options.Around <= 0) return wishes;
            wishes["around"] = (long)options.Around;
            if (options.Player != null) wishes["player"] = options.Player;
            else wishes["own"] = true;
            return wishes;
        }

        /// <summary>Nothing is sent to one who missed nothing; the pong behind the subscription tells that it was heard.</summary>
        async Task Subscribe(CancellationToken cancel)
        {
            var command = Wishes();
            command["type"] = "subscribe";
            command["leaderboard"] = options.Board;
            command["top"] = (long)top;
            if (position is Position held) command["since"] = new JsonObject { { "epoch", held.Epoch }, { "offset", held.Offset } };
            await Send(command, cancel);
            await Send(new JsonObject { { "type", "ping" } }, cancel);
        }

        Task Send(JsonObject command, CancellationToken cancel)
        {
            var bytes = new ArraySegment<byte>(Encoding.UTF8.GetBytes(Json.Text(command)));
            return socket.SendAsync(bytes, WebSocketMessageType.Text, true, cancel);
        }

        /// <summary>The next message; null when the service has closed.</summary>
        async Task<string> Receive(CancellationToken cancel)
        {
            var buffer = new ArraySegment<byte>(new byte[8192]);
            using (var message = new MemoryStream())
            using (var limit = Limit(position == null && !isFeedAway ? Answer : Quiet, cancel))
            {
                while (true)
                {
                    var part = await socket.ReceiveAsync(buffer, limit.Token);
                    if (part.MessageType == WebSocketMessageType.Close) return null;
                    message.Write(buffer.Array, 0, part.Count);
                    if (message.Length > LargestFrame) throw new IOException("A frame of more than " + LargestFrame + " bytes");
                    if (part.EndOfMessage) return Encoding.UTF8.GetString(message.ToArray());
                }
            }
        }

        static CancellationTokenSource Limit(TimeSpan time, CancellationToken cancel)
        {
            var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            limit.CancelAfter(time);
            return limit;
        }

        async Task Hear(string text, CancellationToken cancel)
        {
            if (!(Json.Parse(text) is JsonObject message)) return;
            switch (message.Text("type"))
            {
                case "pong": Answered(); break;
                case "heartbeat": await Compare(message.Any("positions") as JsonObject, cancel); break;
                case "status": Feed(message.OptionalTruth("live") ?? true); break;
                case "bye": asked = TimeSpan.FromMilliseconds(Math.Min(LongestWait.TotalMilliseconds, message.Real("retry_in_ms"))); break;
                case "error": position = null; break; // a close code may follow and say more; else the board is asked for anew
                default: await Take(message, cancel); break;
            }
        }

        async Task Take(JsonObject message, CancellationToken cancel)
        {
            if (message.Text("leaderboard") != options.Board) return;
            switch (message.Text("type"))
            {
                case "snapshot": Snapshot(message); break;
                case "delta": await Delta(message, cancel); break;
                case "pulse": Pulsed(PulseOf(message)); break;
                case "around": SurroundingsChanged(SurroundingsOf(message)); break;
                case "overtake": Overtaken(OvertakeOf(message)); break;
            }
        }

        void Answered()
        {
            if (position != null) Tell(isFeedAway ? LiveState.Paused : LiveState.Live);
        }

        void Feed(bool isLive)
        {
            isFeedAway = !isLive;
            Tell(isLive ? LiveState.Live : LiveState.Paused);
        }

        void Snapshot(JsonObject frame)
        {
            if (frame.Whole("top") != top) return;
            Show(frame, RowsOf(frame, "entries"));
            Tell(isFeedAway ? LiveState.Paused : LiveState.Live);
        }

        async Task Delta(JsonObject frame, CancellationToken cancel)
        {
            if (frame.Whole("top") != top || !(position is Position held)) return;
            var fit = Rows.Relation(held, PositionOf(frame));
            if (fit == Relation.Gap) await StartOver(cancel);
            if (fit != Relation.Next) return;
            Show(frame, Rows.Apply(Standings.Rows, RowsOf(frame, "changed"), frame.ListOf("left", player => (string)player)));
            Feed(true);
        }

        void Show(JsonObject frame, List<Row> rows)
        {
            position = PositionOf(frame);
            Standings = new Standings
            {
                Rows = rows,
                Total = frame.Whole("total"),
                Season = frame.Text("season"),
                Position = position.Value,
            };
            Changed(Standings);
        }

        /// <summary>A heartbeat comes behind the frames it counts: a position ahead of ours means that the last of them was lost.</summary>
        async Task Compare(JsonObject positions, CancellationToken cancel)
        {
            if (!(positions?.Any(options.Board) is JsonObject theirs) || !(position is Position held)) return;
            if (Rows.Relation(held, PositionOf(theirs)) != Relation.Known) await StartOver(cancel);
        }

        Task StartOver(CancellationToken cancel)
        {
            position = null;
            return Subscribe(cancel);
        }

        void Tell(LiveState state)
        {
            if (State == state && state != LiveState.Connecting) return;
            State = state;
            StateChanged(state);
        }

        static Position PositionOf(JsonObject data) => new Position(data.Text("epoch"), data.Whole("offset"));

        static List<Row> RowsOf(JsonObject frame, string name) => frame.ListOf(name, row => Row.From((JsonObject)row));

        static Pulse PulseOf(JsonObject message) => new Pulse
        {
            Watching = message.Whole("watching"),
            ScoresPerMinute = message.OptionalWhole("scores_per_minute"),
        };

        static Surroundings SurroundingsOf(JsonObject message) => new Surroundings
        {
            Player = message.Text("player"),
            Rank = message.OptionalWhole("rank"),
            Total = message.Whole("total"),
            Entries = RowsOf(message, "entries"),
        };

        static Overtake OvertakeOf(JsonObject message) => new Overtake
        {
            Rank = message.OptionalWhole("rank"),
            PreviousRank = message.OptionalWhole("previous_rank"),
            PassedBy = NamesOf(message, "passed_by"),
            Passed = NamesOf(message, "passed"),
        };

        static List<string> NamesOf(JsonObject message, string name) => message.ListOf(name, player => ((JsonObject)player).Text("name"));
    }
}
