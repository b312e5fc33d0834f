using System;
using System.Collections;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http;
using System.Runtime.ExceptionServices;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

/// <summary>
/// gone over HTTP, with nothing but .NET's own library: .NET 6 or newer, .NET Framework 4.7.2, Mono 6. One file: copy it, and give it your namespace.
///
///     bool ran = await new Gone("http://gone:8080").Once("report", "2026-11-22", TimeSpan.FromSeconds(30), lead => SendReport(lead.Fence, lead.Lost));
///
/// As a program: mcs -define:GONE_PROGRAM -r:System.Net.Http Gone.cs, then mono Gone.exe elect|renew|complete|once|submit|work ..., as at its end.
/// </summary>
public sealed class Gone
{
    /// <summary>Nobody could tell; the same call may be made again.</summary>
    public sealed class Unanswered : Exception
    {
        internal Unanswered(string why) : base(why) { }
    }

    /// <summary>The server has answered, and it is no.</summary>
    public sealed class Refused : Exception
    {
        public string Code { get; }

        internal Refused(string code, string detail) : base(detail)
        {
            Code = code;
        }
    }

    /// <summary>Another leads the round, or may do so: what was done is not reported.</summary>
    public sealed class LeadLost : Exception
    {
        internal LeadLost(string why) : base(why) { }
    }

    /// <summary>What the work is given: the fence is to be shown where the effect lands; once Lost is cancelled it must stop.</summary>
    public sealed class Lead
    {
        public long Fence { get; }
        public CancellationToken Lost { get; }

        internal Lead(long fence, CancellationToken lost)
        {
            Fence = fence;
            Lost = lost;
        }
    }

    /// <summary>A job that was taken.</summary>
    public sealed class Job
    {
        public string System { get; internal set; }
        public string Round { get; internal set; }
        public object Data { get; internal set; }
        public int Attempt { get; internal set; }
        public Lead Lead { get; internal set; }
    }

    private sealed class Reply
    {
        internal int Status;
        internal Dictionary<string, object> Json;
        /// <summary>When the request was sent that got it: a lease runs from then on, or from later.</summary>
        internal Clock Sent;
    }

    /// <summary>What is refused with one of these is refused for good, because another leads or has reported. Anything else says nothing of that.</summary>
    private static readonly HashSet<string> Lost = new HashSet<string> { "COMPLETION_REFUSED", "SUPERSEDED", "ROUND_FINISHED", "NOT_LED" };
    /// <summary>The server does not keep this result. Anything else, such as a proxy's own page, says nothing of it.</summary>
    private static readonly HashSet<string> Unkept = new HashSet<string> { "INVALID_BODY", "BODY_TOO_LARGE" };
    private static readonly TimeSpan Usual = TimeSpan.FromSeconds(5);
    private readonly HttpClient http;
    private readonly string url;
    private readonly string key;
    /// <summary>For how long an unanswered call is made again.</summary>
    private readonly TimeSpan patience = TimeSpan.FromSeconds(20);

    /// <summary>Where it is not said: GONE_URL and GONE_KEY of the environment.</summary>
    public Gone(string url = null, string key = null)
    {
        this.url = (url ?? Environment.GetEnvironmentVariable("GONE_URL") ?? "http://127.0.0.1:8080").TrimEnd('/');
        this.key = key ?? Environment.GetEnvironmentVariable("GONE_KEY");
        // The Framework's own bound is two connections a server: renewals would wait behind what waits for jobs.
        var handler = new HttpClientHandler { AllowAutoRedirect = false, MaxConnectionsPerServer = 100 };
        http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>The fence if this token leads, else null. The same token is the same candidate.</summary>
    public async Task<long?> Elect(string system, string round, string token, TimeSpan? lease = null)
    {
        return FenceIn(await AskToLead(system, round, token, lease).ConfigureAwait(false));
    }

    private Task<Reply> AskToLead(string system, string round, string token, TimeSpan? lease)
    {
        string query = lease == null ? "" : "lease=" + Millis(lease.Value);
        return Call("POST", Path("elect", system, round), query, "Gone-Candidate", token, null, Usual, patience);
    }

    private static long? FenceIn(Reply reply)
    {
        return reply.Status == 202 ? (long?)reply.Json["fence"] : null;
    }

    /// <summary>False: you do not lead any more, and must stop.</summary>
    public Task<bool> Renew(string system, string round, long fence)
    {
        return IsTaken("renew", system, round, fence, null, Usual, patience);
    }

    /// <summary>False: another has reported, or leads.</summary>
    public Task<bool> Complete(string system, string round, long fence, object result = null)
    {
        var body = new Dictionary<string, object>();
        if (result != null) body["result"] = result;
        return IsTaken("complete", system, round, fence, body, Usual, patience);
    }

    public Task<bool> Fail(string system, string round, long fence, string reason)
    {
        int cut = Math.Min(1000, reason.Length);
        if (cut < reason.Length && char.IsHighSurrogate(reason[cut - 1])) cut--;
        var body = new Dictionary<string, object> { { "reason", cut == 0 ? "failed without a reason" : reason.Substring(0, cut) } };
        return IsTaken("fail", system, round, fence, body, Usual, patience);
    }

    /// <summary>Runs the work if elected, renews meanwhile and reports how it ended. True if it ran, false if another has the round.</summary>
    public async Task<bool> Once(string system, string round, TimeSpan lease, Func<Lead, Task> work)
    {
        Reply reply = await AskToLead(system, round, NewToken(), lease).ConfigureAwait(false);
        long? fence = FenceIn(reply);
        if (fence == null) return false;
        await Run(system, round, fence.Value, reply.Sent, lease, async lead =>
        {
            await work(lead).ConfigureAwait(false);
            return null;
        }).ConfigureAwait(false);
        return true;
    }

    /// <summary>Lets one worker run the round, however many submit it. Terms: { "attempts", 3 }, { "timeout", "30s" } ...</summary>
    public async Task<Dictionary<string, object>> Submit(string system, string round, string worker, object data, IDictionary<string, object> terms = null)
    {
        var body = new Dictionary<string, object>(terms ?? new Dictionary<string, object>()) { ["worker"] = worker, ["data"] = data };
        return (await Call("POST", Path("submit", system, round), "", null, null, body, Usual, patience).ConfigureAwait(false)).Json;
    }

    /// <summary>The round at its end, or null if the time is up.</summary>
    public async Task<Dictionary<string, object>> Wait(string system, string round, TimeSpan within)
    {
        Clock until = Clock.Now + within;
        while (true)
        {
            TimeSpan wait = Shorter(until - Clock.Now, TimeSpan.FromSeconds(45));
            string query = "wait=" + Millis(wait);
            Reply found = await Call("GET", Path("rounds", system, round), query, null, null, null, wait + Usual, wait + patience).ConfigureAwait(false);
            if (found.Json.ContainsKey("completion")) return found.Json;
            if (Clock.Now - until >= TimeSpan.Zero) return null;
            await Task.Delay(200).ConfigureAwait(false);
        }
    }

    /// <summary>Runs jobs of this worker, one after another, until it is told to stop; a job that runs then is run to its end.</summary>
    public async Task Work(string worker, TimeSpan lease, CancellationToken stopping, Func<Job, Task<object>> handler)
    {
        while (!stopping.IsCancellationRequested)
        {
            bool isToPause = false;
            try
            {
                TimeSpan wait = TimeSpan.FromSeconds(2);
                string path = "/api/v1/take/" + Uri.EscapeDataString(worker), query = "wait=2s&lease=" + Millis(lease);
                Reply taken = await Call("POST", path, query, "Gone-Candidate", NewToken(), null, wait + Usual, wait + patience).ConfigureAwait(false);
                if (taken.Status == 204) continue;
                var job = new Job
                {
                    System = (string)taken.Json["system"],
                    Round = (string)taken.Json["round"],
                    Data = taken.Json["data"],
                    Attempt = (int)(long)taken.Json["attempt"],
                };
                await Run(job.System, job.Round, (long)taken.Json["fence"], taken.Sent, lease, lead =>
                {
                    job.Lead = lead;
                    return handler(job);
                }).ConfigureAwait(false);
            }
            catch (Exception error)
            {
                Console.Error.WriteLine(worker + ": " + error.Message);
                isToPause = error is Unanswered || error is Refused;
            }
            if (isToPause) await Task.Delay(500).ConfigureAwait(false);
        }
    }

    /// <summary>Makes calls one candidate: a new one for each piece of work.</summary>
    public static string NewToken()
    {
        return "csharp-" + Environment.MachineName + "-" + Guid.NewGuid().ToString("N");
    }

    private async Task Run(string system, string round, long fence, Clock asked, TimeSpan lease, Func<Lead, Task<object>> work)
    {
        // Neither is disposed of: a renewal may be under way when the work has ended, and is not waited for.
        var lost = new CancellationTokenSource();
        var done = new CancellationTokenSource();
        // On another thread, because work may well hold this one.
        _ = Task.Run(() => Keep(system, round, fence, asked, lease, lost, done.Token));
        object result = null;
        Exception failure = null;
        try
        {
            result = await work(new Lead(fence, lost.Token)).ConfigureAwait(false);
            Json.Write(result); // what has no JSON is a failure of the work
        }
        catch (Exception error)
        {
            failure = error;
        }
        bool isLost = lost.IsCancellationRequested;
        done.Cancel();
        lost.CancelAfter(Timeout.InfiniteTimeSpan);
        if (isLost) throw new LeadLost(system + " " + round + ": the lead under fence " + fence + " is lost");
        if (failure != null)
        {
            try
            {
                await Fail(system, round, fence, failure.Message).ConfigureAwait(false);
            }
            catch (Exception untold) when (untold is Unanswered || untold is Refused)
            {
                // The lease or the deadline ends the round; what the work threw says more.
            }
            ExceptionDispatchInfo.Capture(failure).Throw();
        }
        if (!await IsCompleted(system, round, fence, result).ConfigureAwait(false)) throw new LeadLost(system + " " + round + ": another has reported");
    }

    private async Task<bool> IsCompleted(string system, string round, long fence, object result)
    {
        try
        {
            return await Complete(system, round, fence, result).ConfigureAwait(false);
        }
        catch (Refused refused) when (result != null && Unkept.Contains(refused.Code))
        {
            // What the server does not keep must not undo the work.
            Console.Error.WriteLine(system + " " + round + ": completed without its result: " + refused.Message);
        }
        return await Complete(system, round, fence).ConfigureAwait(false);
    }

    /// <summary>
    /// Renews every third of the lease. A timer beside that gives up before the lease can have run out, however long a renewal takes: measured from
    /// before the request.
    /// </summary>
    private async Task Keep(string system, string round, long fence, Clock asked, TimeSpan lease, CancellationTokenSource lost, CancellationToken done)
    {
        TimeSpan sure = Part(lease, 0.9), third = Part(lease, 1.0 / 3);
        lost.CancelAfter(Shorter(asked + sure - Clock.Now, lease));
        Clock next = asked + third;
        while (!await IsDone(Shorter(next - Clock.Now, lease), done).ConfigureAwait(false) && !lost.IsCancellationRequested)
        {
            Clock sent = Clock.Now;
            try
            {
                bool isHeld = await IsTaken("renew", system, round, fence, null, third, TimeSpan.Zero).ConfigureAwait(false);
                if (done.IsCancellationRequested) return;
                if (!isHeld)
                {
                    lost.Cancel();
                    return;
                }
                lost.CancelAfter(Shorter(sent + sure - Clock.Now, lease));
                next = sent + third;
            }
            catch (Exception untold) when (untold is Unanswered || untold is Refused)
            {
                next = Clock.Now + Part(lease, 0.1);
            }
        }
    }

    private static async Task<bool> IsDone(TimeSpan within, CancellationToken done)
    {
        try
        {
            await Task.Delay(within, done).ConfigureAwait(false);
            return done.IsCancellationRequested;
        }
        catch (OperationCanceledException)
        {
            return true;
        }
    }

    private async Task<bool> IsTaken(string verb, string system, string round, long fence, object body, TimeSpan timeout, TimeSpan patience)
    {
        try
        {
            string shown = fence.ToString(CultureInfo.InvariantCulture);
            await Call("POST", Path(verb, system, round), "", "Gone-Fence", shown, body, timeout, patience).ConfigureAwait(false);
            return true;
        }
        catch (Refused refused) when (Lost.Contains(refused.Code))
        {
            return false;
        }
    }

    /// <summary>One call, made again with the same token while it is not answered.</summary>
    private async Task<Reply> Call(string method, string path, string query, string header, string value, object body, TimeSpan timeout, TimeSpan patience)
    {
        Clock giveUp = Clock.Now + patience;
        for (int pauseMs = 200; ; pauseMs = Math.Min(2_000, pauseMs * 2))
        {
            try
            {
                return await Attempt(method, path, query, header, value, body, timeout).ConfigureAwait(false);
            }
            catch (Unanswered)
            {
                if (giveUp - Clock.Now <= TimeSpan.FromMilliseconds(pauseMs)) throw;
            }
            await Task.Delay(pauseMs).ConfigureAwait(false);
        }
    }

    private async Task<Reply> Attempt(string method, string path, string query, string header, string value, object body, TimeSpan timeout)
    {
        Clock sent = Clock.Now;
        using (var request = new HttpRequestMessage(new HttpMethod(method), url + path + (query == "" ? "" : "?" + query)))
        using (var late = new CancellationTokenSource(timeout))
        {
            request.Headers.TryAddWithoutValidation("Accept", "application/json");
            if (header != null) request.Headers.TryAddWithoutValidation(header, value);
            if (key != null) request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + key);
            if (body != null) request.Content = new StringContent(Json.Write(body), new UTF8Encoding(false), "application/json");
            int status;
            string text;
            try
            {
                // Its text is read within the same time: that is what HttpClient does before it gives the reply back.
                using (HttpResponseMessage reply = await http.SendAsync(request, late.Token).ConfigureAwait(false))
                {
                    status = (int)reply.StatusCode;
                    text = reply.Content == null ? "" : await reply.Content.ReadAsStringAsync().ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException)
            {
                throw new Unanswered("no answer within " + Millis(timeout));
            }
            catch (HttpRequestException error)
            {
                throw new Unanswered((error.InnerException ?? error).Message);
            }
            if (status < 300) return new Reply { Status = status, Json = Json.Members(text), Sent = sent };
            Dictionary<string, object> json = Problem(text);
            string detail = json.TryGetValue("detail", out object said) ? said as string : "HTTP " + status;
            bool isLater = status >= 500 || status == 408 || status == 429;
            bool isRetryable = json.TryGetValue("retryable", out object again) ? Equals(again, true) : isLater;
            if (isRetryable) throw new Unanswered(detail);
            // A proxy in between that takes no such body says the status alone.
            string unsaid = status == 413 ? "BODY_TOO_LARGE" : null;
            throw new Refused(json.TryGetValue("code", out object code) ? code as string : unsaid, detail);
        }
    }

    /// <summary>Empty where it is a page of a proxy.</summary>
    private static Dictionary<string, object> Problem(string text)
    {
        try
        {
            return Json.Members(text);
        }
        catch (Unanswered)
        {
            return new Dictionary<string, object>();
        }
    }

    private static string Path(string verb, string system, string round)
    {
        return "/api/v1/" + verb + "/" + Uri.EscapeDataString(system) + "/" + Uri.EscapeDataString(round);
    }

    private static string Millis(TimeSpan span)
    {
        return ((long)span.TotalMilliseconds).ToString(CultureInfo.InvariantCulture) + "ms";
    }

    private static TimeSpan Part(TimeSpan whole, double share)
    {
        return TimeSpan.FromTicks((long)(whole.Ticks * share));
    }

    /// <summary>Never less than nothing.</summary>
    private static TimeSpan Shorter(TimeSpan one, TimeSpan other)
    {
        TimeSpan less = one < other ? one : other;
        return less < TimeSpan.Zero ? TimeSpan.Zero : less;
    }

    /// <summary>A time of the clock that nobody sets.</summary>
    private struct Clock
    {
        private TimeSpan since;

        internal static Clock Now => new Clock { since = TimeSpan.FromSeconds(Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency) };

        public static Clock operator +(Clock clock, TimeSpan span)
        {
            return new Clock { since = clock.since + span };
        }

        public static TimeSpan operator -(Clock one, Clock other)
        {
            return one.since - other.since;
        }
    }

    /// <summary>What every .NET has of JSON is not the same: as much as this needs. Whole numbers are long, others double.</summary>
    internal sealed class Json
    {
        private readonly string text;
        private int at;

        private Json(string text)
        {
            this.text = text;
        }

        /// <summary>None where there is no object.</summary>
        internal static Dictionary<string, object> Members(string text)
        {
            try
            {
                object value = string.IsNullOrWhiteSpace(text) ? null : Read(text);
                return value as Dictionary<string, object> ?? new Dictionary<string, object>();
            }
            catch (FormatException)
            {
                throw new Unanswered("the answer is no JSON");
            }
        }

        /// <exception cref="FormatException">the text is no JSON</exception>
        internal static object Read(string text)
        {
            try
            {
                return new Json(text).Value();
            }
            catch (Exception error) when (error is IndexOutOfRangeException || error is ArgumentException || error is OverflowException)
            {
                throw new FormatException("no JSON: it ends too early", error);
            }
        }

        internal static string Write(object value)
        {
            var text = new StringBuilder();
            Write(text, value);
            return text.ToString();
        }

        private static void Write(StringBuilder to, object value)
        {
            if (value == null) to.Append("null");
            else if (value is string text) Quote(to, text);
            else if (value is bool claim) to.Append(claim ? "true" : "false");
            else if ((value is double || value is float) && !double.IsNaN(Convert.ToDouble(value)) && !double.IsInfinity(Convert.ToDouble(value)))
                to.Append(((IFormattable)value).ToString("R", CultureInfo.InvariantCulture));
            else if (value is decimal || value is long || value is int || value is short || value is byte)
                to.Append(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture));
            else if (value is IDictionary map)
            {
                string before = "{";
                foreach (DictionaryEntry entry in map)
                {
                    to.Append(before);
                    Quote(to, (string)entry.Key);
                    to.Append(':');
                    Write(to, entry.Value);
                    before = ",";
                }
                to.Append(map.Count == 0 ? "{}" : "}");
            }
            else if (value is IEnumerable list)
            {
                to.Append('[');
                string before = "";
                foreach (object one in list)
                {
                    to.Append(before);
                    Write(to, one);
                    before = ",";
                }
                to.Append(']');
            }
            else throw new ArgumentException("not to be written as JSON: expected null, text, a bool, a number, a dictionary or a list, got " + value);
        }

        private static void Quote(StringBuilder to, string text)
        {
            to.Append('"');
            foreach (char c in text)
            {
                if (c == '"' || c == '\\') to.Append('\\').Append(c);
                else if (c < ' ') to.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
                else to.Append(c);
            }
            to.Append('"');
        }

        private object Value()
        {
            switch (Next())
            {
                case '{':
                    var map = new Dictionary<string, object>();
                    for (at++; Next() != '}'; Skip(','))
                    {
                        string name = Text();
                        Skip(':');
                        map[name] = Value();
                    }
                    at++;
                    return map;
                case '[':
                    var list = new List<object>();
                    for (at++; Next() != ']'; Skip(',')) list.Add(Value());
                    at++;
                    return list;
                case '"':
                    return Text();
                default:
                    int from = at;
                    while (at < text.Length && ",]} \t\r\n".IndexOf(text[at]) < 0) at++;
                    return Word(text.Substring(from, at - from));
            }
        }

        private static object Word(string word)
        {
            if (word == "null") return null;
            if (word == "true" || word == "false") return word == "true";
            if (long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole)) return whole;
            return double.Parse(word, NumberStyles.Float, CultureInfo.InvariantCulture);
        }

        private string Text()
        {
            var read = new StringBuilder();
            Next();
            for (at++; text[at] != '"'; at++)
            {
                char c = text[at];
                if (c != '\\')
                {
                    read.Append(c);
                    continue;
                }
                char escaped = text[++at];
                if (escaped == 'u')
                {
                    read.Append((char)int.Parse(text.Substring(at + 1, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
                    at += 4;
                }
                else
                {
                    int known = "bfnrt".IndexOf(escaped);
                    read.Append(known < 0 ? escaped : "\b\f\n\r\t"[known]);
                }
            }
            at++;
            return read.ToString();
        }

        private char Next()
        {
            while (char.IsWhiteSpace(text[at])) at++;
            return text[at];
        }

        /// <summary>The last of a list has none.</summary>
        private void Skip(char separator)
        {
            if (Next() == separator) at++;
        }
    }
}

#if GONE_PROGRAM
public static class GoneProgram
{
    public static int Main(string[] words)
    {
        try
        {
            return Run(new Gone(), words).GetAwaiter().GetResult();
        }
        catch (Exception error)
        {
            Console.Error.WriteLine(error.Message);
            return 1;
        }
    }

    private static async Task<int> Run(Gone gone, string[] words)
    {
        switch (words.Length == 0 ? "" : words[0])
        {
            case "elect": // SYSTEM ROUND TOKEN LEASE
                long? fence = await gone.Elect(words[1], words[2], words[3], Seconds(words[4]));
                Console.WriteLine(fence == null ? "lost" : "leads " + fence);
                return 0;
            case "renew": // SYSTEM ROUND FENCE
                Console.WriteLine(await gone.Renew(words[1], words[2], long.Parse(words[3])) ? "renewed" : "not renewed");
                return 0;
            case "complete": // SYSTEM ROUND FENCE JSON
                bool isDone = await gone.Complete(words[1], words[2], long.Parse(words[3]), Gone.Json.Read(words[4]));
                Console.WriteLine(isDone ? "recorded" : "refused");
                return 0;
            case "once": // SYSTEM ROUND LEASE SECONDS
                bool ran = await gone.Once(words[1], words[2], Seconds(words[3]), async lead =>
                {
                    Console.WriteLine("under " + lead.Fence);
                    if (words[4] == "panic") throw new StackOverflowException("told to panic");
                    if (words[4].StartsWith("fail:", StringComparison.Ordinal)) throw new InvalidOperationException(words[4].Substring(5));
                    await Task.Delay(Seconds(words[4]), lead.Lost);
                });
                Console.WriteLine(ran ? "ran" : "another has it");
                return 0;
            case "submit": // SYSTEM ROUND WORKER JSON
                await gone.Submit(words[1], words[2], words[3], Gone.Json.Read(words[4]));
                Dictionary<string, object> ended = await gone.Wait(words[1], words[2], TimeSpan.FromSeconds(60));
                var completion = (Dictionary<string, object>)ended["completion"];
                completion.TryGetValue("result", out object result);
                Console.WriteLine(ended["state"] + " " + Gone.Json.Write(result));
                return 0;
            case "work": // WORKER [LEASE SECONDS]: doubles numbers and texts until it is told to end
                await Double(gone, words[1], Seconds(words.Length > 2 ? words[2] : "30"), Seconds(words.Length > 3 ? words[3] : "0"));
                return 0;
            default:
                Console.Error.WriteLine("usage: Gone.exe elect|renew|complete|once|submit|work ...");
                return 2;
        }
    }

    private static async Task Double(Gone gone, string worker, TimeSpan lease, TimeSpan takes)
    {
        // Neither is disposed of: the process is told of its exit after this.
        var stopping = new CancellationTokenSource();
        var ended = new ManualResetEventSlim();
        // SIGTERM, which .NET makes this of; Mono ends at once.
        AppDomain.CurrentDomain.ProcessExit += (sender, exit) =>
        {
            stopping.Cancel();
            ended.Wait();
        };
        Console.CancelKeyPress += (sender, press) =>
        {
            press.Cancel = true;
            stopping.Cancel();
        };
        await gone.Work(worker, lease, stopping.Token, async job =>
        {
            await Task.Delay(takes, job.Lead.Lost);
            return new Dictionary<string, object> { { "doubled", Twice(job.Data) }, { "fence", job.Lead.Fence } };
        });
        ended.Set();
    }

    private static object Twice(object data)
    {
        if (data is long whole) return whole * 2;
        if (data is double number) return number * 2;
        if (data is string text) return text + text;
        throw new ArgumentException("not a number, nor a text");
    }

    private static TimeSpan Seconds(string text)
    {
        return TimeSpan.FromSeconds(double.Parse(text, CultureInfo.InvariantCulture));
    }
}
#endif
