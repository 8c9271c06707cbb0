"""What strangers try at region profiles: the operators' socket, card numbers where no card is, names that speak to a
terminal or are made to be expensive, and what merchants could learn that is not theirs.

All names are invented. Test card numbers from published ranges only (see rgtest.py).
"""

import json
import os
import socket
import stat
import time

from rgprofile import created, noon, rules
from rgtest import VISA, Story, main, sale

LIST = """# published: {day}
id,name,aliases,country,birth_date,type
H-\u202e1\u009b31m,Ottokar Vandelleure,Oskar \u202eWandelmeier,RU,1971-04-05,individual
"""
LOOK = {"id": "look", "when": ["purpose=LOOK"], "then": "review", "reason": "somebody looks at these"}
DAY = {"id": "day", "per": "account", "window": "day", "max": ["100.00 EUR"]}
# C1 controls, what turns the order of letters around, and what ends a line.
OBEYED = [chr(c) for c in (*range(0x80, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0x1B)]


def socket_of(gateway):
    return os.path.join(gateway.var, "admin.sock")


def ask(gateway, request, seconds=20):
    """What the operators' socket answers until it closes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(seconds)
        line.connect(socket_of(gateway))
        answer = b""
        try:
            line.sendall(request)
            while part := line.recv(65536):
                answer += part
        except (BrokenPipeError, ConnectionResetError):
            pass  # it need not listen to the end
        return answer


def call(gateway, method, path, body=b""):
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = ask(gateway, head.encode() + body)
    return int(answer.split(b" ", 2)[1]), answer


class Profiles(Story):
    def setUp(self):
        super().setUp()
        self.sim = self.stage.simulator()
        lists = [{"name": "house", "format": "csv", "path": "lists/house.csv", "max_age": "30d"}]
        region = noon(screening={"lists": ["house"]}, rules=[LOOK], limits=[DAY])
        self.gateway = self.stage.gateway(self.sim, settings={"lists": lists}, region=region, ready=False)
        self.gateway.stop()
        os.makedirs(os.path.join(self.gateway.config, "lists"), exist_ok=True)
        with open(os.path.join(self.gateway.config, "lists", "house.csv"), "w", encoding="utf-8") as file:
            file.write(LIST.format(day=time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))))
        self.gateway.start()
        self.api = self.gateway.client()

    def pays(self, **more):
        return created(self.api.post("/v1/payments", sale(500, **more)))


class Socket(Profiles):
    def test_only_the_owner_may_connect(self):
        mode = os.stat(socket_of(self.gateway)).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(mode & 0o777, 0o600)

    def test_what_is_not_ours_stays(self):
        """A file or a link where the socket should be is neither removed nor written through, nor are its rights changed."""
        path, precious = socket_of(self.gateway), os.path.join(self.stage.folder, "precious")
        for kind in ("file", "link"):
            self.gateway.stop()
            if os.path.lexists(path):
                os.unlink(path)
            with open(precious, "w", encoding="ascii") as file:
                file.write("kept")
            os.chmod(precious, 0o644)
            (os.link if kind == "file" else os.symlink)(precious, path)
            self.gateway.start(wait=False)
            self.gateway.wait_end()
            with open(precious, encoding="ascii") as file:
                self.assertEqual(file.read(), "kept")
            self.assertEqual(os.stat(precious).st_mode & 0o777, 0o644, kind)
            self.assertTrue(os.path.lexists(path), kind)
            os.unlink(path)
            self.gateway.start()

    def test_regions_that_are_paths(self):
        outside = sorted(os.listdir(self.stage.folder))
        regions = sorted(os.listdir(os.path.join(self.gateway.config, "regions")))
        for region in ("..", "%2e%2e", "..%2Fx", "%2e%2e%2f%2e%2e%2fx", "/etc/passwd", "x" * 64, "x" * 33, "%00", "-", "default/../x"):
            status, answer = call(self.gateway, "POST", f"/profiles/{region}/rollback", b'{"seq":1,"by":"x"}')
            self.assertIn(status, (400, 404), (region, answer))
        self.assertEqual(call(self.gateway, "POST", "/profiles/DEFAULT/rollback", b'{"seq":1,"by":"x"}')[0], 200)
        self.assertEqual(sorted(os.listdir(self.stage.folder)), outside)
        self.assertEqual(sorted(os.listdir(os.path.join(self.gateway.config, "regions"))), regions)

    def test_requests_that_are_none(self):
        big = b"x" * (4 * 1024 * 1024)
        for request in (b"\x00" * 100, b"GET", b"POST /reload HTTP/1.1\r\nContent-Length: 9\r\nContent-Length: 1\r\n\r\n",
                        b"POST /reviews/" + b"a" * 70000 + b"/approve HTTP/1.1\r\n\r\n",
                        b"POST /profiles/default/rollback HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(big) + big):  # fmt: skip
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.connect(socket_of(self.gateway))
                line.settimeout(20)
                try:
                    line.sendall(request)
                    line.shutdown(socket.SHUT_WR)
                    while line.recv(65536):
                        pass
                except (BrokenPipeError, ConnectionResetError):
                    pass
        for query, status in (("", 200), ("?after=pay_1m81se8t60000", 200), ("?afer=pay_1m81se8t60000", 400), ("?after=x&after=y", 400)):
            self.assertEqual(call(self.gateway, "GET", f"/reviews{query}")[0], status, query)
        deep = b"[" * 5000
        self.assertEqual(call(self.gateway, "POST", "/profiles/default/rollback", deep)[0], 400)
        for body in (b'{"by":"a\\nb"}', b'{"by":""}', b'{"by":"x","seq":-1}', b'{"by":"x","seq":1.5}', b'{"by":"x","more":1}', b"[]"):
            self.assertIn(call(self.gateway, "POST", "/profiles/default/rollback", body)[0], (400, 422), body)
        self.assertEqual(self.pays()["status"], "succeeded")


class Told(Profiles):
    def test_no_card_number_where_no_card_is(self):
        spaced = " ".join(VISA[i:i + 4] for i in range(0, 16, 4))  # fmt: skip
        fields = [{"payer": {field: VISA}} for field in ("id", "name", "email", "address", "national_id")]
        fields += [{"payee": {field: VISA}} for field in ("id", "name", "email", "address", "national_id")]
        fields += [{"device": {"id": VISA}}, {"purpose": VISA}, {"payer": {"name": f"Otto {spaced}"}}]
        # Of a card payment an account is one more place for the number of the card.
        fields += [{"payer": {"account": VISA}}, {"payer": {"alias": VISA}}, {"payee": {"account": spaced}}]
        for more in fields:
            answer = self.api.post("/v1/payments", sale(500, **more))
            self.assertEqual(answer.status, 422, (more, answer))
            for form in (VISA, spaced):
                self.assertNotIn(form, answer.body.decode(), more)
                self.assertNotIn(form, self.gateway.log_text(), more)
        self.assertEqual(self.api.payments(), [])

    def test_a_hit_is_no_measure(self):
        """How alike a name is to which is not the merchant's to know: he would spell until it passes."""
        payment = self.pays(payer={"id": "p1", "name": "Ottokar Vandelleur"})
        self.assertEqual((payment["status"], rules(payment, "review")), ("processing", ["screening.payer"]), payment)
        text = payment["decision"]["reasons"][0]["text"]
        self.assertNotRegex(text, r"\d")
        self.assertNotIn("score", json.dumps(self.api.events(payment["id"])))

    def test_who_looked_and_why_is_not_told(self):
        why = "is H-1 of the list, born 1971"
        for word in ("approve", "reject"):
            payment = self.pays(purpose="LOOK", payer={"id": "p1"})
            self.gateway.cli("review", word, payment["id"], "--by", "Ops One", "--why", why)
            self.api.final(payment["id"])
            told = json.dumps([self.api.events(payment["id"]), self.api.payment(payment["id"])])
            self.assertNotIn("Ops One", told)
            self.assertNotIn("H-1", told)
            shown = self.gateway.cli("payments", "show", payment["id"])[1]
            self.assertIn(why, shown)

    def test_what_an_account_paid_elsewhere(self):
        """The same card at two merchants: the sum counts for both, and neither hears what the other had."""
        self.assertEqual(self.pays(payer={"id": "p1"})["status"], "succeeded")
        other = self.gateway.client()  # a merchant of its own
        payment = created(other.post("/v1/payments", sale(9777)))
        self.assertEqual((payment["status"], rules(payment, "deny")), ("failed", ["limit.day"]), payment)
        self.assertNotIn("102.77", json.dumps(payment))

    def test_nothing_speaks_to_the_terminal(self):
        odd = "\u202egnihton\u2028 \u2066x"
        payment = self.pays(reference=odd, payer={"id": "p1", "name": f"Ottokar {odd} Vandelleure"})
        held = self.pays(reference=odd, payer={"id": "p1", "name": "Oskar Wandelmeier"})
        path = os.path.join(self.stage.folder, "request.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(sale(500, payer={"id": "p1", "name": "Oskar Wandelmeier"}), file)
        for words in (("payments", "list"), ("payments", "show", payment["id"]), ("payments", "show", held["id"]),
                      ("review", "list"), ("explain", path), ("profile", "history", "default")):  # fmt: skip
            out = "".join(self.gateway.cli(*words, code=None)[1:])
            self.assertTrue(out, words)
            self.assertEqual([hex(ord(c)) for c in OBEYED if c in out], [], words)


class Cost(Profiles):
    def test_names_that_are_made_to_be_expensive(self):
        """None of them is refused or breaks anything, and somebody else's payment is as fast as before."""
        names = ("a" * 140, "a " * 70, "Ottokar " * 17, "Vandelleure" * 12, "\u0301" * 139 + "a", "\ufdfa" * 140, "가" * 140, "王 " * 70,
                 "α가aא" * 35, "𝐀" * 140, "' ` ´ ’" * 20, ". - / " * 23, "محمد " * 28)  # fmt: skip
        for name in names:
            answer = self.api.post("/v1/payments", sale(500, payer={"id": "p1", "name": name.strip()}))
            self.assertIn(answer.status, (201, 202, 422), (name, answer))
        self.assertTrue(self.gateway.alive())


if __name__ == "__main__":
    main()
