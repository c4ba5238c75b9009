"""The unmodified `cfy` by https, through a proxy that speaks it, as the README says."""

import http.client
import http.server
import os
import ssl
import subprocess
import threading

from cfy import CommandLine
from windlass import PASSWORD


class Proxy(http.server.BaseHTTPRequestHandler):
    """Hands every request on, and its answer back."""

    protocol_version = "HTTP/1.1"

    def do(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        behind = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=30)
        behind.request(self.command, self.path, body, dict(self.headers))
        answer = behind.getresponse()
        text = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        behind.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do

    def log_message(self, *_):
        pass


class Https(CommandLine):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.certificate, key = os.path.join(cls.home, "cert.pem"), os.path.join(cls.home, "key.pem")
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
             "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cls.certificate],
            capture_output=True, text=True,
        )
        assert made.returncode == 0, made.stderr
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        server.behind = cls.windlass.port
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cls.certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)
        cls.port = str(server.server_port)

    def by_https(self, name, *more):
        at = ("profiles", "use", "127.0.0.1", "--profile-name", name, "--rest-port", self.port, "--ssl")
        return (*at, "-u", "admin", "-p", PASSWORD, "-t", "default_tenant", *more)

    def test_the_certificate_of_a_profile_is_the_one_that_is_trusted(self):
        used = self.executed(*self.by_https("safe", "-c", self.certificate))
        self.assertEqual(used.returncode, 0, used.stdout + used.stderr)
        self.assertIn("SSL mode: True", used.stdout)
        self.assertEqual(self.json("profiles show-current")["rest_protocol"], "https")
        self.cfy("status")
        self.cfy("sites create lighthouse")
        self.assertIn("CERTIFICATE_VERIFY_FAILED", self.refused(*self.by_https("unsafe")))
