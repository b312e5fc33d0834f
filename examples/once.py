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
        asked_at = time.monotonic()
        status, record = self._ask("elect", system, round_, token, query={"lease": f"{int(lease * 1000)}ms"})
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
        except Exception as error:
            if not lead.lost.is_set():
                try:
                    self._report("fail", system, round_, token, {"reason": (str(error) or repr(error))[:1000]})
                except (Unanswered, LeadLost):
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
        status, record = self._ask("submit", system, round_, body={"worker": worker, "data": data, **terms})
        return record, status == 202

    def _renew(self, system, round_, token, lead, lease, asked_at, done):
        """Renews every third of the lease. Gives up before it can have run out: measured from before the request."""
        held_until = asked_at + 0.9 * lease
        pause = lease / 3
        while not done.wait(max(0.0, min(pause, held_until - time.monotonic()))):
            sent_at = time.monotonic()
            left = held_until - sent_at
            if left <= 0:
                lead.lost.set()
                return
            try:
                self._ask("renew", system, round_, token, patience=0, timeout=min(left, lease / 3))
                held_until = sent_at + 0.9 * lease
                pause = lease / 3
            except Unanswered:
                pause = lease / 10
            except Refused:  # superseded, or finished
                if not done.is_set():
                    lead.lost.set()
                return

    def _report(self, verb, system, round_, token, body):
        try:
            self._ask(verb, system, round_, token, body=body)
        except Refused as refused:
            raise LeadLost(str(refused)) from refused

    def _ask(self, verb, system, round_, token=None, query=None, body=None, patience=None, timeout=5.0):
        """One call, made again with the same token while it is not answered."""
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
            try:
                request = urllib.request.Request(url, data=sent, headers=headers, method="POST")
                with urllib.request.urlopen(request, timeout=timeout) as reply:
                    text = reply.read()
                    return reply.status, json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                problem = self._problem(error)
                if not problem.get("retryable", error.code >= 500):
                    raise Refused(problem.get("code"), problem.get("detail", str(error))) from None
                why = problem.get("detail", str(error))
            except (OSError, http.client.HTTPException, ValueError) as error:  # no connection, no or half an answer
                why = str(error)
            if time.monotonic() + pause >= give_up_at:
                raise Unanswered(f"{verb} {system} {round_}: {why}")
            time.sleep(pause)
            pause = min(pause * 2, 2.0)

    @staticmethod
    def _problem(error):
        try:
            problem = json.loads(error.read())
            return problem if isinstance(problem, dict) else {}
        except (OSError, http.client.HTTPException, ValueError):
            return {}


def run(gone, system, round_, command):
    """Runs the command while it leads the round; ends it when the lead is lost."""
    code = 0

    def work(lead):
        nonlocal code
        env = {**os.environ, "GONE_SYSTEM": system, "GONE_ROUND": round_, "GONE_FENCE": str(lead.fence)}
        with subprocess.Popen(command, env=env) as process:
            while process.poll() is None:
                if lead.lost.wait(0.05):
                    process.terminate()
                    try:
                        process.wait(5)
                    except subprocess.TimeoutExpired:
                        process.kill()
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        if code != 0 and not lead.lost.is_set():
            raise RuntimeError(f"exit code {code}")

    try:
        gone.once(system, round_, work, lease=float(os.environ.get("LEASE_SECONDS", "30")))
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
