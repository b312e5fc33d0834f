#!/usr/bin/env python3
"""Every replica calls this, one runs: gone over HTTP, with nothing but Python's standard library.

    once.py run SYSTEM ROUND COMMAND [ARGUMENT...]      run a command if elected
    once.py submit SYSTEM ROUND WORKER [JSON]           let one worker run the round

    from once import Gone
    done = Gone("http://gone:8080").once("report", "2026-11-22", lambda lead: send_report(lead.fence))

Exits 0 if it was done or another has the round, as the command if that failed, 75 if the lead was lost, 2 if nobody
could tell.
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


class LeadLost(Exception):
    """Another leads the round, or may do so: what was done is not reported."""


# What is refused with one of these is refused for good, because another leads or has reported. Anything else says nothing of that.
LOST = ("COMPLETION_REFUSED", "SUPERSEDED", "ROUND_FINISHED", "NOT_LED")


class Lead:
    """What the work is given."""

    def __init__(self, fence):
        self.fence = fence  # show it where the effect lands, and refuse lower ones there
        self.lost = threading.Event()  # set when the work must stop


class Gone:
    def __init__(self, url=None, patience=20.0, key=None):
        self.url = (url or os.environ.get("GONE_URL") or "http://127.0.0.1:8080").rstrip("/")
        self.key = key or os.environ.get("GONE_KEY")  # gone_..., where the server wants one
        self.patience = patience  # seconds for which an unanswered call is made again

    def once(self, system, round_, work, lease=30.0):
        """Runs work(lead) if elected. True if it ran, False if another has the round.

        Raises what the work raised, after reporting the round as failed, or LeadLost."""
        # The token is who we are: with it every call may be repeated, and a leader is told again that it leads.
        token = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(8)}"
        status, record, asked_at = self._ask("elect", system, round_, token, query={"lease": f"{int(lease * 1000)}ms"})
        if status == 204:
            return False
        lead = Lead(record["fence"])
        done = threading.Event()
        renewing = threading.Thread(
            target=self._renew, args=(system, round_, token, lead, lease, asked_at, done), daemon=True
        )
        renewing.start()
        try:
            work(lead)
        except (Exception, SystemExit) as error:
            if not lead.lost.is_set():
                try:
                    self._report("fail", system, round_, token, {"reason": cut(str(error) or repr(error))})
                except (Unanswered, Refused, LeadLost):
                    pass  # the lease or the deadline ends the round; what the work raised says more
            raise
        finally:
            done.set()
        if lead.lost.is_set():
            raise LeadLost(f"{system} {round_}: the lead under fence {lead.fence} is lost")
        self._report("complete", system, round_, token, {})
        return True

    def submit(self, system, round_, worker, data=None, **terms):
        """Lets one worker run the round, however many submit it. Terms: attempts=3, timeout="30s", delay="5m" ...

        Returns the round, and whether this call was the first."""
        status, record, _ = self._ask("submit", system, round_, body={"worker": worker, "data": data, **terms})
        return record, status == 202

    def _renew(self, system, round_, token, lead, lease, asked_at, done):
        """Renews every third of the lease. A timer beside that gives the lead up before the lease can have run out, however long a
        renewal takes: measured from before the request."""

        def expiry(since):
            timer = threading.Timer(since + 0.9 * lease - time.monotonic(), lambda: done.is_set() or lead.lost.set())
            timer.daemon = True
            timer.start()
            return timer

        expires, next_at = expiry(asked_at), asked_at + lease / 3
        while not done.wait(max(0.0, next_at - time.monotonic())) and not lead.lost.is_set():
            try:
                _, _, sent_at = self._ask("renew", system, round_, token, patience=0, timeout=lease / 3)
            except (Unanswered, Refused) as error:
                if isinstance(error, Refused) and error.code in LOST:
                    if not done.is_set():
                        lead.lost.set()
                    break
                next_at = time.monotonic() + lease / 10
                continue
            expires.cancel()
            expires, next_at = expiry(sent_at), sent_at + lease / 3
        expires.cancel()

    def _report(self, verb, system, round_, token, body):
        try:
            self._ask(verb, system, round_, token, body=body)
        except Refused as refused:
            if refused.code not in LOST:
                raise
            raise LeadLost(str(refused)) from refused

    def _ask(self, verb, system, round_, token=None, query=None, body=None, patience=None, timeout=5.0):
        """One call, made again with the same token while it is not answered: its status and JSON, and when it was sent."""
        names = "/".join(urllib.parse.quote(name, safe="") for name in (system, round_))
        url = f"{self.url}/api/v1/{verb}/{names}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        headers = {"Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        if token:
            headers["Gone-Candidate"] = token
        if body is not None:
            headers["Content-Type"] = "application/json"
        sent = None if body is None else json.dumps(body).encode()
        give_up_at = time.monotonic() + (self.patience if patience is None else patience)
        pause = 0.2
        while True:
            sent_at = time.monotonic()
            try:
                request = urllib.request.Request(url, data=sent, headers=headers, method="POST")
                with OPENER.open(request, timeout=timeout) as reply:
                    text = whole(reply, sent_at + timeout)
                    return reply.status, json.loads(text) if text else None, sent_at
            except urllib.error.HTTPError as error:
                problem = problem_of(error, sent_at + timeout)
                if not problem.get("retryable", error.code >= 500 or error.code in (408, 429)):
                    raise Refused(problem.get("code"), problem.get("detail", str(error))) from None
                why = problem.get("detail", str(error))
            except (OSError, http.client.HTTPException, ValueError) as error:  # no connection, no or half an answer
                why = str(error)
            if time.monotonic() + pause >= give_up_at:
                raise Unanswered(f"{verb} {system} {round_}: {why}")
            time.sleep(pause)
            pause = min(pause * 2, 2.0)


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """What is followed becomes a GET, and shows the key to wherever it leads."""

    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirects)


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


def cut(reason):
    """To what the server takes, which counts in UTF-16."""
    return reason.encode("utf-16-le", "surrogatepass")[:2000].decode("utf-16-le", "ignore")


def run(gone, system, round_, command):
    """Runs the command while it leads the round; ends it when the lead is lost. What would end this process is passed on to it: how it
    ends is reported, and it does not go on without a lease."""
    code, lease = 0, float(os.environ.get("LEASE_SECONDS", "30"))
    told = []

    def work(lead):
        nonlocal code
        env = {**os.environ, "GONE_SYSTEM": system, "GONE_ROUND": round_, "GONE_FENCE": str(lead.fence)}
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
                signal.signal(number, lambda given, _: told.append(given))
        with subprocess.Popen(command, env=env) as process:
            while process.poll() is None:
                while told:
                    process.send_signal(told.pop())
                if lead.lost.wait(0.05):
                    process.terminate()
                    try:
                        process.wait(min(5.0, 0.09 * lease))  # a tenth of the lease was left
                    except subprocess.TimeoutExpired:
                        process.kill()
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        if code != 0 and not lead.lost.is_set():
            raise RuntimeError(f"exit code {code}")

    try:
        gone.once(system, round_, work, lease=lease)
    except RuntimeError:
        pass
    return code


def main(words):
    gone = Gone()
    if len(words) >= 4 and words[0] == "run":
        return run(gone, words[1], words[2], words[3:])
    if len(words) in (4, 5) and words[0] == "submit":
        record, is_first = gone.submit(*words[1:4], data=json.loads(words[4]) if len(words) == 5 else None)
        print(f"{'submitted' if is_first else 'submitted before'}, {record['state']}")
        return 0
    print("usage: once.py run SYSTEM ROUND COMMAND... | once.py submit SYSTEM ROUND WORKER [JSON]", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LeadLost as lost:
        print(f"once.py: {lost}", file=sys.stderr)
        sys.exit(75)
    except (Unanswered, Refused, ValueError, OSError) as error:
        print(f"once.py: {error}", file=sys.stderr)
        sys.exit(2)
