"""The status page in a real browser: what it looks like, sounds like, and does without a mouse.

Run by `scripts/test browser`. axe-core looks for what keeps people out; everything else is asked of the
page as it is laid out.
"""

import os
import unittest

import axe_playwright_python
from dashboard import CATALOGUE, Browser, Dashboard
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

AXE = os.path.join(os.path.dirname(axe_playwright_python.__file__), "axe.min.js")
DESKTOP, PHONE = (1280, 900), (390, 844)


class Pages(unittest.TestCase):
    """All tests look at one filled status page with one browser."""

    @classmethod
    def setUpClass(cls):
        cls.dashboard = Dashboard(CATALOGUE)
        cls.addClassCleanup(cls.dashboard.stop)
        cls.dashboard.fill()
        cls.hostile, cls.hostile_text = cls.dashboard.add_hostile_incident()
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.stop)
        cls.driver = cls.browser.driver
        with open(AXE) as file:
            cls.axe = file.read()
        cls.pages = [
            "/status",
            "/status?region=EU-NL",
            "/incidents/2",
            f"/incidents/{cls.hostile}",
            "/history",
            "/availability",
            "/status/nothing-is-here",
            "/status/subscribe",
        ]

    def open(self, path):
        self.driver.get(self.dashboard.url + path)

    def violations(self):
        self.driver.execute_script(self.axe)
        report = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']})"
            ".then(r => done(r.violations), e => done([{id: String(e), nodes: []}]))"
        )
        return [f"{found['id']}: {[node['html'][:150] for node in found['nodes'][:3]]}" for found in report]

    def test_response_times_are_a_picture_with_a_name(self):
        self.open("/status")
        charts = self.driver.find_elements("css selector", ".chart img")
        self.assertEqual([each.get_dom_attribute("alt") for each in charts], ["Response times of DNS in the last 24 hours"])
        self.driver.execute_script("arguments[0].loading = 'eager'", charts[0])
        width = "const done = arguments[1]; arguments[0].decode().then(() => done(arguments[0].naturalWidth), e => done(String(e)))"
        self.assertEqual(self.driver.execute_async_script(width, charts[0]), 384)

    def test_nothing_keeps_anybody_out(self):
        for path in self.pages:
            for theme in ("light", "dark"):
                for width, height in (DESKTOP, PHONE):
                    with self.subTest(path, theme=theme, width=width):
                        self.browser.show_as(width, height, theme)
                        self.open(path)
                        self.assertEqual(self.violations(), [])

    def test_the_page_of_the_api_is_for_everybody_and_fits(self):
        for theme in ("light", "dark"):
            for width, height in (DESKTOP, PHONE):
                with self.subTest(theme=theme, width=width):
                    self.browser.show_as(width, height, theme)
                    self.open("/docs#sites.create")
                    self.driver.execute_script("document.getElementById('sites.create').open = true")
                    self.assertIn("site_create", self.driver.find_element(By.ID, "sites.create").text)
                    self.assertEqual(self.violations(), [])
                    needed = self.driver.execute_script("return document.documentElement.scrollWidth")
                    self.assertLessEqual(needed, width)

    def test_no_page_is_wider_than_its_screen(self):
        for width in (320, 768, 1040):
            self.browser.show_as(width, 640, "light")
            for path in self.pages:
                with self.subTest(path, width=width):
                    self.open(path)
                    needed = self.driver.execute_script("return document.documentElement.scrollWidth")
                    self.assertLessEqual(needed, width)
                    beyond = self.driver.execute_script(
                        "return [...document.querySelectorAll('main *, header *, footer *')]"
                        ".filter(e => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1"
                        " && !e.closest('pre, svg')).map(e => e.outerHTML.slice(0, 100))"
                    )
                    self.assertEqual(beyond, [])

    def test_the_console_has_nothing_to_say(self):
        self.browser.show_as(*DESKTOP, "light")
        self.browser.complaints()
        for path in self.pages:
            with self.subTest(path):
                self.open(path)
                complaints = self.browser.complaints()
                # The browser reports the status of a page that is not there.
                expected = [each for each in complaints if "nothing-is-here" in each and "404" in each]
                self.assertEqual([each for each in complaints if each not in expected], [])

    def test_the_policy_stops_foreign_scripts_and_styles(self):
        """The console is silent above because nothing is stopped, not because nothing would be."""
        self.browser.show_as(*DESKTOP, "light")
        self.open("/status")
        self.browser.complaints()
        self.driver.execute_script(
            "const style = document.createElement('style'); style.textContent = 'h1{color:red}';"
            "document.head.append(style); const image = new Image(); image.src = 'https://example.org/x.png';"
        )
        said = " ".join(self.browser.complaints())
        self.assertIn("style-src", said)
        self.assertIn("img-src", said)

    def test_the_keyboard_reaches_every_link_in_order(self):
        self.browser.show_as(*DESKTOP, "light")
        for path in ("/status", "/history", "/availability"):
            with self.subTest(path):
                self.open(path)
                wanted = self.driver.execute_script(
                    "return [...document.querySelectorAll('a[href], button, input, pre[tabindex]')].map(e => e.getAttribute('href'))"
                )
                reached = []
                for _ in wanted:
                    self.driver.switch_to.active_element.send_keys(Keys.TAB)
                    reached.append(self.driver.execute_script(
                        "const e = document.activeElement; const box = e.getBoundingClientRect();"
                        "return box.width > 0 && getComputedStyle(e).outlineStyle !== 'none' ? e.getAttribute('href') : 'unseen'"
                    ))
                self.assertEqual(reached, wanted)

    def test_the_skip_link_leads_past_the_navigation(self):
        self.browser.show_as(*DESKTOP, "light")
        self.open("/status")
        self.driver.switch_to.active_element.send_keys(Keys.TAB)
        self.driver.switch_to.active_element.send_keys(Keys.ENTER)
        self.assertEqual(self.driver.switch_to.active_element.get_attribute("id"), "main")

    def test_everything_works_without_javascript(self):
        self.browser.show_as(*DESKTOP, "light")
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        self.addCleanup(self.driver.execute_cdp_cmd, "Emulation.setScriptExecutionDisabled", {"value": False})
        self.open("/status")
        self.browser.follow(By.LINK_TEXT, "EU-NL")
        self.assertTrue(self.driver.current_url.endswith("/status?region=EU-NL"), self.driver.current_url)
        self.assertIn("Load Balancer", self.driver.page_source)
        self.browser.follow(By.LINK_TEXT, "History")
        self.assertIn("/history", self.driver.current_url)
        self.browser.follow(By.CSS_SELECTOR, "article a")
        self.assertIn("/incidents/", self.driver.current_url)

    def test_a_region_shows_its_components_only(self):
        self.browser.show_as(*DESKTOP, "light")
        self.open("/status")
        self.assertEqual(len(self.driver.find_elements(By.CSS_SELECTOR, ".components li")), 16)
        self.open("/status?region=EU-NL")
        self.assertEqual(len(self.driver.find_elements(By.CSS_SELECTOR, ".components li")), 8)
        current = self.driver.find_element(By.CSS_SELECTOR, ".tabs [aria-current]")
        self.assertEqual(current.text, "EU-NL")

    def test_a_state_is_a_word_and_a_shape_not_only_a_colour(self):
        self.browser.show_as(*DESKTOP, "light")
        self.open("/status")
        found = {}
        for row in self.driver.find_elements(By.CSS_SELECTOR, ".components li"):
            state = row.find_element(By.CSS_SELECTOR, "p.s")
            picture = state.find_element(By.CSS_SELECTOR, "svg")
            self.assertGreater(picture.size["width"], 10)
            shape = state.find_element(By.CSS_SELECTOR, "use").get_attribute("href")
            found.setdefault(state.text, set()).add(shape)
        self.assertEqual(found, {
            "Available": {"#available"},
            "Maintenance": {"#maintenance"},
            "Major incident": {"#major"},
        })

    def test_texts_of_others_are_texts(self):
        self.browser.show_as(*DESKTOP, "light")
        self.open(f"/incidents/{self.hostile}")
        self.assertEqual(self.driver.find_element(By.TAG_NAME, "h1").text, self.hostile_text)
        self.assertEqual(self.driver.find_element(By.CSS_SELECTOR, ".description").text, self.hostile_text)
        self.assertEqual(self.driver.find_element(By.CSS_SELECTOR, ".updates .text").text, self.hostile_text)
        scripts = self.driver.find_elements(By.TAG_NAME, "script")
        self.assertEqual([each.get_dom_attribute("src") for each in scripts], ["/status/times.js"])

    def test_times_are_in_the_visitors_zone_with_utc_beside_them(self):
        self.browser.show_as(*DESKTOP, "light")
        try:
            for zone, is_own in [("Asia/Tokyo", True), ("UTC", False)]:
                with self.subTest(zone):
                    self.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": zone})
                    self.open(f"/incidents/{self.hostile}")
                    time = self.driver.find_element(By.CSS_SELECTOR, ".updates time")
                    moment = time.get_dom_attribute("datetime")
                    self.assertIn(f"{moment[11:16]} UTC", time.text)
                    hour = (int(moment[11:13]) + 9) % 12 or 12
                    self.assertEqual(f"{hour}:{moment[14:16]}" in time.text, is_own, time.text)
                    footer = self.driver.find_element(By.ID, "zone").text
                    self.assertEqual(zone in footer and is_own, is_own, footer)
        finally:
            self.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})

    def test_both_themes_and_print_are_styles_of_their_own(self):
        background = "return getComputedStyle(document.body).backgroundColor"
        seen = set()
        for theme in ("light", "dark"):
            self.browser.show_as(*DESKTOP, theme)
            self.open("/status")
            seen.add(self.driver.execute_script(background))
        self.assertEqual(len(seen), 2)
        self.browser.show_as(*DESKTOP, "light", media="print")
        self.addCleanup(self.browser.show_as, *DESKTOP, "light")
        self.open("/status")
        self.assertEqual(self.driver.execute_script(background), "rgb(255, 255, 255)")
        self.assertFalse(self.driver.find_element(By.CSS_SELECTOR, "header nav").is_displayed())

    def test_bars_are_drawn_for_ninety_days(self):
        self.browser.show_as(*DESKTOP, "light")
        self.open("/status")
        row = next(
            row for row in self.driver.find_elements(By.CSS_SELECTOR, ".components li")
            if "Block Volumes" in row.text and "EU-NL" in row.text
        )
        self.assertIn("over 90 days, 1 incident", row.text)
        self.assertEqual(row.find_element(By.CSS_SELECTOR, ".bars").get_dom_attribute("viewBox"), "0 0 538 32")
        outage = row.find_element(By.CSS_SELECTOR, ".bars .outage")
        self.assertGreater(outage.size["width"], 0)
        self.assertIn("Outage, ", outage.find_element(By.TAG_NAME, "title").get_attribute("textContent"))


class Empty(unittest.TestCase):
    """Before anything was stored."""

    def test_an_empty_page_fits_and_keeps_nobody_out(self):
        dashboard = Dashboard()
        self.addCleanup(dashboard.stop)
        browser = Browser()
        self.addCleanup(browser.stop)
        with open(AXE) as file:
            axe = file.read()
        for path, words in (("/status", "No components yet"), ("/history", "No incidents yet."),
                            ("/availability", "No components yet.")):
            with self.subTest(path):
                browser.show_as(320, 640, "light")
                browser.driver.get(dashboard.url + path)
                self.assertIn(words, browser.driver.find_element(By.TAG_NAME, "main").text)
                width = browser.driver.execute_script("return document.documentElement.scrollWidth")
                self.assertLessEqual(width, 320)
                browser.driver.execute_script(axe)
                report = browser.driver.execute_async_script(
                    "const done = arguments[0]; axe.run().then(r => done(r.violations.map(v => v.id)))"
                )
                self.assertEqual(report, [])


if __name__ == "__main__":
    unittest.main()
