"""No log of a story holds a secret that the story used."""

import unittest

from windlass import PASSWORD, SECRETS, Story, Windlass, basic, lines_with, secrets_of


class Log(Story):
    def test_what_clients_show_is_known_without_being_said(self):
        token = self.client.tokens.create()["value"]
        self.windlass.client(username=None, password=None, token=token).manager.get_version()
        known = SECRETS[self.windlass.port]
        self.assertIn(PASSWORD, known)
        self.assertIn(token.rpartition("-")[2], known)
        self.assertIn(basic().partition(" ")[2], known)

    def test_a_secret_is_found_in_every_spelling_and_an_id_is_none(self):
        secrets = {'a "quoted" one', *secrets_of("ctok-abc-0123456789"), "********", "short"}
        for line, count in {
            'x a "quoted" one': 1,
            '{"text": "a \\"quoted\\" one"}': 1,
            "GET /x?y=a%20%22quoted%22%20one": 1,
            "ctok-abc-0123456789": 1,
            "ctok-abc-*** ******** short": 0,
        }.items():
            with self.subTest(line):
                self.assertEqual(len(lines_with(f"before\n{line}\n", secrets)), count)

    def test_a_log_with_a_secret_fails_its_story(self):
        windlass = Windlass()
        # Paths are told, so this is what a client finds that puts a secret where it does not belong.
        windlass.client().blueprints.list(_include=["id"])
        windlass.secret("/blueprints")
        with self.assertRaisesRegex(AssertionError, "the log holds secrets"):
            windlass.stop()


if __name__ == "__main__":
    unittest.main()
