#!/usr/bin/env php
<?php
/*
 * gone over HTTP, with nothing but PHP (8.1 or newer). One file: copy it.
 *
 *     require 'gone.php';
 *     (new Gone('http://gone:8080'))->once('report', '2026-11-22', function (Lead $lead) {
 *         foreach (batches() as $batch) { send($batch, $lead->fence); $lead->keep(); }
 *     });
 *
 * PHP does one thing at a time, so nothing renews behind the work's back: the work calls keep() between its steps, at
 * least every half of the lease. As a program: gone.php elect|renew|complete|once|submit|work ..., as at its end.
 */
declare(strict_types=1);

/** Nobody could tell; the same call may be made again. */
class Unanswered extends RuntimeException
{
}

/** The server has answered, and it is no. */
class Refused extends RuntimeException
{
    /** With one of these it is refused for good, because another leads or has reported. Anything else says nothing of that. */
    private const LOST = ['COMPLETION_REFUSED', 'SUPERSEDED', 'ROUND_FINISHED', 'NOT_LED'];
    /** The server does not keep this result. Anything else, such as a proxy's own page, says nothing of it. */
    private const UNKEPT = ['INVALID_BODY', 'BODY_TOO_LARGE'];
    public readonly bool $isLost;
    public readonly bool $isUnkept;

    public function __construct(public readonly ?string $problem, string $detail)
    {
        parent::__construct($detail);
        $this->isLost = in_array($problem, self::LOST, true);
        $this->isUnkept = in_array($problem, self::UNKEPT, true);
    }
}

/** Another leads the round, or may do so: what was done is not reported. */
class LeadLost extends RuntimeException
{
}

/** What the work is given. */
class Lead
{
    private float $heldUntil;
    private float $renewAt;

    /** @param int $fence show it where the effect lands, and refuse lower ones there */
    public function __construct(
        private readonly Gone $gone,
        public readonly string $system,
        public readonly string $round,
        public readonly int $fence,
        private readonly float $lease,
        float $askedAt,
        public readonly mixed $data = null,
        public readonly int $attempt = 1,
    ) {
        $this->hold($askedAt);
    }

    /** To be called between the steps of the work: renews where that is due. @throws LeadLost then stop */
    public function keep(): void
    {
        if (Gone::now() < $this->renewAt) {
            return;
        }
        $sentAt = Gone::now();
        try {
            $timeout = min($this->heldUntil - $sentAt, $this->lease / 3);
            $isHeld = $timeout > 0 && $this->gone->renew($this->system, $this->round, $this->fence, 0.0, $timeout);
            if ($isHeld) {
                $this->hold($sentAt);
                return;
            }
        } catch (Unanswered | Refused) {
            // Asked again at the next step, for as long as the lease cannot have run out.
            if (Gone::now() < $this->heldUntil) {
                return;
            }
        }
        throw new LeadLost("$this->system $this->round: the lead under fence $this->fence is lost");
    }

    private function hold(float $since): void
    {
        $this->heldUntil = $since + 0.9 * $this->lease;
        $this->renewAt = $since + $this->lease / 3;
    }
}

class Gone
{
    private string $url;
    private ?string $key;

    /** @param float $patience the seconds for which an unanswered call is made again */
    public function __construct(?string $url = null, ?string $key = null, private readonly float $patience = 20.0)
    {
        $this->url = rtrim($url ?? (getenv('GONE_URL') ?: 'http://127.0.0.1:8080'), '/');
        $this->key = $key ?? (getenv('GONE_KEY') ?: null);
    }

    /** The fence if this token leads, else null. The same token is the same candidate. */
    public function elect(string $system, string $round, ?string $token = null, ?float $lease = null): ?int
    {
        return $this->askToLead($system, $round, $token, $lease)[0];
    }

    /** And when the request was sent that was answered: the lease runs from then on, or from later. */
    private function askToLead(string $system, string $round, ?string $token, ?float $lease): array
    {
        $query = $lease === null ? [] : ['lease' => self::ms($lease)];
        $headers = ['Gone-Candidate: ' . ($token ?? self::token())];
        [$status, $record, $sentAt] = $this->ask('elect', $system, $round, $headers, $query);
        return [$status === 202 ? $record['fence'] : null, $sentAt];
    }

    /** False: you do not lead any more, and must stop. */
    public function renew(string $system, string $round, int $fence, ?float $patience = null, float $timeout = 5.0): bool
    {
        return $this->isTaken('renew', $system, $round, $fence, null, $patience, 'POST', $timeout);
    }

    /** False: another has reported, or leads. */
    public function complete(string $system, string $round, int $fence, mixed $result = null): bool
    {
        return $this->isTaken('complete', $system, $round, $fence, (object) ($result === null ? [] : ['result' => $result]));
    }

    public function fail(string $system, string $round, int $fence, string $reason): bool
    {
        $cut = $reason === '' ? 'failed without a reason' : substr($reason, 0, 1000);
        return $this->isTaken('fail', $system, $round, $fence, ['reason' => $cut]);
    }

    /** Runs the work if elected: true if it ran, false if another has the round. @throws LeadLost */
    public function once(string $system, string $round, callable $work, float $lease = 30.0): bool
    {
        [$fence, $askedAt] = $this->askToLead($system, $round, null, $lease);
        if ($fence === null) {
            return false;
        }
        $this->run(new Lead($this, $system, $round, $fence, $lease, $askedAt), function (Lead $lead) use ($work) {
            $work($lead);
            return null;
        });
        return true;
    }

    /** Lets one worker run the round, however many submit it. Terms: ['attempts' => 3, 'timeout' => '30s'] ... */
    public function submit(string $system, string $round, string $worker, mixed $data = null, array $terms = []): array
    {
        $body = ['worker' => $worker, 'data' => $data] + $terms;
        return $this->ask('submit', $system, $round, [], [], $body)[1];
    }

    /** The round at its end, or null if the time is up. */
    public function wait(string $system, string $round, float $seconds = 3600.0): ?array
    {
        $until = self::now() + $seconds;
        while (true) {
            $wait = max(0.0, min(45.0, $until - self::now()));
            $limits = [$this->patience + $wait, 'GET', $wait + 5.0];
            [, $record] = $this->ask('rounds', $system, $round, [], ['wait' => self::ms($wait)], null, ...$limits);
            if (isset($record['completion'])) {
                return $record;
            }
            if (self::now() >= $until) {
                return null;
            }
            usleep(200_000);
        }
    }

    /** Runs jobs of this worker, one after another, until stop() says so. The handler is given a Lead with its data. */
    public function work(string $worker, callable $handler, callable $stop, float $lease = 30.0): void
    {
        while (!$stop()) {
            $query = ['lease' => self::ms($lease), 'wait' => '2s'];
            $headers = ['Gone-Candidate: ' . self::token()];
            $limits = [$this->patience + 2.0, 'POST', 7.0];
            try {
                [$status, $job, $askedAt] = $this->call('/api/v1/take/' . rawurlencode($worker), $headers, $query, null, ...$limits);
                if ($status === 204) {
                    continue;
                }
                $lead = new Lead($this, $job['system'], $job['round'], $job['fence'], $lease, $askedAt, $job['data'], $job['attempt']);
                $this->run($lead, $handler);
            } catch (Throwable $error) {
                fwrite(STDERR, "$worker: {$error->getMessage()}\n");
                if ($error instanceof Unanswered || $error instanceof Refused) {
                    usleep(500_000);
                }
            }
        }
    }

    public static function token(): string
    {
        return gethostname() . '-' . getmypid() . '-' . bin2hex(random_bytes(8));
    }

    public static function now(): float
    {
        return hrtime(true) / 1e9;
    }

    private function run(Lead $lead, callable $work): void
    {
        try {
            $result = $work($lead);
            self::written($result); // what has no JSON is a failure of the work
        } catch (LeadLost $lost) {
            throw $lost;
        } catch (Throwable $error) {
            try {
                $this->fail($lead->system, $lead->round, $lead->fence, $error->getMessage() ?: $error::class);
            } catch (Unanswered | Refused) {
                // The lease or the deadline ends the round; what the work raised says more.
            }
            throw $error;
        }
        if (!$this->isCompleted($lead, $result)) {
            throw new LeadLost("$lead->system $lead->round: another has reported");
        }
    }

    private function isCompleted(Lead $lead, mixed $result): bool
    {
        try {
            return $this->complete($lead->system, $lead->round, $lead->fence, $result);
        } catch (Refused $refused) {
            if ($result === null || !$refused->isUnkept) {
                throw $refused;
            }
            // What the server does not keep must not undo the work.
            fwrite(STDERR, "$lead->system $lead->round: completed without its result: {$refused->getMessage()}\n");
            return $this->complete($lead->system, $lead->round, $lead->fence);
        }
    }

    private function isTaken(string $verb, string $system, string $round, int $fence, mixed ...$rest): bool
    {
        try {
            $this->ask($verb, $system, $round, ["Gone-Fence: $fence"], [], ...$rest);
            return true;
        } catch (Refused $refused) {
            if (!$refused->isLost) {
                throw $refused;
            }
            return false;
        }
    }

    private function ask(string $verb, string $system, string $round, mixed ...$rest): array
    {
        return $this->call('/api/v1/' . $verb . '/' . rawurlencode($system) . '/' . rawurlencode($round), ...$rest);
    }

    /** One call, made again with the same token while it is not answered: its status and JSON, and when it was sent. */
    private function call(
        string $path,
        array $headers = [],
        array $query = [],
        mixed $body = null,
        ?float $patience = null,
        string $method = 'POST',
        float $timeout = 5.0,
    ): array {
        $giveUpAt = self::now() + ($patience ?? $this->patience);
        for ($pause = 0.2; ; $pause = min(2.0, $pause * 2)) {
            $sentAt = self::now();
            try {
                return [...$this->try($path, $headers, $query, $body, $method, $timeout), $sentAt];
            } catch (Unanswered $error) {
                if (self::now() + $pause >= $giveUpAt) {
                    throw $error;
                }
                usleep((int) ($pause * 1e6));
            }
        }
    }

    private function try(string $path, array $headers, array $query, mixed $body, string $method, float $timeout): array
    {
        $headers[] = 'Accept: application/json';
        if ($this->key !== null) {
            $headers[] = "Authorization: Bearer $this->key";
        }
        if ($body !== null) {
            $headers[] = 'Content-Type: application/json';
        }
        $http = ['method' => $method, 'header' => $headers, 'timeout' => $timeout, 'ignore_errors' => true, 'follow_location' => 0];
        $http['content'] = $body === null ? '' : self::written($body);
        $url = $this->url . $path . ($query === [] ? '' : '?' . http_build_query($query));
        [$status, $text] = self::fetch($url, stream_context_create(['http' => $http]), self::now() + $timeout);
        $json = json_decode($text, true);
        if ($status < 300 && ($text === '' || $json !== null)) {
            return [$status, $json];
        }
        $detail = $json['detail'] ?? "HTTP $status";
        $isLater = $status >= 500 || $status === 408 || $status === 429;
        if ($status < 300 || ($json['retryable'] ?? $isLater)) {
            throw new Unanswered($detail);
        }
        // A proxy in between that takes no such body says the status alone.
        throw new Refused($json['code'] ?? ($status === 413 ? 'BODY_TOO_LARGE' : null), $detail);
    }

    /** The status and the text of an answer that is here by then: PHP's own timeout is of each byte. */
    private static function fetch(string $url, $context, float $giveUpAt): array
    {
        $stream = @fopen($url, 'r', false, $context);
        $first = $stream ? stream_get_meta_data($stream)['wrapper_data'][0] ?? '' : '';
        if (!preg_match('~^HTTP/\S+ (\d+)~', $first, $match)) {
            throw new Unanswered(error_get_last()['message'] ?? 'no answer');
        }
        stream_set_blocking($stream, false);
        for ($text = ''; !feof($stream); $text .= $part) {
            $part = @fread($stream, 8192);
            if ($part === false || self::now() >= $giveUpAt) {
                throw new Unanswered('no whole answer in time');
            }
            if ($part === '') {
                usleep(5_000);
            }
        }
        return [(int) $match[1], $text];
    }

    private static function written(mixed $value): string
    {
        return json_encode($value, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE);
    }

    private static function ms(float $seconds): string
    {
        return (int) ($seconds * 1000) . 'ms';
    }
}

if (realpath($argv[0] ?? '') === __FILE__) {
    $gone = new Gone();
    [, $verb] = $argv + [1 => ''];
    $words = array_slice($argv, 2);
    switch ($verb) {
        case 'elect': // SYSTEM ROUND TOKEN LEASE
            $fence = $gone->elect($words[0], $words[1], $words[2], (float) $words[3]);
            echo $fence === null ? "lost\n" : "leads $fence\n";
            break;
        case 'renew': // SYSTEM ROUND FENCE
            echo $gone->renew($words[0], $words[1], (int) $words[2]) ? "renewed\n" : "not renewed\n";
            break;
        case 'complete': // SYSTEM ROUND FENCE JSON
            $done = $gone->complete($words[0], $words[1], (int) $words[2], json_decode($words[3], true));
            echo $done ? "recorded\n" : "refused\n";
            break;
        case 'once': // SYSTEM ROUND LEASE SECONDS
            $ran = $gone->once($words[0], $words[1], function (Lead $lead) use ($words) {
                echo "under $lead->fence\n";
                if ($words[3] === 'panic') {
                    throw new Error('told to panic');
                }
                if (str_starts_with($words[3], 'fail:')) {
                    throw new RuntimeException(substr($words[3], 5));
                }
                for ($left = (float) $words[3]; $left > 0; $left -= 0.05) {
                    usleep(50_000);
                    $lead->keep();
                }
            }, (float) $words[2]);
            echo $ran ? "ran\n" : "another has it\n";
            break;
        case 'submit': // SYSTEM ROUND WORKER JSON
            $gone->submit($words[0], $words[1], $words[2], json_decode($words[3], true));
            $ended = $gone->wait($words[0], $words[1], 60.0);
            echo "{$ended['state']} " . json_encode($ended['completion']['result'] ?? null) . "\n";
            break;
        case 'work': // WORKER [LEASE SECONDS]: doubles numbers and texts until it is told to end
            $stopping = false;
            if (function_exists('pcntl_async_signals')) {
                pcntl_async_signals(true);
                foreach ([SIGTERM, SIGINT] as $signal) {
                    pcntl_signal($signal, function () use (&$stopping) {
                        $stopping = true;
                    });
                }
            }
            [, $lease, $takes] = $words + [1 => '30', 2 => '0'];
            $gone->work($words[0], function (Lead $job) use ($takes) {
                for ($left = (float) $takes; $left > 0; $left -= 0.05) {
                    usleep(50_000);
                    $job->keep();
                }
                if (!is_int($job->data) && !is_float($job->data) && !is_string($job->data)) {
                    throw new InvalidArgumentException('not a number, nor a text');
                }
                return ['doubled' => is_string($job->data) ? $job->data . $job->data : $job->data * 2, 'fence' => $job->fence];
            }, function () use (&$stopping) {
                return $stopping;
            }, (float) $lease);
            break;
        default:
            fwrite(STDERR, "usage: gone.php elect|renew|complete|once|submit|work ...\n");
            exit(2);
    }
}
