import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;

/**
 * gone over HTTP, with nothing but the JDK (17 or newer). One file: copy it, and give it your package.
 *
 * <pre>
 * boolean ran = new Gone("http://gone:8080").once("report", "2026-11-22", Duration.ofSeconds(30), lead -> sendReport(lead.fence()));
 * </pre>
 *
 * As a program: {@code java Gone.java elect|renew|complete|once|submit|work ...}, as at its end.
 */
public final class Gone {
    /** Nobody could tell; the same call may be made again. */
    public static final class Unanswered extends IOException {
        Unanswered(String why) {
            super(why);
        }
    }

    /** The server has answered, and it is no. */
    public static final class Refused extends IOException {
        public final String code;

        Refused(String code, String detail) {
            super(detail);
            this.code = code;
        }
    }

    /** Another leads the round, or may do so: what was done is not reported. */
    public static final class LeadLost extends IOException {
        LeadLost(String why) {
            super(why);
        }
    }

    /** What the work is given: the fence is to be shown where the effect lands; once the lead is lost it must stop. */
    public static final class Lead {
        private final long fence;
        private final Thread working = Thread.currentThread();
        private volatile boolean isLost;
        private boolean hasEnded;

        Lead(long fence) {
            this.fence = fence;
        }

        public long fence() {
            return fence;
        }

        public boolean isLost() {
            return isLost;
        }

        /** Also wakes the work where it waits. */
        synchronized void lose() {
            if (hasEnded) return;
            isLost = true;
            working.interrupt();
        }

        /** What comes after the work is not woken. */
        synchronized void end() {
            hasEnded = true;
            if (isLost) Thread.interrupted();
        }
    }

    /** A job that was taken. */
    public record Job(String system, String round, Object data, int attempt, Lead lead) {}

    @FunctionalInterface
    public interface Work {
        void run(Lead lead) throws Exception;
    }

    @FunctionalInterface
    public interface Handler {
        Object run(Job job) throws Exception;
    }

    /** And when the request was sent that got it: a lease runs from then on, or from later. */
    private record Reply(int status, Map<String, Object> json, long sentAt) {}

    /** What is refused with one of these is refused for good, because another leads or has reported. Anything else says nothing of that. */
    private static final Set<String> LOST = Set.of("COMPLETION_REFUSED", "SUPERSEDED", "ROUND_FINISHED", "NOT_LED");
    /** The server does not keep this result. Anything else, such as a proxy's own page, says nothing of it. */
    private static final Set<String> UNKEPT = Set.of("INVALID_BODY", "BODY_TOO_LARGE");
    private static final Duration TIMEOUT = Duration.ofSeconds(5);
    private final HttpClient http = HttpClient.newBuilder().connectTimeout(TIMEOUT).build();
    private final String url;
    private final String key;
    /** For how long an unanswered call is made again. */
    private final Duration patience = Duration.ofSeconds(20);

    public Gone() {
        this(System.getenv().getOrDefault("GONE_URL", "http://127.0.0.1:8080"), System.getenv("GONE_KEY"));
    }

    public Gone(String url) {
        this(url, null);
    }

    public Gone(String url, String key) {
        this.url = url.replaceAll("/+$", "");
        this.key = key;
    }

    /** The fence if this token leads, else null. The same token is the same candidate. */
    public Long elect(String system, String round, String token, Duration lease) throws IOException, InterruptedException {
        return fenceIn(askToLead(system, round, token, lease));
    }

    private Reply askToLead(String system, String round, String token, Duration lease) throws IOException, InterruptedException {
        String query = lease == null ? "" : "lease=" + lease.toMillis() + "ms";
        return call("POST", path("elect", system, round), query, Map.of("Gone-Candidate", token), null, TIMEOUT, patience);
    }

    private static Long fenceIn(Reply reply) {
        return reply.status == 202 ? (Long) reply.json.get("fence") : null;
    }

    /** False: you do not lead any more, and must stop. */
    public boolean renew(String system, String round, long fence) throws IOException, InterruptedException {
        return isTaken("renew", system, round, fence, null, TIMEOUT, patience);
    }

    /** False: another has reported, or leads. */
    public boolean complete(String system, String round, long fence, Object result) throws IOException, InterruptedException {
        Map<String, Object> body = result == null ? Map.of() : Map.of("result", result);
        return isTaken("complete", system, round, fence, body, TIMEOUT, patience);
    }

    public boolean fail(String system, String round, long fence, String reason) throws IOException, InterruptedException {
        int end = Math.min(1000, reason.length());
        if (end < reason.length() && Character.isHighSurrogate(reason.charAt(end - 1))) end--;
        String cut = reason.isEmpty() ? "failed without a reason" : reason.substring(0, end);
        return isTaken("fail", system, round, fence, Map.of("reason", cut), TIMEOUT, patience);
    }

    /** Runs the work if elected, renews meanwhile and reports how it ended. True if it ran, false if another has the round. */
    public boolean once(String system, String round, Duration lease, Work work) throws Exception {
        Reply reply = askToLead(system, round, token(), lease);
        Long fence = fenceIn(reply);
        if (fence == null) return false;
        run(system, round, new Lead(fence), reply.sentAt, lease, lead -> {
            work.run(lead);
            return null;
        });
        return true;
    }

    /** Lets one worker run the round, however many submit it. Terms: "attempts", 3, "timeout", "30s" ... */
    public Map<String, Object> submit(String system, String round, String worker, Object data, Map<String, Object> terms)
            throws IOException, InterruptedException {
        Map<String, Object> body = new LinkedHashMap<>(terms);
        body.put("worker", worker);
        body.put("data", data);
        return call("POST", path("submit", system, round), "", Map.of(), body, TIMEOUT, patience).json;
    }

    /** The round at its end, or null if the time is up. */
    public Map<String, Object> await(String system, String round, Duration within) throws IOException, InterruptedException {
        long until = System.nanoTime() + within.toNanos();
        while (true) {
            Duration wait = Duration.ofMillis(Math.max(0, Math.min(45_000, (until - System.nanoTime()) / 1_000_000)));
            String query = "wait=" + wait.toMillis() + "ms";
            Map<String, Object> found = call("GET", path("rounds", system, round), query, Map.of(), null, wait.plus(TIMEOUT),
                    wait.plus(patience)).json;
            if (found.get("completion") != null) return found;
            if (System.nanoTime() >= until) return null;
            Thread.sleep(200);
        }
    }

    /** Runs jobs of this worker, one after another, until it is told to stop; a job that runs then is run to its end. */
    public void work(String worker, Duration lease, BooleanSupplier isStopping, Handler handler) throws InterruptedException {
        while (!isStopping.getAsBoolean()) {
            try {
                Duration wait = Duration.ofSeconds(2);
                String query = "wait=2s&lease=" + lease.toMillis() + "ms";
                Reply taken = call("POST", "/api/v1/take/" + escape(worker), query, Map.of("Gone-Candidate", token()), null,
                        wait.plus(TIMEOUT), wait.plus(patience));
                if (taken.status == 204) continue;
                Map<String, Object> json = taken.json;
                String system = (String) json.get("system"), round = (String) json.get("round");
                int attempt = ((Long) json.get("attempt")).intValue();
                run(system, round, new Lead((Long) json.get("fence")), taken.sentAt, lease,
                        lead -> handler.run(new Job(system, round, json.get("data"), attempt, lead)));
            } catch (InterruptedException stop) {
                throw stop;
            } catch (Throwable error) {
                System.err.println(worker + ": " + error.getMessage());
                if (error instanceof Unanswered || error instanceof Refused) Thread.sleep(500);
            }
        }
    }

    /** Makes calls one candidate: a new one for each piece of work. */
    public static String token() {
        return "java-" + ProcessHandle.current().pid() + "-" + UUID.randomUUID();
    }

    private interface Result {
        Object of(Lead lead) throws Exception;
    }

    private void run(String system, String round, Lead lead, long askedAt, Duration lease, Result work) throws Exception {
        CountDownLatch done = new CountDownLatch(1);
        Thread renewing = new Thread(() -> keep(system, round, lead, askedAt, lease.toNanos(), done));
        renewing.setDaemon(true);
        renewing.start();
        Object result = null;
        Throwable failure = null;
        try {
            result = work.of(lead);
            Json.write(result); // what has no JSON is a failure of the work
        } catch (Throwable error) {
            failure = error;
        } finally {
            done.countDown();
            lead.end();
        }
        if (lead.isLost) throw new LeadLost(system + " " + round + ": the lead under fence " + lead.fence + " is lost");
        if (failure != null) {
            try {
                String message = failure.getMessage();
                fail(system, round, lead.fence, message == null || message.isEmpty() ? failure.toString() : message);
            } catch (IOException untold) {
                // The lease or the deadline ends the round; what the work threw says more.
            }
            if (failure instanceof Error error) throw error;
            throw (Exception) failure;
        }
        if (!isCompleted(system, round, lead.fence, result)) throw new LeadLost(system + " " + round + ": another has reported");
    }

    private boolean isCompleted(String system, String round, long fence, Object result) throws IOException, InterruptedException {
        try {
            return complete(system, round, fence, result);
        } catch (Refused refused) {
            if (result == null || !UNKEPT.contains(refused.code)) throw refused;
            // What the server does not keep must not undo the work.
            System.err.println(system + " " + round + ": completed without its result: " + refused.getMessage());
            return complete(system, round, fence, null);
        }
    }

    /** Renews every third of the lease. Gives up before it can have run out: measured from before the request. */
    private void keep(String system, String round, Lead lead, long askedAt, long leaseNs, CountDownLatch done) {
        long heldUntil = askedAt + leaseNs * 9 / 10, nextAt = askedAt + leaseNs / 3;
        try {
            while (!done.await(Math.min(nextAt, heldUntil) - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                long sentAt = System.nanoTime();
                if (sentAt >= heldUntil) {
                    lead.lose();
                    return;
                }
                Duration timeout = Duration.ofNanos(Math.min(heldUntil - sentAt, leaseNs / 3));
                try {
                    if (isTaken("renew", system, round, lead.fence, null, timeout, Duration.ZERO)) {
                        heldUntil = sentAt + leaseNs * 9 / 10;
                        nextAt = sentAt + leaseNs / 3;
                    } else {
                        lead.lose();
                        return;
                    }
                } catch (IOException unanswered) {
                    nextAt = System.nanoTime() + leaseNs / 10;
                }
            }
        } catch (InterruptedException end) {
            lead.lose();
        }
    }

    private boolean isTaken(String verb, String system, String round, long fence, Object body, Duration timeout, Duration patience)
            throws IOException, InterruptedException {
        try {
            call("POST", path(verb, system, round), "", Map.of("Gone-Fence", String.valueOf(fence)), body, timeout, patience);
            return true;
        } catch (Refused refused) {
            if (!LOST.contains(refused.code)) throw refused;
            return false;
        }
    }

    /** One call, made again with the same token while it is not answered. */
    private Reply call(String method, String path, String query, Map<String, String> headers, Object body, Duration timeout,
            Duration patience) throws IOException, InterruptedException {
        long giveUpAt = System.nanoTime() + patience.toNanos();
        for (long pauseMs = 200;; pauseMs = Math.min(2_000, pauseMs * 2)) {
            try {
                return attempt(method, path, query, headers, body, timeout);
            } catch (Unanswered unanswered) {
                if (System.nanoTime() + pauseMs * 1_000_000 >= giveUpAt) throw unanswered;
                Thread.sleep(pauseMs);
            }
        }
    }

    private Reply attempt(String method, String path, String query, Map<String, String> headers, Object body, Duration timeout)
            throws IOException, InterruptedException {
        URI uri = URI.create(url + path + (query.isEmpty() ? "" : "?" + query));
        HttpRequest.Builder request = HttpRequest.newBuilder(uri).header("Accept", "application/json");
        headers.forEach(request::header);
        if (key != null) request.header("Authorization", "Bearer " + key);
        if (body != null) request.header("Content-Type", "application/json");
        request.method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(Json.write(body)));
        long sentAt = System.nanoTime();
        // Its own timeout ends with the headers; this one is of the whole.
        CompletableFuture<HttpResponse<String>> sent = http.sendAsync(request.build(), BodyHandlers.ofString(StandardCharsets.UTF_8));
        HttpResponse<String> reply;
        try {
            reply = sent.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException error) {
            throw new Unanswered(String.valueOf(error.getCause().getMessage()));
        } catch (TimeoutException late) {
            throw new Unanswered("no answer within " + timeout.toMillis() + "ms");
        } finally {
            sent.cancel(true);
        }
        if (reply.statusCode() < 300) return new Reply(reply.statusCode(), Json.object(reply.body()), sentAt);
        Map<String, Object> json = problem(reply.body());
        String detail = String.valueOf(json.getOrDefault("detail", "HTTP " + reply.statusCode()));
        boolean isLater = reply.statusCode() >= 500 || reply.statusCode() == 408 || reply.statusCode() == 429;
        if (Boolean.TRUE.equals(json.getOrDefault("retryable", isLater))) throw new Unanswered(detail);
        // A proxy in between that takes no such body says the status alone.
        String unsaid = reply.statusCode() == 413 ? "BODY_TOO_LARGE" : "";
        throw new Refused(String.valueOf(json.getOrDefault("code", unsaid)), detail);
    }

    /** Empty where it is a page of a proxy. */
    private static Map<String, Object> problem(String text) {
        try {
            return Json.object(text);
        } catch (Unanswered page) {
            return Map.of();
        }
    }

    private static String path(String verb, String system, String round) {
        return "/api/v1/" + verb + "/" + escape(system) + "/" + escape(round);
    }

    private static String escape(String name) {
        return URLEncoder.encode(name, StandardCharsets.UTF_8).replace("+", "%20");
    }

    /** The JDK has no JSON: as much as this needs. Whole numbers are Long, others Double. */
    static final class Json {
        private final String text;
        private int at;

        private Json(String text) {
            this.text = text;
        }

        /** Empty where there is none. */
        @SuppressWarnings("unchecked")
        static Map<String, Object> object(String text) throws Unanswered {
            if (text.isBlank()) return Map.of();
            try {
                return read(text) instanceof Map<?, ?> map ? (Map<String, Object>) map : Map.of();
            } catch (RuntimeException error) {
                throw new Unanswered("the answer is no JSON");
            }
        }

        static Object read(String text) {
            return new Json(text).value();
        }

        /** @throws IllegalArgumentException the value has no JSON */
        static String write(Object value) {
            if (value == null || value instanceof Boolean) return String.valueOf(value);
            if (value instanceof Map<?, ?> map)
                return map.entrySet().stream().map(entry -> write(String.valueOf(entry.getKey())) + ":" + write(entry.getValue()))
                        .collect(Collectors.joining(",", "{", "}"));
            if (value instanceof Collection<?> list) return list.stream().map(Json::write).collect(Collectors.joining(",", "[", "]"));
            if (value instanceof Number number && Double.isFinite(number.doubleValue())) return String.valueOf(number);
            if (!(value instanceof String string)) throw new IllegalArgumentException("not to be written as JSON: " + value);
            StringBuilder quoted = new StringBuilder("\"");
            for (char c : string.toCharArray()) {
                if (c == '"' || c == '\\') quoted.append('\\').append(c);
                else if (c < ' ') quoted.append(String.format("\\u%04x", (int) c));
                else quoted.append(c);
            }
            return quoted.append('"').toString();
        }

        private Object value() {
            switch (next()) {
                case '{': {
                    Map<String, Object> map = new LinkedHashMap<>();
                    for (at++; next() != '}'; skip(',')) {
                        String name = string();
                        skip(':');
                        map.put(name, value());
                    }
                    at++;
                    return map;
                }
                case '[': {
                    List<Object> list = new ArrayList<>();
                    for (at++; next() != ']'; skip(',')) list.add(value());
                    at++;
                    return list;
                }
                case '"':
                    return string();
                default: {
                    int from = at;
                    while (at < text.length() && ",]} \t\r\n".indexOf(text.charAt(at)) < 0) at++;
                    String word = text.substring(from, at);
                    if (word.equals("null")) return null;
                    if (word.equals("true") || word.equals("false")) return word.equals("true");
                    return word.matches("-?\\d+") ? (Object) Long.valueOf(word) : (Object) Double.valueOf(word);
                }
            }
        }

        private String string() {
            StringBuilder string = new StringBuilder();
            next();
            for (at++; text.charAt(at) != '"'; at++) {
                char c = text.charAt(at);
                if (c != '\\') {
                    string.append(c);
                    continue;
                }
                char escaped = text.charAt(++at);
                if (escaped == 'u') {
                    string.append((char) Integer.parseInt(text.substring(at + 1, at + 5), 16));
                    at += 4;
                } else {
                    int known = "bfnrt".indexOf(escaped);
                    string.append(known < 0 ? escaped : "\b\f\n\r\t".charAt(known));
                }
            }
            at++;
            return string.toString();
        }

        private char next() {
            while (Character.isWhitespace(text.charAt(at))) at++;
            return text.charAt(at);
        }

        /** The last of a list has none. */
        private void skip(char separator) {
            if (next() == separator) at++;
        }
    }

    public static void main(String[] words) throws Exception {
        Gone gone = new Gone();
        switch (words.length == 0 ? "" : words[0]) {
            case "elect": { // SYSTEM ROUND TOKEN LEASE
                Long fence = gone.elect(words[1], words[2], words[3], seconds(words[4]));
                System.out.println(fence == null ? "lost" : "leads " + fence);
                break;
            }
            case "renew": // SYSTEM ROUND FENCE
                System.out.println(gone.renew(words[1], words[2], Long.parseLong(words[3])) ? "renewed" : "not renewed");
                break;
            case "complete": { // SYSTEM ROUND FENCE JSON
                boolean isDone = gone.complete(words[1], words[2], Long.parseLong(words[3]), Json.read(words[4]));
                System.out.println(isDone ? "recorded" : "refused");
                break;
            }
            case "once": { // SYSTEM ROUND LEASE SECONDS
                boolean ran = gone.once(words[1], words[2], seconds(words[3]), lead -> {
                    System.out.println("under " + lead.fence());
                    if (words[4].equals("panic")) throw new AssertionError("told to panic");
                    if (words[4].startsWith("fail:")) throw new IllegalStateException(words[4].substring(5));
                    Thread.sleep(seconds(words[4]).toMillis());
                });
                System.out.println(ran ? "ran" : "another has it");
                break;
            }
            case "submit": { // SYSTEM ROUND WORKER JSON
                gone.submit(words[1], words[2], words[3], Json.read(words[4]), Map.of());
                Map<String, Object> ended = gone.await(words[1], words[2], Duration.ofSeconds(60));
                Object result = ((Map<?, ?>) ended.get("completion")).get("result");
                System.out.println(ended.get("state") + " " + Json.write(result));
                break;
            }
            case "work": { // WORKER [LEASE SECONDS]: doubles numbers and texts until it is told to end
                CountDownLatch stopping = new CountDownLatch(1), ended = new CountDownLatch(1);
                Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                    stopping.countDown();
                    try {
                        ended.await();
                    } catch (InterruptedException now) {
                        Thread.currentThread().interrupt();
                    }
                }));
                Duration lease = seconds(words.length > 2 ? words[2] : "30"), takes = seconds(words.length > 3 ? words[3] : "0");
                gone.work(words[1], lease, () -> stopping.getCount() == 0, job -> {
                    long until = System.nanoTime() + takes.toNanos();
                    while (System.nanoTime() < until && !job.lead().isLost()) LockSupport.parkNanos(until - System.nanoTime());
                    return Map.of("doubled", twice(job.data()), "fence", job.lead().fence());
                });
                ended.countDown();
                break;
            }
            default:
                System.err.println("usage: java Gone.java elect|renew|complete|once|submit|work ...");
                System.exit(2);
        }
    }

    private static Object twice(Object data) {
        if (data instanceof Long number) return number * 2;
        if (data instanceof Double number) return number * 2;
        if (data instanceof String text) return text + text;
        throw new IllegalArgumentException("not a number, nor a text");
    }

    private static Duration seconds(String text) {
        return Duration.ofMillis((long) (Double.parseDouble(text) * 1000));
    }
}
