"""A status page with something on it, and a browser to look at it with.

The catalogue is stored as an operator stores it, over HTTP. What happened in the past is written into
the database of the test, because no URL moves the clock.
"""

import base64
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import presence_of_element_located, staleness_of
from selenium.webdriver.support.wait import WebDriverWait

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOST = os.environ.get("WINDLASS_HOST", os.path.join(REPOSITORY, "target/release/windlass-host"))
MANIFEST = os.environ.get("WINDLASS_MANIFEST", os.path.join(REPOSITORY, "spin.toml"))
PASSWORD = "correct horse battery staple"

REGIONS = ("EU-DE", "EU-NL")
CATEGORIES = {
    "Compute": ("Virtual Machines", "Container Engine"),
    "Storage": ("Block Volumes", "Object Storage"),
    "Network": ("DNS", "Load Balancer"),
    "Databases": ("Relational Database", "Document Store"),
}
CATALOGUE = [
    {"name": name, "attributes": {"region": region, "category": category}}
    for category, names in CATEGORIES.items()
    for region in REGIONS
    for name in names
]

# Title, impact, components by name and region, began and ended so many hours ago, what was told.
PAST = (
    ("Virtual machines cannot be started", 3, (("Virtual Machines", "EU-DE"),), 1203, 1198.5,
     "A full queue of the scheduler was emptied; machines start again."),
    ("Object storage answers slowly", 1, (("Object Storage", "EU-DE"), ("Object Storage", "EU-NL")), 861, 858,
     "Two nodes with worn discs were taken out."),
    ("Load balancer drops connections", 2, (("Load Balancer", "EU-NL"),), 555, 550,
     "The release of the morning was taken back."),
    ("Failover of the relational database", 2, (("Relational Database", "EU-DE"),), 410, 409.2,
     "The standby has taken over, no data was lost."),
    ("Names resolve slowly", 1, (("DNS", "EU-DE"), ("DNS", "EU-NL")), 190, 188, "More resolvers were added."),
    ("Block volumes cannot be attached", 3, (("Block Volumes", "EU-NL"),), 75, 72.4,
     "A certificate had expired; it renews itself now."),
)


class Dashboard:
    """A host process on a port and a state folder of its own."""

    def __init__(self, catalogue=(), **variables):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.state = tempfile.mkdtemp(prefix="windlass-browser-")
        self.log = open(os.path.join(self.state, "log"), "wb")
        command = [HOST, "up", "--from", MANIFEST, "--listen", f"127.0.0.1:{port}", "--state-dir", self.state]
        command += ["--no-cron", "--variable", f"admin_password={PASSWORD}", "--variable", f"self_url={self.url}"]
        for name, value in variables.items():
            command += ["--variable", f"{name}={value}"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            self.wait_until_it_answers()
            if catalogue:
                self.set_catalogue(catalogue)
        except BaseException:
            self.stop()
            raise

    def wait_until_it_answers(self):
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if self.process.poll() is not None:
                with open(self.log.name, errors="replace") as log:
                    raise AssertionError(f"the host ended with {self.process.returncode}:\n{log.read()[-3000:]}")
            try:
                with urllib.request.urlopen(self.url + "/status", timeout=10):
                    return
            except urllib.error.HTTPError as answer:
                raise AssertionError(f"/status answers {answer.code}: {answer.read(500)}") from None
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the host does not answer")

    def call(self, method, path, body, authorization):
        request = urllib.request.Request(self.url + path, method=method, data=None if body is None else json.dumps(body).encode())
        request.add_header("content-type", "application/json")
        request.add_header("authorization", authorization)
        request.add_header("tenant", "default_tenant")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or "null")

    def administrator(self):
        """The header by which the administrator calls any API."""
        basic = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        token = self.call("POST", "/api/v3.1/tokens", {}, basic)["value"]
        return f"Bearer {token}"

    def set_catalogue(self, components):
        self.call("PUT", "/api/v1/catalogue", {"components": components}, self.administrator())

    def database(self):
        return sqlite3.connect(os.path.join(self.state, "sqlite_db.db"), timeout=30)

    def fill(self):
        """A past of some months, an open incident, a maintenance under way and one that is planned."""
        with self.database() as database:
            database.execute("update status_components set created_at = ?", (hours(-24 * 400),))
            for title, impact, places, began, ended, told in PAST:
                event = add_event(database, "incident", title, impact, -began, -ended, "resolved", places)
                add_update(database, event, "analysing", "We are looking into it.", -began + 0.1)
                add_update(database, event, "resolved", told, -ended)
            both = [("Container Engine", region) for region in REGIONS]
            event = add_event(database, "incident", "Nodes of new clusters take long to start", 2, -2.6, None, "fixing", both)
            add_update(database, event, "analysing", "New nodes wait for their images. Running clusters are not touched.", -2.4)
            add_update(database, event, "fixing", "The registry's cache is full and is being enlarged. "
                       "We expect normal times within the hour.", -0.7)
            places = [("Document Store", "EU-DE")]
            event = add_event(database, "maintenance", "Upgrade of the document store", 0, -1, 2, "in_progress", places,
                              "Nodes are upgraded one after the other. Connections break once and can be opened again at once.")
            places = [("Load Balancer", region) for region in REGIONS]
            add_event(database, "maintenance", "New certificates of the load balancers", 0, 70, 72, "planned", places,
                      "Connections through a load balancer are closed once.")
            add_probe(database, "DNS", "EU-DE")
        database.close()

    def add_hostile_incident(self):
        """Its title, description and update are what somebody would write who means harm."""
        text = "<script>alert(\"1\")</script> 'quoted' & \"more\""
        with self.database() as database:
            event = add_event(database, "incident", text, 1, -400 * 24, -399 * 24, "resolved", [("DNS", "EU-DE")], text)
            add_update(database, event, "resolved", text, -399 * 24)
        database.close()
        return event, text

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.state, ignore_errors=True)


def hours(offset):
    """A moment so many hours from now, as the database has it."""
    moment = datetime.now(timezone.utc) + timedelta(hours=offset)
    return moment.strftime("%Y-%m-%dT%H:%M:00.000Z")


def add_probe(database, name, region):
    """A probe, and what it measured in the last day."""
    settings = {"type": "tcp", "address": "dns.example.com:53", "interval_seconds": 60, "timeout_seconds": 10,
                "failures_to_open": 3, "successes_to_close": 2, "impact": 3}
    database.execute(
        "insert into status_probes (id, component_id, settings, created_at, created_by, updated_at)"
        " select 'dns', id, ?, ?, 'admin', ? from status_components where name = ? and region = ?",
        (json.dumps(settings), hours(-48), hours(-48), name, region),
    )
    last = int(time.time() // 900)
    slots = [(slot, 15, int(slot % 40 == 0), 15 * (20 + slot % 7)) for slot in range(last - 95, last + 1)]
    database.executemany("insert into status_probe_slots values ('dns', ?, ?, ?, ?)", slots)


def add_event(database, kind, title, impact, start, end, status, places, description=None):
    started, ended = hours(start), None if end is None else hours(end)
    cursor = database.execute(
        "insert into status_incidents (kind, title, description, impact, started_at, ended_at, is_system,"
        " status, created_at, created_by, updated_at) values (?, ?, ?, ?, ?, ?, 0, ?, ?, 'admin', ?)",
        (kind, title, description, impact, started, ended, status, started, started),
    )
    event = cursor.lastrowid
    for name, region in places:
        database.execute(
            "insert into status_incident_components (incident_id, component_id)"
            " select ?, id from status_components where name = ? and region = ?",
            (event, name, region),
        )
    return event


def add_update(database, event, status, text, at):
    database.execute(
        "insert into status_updates (incident_id, status, text, at, created_at, created_by)"
        " values (?, ?, ?, ?, ?, 'admin')",
        (event, status, text, hours(at), hours(at)),
    )


class Browser:
    """A Chromium of its own, without a window."""

    FLAGS = (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-dev-shm-usage", "--hide-scrollbars",
    )

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="windlass-chromium-")
        options = webdriver.ChromeOptions()
        options.binary_location = program("chromium", "chromium-browser", "google-chrome")
        for flag in (*self.FLAGS, f"--user-data-dir={self.profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(program("chromedriver")))
        self.driver.set_page_load_timeout(60)

    def show_as(self, width, height, theme, scale=1, media=""):
        """A screen of this size, and what its user prefers."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [
            {"name": "prefers-color-scheme", "value": theme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})

    def follow(self, *element):
        """Clicks what leads to another page, and waits for that page: a click returns before it is there."""
        before = self.driver.find_element(By.TAG_NAME, "html")
        self.driver.find_element(*element).click()
        WebDriverWait(self.driver, 60, 0.05).until(staleness_of(before))
        WebDriverWait(self.driver, 60, 0.05).until(presence_of_element_located((By.TAG_NAME, "main")))

    def complaints(self):
        """What the browser's console says since it was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def picture(self, height):
        """The page as PNG, from its beginning to its end or to this height."""
        body = self.driver.execute_script("return document.body.getBoundingClientRect().toJSON()")
        clip = {"x": 0, "y": 0, "width": body["width"], "height": min(body["height"], height), "scale": 1}
        given = {"format": "png", "captureBeyondViewport": True, "clip": clip}
        return base64.b64decode(self.driver.execute_cdp_cmd("Page.captureScreenshot", given)["data"])

    def stop(self):
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)


def program(*names):
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise AssertionError(f"{names[0]} is missing: scripts/setup --tests installs it")
