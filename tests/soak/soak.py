"""A mixed load of all families for some seconds, through kills, restarts, a full disk and servers that hang.

    soak.py SECONDS [--seed N]

Afterwards the application catches up, and every write that a client was told of is compared with the store.
"""

import argparse
import collections
import contextlib
import os
import random
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

sys.path[:0] = [os.path.join(os.path.dirname(__file__), os.pardir, "python")]

from audit import audit
from ledger import Api, Unknown
from load import PLUGIN, Load
from windlass import HOST, MANIFEST, PASSWORD, SECRETS, Recorder, Windlass, basic, free_port, wait_until
from workers import Worker

ROOM_MIB = 400
TEAM = "soak-team"
TEAM_PASSWORD = "hoist away, all"


class Disk:
    """Where the state is: a small file system of its own, if one can be mounted, else a folder that plays it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="windlass-soak-")
        mounting = ["mount", "-t", "tmpfs", "-o", f"size={ROOM_MIB}m,mode=700", "windlass-soak", self.folder]
        self.is_mounted = subprocess.run(mounting, capture_output=True).returncode == 0
        self.mark = self.folder + ".full"

    @contextlib.contextmanager
    def full(self):
        ballast = os.path.join(self.folder, "ballast")
        if not self.is_mounted:
            open(self.mark, "w").close()
        else:
            room = os.statvfs(self.folder)
            with contextlib.suppress(OSError), open(ballast, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, max(1, room.f_bavail * room.f_frsize - (64 << 10)))
        try:
            yield
        finally:
            for path in (ballast, self.mark):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(path)

    def remove(self):
        if self.is_mounted:
            subprocess.run(["umount", self.folder], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)


class Soaked(Windlass):
    """A host whose state is on a disk that may be full. Its log is elsewhere."""

    def __init__(self, disk, **variables):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.state = os.path.join(disk.folder, "state")
        self.log_folder = tempfile.mkdtemp(prefix="windlass-soak-log-")
        self.log = open(os.path.join(self.log_folder, "log"), "ab")
        self.variables = {
            "admin_password": PASSWORD, "self_url": self.url, "outbound_allow_private": "true", "trust_forwarded_for": "true", **variables,
        }
        SECRETS[self.port] = {PASSWORD, TEAM_PASSWORD}
        if not disk.is_mounted:
            os.environ["WINDLASS_FAULT"] = f"full-disk:{disk.mark}"
        self.process = None
        self.start()

    def answers(self):
        # It may answer that there is no room.
        with contextlib.suppress(Unknown):
            Api(self.port).ask("GET", "/api/v3.1/ok")
            return True
        return self.process.poll() is None and self.listens()

    def listens(self):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False

    def memory(self):
        """Megabytes that the process has."""
        with contextlib.suppress(OSError), open(f"/proc/{self.process.pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) // 1024
        return 0

    def files(self):
        sizes = {}
        for name in sorted(os.listdir(self.state)):
            with contextlib.suppress(OSError):
                sizes[name] = os.path.getsize(os.path.join(self.state, name)) >> 20
        return {name: size for name, size in sizes.items() if size}


class Hanging:
    """Holds back answers of a server while it is told to hang."""

    def __init__(self):
        self.free = threading.Event()
        self.free.set()

    def answer(self, _):
        self.free.wait(20)
        return 202, {}


def challenged(request):
    """A receiver that answers the status page's challenge, and everything else at once."""
    data = request.json.get("data") if isinstance(request.json, dict) else None
    challenge = (data or {}).get("challenge")
    return 200, {"challenge": challenge} if challenge else {}


def directory_or_none():
    """A real directory, where there is one to start."""
    try:
        from directory import Directory

        return Directory()
    except (AssertionError, OSError):
        return None


class Soak:
    def __init__(self, seconds, seed):
        self.seconds, self.dice = seconds, random.Random(seed)
        self.ending = threading.Event()
        self.mishaps = collections.Counter()
        self.measured = []
        self.closing = contextlib.ExitStack()

    def run(self):
        with self.closing:
            self.prepare()
            writers = self.load.start()
            self.disturb()
            self.ending.set()
            for writer in writers:
                writer.join(90)
            self.catch_up()
            return self.judge()

    def prepare(self):
        close = self.closing.callback
        self.disk = Disk()
        close(self.disk.remove)
        self.slow = Hanging()
        self.receiver, self.mails = Recorder(challenged), Recorder(self.slow.answer)
        close(self.receiver.stop)
        close(self.mails.stop)
        self.directory = directory_or_none()
        hosts = {"ldap_hosts": f"tcp://127.0.0.1:{self.directory.port}"} if self.directory else {}
        if self.directory:
            close(self.directory.stop)
        self.windlass = Soaked(self.disk, mail_url=f"{self.mails.url}/send", mail_from="desk@example.com", **hosts)
        close(self.windlass.stop)
        client = self.windlass.client()
        client.users.create(TEAM, TEAM_PASSWORD, role="default")
        client.tenants.add_user(TEAM, "default_tenant", "manager")
        client.users.create("docker", TEAM_PASSWORD, "default")
        client.tenants.add_user("docker", "default_tenant", "worker")

        def token(name):
            own = self.windlass.client(username=name, password=TEAM_PASSWORD)
            return own.tokens.create(description="soak")["value"]

        team, docker, own = token(TEAM), token("docker"), client.tokens.create()["value"]
        admin = Api(self.windlass.port, authorization=basic(), tenant="default_tenant")
        self.load = Load(
            admin, Api(self.windlass.port, authorization=f"Bearer {team}"),
            Api(self.windlass.port, authorization=f"Bearer {own}"), self.receiver, self.ending,
        )
        self.load.prepare()
        worker = Worker(self.windlass, docker, files={"yard.py": PLUGIN})
        close(worker.stop)
        if self.directory:
            from directory import ADMIN, ADMIN_PASSWORD

            self.directory.add_user("ann", "over the sea", "Ann")
            client.ldap.set(
                ldap_server=self.directory.url, ldap_domain="harbour.example", ldap_username=ADMIN,
                ldap_password=ADMIN_PASSWORD, ldap_is_active_directory=False, ldap_dn_extra=None,
            )

    def disturb(self):
        end = time.monotonic() + self.seconds
        mishaps = [self.kill, self.kill, self.kill, self.restart, self.fill, self.hang_mail, self.hang_directory]
        while time.monotonic() < end:
            time.sleep(self.dice.uniform(1, 5))
            self.measure()
            mishap = self.dice.choice(mishaps)
            self.mishaps[mishap.__name__] += 1
            mishap()

    def kill(self):
        self.windlass.kill()
        time.sleep(self.dice.uniform(0, 0.3))
        self.windlass.start()

    def restart(self):
        self.windlass.process.terminate()
        try:
            self.windlass.process.wait(20)
        except subprocess.TimeoutExpired:
            self.mishaps["did not end when asked"] += 1
        self.kill()

    def fill(self):
        with self.disk.full():
            time.sleep(self.dice.uniform(1, 4))

    def hang_mail(self):
        self.slow.free.clear()
        time.sleep(self.dice.uniform(1, 5))
        self.slow.free.set()

    def hang_directory(self):
        if self.directory is None:
            return
        self.directory.process.send_signal(signal.SIGSTOP)
        try:
            asking = Api(self.windlass.port, authorization=basic("ann", "over the sea"), tenant="default_tenant")
            threading.Thread(target=self.ask, args=(asking,), daemon=True).start()
            time.sleep(self.dice.uniform(1, 4))
        finally:
            self.directory.process.send_signal(signal.SIGCONT)

    @staticmethod
    def ask(api):
        with contextlib.suppress(Unknown):
            api.ask("GET", "/api/v3.1/version")

    def measure(self):
        self.measured.append((self.windlass.memory(), sum(self.windlass.files().values())))

    def catch_up(self):
        """Lets everything come to its end that was begun, without mishaps."""
        admin = self.load.admin

        def is_done():
            with contextlib.suppress(Unknown):
                _, left = admin.ask("GET", "/api/v3.1/executions?status=pending&status=queued&status=started&_size=1")
                going = left["metadata"]["pagination"]["total"]
                store = sqlite3.connect(f"file:{self.windlass.state}/sqlite_db.db?mode=ro", uri=True, timeout=10)
                one = lambda sql: store.execute(sql).fetchone()[0]
                runs = one("select count(*) from pipeline_runs where state not in ('success', 'failed', 'stopped')")
                told = one("select count(*) from status_deliveries where state = 'pending'")
                mails = one("select count(*) from adjutant_mails where state = 'queued'")
                store.close()
                self.left = f"{going} executions, {runs} runs, {told} notices, {mails} mails"
                return going + runs + told + mails == 0
            return False

        self.left = "nothing known"
        begun = time.monotonic()
        try:
            wait_until("all that was begun has ended", is_done, max(300, self.seconds))
        except AssertionError:
            print(f"still there: {self.left}", flush=True)
        print(f"caught up in {time.monotonic() - begun:.0f} s", flush=True)
        self.measure()

    def judge(self):
        values = self.secrets()
        self.windlass.process.terminate()
        self.windlass.process.wait(60)
        asked = [HOST, "audit-store", "--from", MANIFEST, "--state-dir", self.windlass.state]
        stored = subprocess.run(asked, capture_output=True, text=True)
        wrong = values + audit(self.load, self.windlass.state, self.receiver, self.mails)
        if stored.returncode != 0:
            wrong.append(f"audit-store: {stored.stdout[-500:]} {stored.stderr[-500:]}")
        self.tell()
        return wrong

    def secrets(self):
        """Values of secrets that are none of those that they may have."""
        wrong = []
        for key, allowed in self.load.values.items():
            status, found = self.load.admin.ask("GET", f"/api/v3.1/secrets/{key}")
            was_told = any(known == key for known, _ in self.load.ledgers["secrets"].told)
            if status == 200 and found["value"] not in allowed or status == 404 and was_told:
                wrong.append(f"secrets: {key} is {found}, not one of {allowed}")
        return wrong

    def tell(self):
        for ledger in self.load.ledgers.values():
            print(ledger)
        print("mishaps:", ", ".join(f"{count} {what}" for what, count in sorted(self.mishaps.items())))
        memory = [mib for mib, _ in self.measured if mib]
        third = max(1, len(memory) // 3)
        beginning, end = (max(part) for part in (memory[:third], memory[-third:]))
        print(f"memory: at most {beginning} MiB in the first third, {end} in the last; files: {self.windlass.files()} MiB")
        print(f"disk: {'a file system of its own' if self.disk.is_mounted else 'played by the host'}; directory: {bool(self.directory)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", type=int)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    wrong = Soak(given.seconds, given.seed).run()
    for each in wrong[:40]:
        print(f"WRONG: {each}")
    print(f"{len(wrong)} things are wrong" if wrong else "nothing lost, nothing doubled")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
