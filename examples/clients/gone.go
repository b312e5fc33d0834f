// gone over HTTP, with nothing but Go's standard library. One file: copy it, and give it the name of your package.
//
//	done, err := New("http://gone:8080").Once(ctx, "report", "2026-11-22", 30*time.Second, func(ctx context.Context, fence int64) error {
//		return sendReport(ctx, fence)
//	})
//
// As a program: gone elect|renew|complete|once|submit|work ..., as at its end.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrLeadLost: another leads the round, or may do so: what was done is not reported.
var ErrLeadLost = errors.New("the lead is lost")

// Unanswered: nobody could tell; the same call may be made again.
type Unanswered struct{ Why string }

func (e *Unanswered) Error() string { return "not answered: " + e.Why }

// Refused: the server has answered, and it is no. It is ErrLeadLost where another leads or has reported, and else says nothing of that.
type Refused struct{ Code, Detail string }

func (e *Refused) Error() string { return e.Detail }

func (e *Refused) Is(target error) bool {
	switch e.Code {
	case "COMPLETION_REFUSED", "SUPERSEDED", "ROUND_FINISHED", "NOT_LED":
		return target == ErrLeadLost
	}
	return false
}

// isUnkept: the server does not keep this result. Anything else, such as a proxy's own page, says nothing of it.
func (e *Refused) isUnkept() bool { return e.Code == "INVALID_BODY" || e.Code == "BODY_TOO_LARGE" }

// Gone is a client of a server.
type Gone struct {
	URL string
	Key string
	// Patience is for how long an unanswered call is made again.
	Patience time.Duration
}

// New is a client of this server; where it is empty, of GONE_URL, with the key of GONE_KEY.
func New(server string) *Gone {
	for _, each := range []string{os.Getenv("GONE_URL"), "http://127.0.0.1:8080"} {
		if server == "" {
			server = each
		}
	}
	return &Gone{URL: strings.TrimRight(server, "/"), Key: os.Getenv("GONE_KEY"), Patience: 20 * time.Second}
}

// Round is what is known of a round; a part of it.
type Round struct {
	State      string
	Fence      int64
	Completion *struct {
		Outcome, By, Reason string
		Result              json.RawMessage
	}
}

// Job is one that was taken.
type Job struct {
	System, Round string
	Data          json.RawMessage
	Attempt       int
	Fence         int64
}

// Token makes calls one candidate: a new one for each piece of work.
func Token() string {
	host, _ := os.Hostname()
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		panic(err)
	}
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), hex.EncodeToString(random))
}

// Elect asks for the lead: the fence, and whether this token leads. The same token is the same candidate.
func (g *Gone) Elect(ctx context.Context, system, round, token string, lease time.Duration) (int64, bool, error) {
	fence, answer, err := g.elect(ctx, system, round, token, lease)
	return fence, answer.status == http.StatusAccepted, err
}

func (g *Gone) elect(ctx context.Context, system, round, token string, lease time.Duration) (int64, answered, error) {
	query := url.Values{}
	if lease > 0 {
		query.Set("lease", millis(lease))
	}
	var led Round
	answer, err := g.ask(ctx, call{verb: "elect", system: system, round: round, token: token, query: query}, &led)
	return led.Fence, answer, err
}

// Renew is a leader's sign of life. ErrLeadLost says: stop.
func (g *Gone) Renew(ctx context.Context, system, round string, fence int64) error {
	_, err := g.ask(ctx, call{verb: "renew", system: system, round: round, fence: fence}, nil)
	return err
}

// Complete reports the work as done. ErrLeadLost says that another has reported, or leads.
func (g *Gone) Complete(ctx context.Context, system, round string, fence int64, result any) error {
	body := map[string]any{}
	if result != nil {
		body["result"] = result
	}
	_, err := g.ask(ctx, call{verb: "complete", system: system, round: round, fence: fence, body: body}, nil)
	return err
}

// Fail reports that the work was given up.
func (g *Gone) Fail(ctx context.Context, system, round string, fence int64, reason string) error {
	if len(reason) > 1000 {
		reason = strings.ToValidUTF8(reason[:1000], "")
	}
	if reason == "" {
		reason = "failed without a reason"
	}
	body := map[string]any{"reason": reason}
	_, err := g.ask(ctx, call{verb: "fail", system: system, round: round, fence: fence, body: body}, nil)
	return err
}

// Once runs the work if elected, renews meanwhile and reports how it ended. True if it ran, false if another has the round. The work's
// context ends when it must stop; its fence is to be shown where the effect lands.
func (g *Gone) Once(ctx context.Context, system, round string, lease time.Duration, work func(context.Context, int64) error) (bool, error) {
	fence, answer, err := g.elect(ctx, system, round, Token(), lease)
	if err != nil || answer.status != http.StatusAccepted {
		return false, err
	}
	return true, g.run(ctx, Job{System: system, Round: round, Fence: fence}, answer.sentAt, lease, func(ctx context.Context) (any, error) {
		return nil, work(ctx, fence)
	})
}

// Submit lets one worker run the round, however many submit it. Terms: "attempts": 3, "timeout": "30s" ...; may be nil.
func (g *Gone) Submit(ctx context.Context, system, round, worker string, data any, terms map[string]any) (Round, error) {
	body := map[string]any{"worker": worker, "data": data}
	for name, value := range terms {
		body[name] = value
	}
	var submitted Round
	_, err := g.ask(ctx, call{verb: "submit", system: system, round: round, body: body}, &submitted)
	return submitted, err
}

// Wait is the round at its end. It ends with the context.
func (g *Gone) Wait(ctx context.Context, system, round string) (Round, error) {
	for {
		var found Round
		_, err := g.ask(ctx, call{verb: "rounds", method: "GET", system: system, round: round, wait: 45 * time.Second}, &found)
		if err != nil || found.Completion != nil {
			return found, err
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// Work runs jobs of this worker, one after another, until the context ends; a job that runs then is run to its end.
func (g *Gone) Work(ctx context.Context, worker string, lease time.Duration, handler func(context.Context, Job) (any, error)) {
	for ctx.Err() == nil {
		var job Job
		query := url.Values{"lease": {millis(lease)}}
		path := "/api/v1/take/" + url.PathEscape(worker)
		// Not ended by the context: what was taken is to be run.
		answer, err := g.ask(context.Background(), call{path: path, token: Token(), query: query, wait: 2 * time.Second}, &job)
		if err == nil && answer.status == http.StatusOK {
			err = g.run(context.Background(), job, answer.sentAt, lease, func(ctx context.Context) (any, error) { return handler(ctx, job) })
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, worker+":", err)
			pause(ctx, 500*time.Millisecond)
		}
	}
}

func (g *Gone) run(ctx context.Context, job Job, askedAt time.Time, lease time.Duration, work func(context.Context) (any, error)) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	// The work may go on for a while where the caller's context ends, and is led until it has ended.
	ended, end := context.WithCancel(context.Background())
	defer end()
	renewed := make(chan bool, 1)
	go func() { renewed <- g.keep(ended, job, askedAt, lease, stop) }()
	defer func() {
		if thrown := recover(); thrown != nil {
			_ = g.Fail(context.Background(), job.System, job.Round, job.Fence, fmt.Sprint("panic: ", thrown))
			panic(thrown)
		}
	}()
	result, failure := work(working)
	if failure == nil {
		// What has no JSON is a failure of the work.
		_, failure = json.Marshal(result)
	}
	end()
	if isLost := <-renewed; isLost {
		return fmt.Errorf("%s %s: %w", job.System, job.Round, ErrLeadLost)
	}
	if failure != nil {
		// Where this cannot be told, the lease or the deadline ends the round; what the work returned says more.
		_ = g.Fail(context.Background(), job.System, job.Round, job.Fence, failure.Error())
		return failure
	}
	err := g.Complete(context.Background(), job.System, job.Round, job.Fence, result)
	var refused *Refused
	if result != nil && errors.As(err, &refused) && refused.isUnkept() {
		// What the server does not keep must not undo the work.
		fmt.Fprintf(os.Stderr, "%s %s: completed without its result: %s\n", job.System, job.Round, err)
		err = g.Complete(context.Background(), job.System, job.Round, job.Fence, nil)
	}
	return err
}

// keep renews every third of the lease until the work has ended; true if the lead is lost. Gives up before the lease can have run
// out: measured from before the request.
func (g *Gone) keep(ended context.Context, job Job, askedAt time.Time, lease time.Duration, stop func()) bool {
	heldUntil, next := askedAt.Add(lease*9/10), time.Until(askedAt.Add(lease/3))
	for {
		if left := time.Until(heldUntil); next > left {
			next = left
		}
		if pause(ended, next); ended.Err() != nil {
			return false
		}
		sentAt := time.Now()
		left := heldUntil.Sub(sentAt)
		if left <= 0 {
			stop()
			return true
		}
		if left > lease/3 {
			left = lease / 3
		}
		asked := call{verb: "renew", system: job.System, round: job.Round, fence: job.Fence, timeout: left, isOnce: true}
		_, err := g.ask(ended, asked, nil)
		switch {
		case err == nil:
			heldUntil, next = sentAt.Add(lease*9/10), time.Until(sentAt.Add(lease/3))
		case errors.Is(err, ErrLeadLost):
			isLost := ended.Err() == nil
			stop()
			return isLost
		default:
			next = lease / 10
		}
	}
}

// Follows nothing: a POST would become a GET.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

type call struct {
	verb, system, round, path, method, token string
	fence                                    int64
	query                                    url.Values
	body                                     any
	timeout, wait                            time.Duration
	isOnce                                   bool
}

// answered tells of the request that got the answer; a lease runs from then on, or from later.
type answered struct {
	status int
	sentAt time.Time
}

// ask makes one call, and makes it again with the same token while it is not answered.
func (g *Gone) ask(ctx context.Context, asked call, answer any) (answered, error) {
	giveUpAt, wait := time.Now().Add(g.Patience+asked.wait), 200*time.Millisecond
	for {
		sentAt := time.Now()
		status, err := g.try(ctx, asked, answer)
		var unanswered *Unanswered
		if !errors.As(err, &unanswered) || asked.isOnce || time.Now().Add(wait).After(giveUpAt) || ctx.Err() != nil {
			return answered{status, sentAt}, err
		}
		pause(ctx, wait)
		if wait *= 2; wait > 2*time.Second {
			wait = 2 * time.Second
		}
	}
}

func (g *Gone) try(ctx context.Context, asked call, answer any) (int, error) {
	request, err := g.request(asked)
	if err != nil {
		return 0, err
	}
	if asked.timeout == 0 {
		asked.timeout = asked.wait + 5*time.Second
	}
	within, done := context.WithTimeout(ctx, asked.timeout)
	defer done()
	reply, err := client.Do(request.WithContext(within))
	if err != nil {
		return 0, &Unanswered{err.Error()}
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return 0, &Unanswered{err.Error()}
	}
	if reply.StatusCode < 300 {
		if answer != nil && len(text) > 0 && json.Unmarshal(text, answer) != nil {
			return 0, &Unanswered{"the answer is no JSON"}
		}
		return reply.StatusCode, nil
	}
	problem := struct {
		Code, Detail string
		Retryable    *bool
	}{Detail: reply.Status}
	_ = json.Unmarshal(text, &problem)
	isLater := reply.StatusCode >= 500 || reply.StatusCode == http.StatusRequestTimeout || reply.StatusCode == http.StatusTooManyRequests
	if problem.Retryable != nil {
		isLater = *problem.Retryable
	}
	if isLater {
		return 0, &Unanswered{problem.Detail}
	}
	if problem.Code == "" && reply.StatusCode == http.StatusRequestEntityTooLarge {
		problem.Code = "BODY_TOO_LARGE" // a proxy in between takes no such body
	}
	return 0, &Refused{problem.Code, problem.Detail}
}

func (g *Gone) request(asked call) (*http.Request, error) {
	path := asked.path
	if path == "" {
		path = "/api/v1/" + asked.verb + "/" + url.PathEscape(asked.system) + "/" + url.PathEscape(asked.round)
	}
	method := asked.method
	if method == "" {
		method = http.MethodPost
	}
	query := url.Values{}
	for name, values := range asked.query {
		query[name] = values
	}
	if asked.wait > 0 {
		query.Set("wait", millis(asked.wait))
	}
	var body io.Reader
	if asked.body != nil {
		text, err := json.Marshal(asked.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, g.URL+path+"?"+query.Encode(), body)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"Accept": "application/json", "Gone-Candidate": asked.token} {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	if asked.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if asked.fence != 0 {
		request.Header.Set("Gone-Fence", strconv.FormatInt(asked.fence, 10))
	}
	if g.Key != "" {
		request.Header.Set("Authorization", "Bearer "+g.Key)
	}
	return request, nil
}

func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func millis(duration time.Duration) string {
	return strconv.FormatInt(duration.Milliseconds(), 10) + "ms"
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: gone elect|renew|complete|once|submit|work ...")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := play(ctx, New(""), os.Args[1], append(os.Args[2:], "", "", "")); err != nil {
		fmt.Fprintln(os.Stderr, "gone:", err)
		os.Exit(1)
	}
}

func play(ctx context.Context, gone *Gone, verb string, words []string) error {
	fence, _ := strconv.ParseInt(words[2], 10, 64)
	switch verb {
	case "elect": // SYSTEM ROUND TOKEN LEASE
		fence, leads, err := gone.Elect(ctx, words[0], words[1], words[2], seconds(words[3]))
		return say(err, map[bool]string{true: fmt.Sprint("leads ", fence), false: "lost"}[leads])
	case "renew": // SYSTEM ROUND FENCE
		return yesOrNo(gone.Renew(ctx, words[0], words[1], fence), "renewed", "not renewed")
	case "complete": // SYSTEM ROUND FENCE JSON
		return yesOrNo(gone.Complete(ctx, words[0], words[1], fence, json.RawMessage(words[3])), "recorded", "refused")
	case "once": // SYSTEM ROUND LEASE SECONDS
		ran, err := gone.Once(ctx, words[0], words[1], seconds(words[2]), func(ctx context.Context, fence int64) error {
			fmt.Println("under", fence)
			if words[3] == "panic" {
				panic("told to panic")
			}
			if strings.HasPrefix(words[3], "fail:") {
				return errors.New(strings.TrimPrefix(words[3], "fail:"))
			}
			pause(ctx, seconds(words[3]))
			return nil
		})
		return say(err, map[bool]string{true: "ran", false: "another has it"}[ran])
	case "submit": // SYSTEM ROUND WORKER JSON
		if _, err := gone.Submit(ctx, words[0], words[1], words[2], json.RawMessage(words[3]), nil); err != nil {
			return err
		}
		ended, err := gone.Wait(ctx, words[0], words[1])
		if err != nil {
			return err
		}
		return say(nil, ended.State+" "+string(ended.Completion.Result))
	case "work": // WORKER [LEASE SECONDS]: doubles numbers and texts until it is told to end
		lease := seconds(words[1])
		if lease == 0 {
			lease = 30 * time.Second
		}
		gone.Work(ctx, words[0], lease, func(ctx context.Context, job Job) (any, error) {
			pause(ctx, seconds(words[2]))
			doubled, err := double(job.Data)
			return map[string]any{"doubled": doubled, "fence": job.Fence}, err
		})
		return nil
	}
	return errors.New("no such word: " + verb)
}

func double(data json.RawMessage) (any, error) {
	var value any
	_ = json.Unmarshal(data, &value)
	switch value := value.(type) {
	case float64:
		return value * 2, nil
	case string:
		return value + value, nil
	}
	return nil, errors.New("not a number, nor a text")
}

func say(err error, text string) error {
	if err == nil {
		fmt.Println(text)
	}
	return err
}

func yesOrNo(err error, yes, no string) error {
	if errors.Is(err, ErrLeadLost) {
		return say(nil, no)
	}
	return say(err, yes)
}

func seconds(text string) time.Duration {
	number, _ := strconv.ParseFloat(text, 64)
	return time.Duration(number * float64(time.Second))
}
