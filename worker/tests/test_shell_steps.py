"""Shell steps of pipelines: scripts, what they print, hand on and leave behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from standin import PACKAGE, wait_until
from test_worker import Story, is_alive
from windlass_worker.masking import Masking
from windlass_worker.shell_step import read_outputs


def numbers(file):
    """The processes that a script wrote down."""
    wait_until(lambda: os.path.exists(file) and open(file).read().strip())
    with open(file) as told:
        return [int(number) for number in told.read().split()]


class Lingering(Story):
    # What a script writes down of itself and of what it began, before both sleep.
    LINGER = 'sleep 300 & echo $! $$ > "$FILE.part"; mv "$FILE.part" "$FILE"; trap "" TERM; wait; sleep 300\n'

    def lingering(self, **more):
        file = os.path.join(tempfile.mkdtemp(), "told")
        return self.control_plane.offer_step(self.LINGER, environment={"FILE": file}, **more), file


class Scripts(Lingering):
    def test_a_script_prints_hands_on_and_ends(self):
        lease = self.control_plane.offer_step(
            'echo "hello $NAME"\necho oops >&2\necho "artifact=a 7" >> "$WINDLASS_OUTPUT"\n'
            'printf "notes<<END\\none\\ntwo\\nEND\\n" >> "$WINDLASS_OUTPUT"\npwd\nls\necho $WINDLASS_STEP $WINDLASS_RUN\n',
            environment={"NAME": "ann"},
        )
        self.worker(shell_steps=True)
        self.assertEqual(self.control_plane.result(lease), {
            "status": "succeeded", "result": {"exit_code": 0, "outputs": {"artifact": "a 7", "notes": "one\ntwo"}},
        })
        told = self.control_plane.console(lease)
        self.assertTrue(told.startswith("hello ann\noops\n/"), told)
        self.assertTrue(told.endswith("/work\nBuild 3\n"), told)
        self.assertEqual(self.control_plane.heartbeats[0], lease, "that it begins was said")
        self.assertIs(self.control_plane.asked[0][1]["shell_steps"], True)

    def test_who_does_not_opt_in_asks_for_none(self):
        self.worker()
        wait_until(lambda: self.control_plane.asked)
        self.assertNotIn("shell_steps", self.control_plane.asked[0][1])

    def test_the_first_line_says_what_runs_it(self):
        lease = self.control_plane.offer_step(f"#!{sys.executable}\nimport sys\nprint('python', 6 * 7)\nsys.exit(3)\n",
                                              expected_exit_codes=[0, 3])
        self.worker(shell_steps=True)
        self.assertEqual(self.control_plane.result(lease)["result"]["exit_code"], 3)
        self.assertEqual(self.control_plane.console(lease), "python 42\n")

    def test_another_end_than_expected_is_a_failure(self):
        self.worker(shell_steps=True)
        for script, part in (
            ("exit 4", "The script ended with 4, not 0"),
            ("kill -9 $$", "The script ended with 137, not 0"),
            ('echo nonsense > "$WINDLASS_OUTPUT"', "line 1 is no NAME=value"),
            ("#!/no/such/program\n", "ended with 127, not 0"),
        ):
            lease = self.control_plane.offer_step(script)
            result = self.control_plane.result(lease)
            self.assertEqual(result["status"], "failed", script)
            self.assertIn(part, result["error"]["message"], script)

    def test_the_token_of_the_worker_is_not_the_scripts(self):
        os.environ["WINDLASS_WORKER_TOKEN"] = "of the worker"
        self.addCleanup(os.environ.pop, "WINDLASS_WORKER_TOKEN")
        lease = self.control_plane.offer_step("env")
        self.worker(shell_steps=True)
        self.control_plane.result(lease)
        self.assertNotIn("of the worker", self.control_plane.console(lease))

    def test_secrets_are_hidden_also_where_they_come_in_pieces(self):
        lease = self.control_plane.offer_step(
            'printf "a s3cr"; sleep 1.5; printf "3t-7 b\\n"; echo "$TOKEN" s3cr', environment={"TOKEN": "s3cr3t-7"},
            secrets=["s3cr3t-7"],
        )
        self.worker(shell_steps=True)
        self.control_plane.result(lease)
        self.assertEqual(self.control_plane.console(lease), "a *** b\n*** s3cr\n")
        self.assertGreater(len(self.control_plane.printed[lease]), 1, "it came while the script ran")

    def test_a_million_lines_end_the_script_in_time_and_are_cut(self):
        self.control_plane.room = 100_000
        lease = self.control_plane.offer_step("yes 'a line of the console of a script' | head -1000000")
        self.worker(shell_steps=True)
        self.assertEqual(self.control_plane.result(lease, 60)["status"], "succeeded")
        sent = self.control_plane.printed[lease]
        self.assertGreater(sent[-1][0] + len(sent[-1][1]), 100_000, "so the control plane knows that there was more")
        self.assertLess(sum(len(text) for _, text in sent), 1_000_000)

    def test_what_takes_too_long_is_ended_with_all_that_it_began(self):
        lease, file = self.lingering(timeout=1)
        self.worker(shell_steps=True)
        processes = numbers(file)
        result = self.control_plane.result(lease)
        self.assertEqual((result["error"]["message"], result["error"]["recoverable"]),
                         ("The script took more than 1 seconds", False))
        self.assertFalse([number for number in processes if is_alive(number)])

    def test_a_lease_that_is_lost_ends_the_script(self):
        lease, file = self.lingering()
        self.worker(shell_steps=True)
        processes = numbers(file)
        self.control_plane.lost.add(lease)
        wait_until(lambda: not [number for number in processes if is_alive(number)], 40)
        self.assertNotIn(lease, self.control_plane.results)

    def test_a_lease_that_was_lost_before_begins_nothing(self):
        lease, file = self.lingering(lease_id="shell-gone")
        self.control_plane.lost.add(lease)
        last = self.control_plane.offer_step("true")
        self.worker(shell_steps=True, concurrency=1)
        self.control_plane.result(last)
        self.assertFalse(os.path.exists(file))

    def test_a_worker_that_stops_gives_the_step_back(self):
        lease, file = self.lingering()
        worker = self.worker(shell_steps=True, stop_grace=0)
        processes = numbers(file)
        worker.stop()
        self.assertEqual(self.control_plane.result(lease)["status"], "rescheduled")
        self.assertFalse([number for number in processes if is_alive(number)])

    def test_a_killed_worker_leaves_no_process_behind(self):
        lease, file = self.lingering()
        folder = tempfile.mkdtemp()
        command = [sys.executable, "-m", "windlass_worker", "--url", self.control_plane.url, "--token", "secret",
                   "--work-dir", folder, "--shell-steps"]
        worker = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": PACKAGE}, stderr=subprocess.DEVNULL)
        processes = numbers(file)
        self.assertTrue(all(is_alive(number) for number in processes))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        wait_until(lambda: not [number for number in processes if is_alive(number)], 5)

    def test_what_a_script_leaves_behind_is_ended(self):
        file = os.path.join(tempfile.mkdtemp(), "told")
        begun = time.monotonic()
        lease = self.control_plane.offer_step('sleep 300 & echo $! > "$FILE"', environment={"FILE": file})
        self.worker(shell_steps=True)
        self.assertEqual(self.control_plane.result(lease)["status"], "succeeded")
        self.assertLess(time.monotonic() - begun, 20)
        self.assertFalse(is_alive(numbers(file)[0]))


class Texts(unittest.TestCase):
    def test_masking_holds_back_only_what_may_be_a_secret(self):
        for pieces, wanted in (
            (["abc"], ["abc"]),
            (["x sec", "ret1 y"], ["x ", "*** y"]),
            (["sec", "sec", "ret1"], ["", "sec", "***"]),
            (["secret", "2"], ["", "secret2"]),
            (["secret1secret12"], ["******2"]),
        ):
            masking = Masking(["secret1", "no"])
            self.assertEqual([masking.take(piece) for piece in pieces], wanted, pieces)
            self.assertEqual(masking.rest(), "")
        masking = Masking(["secret1"])
        self.assertEqual((masking.take("secr"), masking.rest()), ("", "secr"))

    def test_masking_hides_all_of_secrets_that_share_text(self):
        for secrets, pieces, wanted in (
            (["abcd", "abcdefgh"], ["x abcd", "efgh y"], "x *** y"),
            (["abcd", "abcdefgh"], ["x abcd", "ef", "gi y"], "x ***efgi y"),
            (["abcd", "abcdefgh"], ["x abcdef"], "x ***ef"),
            (["abcd", "cdef"], ["abcdef", "!"], "***!"),
            (["abcd", "cdef"], ["ab", "cd", "e", "f", "!"], "***!"),
            (["abcd", "cdef"], ["abcd", "e!"], "***e!"),
            (["abab"], ["ab"] * 5 + ["!"], "***!"),
            (["bcde", "abcdefgh"], ["abcde", "fgh"], "***"),
        ):
            masking = Masking(secrets)
            self.assertEqual("".join(map(masking.take, pieces)) + masking.rest(), wanted, (secrets, pieces))
            self.assertEqual(Masking(secrets).hide("".join(pieces)), wanted)

    def test_outputs_are_lines_blocks_or_an_object(self):
        for text, wanted in (
            ("", {}),
            ("a=1\n\nb = 2", None),
            ("a=1\nb=x=y\n", {"a": "1", "b": "x=y"}),
            ("a<<E\none\n\ntwo\nE\nb=", {"a": "one\n\ntwo", "b": ""}),
            ("a<<E\none\n", None),
            ('{"n": 7, "list": [1]}', {"n": 7, "list": [1]}),
            ("{", None),
            ("a=" + "x" * 70_000, None),
        ):
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(text)
                file.flush()
                if wanted is None:
                    self.assertRaises(ValueError, read_outputs, file.name)
                else:
                    self.assertEqual(read_outputs(file.name), wanted, text)


if __name__ == "__main__":
    unittest.main()
