"""Signing up, the link in a mail, and a forgotten password, in a real browser whose scripts are switched off."""

import http.server
import json
import os
import re
import threading
import time
import unittest

import axe_playwright_python
from dashboard import Browser, Dashboard
from selenium.webdriver.common.by import By

AXE = os.path.join(os.path.dirname(axe_playwright_python.__file__), "axe.min.js")
DESKTOP, PHONE = (1280, 900), (320, 640)


class Mails(http.server.ThreadingHTTPServer):
    """Takes the mails that are sent, and keeps them."""

    daemon_threads = True

    def __init__(self):
        self.all = []
        mails = self.all

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                mails.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/send"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def link_to(self, address, count):
        """The link in the mail of this number, of those with a link, to an address."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            texts = [mail["text"] for mail in list(self.all) if mail["to"] == address]
            links = [found[0] for text in texts if (found := re.search(r"http://\S+/account/token/\w+", text))]
            if len(links) >= count:
                return links[count - 1]
            time.sleep(0.05)
        raise AssertionError(f"no mail with a link to {address}: {self.all}")


class Account(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mails = Mails()
        cls.addClassCleanup(cls.mails.server_close)
        cls.addClassCleanup(cls.mails.shutdown)
        cls.windlass = Dashboard(mail_url=cls.mails.url, mail_from="desk@example.com", outbound_allow_private="true")
        cls.addClassCleanup(cls.windlass.stop)
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.stop)
        cls.driver = cls.browser.driver
        cls.admin = cls.windlass.administrator()
        with open(AXE) as file:
            cls.axe = file.read()

    def open(self, path):
        self.driver.get(path if path.startswith("http") else self.windlass.url + path)

    def text(self):
        return self.driver.find_element(By.TAG_NAME, "main").text

    def send(self, **fields):
        """Fills the form as people do, and presses its button."""
        for name, value in fields.items():
            label = self.driver.find_element(By.CSS_SELECTOR, f"label[for={name}]")
            label.click()
            self.driver.switch_to.active_element.send_keys(value)
        self.browser.follow(By.TAG_NAME, "button")
        return self.text()

    def without_scripts(self):
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        self.addCleanup(self.driver.execute_cdp_cmd, "Emulation.setScriptExecutionDisabled", {"value": False})

    def sign_up(self, email, project):
        self.open("/account/sign-up")
        self.assertIn("Thank you", self.send(email=email, project_name=project))
        task = self.windlass.call("GET", "/v1/tasks", None, self.admin)["tasks"][0]
        self.windlass.call("POST", f"/v1/tasks/{task['uuid']}", {"approved": True}, self.admin)

    def test_an_account_is_made_and_its_password_replaced_without_scripts(self):
        self.without_scripts()
        self.sign_up("bob@example.com", "pier")
        link = self.mails.link_to("bob@example.com", 1)
        self.open(link)
        self.assertIn("Finish signing up", self.text())
        self.assertIn("5 to 256 characters", self.send(password="four"))
        self.open(link)
        self.assertIn("You can log in now", self.send(password="correct horse"))
        self.open(link)
        self.assertIn("does not exist or has expired", self.text())

        self.open("/account/sign-up")
        self.browser.follow(By.LINK_TEXT, "Forgotten your password?")
        self.assertIn("If there is an account", self.send(email="bob@example.com"))
        self.open(self.mails.link_to("bob@example.com", 2))
        self.assertIn("You can log in now", self.send(password="another horse"))
        basic = {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "bob@example.com", "password": "another horse"}}}}}
        token = self.windlass.call("POST", "/v3/auth/tokens", basic, "")["token"]
        self.assertEqual(token["project"]["name"], "pier")

    def violations(self):
        self.driver.execute_script(self.axe)
        report = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']})"
            ".then(r => done(r.violations), e => done([{id: String(e), nodes: []}]))"
        )
        return [f"{found['id']}: {[node['html'][:150] for node in found['nodes'][:3]]}" for found in report]

    def test_nothing_keeps_anybody_out(self):
        self.sign_up("eve@example.com", "mole")
        link = self.mails.link_to("eve@example.com", 1)
        pages = ["/account/sign-up", "/account/password", link, "/account/token/nothing"]
        for page in pages:
            for theme in ("light", "dark"):
                for width, height in (DESKTOP, PHONE):
                    with self.subTest(page, theme=theme, width=width):
                        self.browser.show_as(width, height, theme)
                        self.open(page)
                        self.assertEqual(self.violations(), [])
                        needed = self.driver.execute_script("return document.documentElement.scrollWidth")
                        self.assertLessEqual(needed, width)
        self.open("/account/sign-up")
        self.send(email="eve@example.com", project_name="not a name!")
        self.assertEqual(self.violations(), [], "what a refusal looks like")

    def test_the_console_has_nothing_to_say(self):
        self.browser.complaints()
        for page in ("/account/sign-up", "/account/password"):
            self.open(page)
            self.assertEqual(self.browser.complaints(), [], page)


if __name__ == "__main__":
    unittest.main()
