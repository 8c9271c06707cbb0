"""scripts/demo.py itself: the story ends well; with --serve everything stays up, the printed curl command works,
and it ends cleanly when asked, and loudly when the gateway dies."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys

from rgtest import ROOT, SLOW, Client, Story, main, ops, request, sale, until

sys.path.insert(0, os.path.join(ROOT, "scripts"))
from story.teller import Teller

DEMO = os.path.join(ROOT, "scripts", "demo.py")


class Demo(Story):
    def setUp(self):
        super().setUp()
        self.folder = os.path.join(self.stage.folder, "demo")
        self.environment = {**os.environ, "RAILGATE_DEMO_FOLDER": self.folder}

    def test_the_story(self):
        done = subprocess.run([sys.executable, DEMO], env=self.environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=120 * SLOW, check=False)  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"(\d+) of \1 steps went as expected")
        self.assertNotIn("WRONG", done.stdout)

    def test_what_is_not_as_it_should_be_is_told(self):
        class Nobody:
            client = None

            def simulators(self):
                return {}

        for right, code, word in ((True, 0, "1 of 1 steps went as expected"), (False, 1, "WRONG     expected: two")):
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                teller = Teller(Nobody())
                teller.step("One and one")
                teller.expect("two", right)
                teller.done("counted")
                self.assertEqual(teller.summary(), code)
            self.assertIn(word, said.getvalue())

    def serve(self):
        demo = subprocess.Popen([sys.executable, DEMO, "--serve"], env=self.environment, text=True,  # pylint: disable=consider-using-with
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        self.addCleanup(demo.stdout.close)
        self.addCleanup(demo.stderr.close)
        self.addCleanup(demo.kill)
        path = os.path.join(self.folder, "ready.json")
        until("ready.json is there", lambda: demo.poll() is not None or os.path.exists(path), 30)
        self.assertIsNone(demo.poll(), "it runs")
        with open(path, encoding="utf-8") as file:
            return demo, json.load(file)

    def test_serve(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            demo, ready = self.serve()
            self.assertEqual(set(ready), {"api", "ops", "notices", "key", "pid", "config", "simulators"})
            self.assertEqual(set(ready["simulators"]), {"card", "wallet", "bank", "cbdc"})
            for simulator in ready["simulators"].values():
                self.assertEqual(set(simulator), {"listen", "control"})
                self.assertEqual(request(simulator["control"].rstrip("/"), "GET", "/ledger").status, 200)
            self.assertTrue(ready["key"].startswith("rg_test_"))
            os.kill(ready["pid"], 0)

            class Running:  # what Client needs of a gateway
                url, ops_url = ready["api"], ready["ops"]

            api = Client(Running, ready["key"])
            self.assertEqual(api.post("/v1/payments", sale()).json()["status"], "succeeded")
            self.assertEqual(ops(Running, "/readyz").status, 200)
            rails = {row["type"] for row in api.get("/v1/methods?currency=EUR").json()["data"] if row["usable"]}
            self.assertEqual(rails, {"card", "qr", "bank", "cbdc"})
            demo.send_signal(number)
            out, err = demo.communicate(timeout=30 * SLOW)
            self.assertEqual(demo.returncode, 0, out + err)
            with self.assertRaises(ProcessLookupError):
                os.kill(ready["pid"], 0)
            self.assertFalse(os.path.exists(os.path.join(self.folder, "ready.json")))
        command = re.search(r"(?ms)^  (curl -i .*?)\n\n", out)
        self.assertTrue(command, "how to post a payment is printed")

    def test_the_printed_command(self):
        demo, _ = self.serve()
        text = ""
        while "Ctrl-C" not in text:
            text += demo.stdout.readline()
        command = re.search(r"(?ms)^  (curl -i .*?)\n\n", text).group(1)
        if subprocess.run(["which", "curl"], capture_output=True, check=False).returncode != 0:
            self.skipTest("curl is not installed")
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=False)
        self.assertIn("201 Created", done.stdout, done.stderr)
        self.assertIn('"succeeded"', done.stdout)
        demo.send_signal(signal.SIGINT)
        demo.wait(30 * SLOW)

    def test_a_crash_of_the_gateway_ends_it_with_a_message(self):
        demo, ready = self.serve()
        os.kill(ready["pid"], signal.SIGKILL)
        out, err = demo.communicate(timeout=30 * SLOW)
        self.assertEqual(demo.returncode, 1, out)
        self.assertIn("the gateway has ended (signal SIGKILL)", err)


if __name__ == "__main__":
    main()
