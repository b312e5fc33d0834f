#!/usr/bin/env python3
"""gone over HTTP, with nothing but Python's standard library (3.8 or newer). One file: copy it.

    from gone import Gone
    Gone("http://gone:8080").once("report", "2026-11-22", lambda lead: send_report(lead.fence))

As a program: gone.py elect|renew|complete|once|submit|work ..., as at its end. A worker that is listed by `gone fleet` and takes its
orders is examples/worker.py.
"""

import http.client
import json
import os
import secrets
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request


class Unanswered(Exception):
    """Nobody could tell; the same call may be made again."""


class Refused(Exception):
    """The server has answered, and it is no."""

    def __init__(self, code, detail):
        super().__init__(detail)
        self.code = code


class LeadLost(Exception):
    """Another leads the round, or may do so: what was done is not reported."""


# What is refused with one of these is refused for good, because another leads or has reported. Anything else says nothing of that.
LOST = ("COMPLETION_REFUSED", "SUPERSEDED", "ROUND_FINISHED", "NOT_LED")
# The server does not keep this result. Anything else, such as a proxy's own page, says nothing of it.
UNKEPT = ("INVALID_BODY", "BODY_TOO_LARGE")


class Lead:
    """What the work is given; of a job also its data."""

    def __init__(self, system, round_, fence, data=None, attempt=1):
        self.system, self.round, self.data, self.attempt = system, round_, data, attempt
        self.fence = fence  # show it where the effect lands, and refuse lower ones there
        self.lost = threading.Event()  # set when the work must stop


class Gone:
    def __init__(self, url=None, key=None, patience=20.0):
        self.url = (url or os.environ.get("GONE_URL") or "http://127.0.0.1:8080").rstrip("/")
        self.key = key or os.environ.get("GONE_KEY")  # gone_..., where the server wants one
        self.patience = patience  # seconds for which an unanswered call is made again

    def elect(self, system, round_, token=None, lease=None):
        """The fence if this token leads, else None. The same token is the same candidate."""
        return self._elect(system, round_, token, lease)[0]

    def _elect(self, system, round_, token=None, lease=None):
        """And when the request was sent that was answered: the lease runs from then on, or from later."""
        query = {} if lease is None else {"lease": millis(lease)}
        status, led, sent_at = self._ask("elect", system, round_, {"Gone-Candidate": token or new_token()}, query)
        return led["fence"] if status == 202 else None, sent_at

    def renew(self, system, round_, fence, **limits):
        """False: you do not lead any more, and must stop."""
        return self._is_taken("renew", system, round_, fence, None, **limits)

    def complete(self, system, round_, fence, result=None):
        """False: another has reported, or leads."""
        return self._is_taken("complete", system, round_, fence, {} if result is None else {"result": result})

    def fail(self, system, round_, fence, reason):
        return self._is_taken("fail", system, round_, fence, {"reason": cut(reason) or "failed without a reason"})

    def once(self, system, round_, work, lease=30.0):
        """Runs work(lead) if elected. True if it ran, False if another has the round.

        Raises what the work raised, after reporting the round as failed, or LeadLost."""
        fence, asked_at = self._elect(system, round_, lease=lease)
        if fence is None:
            return False
        self._run(Lead(system, round_, fence), lambda lead: (work(lead), None)[1], asked_at, lease)
        return True

    def submit(self, system, round_, worker, data=None, **terms):
        """Lets one worker run the round, however many submit it. Terms: attempts=3, timeout="30s", delay="5m" ..."""
        return self._ask("submit", system, round_, body={"worker": worker, "data": data, **terms})[1]

    def wait(self, system, round_, seconds=3600.0):
        """The round at its end, or None if the time is up."""
        until = time.monotonic() + seconds
        while True:
            within = max(0.0, min(45.0, until - time.monotonic()))
            limits = {"timeout": within + 5, "patience": self.patience + within}
            found = self._ask("rounds", system, round_, query={"wait": millis(within)}, method="GET", **limits)[1]
            if "completion" in found:
                return found
            if time.monotonic() >= until:
                return None
            time.sleep(0.2)

    def work(self, worker, handler, is_stopping=lambda: False, lease=30.0):
        """Runs jobs of this worker, one after another; the handler is given a Lead, and returns the result."""
        path = "/api/v1/take/" + urllib.parse.quote(worker, safe="")
        while not is_stopping():
            try:
                query, token = {"lease": millis(lease), "wait": "2s"}, {"Gone-Candidate": new_token()}
                status, job, asked_at = self._call(path, token, query, patience=self.patience + 2, timeout=7.0)
                if status == 204:
                    continue
                lead = Lead(job["system"], job["round"], job["fence"], job["data"], job["attempt"])
                self._run(lead, handler, asked_at, lease)
            except Exception as error:
                print(f"{worker}: {error}", file=sys.stderr)
                if isinstance(error, (Unanswered, Refused)):
                    time.sleep(0.5)

    def _run(self, lead, work, asked_at, lease):
        done = threading.Event()
        threading.Thread(target=self._keep, args=(lead, asked_at, lease, done), daemon=True).start()
        try:
            result = work(lead)
            written(result)  # what has no JSON is a failure of the work
        except (Exception, SystemExit) as error:
            done.set()
            if not lead.lost.is_set():
                try:
                    self.fail(lead.system, lead.round, lead.fence, str(error) or repr(error))
                except (Unanswered, Refused):
                    pass  # the lease or the deadline ends the round; what the work raised says more
            raise
        finally:
            done.set()
        if lead.lost.is_set():
            raise LeadLost(f"{lead.system} {lead.round}: the lead under fence {lead.fence} is lost")
        if not self._complete(lead, result):
            raise LeadLost(f"{lead.system} {lead.round}: another has reported")

    def _complete(self, lead, result):
        try:
            return self.complete(lead.system, lead.round, lead.fence, result)
        except Refused as refused:
            if result is None or refused.code not in UNKEPT:
                raise
            # What the server does not keep must not undo the work.
            print(f"{lead.system} {lead.round}: completed without its result: {refused}", file=sys.stderr)
            return self.complete(lead.system, lead.round, lead.fence)

    def _keep(self, lead, asked_at, lease, done):
        """Renews every third of the lease. A timer beside that gives the lead up before the lease can have run out, however long a
        renewal takes: measured from before the request."""

        def expiry(since):
            timer = threading.Timer(since + 0.9 * lease - time.monotonic(), lambda: done.is_set() or lead.lost.set())
            timer.daemon = True
            timer.start()
            return timer

        expires, next_at = expiry(asked_at), asked_at + lease / 3
        while not done.wait(max(0.0, next_at - time.monotonic())) and not lead.lost.is_set():
            sent_at = time.monotonic()
            try:
                is_held = self.renew(lead.system, lead.round, lead.fence, patience=0, timeout=lease / 3)
            except (Unanswered, Refused):
                next_at = time.monotonic() + lease / 10
                continue
            expires.cancel()
            if not is_held:
                if not done.is_set():
                    lead.lost.set()
                return
            expires, next_at = expiry(sent_at), sent_at + lease / 3
        expires.cancel()

    def _is_taken(self, verb, system, round_, fence, body, **limits):
        try:
            self._ask(verb, system, round_, {"Gone-Fence": str(fence)}, body=body, **limits)
            return True
        except Refused as refused:
            if refused.code not in LOST:
                raise
            return False

    def _ask(self, verb, system, round_, *rest, **more):
        names = "/".join(urllib.parse.quote(name, safe="") for name in (system, round_))
        return self._call(f"/api/v1/{verb}/{names}", *rest, **more)

    def _call(self, path, headers=None, query=None, body=None, method="POST", patience=None, timeout=5.0):
        """One call, made again with the same token while it is not answered: its status and JSON, and when it was sent."""
        give_up_at = time.monotonic() + (self.patience if patience is None else patience)
        pause = 0.2
        while True:
            sent_at = time.monotonic()
            try:
                return (*self._try(path, dict(headers or {}), query, body, method, timeout), sent_at)
            except Unanswered:
                if time.monotonic() + pause >= give_up_at:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 2.0)

    def _try(self, path, headers, query, body, method, timeout):
        headers["Accept"] = "application/json"
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = self.url + path + (f"?{urllib.parse.urlencode(query)}" if query else "")
        sent = None if body is None else written(body).encode()
        give_up_at = time.monotonic() + timeout
        try:
            request = urllib.request.Request(url, data=sent, headers=headers, method=method)
            with OPENER.open(request, timeout=timeout) as reply:
                text = whole(reply, give_up_at)
                return reply.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            with error:
                problem = problem_of(error, give_up_at)
            if problem.get("retryable", error.code >= 500 or error.code in (408, 429)):
                raise Unanswered(problem.get("detail", str(error))) from None
            raise Refused(code_of(problem, error.code), problem.get("detail", str(error))) from None
        except (OSError, http.client.HTTPException, ValueError) as error:  # no connection, no or half an answer
            raise Unanswered(str(error)) from None


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """What is followed becomes a GET, and shows the key to wherever it leads."""

    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirects)


def written(value):
    """As JSON; NaN, too, is an error."""
    return json.dumps(value, allow_nan=False)


def cut(reason):
    """To what the server takes, which counts in UTF-16."""
    return reason.encode("utf-16-le", "surrogatepass")[:2000].decode("utf-16-le", "ignore")


def whole(answer, give_up_at):
    """Its text, if all of it is here by then: the timeout of urllib is of each piece."""
    text, length = b"", answer.headers.get("Content-Length")
    while length is None or len(text) < int(length):
        part = answer.read1(65536)
        if time.monotonic() >= give_up_at:
            raise TimeoutError("no whole answer in time")
        if not part and length is not None:
            raise http.client.IncompleteRead(text)
        if not part:
            break
        text += part
    return text


def problem_of(error, give_up_at):
    try:
        problem = json.loads(whole(error, give_up_at))
        return problem if isinstance(problem, dict) else {}
    except (OSError, http.client.HTTPException, ValueError):
        return {}


def code_of(problem, status):
    """Also where a proxy in between takes no such body."""
    return problem.get("code", "BODY_TOO_LARGE" if status == 413 else None)


def new_token():
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(8)}"


def millis(seconds):
    return f"{int(seconds * 1000)}ms"


def main(verb, *words):
    gone = Gone()
    if verb == "elect":  # SYSTEM ROUND TOKEN LEASE
        fence = gone.elect(words[0], words[1], words[2], float(words[3]))
        print("lost" if fence is None else f"leads {fence}")
    elif verb == "renew":  # SYSTEM ROUND FENCE
        print("renewed" if gone.renew(words[0], words[1], int(words[2])) else "not renewed")
    elif verb == "complete":  # SYSTEM ROUND FENCE JSON
        done = gone.complete(words[0], words[1], int(words[2]), json.loads(words[3]))
        print("recorded" if done else "refused")
    elif verb == "once":  # SYSTEM ROUND LEASE SECONDS

        def work(lead):
            print(f"under {lead.fence}", flush=True)
            if words[3] == "panic":
                raise AssertionError("told to panic")
            if words[3] == "exit":
                sys.exit("told to exit")
            if words[3].startswith("fail:"):
                raise RuntimeError(words[3][5:])
            return lead.lost.wait(float(words[3]))

        print("ran" if gone.once(words[0], words[1], work, float(words[2])) else "another has it")
    elif verb == "submit":  # SYSTEM ROUND WORKER JSON
        gone.submit(words[0], words[1], words[2], json.loads(words[3]))
        ended = gone.wait(words[0], words[1], 60.0)
        print(ended["state"], json.dumps(ended["completion"].get("result")))
    elif verb == "work":  # WORKER [LEASE SECONDS]: doubles numbers and texts until it is told to end
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())

        lease, takes = words[1:] or (30, 0)

        def double(job):
            if not isinstance(job.data, (int, float, str)):
                raise TypeError("not a number, nor a text")
            job.lost.wait(float(takes))
            return {"doubled": job.data * 2, "fence": job.fence}

        gone.work(words[0], double, stopping.is_set, float(lease))
    else:
        sys.exit("usage: gone.py elect|renew|complete|once|submit|work ...")


if __name__ == "__main__":
    main(*(sys.argv[1:] or [""]))
