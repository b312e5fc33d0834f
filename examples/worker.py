#!/usr/bin/env python3
"""A worker of gone over HTTP alone, with nothing but Python's standard library.

    worker.py WORKER COMMAND [ARGUMENT...]      run the command for each job: its data comes as JSON on stdin

    from worker import Worker
    Worker("mailer", lambda job: {"sent": send(job.data, job.fence)}, slots=4).run()

What the command prints last is the result, if it is JSON; if it fails, so does the attempt, with the last line of its stderr. What is
set of the worker from one place (gone fleet config) it reads as JSON in GONE_CONFIG, a handler as job.config. Takes
jobs, renews them while they run, reports, is listed by `gone fleet`, does what it is told there, and drains at SIGTERM, SIGINT, SIGHUP and SIGQUIT: what has
not ended by GONE_DRAIN seconds (10) is given back. GONE_URL and GONE_KEY say where the server is; GONE_SLOTS how many jobs it
runs at once, GONE_LEASE for how long it may keep one in silence, GONE_REGION where it is. Exits 0, or 75 where it was told to be started again.
"""

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
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


# What is refused with one of these is refused for good, because another has the job. Anything else says nothing of that.
LOST = ("COMPLETION_REFUSED", "SUPERSEDED", "ROUND_FINISHED", "NOT_LED")
# The server does not keep this result. Anything else, such as a proxy's own page, says nothing of it.
UNKEPT = ("INVALID_BODY", "BODY_TOO_LARGE")


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """What is followed becomes a GET, and shows the key to wherever it leads."""

    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirects)


class Server:
    def __init__(self, url=None, key=None, patience=20.0):
        self.url = (url or os.environ.get("GONE_URL") or "http://127.0.0.1:8080").rstrip("/")
        self.key = key or os.environ.get("GONE_KEY")
        self.patience = patience  # seconds for which an unanswered call is made again

    def post(self, path, body=None, wait=0.0, **headers):
        """The answer's JSON, or None where there is none to give."""
        return self.asked(path, body, wait, **headers)[0]

    def asked(self, path, body=None, wait=0.0, **headers):
        """The answer, and when the request was sent that got it."""
        give_up = time.monotonic() + self.patience + wait
        while True:
            sent_at = time.monotonic()
            try:
                return self.once(path, body, wait + 5, headers), sent_at
            except Unanswered:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.5)

    def once(self, path, body, timeout, headers):
        if self.key:
            headers["Authorization"] = "Bearer " + self.key
        data = None
        if body is not None:
            data = written(body).encode()
            headers["Content-Type"] = "application/json"
        headers["Accept"] = "application/json"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, data=data or b"", headers=named, method="POST")
        give_up_at = time.monotonic() + timeout
        try:
            with OPENER.open(request, timeout=timeout) as answer:
                text = whole(answer, give_up_at)
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            with error:
                problem = problem_of(error, give_up_at)
            if problem.get("retryable", error.code >= 500 or error.code in (408, 429)):
                raise Unanswered(problem.get("detail", str(error))) from None
            raise Refused(code_of(problem, error.code), problem.get("detail", str(error))) from None
        except (OSError, http.client.HTTPException, ValueError) as error:  # no connection, no or half an answer
            raise Unanswered(str(error)) from None


class Job:
    """What a handler is given."""

    def __init__(self, server, taken):
        self.server = server
        self.system, self.round = taken["system"], taken["round"]
        self.data, self.attempt, self.fence = taken["data"], taken["attempt"], taken["fence"]
        self.lease = seconds(taken["lease"])
        self.lost = threading.Event()  # set when the handler must stop: what it says then does not count
        self.ended = threading.Event()
        self.on_lost = lambda: None

    def lose(self):
        """Has the handler stop."""
        if not self.ended.is_set():
            self.lost.set()
            self.on_lost()

    def complete(self, result):
        try:
            self.report("complete", {"result": result})
        except Refused as refused:
            if result is None or refused.code not in UNKEPT:
                raise
            # What the server does not keep must not undo the work.
            print(f"worker: {self.system}/{self.round}: completed without its result: {refused}", file=sys.stderr)
            self.report("complete", {})

    def report(self, verb, body=None):
        return self.server.post(self.path(verb), body, Gone_Fence=str(self.fence))

    def path(self, verb):
        names = "/".join(urllib.parse.quote(name, safe="") for name in (self.system, self.round))
        return f"/api/v1/{verb}/{names}"

    def keep(self, asked_at):
        """Renews every third of the lease, while it runs. A timer beside it has the handler stop before the lease can have run out,
        measured from before the request."""
        expiry, next_at = self.expiry(asked_at), asked_at + self.lease / 3
        while not self.ended.wait(max(0.0, next_at - time.monotonic())) and not self.lost.is_set():
            sent_at = time.monotonic()
            try:
                self.server.once(self.path("renew"), None, self.lease / 3, {"Gone_Fence": str(self.fence)})
            except Exception as error:
                if isinstance(error, Refused) and error.code in LOST:
                    self.lose()
                next_at = time.monotonic() + self.lease / 10
                continue
            expiry.cancel()
            expiry, next_at = self.expiry(sent_at), sent_at + self.lease / 3
        expiry.cancel()

    def expiry(self, since):
        timer = threading.Timer(since + 0.9 * self.lease - time.monotonic(), self.lose)
        timer.daemon = True
        timer.start()
        return timer


class Worker:
    def __init__(self, name, handler, slots=1, server=None, drain=10.0):
        self.name, self.handler, self.slots = name, handler, slots
        self.server, self.drain = server or Server(), drain
        self.id = "py-" + secrets.token_hex(5)
        self.lock = threading.Lock()
        self.jobs, self.threads = set(), 0
        self.done = self.failed = 0
        self.taken = None
        self.config, self.settings, self.usual_slots = None, {"revision": 0}, slots
        self.mode, self.code, self.reports = "registered", 0, []
        self.stopping, self.pulse_now = threading.Event(), threading.Event()

    def run(self):
        """Runs jobs until it is told to stop; the exit code."""
        while not self.stopping.is_set():
            self.fill()
            self.say()
            self.pulse_now.wait(2)
            self.pulse_now.clear()
        self.end()
        return self.code

    def stop(self, code=0):
        self.code = code
        self.stopping.set()
        self.pulse_now.set()

    def fill(self):
        with self.lock:
            while self.threads < self.slots:
                self.threads += 1
                threading.Thread(target=self.slot, daemon=True).start()

    def slot(self):
        while self.is_wanted():
            if self.mode != "registered":
                time.sleep(0.1)
                continue
            try:
                self.one()
            except Exception as error:  # whatever it is, the next job can be taken
                print(f"worker: {error or repr(error)}", file=sys.stderr)
                time.sleep(1)

    def is_wanted(self):
        with self.lock:
            if self.threads <= self.slots and not self.stopping.is_set():
                return True
            self.threads -= 1
            return False

    def one(self):
        path = f"/api/v1/take/{urllib.parse.quote(self.name, safe='')}?wait=2s&lease={LEASE}&instance={self.id}"
        if REGION:
            path += "&region=" + urllib.parse.quote(REGION, safe="")
        # The same token again is given the same job, where the answer got lost.
        taken, asked_at = self.server.asked(path, wait=2, Gone_Candidate=secrets.token_hex(16))
        if taken is None:
            return
        job = Job(self.server, taken)
        job.config = self.config
        with self.lock:
            is_wanted = self.mode == "registered" and not self.stopping.is_set()
            if is_wanted:
                self.jobs.add(job)
                self.taken = time.monotonic()
        if not is_wanted:
            job.report("give-back")
            return
        threading.Thread(target=job.keep, args=(asked_at,), daemon=True).start()
        try:
            self.work(job)
        finally:
            job.ended.set()
            with self.lock:
                self.jobs.discard(job)

    def work(self, job):
        try:
            result = self.handler(job)
            written(result)  # what has no JSON is a failure of the handler
        except (Exception, SystemExit) as error:
            if not job.lost.is_set():
                self.failed += 1
                job.report("fail", {"reason": cut(str(error)) or type(error).__name__})
            return
        if job.lost.is_set():
            return
        try:
            job.complete(result)
            self.done += 1
        except Refused as refused:
            if refused.code not in LOST:
                raise
            print(f"worker: {job.system}/{job.round}: another has it", file=sys.stderr)

    def say(self):
        try:
            self.reports = self.pulse(self.reports)
        except (Unanswered, Refused) as error:
            print(f"worker: not heard: {error}", file=sys.stderr)

    def say_until(self, drained):
        self.say()
        while not drained.wait(2):
            self.say()

    def pulse(self, reports):
        """Says that it lives, and does what it is told; what to report next."""
        with self.lock:
            worker = {"name": self.name, "slots": self.slots, "running": len(self.jobs)}
            worker.update(done=self.done, failed=self.failed, settings=self.settings)
            if self.taken is not None:
                worker["taken"] = f"{int((time.monotonic() - self.taken) * 1000)}ms"
        used = os.times()
        body = {
            "id": self.id, "host": os.environ.get("GONE_HOST_LABEL") or socket.gethostname(), "pid": os.getpid(),
            "release": os.environ.get("GONE_RELEASE", "none"), "region": REGION or "none", "regional": bool(REGION),
            "version": "worker.py", "mode": self.mode, "workers": [worker], "reports": reports,
            "rssBytes": rss(), "cpuPercent": int(100 * (used.user + used.system) / max(1, used.elapsed - STARTED)),
        }
        answer = self.server.post("/api/v1/fleet/pulse", body)
        if self.mode == "ended":
            return []
        for told in answer.get("settings", []):
            self.configure(told)
        return [self.obey(order) for order in answer["orders"]]

    def configure(self, told):
        """Takes what is set of it from one place; a handler reads it as job.config."""
        self.slots = told["settings"].get("concurrency", self.usual_slots)
        self.config = told["settings"].get("config")
        self.settings = {"revision": told["revision"]}
        self.pulse_now.set()

    def obey(self, order):
        verb = order["do"]
        if self.stopping.is_set():
            return {"order": order["id"], "outcome": "failed", "detail": "it ends"}
        if verb in ("register", "unregister"):
            with self.lock:  # not one job begins after this
                self.mode = verb + "ed"
        elif verb == "concurrency":
            self.slots = order["slots"]
        elif verb in ("restart", "stop"):
            self.stop(75 if verb == "restart" else 0)
        self.pulse_now.set()
        return {"order": order["id"], "outcome": "done"}

    def end(self):
        """Lets what runs end, or gives it back."""
        give_up, drained = time.monotonic() + self.drain, threading.Event()
        self.mode = "stopping"
        # However long that takes, it is not lost meanwhile.
        saying = threading.Thread(target=self.say_until, args=(drained,), daemon=True)
        saying.start()
        while self.jobs and time.monotonic() < give_up:
            time.sleep(0.05)
        for job in list(self.jobs):
            job.lose()
            try:
                job.report("give-back")
            except (Unanswered, Refused) as error:
                print(f"worker: not given back: {error}", file=sys.stderr)
        # A take that is under way gives back what it is still answered.
        while self.threads and time.monotonic() < give_up + 3:
            time.sleep(0.05)
        drained.set()
        saying.join(5)
        self.mode = "ended"
        self.say()  # unheard, it is lost in ten seconds


STARTED = os.times().elapsed
LEASE = os.environ.get("GONE_LEASE", "30s")  # how long a job may be kept in silence
# A command has a session of its own, and goes on where its worker ends without a word: also at a terminal that is closed.
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
REGION = os.environ.get("GONE_REGION")  # whose jobs it takes besides those that are for none


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


def rss():
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def seconds(text):
    for unit, factor in (("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400)):
        if text.endswith(unit) and text[: -len(unit)].isdigit():
            return int(text[: -len(unit)]) * factor
    return 30.0


def command(words):
    """A handler that runs a command."""

    def handle(job):
        child = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
            start_new_session=True,
            env={**os.environ, "GONE_CONFIG": json.dumps(job.config), "GONE_SYSTEM": job.system, "GONE_ROUND": job.round, "GONE_FENCE": str(job.fence)},
        )
        job.on_lost = lambda: kill(child)
        if job.lost.is_set():
            kill(child)
        try:
            out, err = child.communicate(json.dumps(job.data))
        finally:
            job.on_lost = lambda: None
        if child.returncode != 0:
            lines = err.strip().splitlines()
            raise RuntimeError(lines[-1] if lines else f"exit code {child.returncode}")
        try:
            result = json.loads(out.strip().splitlines()[-1])
            written(result)  # NaN, which json reads, is no JSON
            return result
        except (ValueError, IndexError):
            return None

    return handle


def kill(child):
    """With whatever it has started, which else would go on, and keep its output open."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    slots = int(os.environ.get("GONE_SLOTS", "1"))
    worker = Worker(sys.argv[1], command(sys.argv[2:]), slots, drain=float(os.environ.get("GONE_DRAIN", "10")))
    for number in ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, lambda *_: worker.stop())
    return worker.run()


if __name__ == "__main__":
    sys.exit(main())
