using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using GamingLeaderboard;

/// <summary>
/// The client's own check, without Unity: Check.exe VECTORS [URL API_KEY BOARD]. Folders that end in ~ are not the package's for Unity.
/// </summary>
static class Check
{
    static int Main(string[] words)
    {
        try
        {
            Vectors(Json.Parse(File.ReadAllText(words[0])) as JsonObject);
            Text();
            Calls().GetAwaiter().GetResult();
            if (words.Length > 1) Service(words[1], words[2], words[3]).GetAwaiter().GetResult();
            Console.WriteLine("ok");
            return 0;
        }
        catch (Exception problem)
        {
            Console.Error.WriteLine(problem);
            return 1;
        }
    }

    static void Vectors(JsonObject vectors)
    {
        foreach (JsonObject item in (List<object>)vectors["deltas"])
        {
            var delta = (JsonObject)item["delta"];
            var left = ((List<object>)delta["left"]).Cast<string>();
            Same(Told(RowsOf(item["new"])), Told(Rows.Apply(RowsOf(item["old"]), RowsOf(delta["changed"]), left)), (string)item["name"]);
        }
        foreach (JsonObject item in (List<object>)vectors["tops"]) Same(item["given"], (long)Rows.RoundUp((int)(long)item["asked"]), "a top is rounded up");
    }

    static void Text()
    {
        const string text = "{\"a\":[1,-2.5,true,false,null,\"\\u00e9\\n\\\"\\\\é😀\"],\"b\":{},\"c\":9007199254740991}";
        var value = Json.Parse(text);
        Same(Json.Text(value), Json.Text(Json.Parse(Json.Text(value))), "what is written is read");
        Same(9007199254740991L, ((JsonObject)value)["c"], "whole numbers stay whole");
        foreach (var wrong in new[] { "", "{", "[1,", "[1 2]", "{\"a\"}", "tru", "\"\\u12", "1 2", "-", new string('[', 1000) })
        {
            try
            {
                Json.Parse(wrong);
            }
            catch (FormatException)
            {
                continue;
            }
            throw new Exception("taken for JSON: " + wrong);
        }
    }

    static async Task Calls()
    {
        const string stored = "{\"session_id\":1,\"player\":\"ada\",\"results\":[{\"leaderboard\":\"cup\",\"rank\":1,\"previous_rank\":null}]}";
        var script = new Script("!", "503 {\"code\":\"overloaded\"}", "502 <html>", "201 " + stored);
        var submitted = await script.Client.SubmitScoreAsync(new Submit { Score = 12, GameMode = "x", Leaderboards = new List<string> { "cup" } });
        Same("ada 1", submitted.Player + " " + submitted.Results[0].Rank, "the answer");
        Same(true, submitted.Results[0].PreviousRank == null, "null is null");
        Same(4, script.Asked.Count, "an unclear outcome is tried again");
        Same(1, script.Asked.Select(asked => asked.Headers["Idempotency-Key"]).Distinct().Count(), "with the same key");
        Same("{\"score\":12,\"game_mode\":\"x\",\"leaderboards\":[\"cup\"]}", script.Asked[0].Body, "what is not said is not sent");

        script = new Script("400 {\"code\":\"invalid_body\",\"detail\":\"No.\"}");
        Same("invalid_body", (await Refused(script.Client.SubmitScoreAsync(new Submit()))).Code, "a refusal is thrown at once");
        script = new Script("!", "!");
        await NotAnswered(script.Client.SignInDeviceAsync(new DeviceBody { DeviceId = "d" }));
        Same(1, script.Asked.Count, "a sign-in is not repeated blindly");
        script = new Script("429 {\"code\":\"rate_limited\"}", "200 {\"entries\":[{\"rank\":1,\"player\":\"bo\",\"score\":7}],\"total\":1}");
        var top = await script.Client.TopAsync("a b", limit: 3, ranking: Ranking.Dense);
        Same("http://x/api/v1/leaderboard/a%20b/top/?limit=3&ranking=dense", script.Asked[0].Url, "the address");
        Same("bo 7", top.Entries[0].Player + " " + top.Entries[0].Score, "rows");
        script = new Script("404 {\"code\":\"not_ranked\"}");
        Same(true, await script.Client.RankAsync("cup", "cy") == null, "not ranked is null");
        script = new Script("200 {\"operator\":\"sum\",\"sort_order\":\"sideways\",\"entries\":1}");
        var board = await script.Client.DescribeLeaderboardAsync("cup");
        Same("Sum Unknown", board.Operator + " " + board.SortOrder, "a word that is not known yet");
    }

    static async Task Service(string url, string key, string board)
    {
        var client = new LeaderboardClient(new LeaderboardOptions { Url = url, ApiKey = key });
        var live = new LiveBoard(new LiveOptions { Url = url, Board = board, Top = 3 });
        var seen = new TaskCompletionSource<Standings>();
        live.Changed += standings => { if (standings.Rows.Any(row => row.Player == "mono-ada" && row.Score == 700)) seen.TrySetResult(standings); };
        var living = live.Start();
        foreach (var score in new[] { 300L, 700L })
        {
            var submit = new Submit { Player = "mono-ada", Name = "Ada", Score = score, Leaderboards = new List<string> { board } };
            Same(1L, (await client.SubmitScoreAsync(submit)).Results[0].Rank, "first");
        }
        var batch = await client.SubmitScoresAsync(new Batch { Scores = new List<Submit> { new Submit { Player = "mono-bo", Score = 5, Leaderboards = new List<string> { board } } } });
        Same("mono-bo", batch.Results[0].Player, "a batch");
        Same(700L, (await client.RankAsync(board, "mono-ada")).Score, "rank");
        Same(2, (await client.AroundAsync(board, "mono-ada", limit: 1)).Entries.Count, "around");
        Same(true, await client.RankAsync(board, "mono-nobody") == null, "nobody");
        Same("leaderboard_not_found", (await Refused(client.TopAsync("no-such-board"))).Code, "no board");
        Same(true, await Task.WhenAny(seen.Task, Task.Delay(20000)) == seen.Task, "the live board moves");
        live.Stop();
        await living;
        var unknown = new LiveBoard(new LiveOptions { Url = url, Board = "no-such-board" });
        await unknown.Start();
        Same(LiveState.Refused, unknown.State, "an unknown board is refused");
    }

    static async Task<RefusedException> Refused(Task asked)
    {
        try
        {
            await asked;
        }
        catch (RefusedException refused)
        {
            return refused;
        }
        throw new Exception("not refused");
    }

    static async Task NotAnswered(Task asked)
    {
        try
        {
            await asked;
        }
        catch (NoAnswerException)
        {
            return;
        }
        throw new Exception("answered");
    }

    static List<Row> RowsOf(object rows) => ((List<object>)rows).Cast<JsonObject>().Select(row => new Row
    {
        Rank = (long)row["rank"],
        Player = (string)row["player"],
        Name = (string)row["name"],
        Score = (long)row["score"],
    }).ToList();

    static string Told(IEnumerable<Row> rows) => string.Join(", ", rows.Select(row => row.Rank + " " + row.Player + " " + row.Name + " " + row.Score).ToArray());

    static void Same(object expected, object given, string what)
    {
        if (!Equals(expected, given)) throw new Exception(what + ": expected " + expected + ", not " + given);
    }

    /// <summary>A service that answers as the script says: "status body", or "!" for no answer.</summary>
    sealed class Script : ITransport
    {
        readonly Queue<string> answers;

        internal Script(params string[] answers)
        {
            this.answers = new Queue<string>(answers);
            Client = new LeaderboardClient(new LeaderboardOptions { Url = "http://x/", Transport = this, Wait = (time, cancel) => Task.CompletedTask });
        }

        internal LeaderboardClient Client { get; }
        internal List<Request> Asked { get; } = new List<Request>();

        public Task<Reply> SendAsync(Request request, CancellationToken cancel)
        {
            Asked.Add(request);
            var answer = answers.Dequeue();
            if (answer == "!") throw new IOException("cut off");
            return Task.FromResult(new Reply { Status = int.Parse(answer.Substring(0, 3)), Body = answer.Substring(4) });
        }
    }
}
