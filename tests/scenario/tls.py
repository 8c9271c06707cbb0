"""TLS 1.3 on both sides, with client certificates made at run time; who shows the wrong one is refused."""

import ssl

from rgledger import compare, settle
from rgtest import Authority, Raw, Story, main, ops, sale, tls_context, until


class Both(Story):
    def setUp(self):
        super().setUp()
        folder = self.stage.folder
        self.ours, self.theirs, self.strangers = (Authority(folder, name) for name in ("gateway-ca", "host-ca", "stranger-ca"))
        self.server = self.ours.issue("merchant-api")
        self.merchant = self.ours.issue("merchant")
        self.host = self.theirs.issue("card-host")
        self.gateway_client = self.theirs.issue("gateway-client")
        self.stranger = self.strangers.issue("stranger")

    def card_host(self, client_ca=True):
        options = ["--tls-cert", self.host[0], "--tls-key", self.host[1]]
        return self.stage.simulator(*options, *(["--tls-client-ca", self.theirs.certificate] if client_ca else []))

    def channel(self, **more):
        tls = {"use": True, "ca": self.theirs.certificate, "certificate": self.gateway_client[0],
               "key": self.gateway_client[1], "min_version": "1.3"}  # fmt: skip
        tls.update(more)
        return {"tls": tls}

    def listener(self, client_ca=True):
        tls = {"certificate": self.server[0], "key": self.server[1]}
        if client_ca:
            tls["client_ca"] = self.ours.certificate
        return {"api": {"tls": tls}}

    def test_payments_over_tls_1_3_with_certificates_on_both_sides(self):
        sim = self.card_host()
        gateway = self.stage.gateway(sim, settings=self.listener(), channel=self.channel())
        self.assertTrue(gateway.url.startswith("https://"))
        api = gateway.client(context=tls_context(self.ours, self.merchant))
        for number in range(5):
            answer = api.post("/v1/payments", sale(100 + number))
            self.assertEqual((answer.status, answer.json()["status"]), (201, "succeeded"), answer)
        payment = answer.json()["id"]
        self.assertEqual(api.post(f"/v1/payments/{payment}/refunds").status, 201)
        sim.fault("drop_after_booking", mti="0200", next=1)
        api.post("/v1/payments", sale(300))
        sim.drop_links("reset")
        settle(api)
        compare(api, sim)
        self.assertIn("TLSv1.3", gateway.log_text(), "the link's version is in the log")
        gateway.kill()
        gateway.start()
        self.assertEqual(api.post("/v1/payments", sale(400)).status, 201)
        compare(api, sim)
        self.assertEqual(gateway.stop(), 0)

    def test_merchants_are_asked_for_a_certificate(self):
        sim = self.card_host()
        gateway = self.stage.gateway(sim, settings=self.listener(), channel=self.channel())
        key = gateway.create_key()
        good = gateway.client(context=tls_context(self.ours, self.merchant))
        for name, context in {
            "none": tls_context(self.ours),
            "of a stranger": tls_context(self.ours, self.stranger),
            "of the other side's authority": tls_context(self.ours, self.gateway_client),
        }.items():
            with self.subTest(certificate=name), self.assertRaises((ssl.SSLError, OSError)):
                type(good)(gateway, key, context).get("/v1/payments")
        with self.assertRaises(ssl.SSLCertVerificationError):
            type(good)(gateway, key, tls_context(self.strangers, self.merchant)).get("/v1/payments")
        self.assertEqual(good.get("/v1/payments").status, 200)

    def test_a_host_that_we_do_not_know_gets_no_payment(self):
        for name, tls in {
            "another authority": {"ca": self.strangers.certificate},
            "another name": {"server_name": "host.example"},
            "our certificate is a stranger's": {"certificate": self.stranger[0], "key": self.stranger[1]},
            "we show none": {"certificate": None, "key": None},
        }.items():
            with self.subTest(name=name):
                sim = self.card_host()
                gateway = self.stage.gateway(sim, channel=self.channel(**tls), ready=False)
                until("a link was tried", lambda: "channel.link_" in gateway.log_text())
                self.assertEqual(ops(gateway, "/readyz").status, 503)
                answer = gateway.client().post("/v1/payments", sale())
                self.assertEqual(answer.json()["outcome"]["result"], "not_sent", answer)
                self.assertEqual(sim.entries(), [])
                gateway.stop()
                sim.kill()

    def test_versions_below_the_lowest_are_refused(self):
        sim = self.card_host(client_ca=False)
        gateway = self.stage.gateway(sim, settings=self.listener(client_ca=False), channel=self.channel())
        api = gateway.client(context=tls_context(self.ours, version=ssl.TLSVersion.TLSv1_2))
        self.assertEqual(api.get("/v1/payments").status, 200, "1.2 is the lowest that merchants may use")
        old = tls_context(self.ours)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, OSError)):
            type(api)(gateway, api.key, old).get("/v1/payments")

    def test_noise_instead_of_a_handshake(self):
        sim = self.card_host()
        gateway = self.stage.gateway(sim, settings={**self.listener(), "limits": {"header_time": "400ms"}}, channel=self.channel())
        api = gateway.client(context=tls_context(self.ours, self.merchant))
        for data in (b"GET /v1/payments HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\x00" * 100, b"", b"\x16", bytes(range(256)) * 20):
            with Raw(gateway.address) as raw:
                raw.send(data)
                got = raw.read_to_end()  # a TLS alert or nothing, and the connection is closed
                self.assertFalse(got.startswith(b"HTTP/1.1 2"), got)
        self.assertEqual(api.get("/v1/payments").status, 200)

    def test_a_mismatched_key_is_found_by_check(self):
        sim = self.card_host()
        gateway = self.stage.gateway(sim, channel=self.channel())
        gateway.settings["api"] = {**gateway.settings["api"], "tls": {"certificate": self.server[0], "key": self.merchant[1]}}
        gateway.stop()
        gateway.write("gateway.yaml", gateway.settings)
        self.assertEqual(gateway.start(wait=False).wait_end(), 2)


if __name__ == "__main__":
    main()
