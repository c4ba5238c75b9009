"""What clients were told, to be compared with the store afterwards."""

import collections
import http.client
import json
import threading
import time


class Unknown(Exception):
    """Nobody knows whether the request counted: its answer was lost, or it was a failure of the server."""


class Api:
    """One request over a connection of its own: the server may be gone at any moment."""

    def __init__(self, port, **headers):
        self.port = port
        self.headers = headers

    def ask(self, method, path, body=None, content_type="application/json", **headers):
        """Status and JSON. Failures of the server are [Unknown], as lost answers are."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {**self.headers, **headers}
        if data is not None:
            sent["content-type"] = content_type
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=70)
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unknown(str(error)) from None
        finally:
            connection.close()
        if answer.status >= 500:
            raise Unknown(f"{answer.status}")
        try:
            return answer.status, json.loads(text) if text else None
        except ValueError:
            return answer.status, text


class Ledger:
    """The writes of one kind: those that were acknowledged, and those of which nobody knows."""

    def __init__(self, kind):
        self.kind = kind
        self.told = {}
        self.unknown = set()
        self.problems = []
        self.counts = collections.Counter()

    def write(self, key, ask, good=(200, 201, 202, 204)):
        """Asks for something that `key` names: its answer, or none."""
        try:
            status, answer = ask()
        except Unknown as error:
            self.counts[f"unknown ({str(error)[:40]})"] += 1
            self.unknown.add(key)
            time.sleep(0.1)
            return None
        if status not in good:
            self.counts[f"refused ({status})"] += 1
            # Refused because it is there: an earlier try of which nobody knew has counted.
            if not (status in (404, 409) and key in self.unknown):
                self.problems.append(f"{key}: {status} {str(answer)[:200]}")
            return None
        self.counts["acknowledged"] += 1
        self.told[key] = answer
        return answer if answer is not None else True

    def __str__(self):
        counted = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        return f"{self.kind}: {counted or 'nothing'}"


class Writer(threading.Thread):
    """Somebody who works until the end: `step` is one piece of work, and takes a number."""

    def __init__(self, ledger, step, pause, ending):
        super().__init__(daemon=True, name=ledger.kind)
        self.ledger, self.step, self.pause, self.ending = ledger, step, pause, ending

    def run(self):
        number = 0
        while not self.ending.wait(self.pause):
            number += 1
            try:
                self.step(number)
            except Unknown:
                self.ledger.counts["reads that failed"] += 1
                time.sleep(0.1)
            except Exception as error:
                self.ledger.problems.append(f"step {number}: {error!r}")
                time.sleep(0.5)
