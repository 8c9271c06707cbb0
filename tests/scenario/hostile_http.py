"""Bytes that no honest client sends, over the real socket: each gets one clear error or a closed connection,
never a second response, never a hang; and the gateway serves others meanwhile and afterwards.

LIMITS are small here so that slowness shows quickly; the defaults are in auth.py.

Test card numbers from published ranges only.
"""

import random
import socket

from rgtest import Raw, Story, main, ops, sale, split_answers, together, until

LIMITS = {"header_time": "400ms", "body_time": "600ms", "header_bytes": "4KiB", "body_bytes": "8KiB", "connections": 200}
GOOD = b'{"amount":{"value":100,"currency":"EUR"},"method":{"type":"card","card":{"entry":"manual","pan":"4111111111111111","expiry":"3012"}}}'


class Hostile(Story):
    def setUp(self):
        super().setUp()
        self.sim, self.gateway, self.api = self.pair(settings={"limits": LIMITS})

    def head(self, *lines, first=b"POST /v1/payments HTTP/1.1", host=b"Host: localhost"):
        base = [first] + ([host] if host else [])
        base += [b"Authorization: Bearer " + self.api.key.encode(), b"Content-Type: application/json", b"Idempotency-Key: hostile"]
        return b"\r\n".join(base + list(lines)) + b"\r\n\r\n"

    def exchange(self, data, finish=False):
        """All answers until the gateway closes."""
        with Raw(self.gateway.address) as raw:
            raw.send(data)
            if finish:
                raw.finish()
            return split_answers(raw.read_to_end())

    def refused(self, data, *statuses, finish=False):
        """Exactly one answer of these, with Connection: close (or a close without an answer when 0 is one
        of them), nothing executed, and the gateway alive."""
        before = len(self.sim.entries())
        answers = self.exchange(data, finish)
        self.assertLessEqual(len(answers), 1, [a.body for a in answers])
        got = answers[0].status if answers else 0
        self.assertIn(got, statuses, answers)
        if answers:
            self.assertEqual(answers[0].headers.get("connection"), "close")
            self.assertEqual(answers[0].headers.get("content-type"), "application/problem+json")
            problem = answers[0].json()
            self.assertEqual(problem["status"], got)
            self.assertTrue(problem["code"] and problem["detail"])
        self.assertEqual(len(self.sim.entries()), before, "something was executed")
        self.alive()

    def alive(self):
        self.assertTrue(self.gateway.alive())
        self.assertEqual(self.api.get("/v1/payments?limit=1").status, 200)


class Smuggling(Hostile):
    """RFC 9112 section 11.2; two readers of these bytes could see two different requests."""

    SECOND = b"GET /v1/limits HTTP/1.1\r\nHost: x\r\n\r\n"

    def test_length_told_twice_or_in_two_ways(self):
        n = str(len(GOOD)).encode()
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)
        for name, lines, body in (
            ("CL and TE", (b"Content-Length: " + n, b"Transfer-Encoding: chunked"), chunked),
            ("TE and CL", (b"Transfer-Encoding: chunked", b"Content-Length: 4"), chunked),
            ("CL twice, different", (b"Content-Length: " + n, b"Content-Length: 0"), GOOD),
            ("CL twice, equal", (b"Content-Length: " + n, b"Content-Length: " + n), GOOD),
            ("CL as a list", (b"Content-Length: " + n + b", " + n,), GOOD),
            ("CL negative", (b"Content-Length: -1",), GOOD),
            ("CL with a sign", (b"Content-Length: +" + n,), GOOD),
            ("CL in hexadecimal", (b"Content-Length: 0x10",), GOOD),
            ("CL with a blank inside", (b"Content-Length: 1 0",), GOOD),
            ("CL empty", (b"Content-Length:",), GOOD),
            ("CL huge", (b"Content-Length: 99999999999999999999999",), GOOD),
            ("CL of 2^64 + n", (b"Content-Length: " + str(2**64 + len(GOOD)).encode(),), GOOD),
            ("TE identity", (b"Transfer-Encoding: identity",), GOOD),
            ("TE chunked twice", (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), chunked),
            ("TE gzip, chunked", (b"Transfer-Encoding: gzip, chunked",), chunked),
            ("TE chunked, identity", (b"Transfer-Encoding: chunked, identity",), chunked),
            ("TE xchunked", (b"Transfer-Encoding: xchunked",), chunked),
            ("TE with a vertical tab", (b"Transfer-Encoding: \x0bchunked",), chunked),
            ("TE with a blank before the colon", (b"Transfer-Encoding : chunked",), chunked),
            ("TE folded", (b"Transfer-Encoding:\r\n chunked",), chunked),
            ("TE in quotes", (b'Transfer-Encoding: "chunked"',), chunked),
            ("TE for HTTP/1.0", (b"Transfer-Encoding: chunked",), chunked),
        ):
            with self.subTest(name=name):
                first = b"POST /v1/payments HTTP/1.0" if "1.0" in name else b"POST /v1/payments HTTP/1.1"
                self.refused(self.head(*lines, first=first) + body + self.SECOND, 400, 411, 413, 501, 505)

    def test_chunks(self):
        for name, body in {
            "size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
            "size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
            "size with a blank": b"5 \r\nhello\r\n0\r\n\r\n",
            "blank before the size": b" 5\r\nhello\r\n0\r\n\r\n",
            "no size": b"\r\nhello\r\n0\r\n\r\n",
            "negative size": b"-1\r\nhello\r\n0\r\n\r\n",
            "size of 17 digits": b"00000000000000005\r\nhello\r\n0\r\n\r\n",
            "size that overflows": b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
            "size that overflows by one": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
            "chunk extension": b"5;a=b\r\nhello\r\n0\r\n\r\n",
            "chunk extension with a bare LF": b"5;\nhello\r\n0\r\n\r\n",
            "bare LF after the size": b"5\nhello\r\n0\r\n\r\n",
            "bare CR after the size": b"5\rXhello\r\n0\r\n\r\n",
            "longer than its size": b"5\r\nhelloo\r\n0\r\n\r\n",
            "shorter than its size": b"5\r\nhell\r\n0\r\n\r\n",
            "bare LF after the data": b"5\r\nhello\n0\r\n\r\n",
            "trailer that is no header": b"0\r\nwhat is this\r\n\r\n",
            "too large in all": b"1000\r\n" + b"x" * 4096 + b"\r\n" + b"1001\r\n" + b"x" * 4097 + b"\r\n0\r\n\r\n",
        }.items():
            with self.subTest(name=name):
                self.refused(self.head(b"Transfer-Encoding: chunked") + body + self.SECOND, 400, 413)

    def test_a_body_in_good_chunks_is_taken(self):
        for size in (1, 7, 1000):
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(GOOD[i : i + size]), GOOD[i : i + size]) for i in range(0, len(GOOD), size))
            with Raw(self.gateway.address) as raw:
                raw.send(self.head(b"Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n")
                self.assertEqual(raw.read_answer().status, 201)


class Lines(Hostile):
    def test_request_line(self):
        for line in (
            b"GET  /v1/payments HTTP/1.1", b"GET /v1/payments  HTTP/1.1", b"GET /v1/payments", b"GET /v1/payments HTTP/1.1 ",
            b" GET /v1/payments HTTP/1.1", b"GET\t/v1/payments HTTP/1.1", b"GET /v1/payments HTTP/2.0", b"GET /v1/payments HTTP/1.2",
            b"GET /v1/payments HTTP/0.9", b"GET /v1/payments http/1.1", b"GET /v1/payments HTTPS/1.1", b"GET /v1/pay\x00ments HTTP/1.1",
            b"GET /v1/pay\xffments HTTP/1.1", b"G\xc3\x8bT /v1/payments HTTP/1.1", b"GET /" + b"a" * 9000 + b" HTTP/1.1",
            b"X" * 5000 + b" / HTTP/1.1", b"PRI * HTTP/2.0", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40,
            b"GET http://other/v1/payments HTTP/1.1 x", b"CONNECT other:443 HTTP/1.1",
        ):  # fmt: skip
            with self.subTest(line=line[:40]):
                self.refused(self.head(b"Connection: close", first=line), 0, 400, 404, 405, 414, 431, 501, 505)

    def test_header_lines(self):
        for name, lines in {
            "folded": (b"X-A: 1\r\n 2",), "folded with a tab": (b"X-A: 1\r\n\t2",), "folded first": (b" X-A: 1",),
            "blank before the colon": (b"X-A : 1",), "no colon": (b"X-A",), "empty name": (b": 1",),
            "NUL in the value": (b"X-A: 1\x002",), "NUL in the name": (b"X\x00A: 1",), "bare LF": (b"X-A: 1\nX-B: 2",),
            "bare CR": (b"X-A: 1\rX-B: 2",), "CR CR LF": (b"X-A: 1\r",), "control byte": (b"X-A: 1\x012",), "DEL": (b"X-A: 1\x7f2",),
            "name not a token": (b"X(A): 1",), "name not ASCII": (b"X\xe4: 1",),
        }.items():  # fmt: skip
            with self.subTest(name=name):
                self.refused(self.head(*lines, first=b"GET /v1/payments HTTP/1.1"), 400)

    def test_bare_lf_everywhere(self):
        self.refused(self.head(first=b"GET /v1/payments HTTP/1.1").replace(b"\r\n", b"\n"), 400)
        self.refused(b"GET /v1/payments HTTP/1.1\r\nHost: x\n\n", 400)

    def test_host(self):
        get = b"GET /v1/payments HTTP/1.1"
        self.refused(self.head(first=get, host=None), 400)
        for host in (b"Host: a\r\nHost: b", b"Host: a\r\nHost: a", b"Host: a, b", b"Host: a b", b"Host: a/b", b"Host: a@b", b"Host: \x01"):
            with self.subTest(host=host):
                self.refused(self.head(first=get, host=host), 400)

    def test_sizes(self):
        get = b"GET /v1/payments HTTP/1.1"
        self.refused(self.head(b"X-A: " + b"a" * 5000, first=get), 431)
        self.refused(self.head(*[b"X-%d: 1" % i for i in range(200)], first=get), 431)
        self.refused(b"GET /v1/payments HTTP/1.1\r\nX-A: " + b"a" * 100000, 431)
        self.refused(self.head(b"Content-Length: 8193") + b"x" * 8193, 413)
        self.refused(self.head(b"Content-Length: 8193", b"Expect: 100-continue"), 413, 417)
        self.refused(self.head(b"Content-Length: 1000000000"), 413)

    def test_random_bytes(self):
        dice = random.Random(7)
        for _ in range(60):
            noise = bytes(dice.randrange(256) for _ in range(dice.randint(1, 300))) + b"\r\n\r\n"
            answers = self.exchange(noise, finish=True)
            self.assertLessEqual(len(answers), 1)
        self.alive()

    def test_every_byte_of_a_good_request_changed(self):
        dice = random.Random(8)
        good = self.head(b"Content-Length: %d" % len(GOOD), b"Connection: close") + GOOD
        head = good.index(b"\r\n\r\n") + 4

        def changed(at):
            bad = bytearray(good)
            bad[at] ^= 1 << dice.randrange(8)
            with Raw(self.gateway.address) as raw:
                raw.send(bytes(bad))
                raw.finish()
                answers = split_answers(raw.read_to_end())
            self.assertLessEqual(len(answers), 1, bytes(bad[:head]))

        together([lambda at=at: changed(at) for at in range(head)], 16)
        self.alive()


class Slow(Hostile):
    def test_headers_that_do_not_end(self):
        self.refused(b"GET /v1/payments HTTP/1.1\r\nHost: x\r\nX-A: ", 0, 408)

    def test_one_byte_now_and_then(self):
        """Each byte comes in time, all of them together do not."""
        with Raw(self.gateway.address) as raw:
            raw.socket.settimeout(0.05)
            for byte in b"GET /v1/payments HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 100:
                if not raw.send(bytes([byte])):
                    break
                try:
                    part = raw.socket.recv(1000)
                    raw.got += part
                    if not part:
                        break
                except socket.timeout:
                    continue
                except OSError:
                    break
            else:
                self.fail("all bytes were taken, one by one")
            answers = split_answers(raw.got)
        self.assertLessEqual(len(answers), 1)
        self.assertTrue(all(a.status == 408 for a in answers))
        self.alive()

    def test_a_body_that_does_not_come(self):
        self.refused(self.head(b"Content-Length: 500") + b"{", 0, 408)
        self.refused(self.head(b"Transfer-Encoding: chunked") + b"5\r\nhel", 0, 408)

    def test_connections_that_say_nothing(self):
        quiet = [socket.create_connection(self.gateway.address, 10) for _ in range(50)]
        try:
            self.alive()
            for one in quiet:
                one.settimeout(10)
                while one.recv(1000):
                    pass
        except ConnectionResetError:
            pass
        finally:
            for one in quiet:
                one.close()

    def test_more_connections_than_allowed(self):
        with Raw(self.gateway.address) as kept:
            get = self.head(first=b"GET /v1/limits HTTP/1.1")
            kept.send(get)
            self.assertEqual(kept.read_answer().status, 200)
            many = []
            for _ in range(260):
                try:
                    many.append(socket.create_connection(self.gateway.address, 10))
                except OSError:
                    break
            try:
                kept.send(get)
                self.assertEqual(kept.read_answer().status, 200, "who was there before is served on")
            finally:
                for one in many:
                    one.close()
        until("there is room again", lambda: self.served(), 10)

    def served(self):
        try:
            return self.api.get("/v1/limits").status == 200
        except OSError:
            return False

    def test_a_client_that_does_not_read(self):
        for _ in range(25):
            self.api.post("/v1/payments", {**sale(100), "description": "d" * 400})
        with Raw(self.gateway.address) as raw:
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.socket.settimeout(0.3)
            get = self.head(first=b"GET /v1/payments?limit=100 HTTP/1.1")
            try:
                for _ in range(300):
                    raw.socket.sendall(get)
            except OSError:
                pass
            self.alive()


class Pipelined(Hostile):
    def test_are_answered_in_order_and_one_by_one(self):
        with Raw(self.gateway.address) as raw:
            raw.send(
                self.head(first=b"GET /v1/limits HTTP/1.1")
                + self.head(b"Content-Length: %d" % len(GOOD)) + GOOD
                + self.head(first=b"GET /v1/nothing HTTP/1.1")
                + self.head(b"Connection: close", first=b"GET /v1/payments HTTP/1.1"))  # fmt: skip
            answers = split_answers(raw.read_to_end())
        self.assertEqual([a.status for a in answers], [200, 201, 404, 200])

    def test_after_an_error_nothing_more_is_read(self):
        answers = self.exchange(self.head(b"X-A : 1", first=b"GET /v1/limits HTTP/1.1") + self.head(first=b"GET /v1/limits HTTP/1.1"))
        self.assertEqual([a.status for a in answers], [400])

    def test_in_single_bytes(self):
        with Raw(self.gateway.address) as raw:
            raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in self.head(first=b"GET /v1/limits HTTP/1.1"):
                raw.send(bytes([byte]))
            self.assertEqual(raw.read_answer().status, 200)


class Json(Hostile):
    def test_broken_in_every_way(self):
        for body in (
            b"", b" ", b"{", b"}", b"[]", b"null", b"1", b'"a"', b"{}{}", b"{} x", b"{}\x00", b"\xef\xbb\xbf{}", b"{'a':1}", b"{a:1}",
            b'{"a":1,}', b'{"a" 1}', b'{"a":}', b'{"a":1 "b":2}', b"// x\n{}", b"{/**/}", b'{"a":"\x01"}', b'{"a":"\\x"}', b'{"a":"\\u12"}',
            b'{"a":"\\ud800"}', b'{"a":"\\udc00\\ud800"}', b'{"a":"\xff"}', b'{"a":"\xc0\x80"}', b'{"a":"\xed\xa0\x80"}',
            b'{"a":"\xf4\x90\x80\x80"}', b'{"a":"', b'{"a":tru}', b'{"a":True}', b'{"a":NaN}', b'{"a":01}', b'{"a":+1}', b'{"a":1e}',
            b'{"a":' * 20 + b"1" + b"}" * 20, b"[" * 5000, b'{"a":[' + b"[" * 17 + b"]" * 17 + b"]}", b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}',
            GOOD + b"x", GOOD[:-1], GOOD.replace(b",", b";", 1), GOOD.decode().encode("utf-16"),
        ):  # fmt: skip
            with self.subTest(body=body[:40]):
                answer = self.api.post("/v1/payments", body)
                self.problem(answer, 400, "malformed_json")
        self.assertEqual(self.sim.entries(), [])
        self.alive()

    def test_cut_at_every_byte(self):
        for end in range(len(GOOD)):
            answer = self.api.post("/v1/payments", GOOD[:end])
            self.assertEqual(answer.status, 400, GOOD[:end])
        self.assertEqual(self.sim.entries(), [])

    def test_many_members(self):
        body = b'{"metadata":{' + b",".join(b'"k%d":"v"' % i for i in range(500)) + b"}}"
        self.assertEqual(self.api.post("/v1/payments", body).status, 422)
        body = b"{" + b",".join(b'"k%d":1' % i for i in range(900)) + b"}"
        answer = self.api.post("/v1/payments", body)
        self.assertIn(answer.status, (400, 422), answer)
        self.assertLess(len(answer.body), 20000)
        self.alive()


class Ops(Hostile):
    def test_the_ops_listener_is_as_strict(self):
        host, port = self.gateway.ops_url.replace("http://", "").split(":")
        for data in (b"GET /livez HTTP/1.1\r\n\r\n", b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"\x00\x01\r\n\r\n",
                     b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):  # fmt: skip
            with Raw((host, int(port))) as raw:
                raw.send(data)
                raw.finish()
                answers = split_answers(raw.read_to_end())
            self.assertEqual([a.status for a in answers], [400], data)
        self.assertEqual(ops(self.gateway, "/livez").status, 200)


if __name__ == "__main__":
    main()
