"""Mail and feeds of the status page, with a real SMTP server and the readers that people use."""

import base64
import contextlib
import email
import email.policy
import hashlib
import hmac
import http.client
import json
import os
import re
import sqlite3
import threading
import time
import unittest
import urllib.parse

import feedparser
import icalendar
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from windlass import Windlass, free_port, wait_until

SECRET = "a secret of the stories' monitors, long enough"
LOGIN = b"\0relay user\0p@ss word"


class Relay:
    """An SMTP server that keeps what it is given, and can be told to refuse."""

    def __init__(self, **options):
        self.mails, self.refusals, self.lock = [], [], threading.Lock()
        self.port = free_port()
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port, **options)
        self.controller.start()

    async def handle_RCPT(self, server, session, envelope, address, options):
        with self.lock:
            if self.refusals:
                return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        with self.lock:
            self.mails.append((envelope.mail_from, list(envelope.rcpt_tos), message))
        return "250 OK"

    def to(self, address):
        with self.lock:
            return [message for _, receivers, message in self.mails if receivers == [address]]

    def stop(self):
        self.controller.stop()


def monitor_token():
    def text(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    head = text(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    claims = text(json.dumps({"stackmon": "probe", "exp": int(time.time()) + 3600}).encode())
    signature = hmac.new(SECRET.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
    return f"{head}.{claims}.{text(signature)}"


class StatusMail(unittest.TestCase):
    maxDiff = None
    login = ""

    @classmethod
    def options(cls):
        return {}

    @classmethod
    def setUpClass(cls):
        cls.relay = Relay(**cls.options())
        cls.windlass = Windlass(
            mail_url=f"smtp://{cls.login}127.0.0.1:{cls.relay.port}",
            mail_from="Hafen Störungen <status@example.com>",
            public_url="https://status.example.com",
            status_jwt_secret=SECRET,
        )
        token = cls.windlass.client().tokens.create()["value"]
        catalogue = {"components": [{"name": name, "attributes": {"region": "EU"}} for name in ("Volumes", "Mail", "Disks")]}
        status, _, body = cls.call("PUT", "/api/v1/catalogue", catalogue, bearer=token)
        assert status == 200, body
        cls.token = token

    @classmethod
    def tearDownClass(cls):
        cls.windlass.stop()
        cls.relay.stop()

    @classmethod
    def call(cls, method, path, body=None, bearer=None):
        headers = {}
        if isinstance(body, dict):
            headers["content-type"], body = "application/json", json.dumps(body)
        elif body is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        if bearer:
            headers["authorization"] = f"Bearer {bearer}"
        connection = http.client.HTTPConnection("127.0.0.1", cls.windlass.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def report(self, name, impact, text):
        body = {"name": name, "impact": impact, "text": text}
        status, _, answer = self.call("POST", "/api/v1/component_status", body, bearer=monitor_token())
        self.assertEqual(status, 201, answer)
        return json.loads(answer)

    def link(self, message, word):
        text = message.get_body(("plain",)).get_content()
        found = re.search(rf"https://status\.example\.com(/status/subscriptions/{word}\?token=\w+)", text)
        self.assertTrue(found, text)
        return found.group(1)

    def subscribed(self, address, **filters):
        form = urllib.parse.urlencode({"kind": "email", "email": address, **filters})
        status, _, body = self.call("POST", "/status/subscriptions", form)
        self.assertEqual(status, 202, body)
        asked = wait_until("the mail came", lambda: self.relay.to(address))[0]
        status, _, body = self.call("GET", self.link(asked, "confirm"))
        self.assertEqual(status, 200, body)
        status, _, body = self.call("POST", self.link(asked, "confirm"), "")
        self.assertEqual(status, 200, body)
        return asked


class Mail(StatusMail):
    def test_double_opt_in_news_and_one_click(self):
        asked = self.subscribed("ann@example.com", component="1")
        self.assertEqual(asked["From"].addresses[0].display_name, "Hafen Störungen")
        self.assertEqual(asked["Subject"], "Confirm your subscription to the status page")
        self.assertTrue(asked["Date"].datetime)

        self.report("Volumes", 1, "Slöw <disks>\r\nBcc: eve@example.com")
        news = wait_until("the news came", lambda: self.relay.to("ann@example.com")[1:])[0]
        self.assertTrue(news["Subject"].startswith("Incident opened: Slöw <disks>"), news["Subject"])
        self.assertIsNone(news["Bcc"])
        self.assertEqual(news["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click")
        self.assertTrue(news["Message-ID"].endswith("@status.example.com>"), news["Message-ID"])
        self.assertIn("Volumes (EU)", news.get_body(("plain",)).get_content())
        html = news.get_body(("html",)).get_content()
        self.assertIn("Slöw &lt;disks&gt;", html)
        for _, receivers, _ in self.relay.mails:
            self.assertNotIn("eve@example.com", receivers)

        one_click = re.fullmatch(r"<https://status\.example\.com(\S+)>", news["List-Unsubscribe"]).group(1)
        status, _, _ = self.call("POST", one_click, "List-Unsubscribe=One-Click")
        self.assertEqual(status, 200)
        status, _, _ = self.call("GET", one_click)
        self.assertEqual(status, 404)

    def test_a_line_that_is_a_dot_ends_nothing(self):
        self.subscribed("dot@example.com", component="2")
        event = {
            "title": "Mail is moved to another host",
            "type": "maintenance",
            "impact": 0,
            "components": [2],
            "description": "Before\n.\n.after\nEnd of the description",
            "contact_email": "ops@example.com",
            "start_date": "2099-05-01T10:00:00Z",
            "end_date": "2099-05-01T12:00:00Z",
        }
        status, _, body = self.call("POST", "/v2/events", event, bearer=self.token)
        self.assertEqual(status, 200, body)
        news = wait_until("the news came", lambda: self.relay.to("dot@example.com")[1:])[0]
        self.assertEqual(news["Subject"], "Maintenance planned: Mail is moved to another host")
        text = news.get_body(("plain",)).get_content().replace("\r\n", "\n")
        self.assertIn("Before\n.\n.after\nEnd of the description", text)
        self.assertNotIn("ops@example.com", text)

        status, headers, body = self.call("GET", "/status/calendar.ics?region=EU")
        self.assertEqual((status, headers["content-type"]), (200, "text/calendar; charset=utf-8"))
        events = icalendar.Calendar.from_ical(body).walk("VEVENT")
        found = [one for one in events if one["SUMMARY"] == "Mail is moved to another host"]
        self.assertEqual(len(found), 1)
        self.assertEqual(found[0]["DTSTART"].dt.isoformat(), "2099-05-01T10:00:00+00:00")
        self.assertEqual(found[0]["UID"], f"maintenance-{found[0]['URL'].rsplit('/')[-1]}@status.example.com")
        self.assertIn("Before\n.\n.after", found[0]["DESCRIPTION"])

    def test_addresses_that_are_no_addresses(self):
        for address in ("x", "a@b", "a@b.c\r\nRCPT TO:<eve@example.com>", "a@b.c>", "\"a b\"@example.com", "ä@example.com"):
            form = urllib.parse.urlencode({"kind": "email", "email": address})
            status, _, body = self.call("POST", "/status/subscriptions", form)
            self.assertEqual(status, 400, (address, body))

    def test_a_relay_that_wants_it_later_gets_it_later_and_one_that_never_does_never(self):
        self.subscribed("later@example.com", component="3")
        self.relay.refusals.append("450 greylisted")
        incident = self.report("Disks", 2, "Disks are slow")
        database = self.database()
        wait_until("it was refused", lambda: database("select 1 from status_deliveries where last_error like '%450%'"))
        self.assertEqual(len(self.relay.to("later@example.com")), 1)
        database("update queue set not_before = 0 where kind = 'status_delivery'")
        wait_until("it came", lambda: len(self.relay.to("later@example.com")) == 2)

        self.relay.refusals.append("550 no such user")
        self.report("Disks", 3, "Disks are gone")
        wait_until("it was given up", lambda: database("select 1 from status_deliveries where state = 'failed'"))
        status, _, body = self.call("GET", "/v2/notifications/failed", bearer=self.token)
        self.assertEqual(status, 200, body)
        self.assertIn("550 no such user", json.loads(body)["data"][0]["last_error"])

        status, headers, body = self.call("GET", "/rss/?mt=EU")
        self.assertEqual(status, 200, body)
        feed = feedparser.parse(body)
        self.assertFalse(feed.bozo, feed.get("bozo_exception"))
        self.assertEqual(feed.feed.title, "EU - Incidents | Status Dashboard")
        links = [entry.link for entry in feed.entries]
        self.assertIn(f"https://status.example.com/incidents/{incident['id']}", links)
        self.assertTrue(all(entry.published_parsed for entry in feed.entries))

    def database(self):
        def ask(sql):
            path = os.path.join(self.windlass.state, "sqlite_db.db")
            with contextlib.closing(sqlite3.connect(path, timeout=10)) as database, database:
                return database.execute(sql).fetchall()

        return ask


class MailWithLogin(StatusMail):
    login = "relay%20user:p%40ss%20word@"

    @classmethod
    def options(cls):
        def check(server, session, envelope, mechanism, data):
            return AuthResult(success=(b"\0" + data.login + b"\0" + data.password) == LOGIN)

        return {"authenticator": check, "auth_required": True, "auth_require_tls": False}

    def test_a_relay_may_want_a_password(self):
        self.subscribed("login@example.com")


if __name__ == "__main__":
    unittest.main()
