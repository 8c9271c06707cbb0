"""test_openapi - what /v1/openapi.json says is what the gateway does.

The document is fetched from a running gateway and held against it: every path and method in it is served and
nothing else is, its lists of words are those of the sources, its example requests are accepted, and every
answer, good or bad, fits its schema. For answers the check is stricter than JSON Schema: a member that the
document does not name is an error, so that nothing undocumented is served.

Test card numbers in here are from ranges that card schemes publish for sandboxes.
"""

import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))

from rgtest import DECLINES, ROOT, Story, authorisation, card, fresh_key, main, request, sale, until

METHODS = ("get", "post", "put", "delete", "patch")


def source(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


class Schema:
    """The part of JSON Schema 2020-12 that the document uses; any other keyword is an error."""

    KNOWN = {
        "$ref", "type", "enum", "const", "properties", "required", "additionalProperties", "items", "pattern",
        "minLength", "maxLength", "minimum", "maximum", "maxProperties", "default", "description", "format",
    }  # fmt: skip
    TYPES = {
        "object": lambda v: isinstance(v, dict),
        "array": lambda v: isinstance(v, list),
        "string": lambda v: isinstance(v, str),
        "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
        "boolean": lambda v: isinstance(v, bool),
        "null": lambda v: v is None,
    }

    def __init__(self, document):
        self.document = document

    def resolve(self, node):
        while "$ref" in node:
            target = self.document
            for name in node["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
        return node

    def errors(self, value, schema, closed, at=""):
        """Everything in value that does not fit. closed: unnamed members are errors unless allowed."""
        schema = self.resolve(schema)
        unknown = set(schema) - self.KNOWN
        if unknown:
            return [f"{at}: the schema uses {unknown}, which this test does not know"]
        out = []
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        if types and not any(self.TYPES[t](value) for t in types):
            return [f"{at}: {value!r} is not {' or '.join(types)}"]
        if "enum" in schema and value not in schema["enum"]:
            out.append(f"{at}: {value!r} is none of {schema['enum']}")
        if "const" in schema and value != schema["const"]:
            out.append(f"{at}: {value!r} is not {schema['const']!r}")
        if isinstance(value, str):
            out += self._text(value, schema, at)
        elif isinstance(value, int) and not isinstance(value, bool):
            if value < schema.get("minimum", value) or value > schema.get("maximum", value):
                out.append(f"{at}: {value} is out of range")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                out += self.errors(item, schema.get("items", {}), closed, f"{at}/{index}")
        elif isinstance(value, dict):
            out += self._object(value, schema, closed, at)
        return out

    @staticmethod
    def _text(value, schema, at):
        out = []
        if "pattern" in schema and not re.search(schema["pattern"], value):
            out.append(f"{at}: {value!r} does not match {schema['pattern']}")
        if not schema.get("minLength", 0) <= len(value.encode()) <= schema.get("maxLength", len(value.encode())):
            out.append(f"{at}: {value!r} has the wrong length")
        return out

    def _object(self, value, schema, closed, at):
        out = [f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value]
        named = schema.get("properties", {})
        more = schema.get("additionalProperties", not (closed and named))
        if len(value) > schema.get("maxProperties", len(value)):
            out.append(f"{at}: too many members")
        for name, item in value.items():
            if name in named:
                out += self.errors(item, named[name], closed, f"{at}/{name}")
            elif more is False:
                out.append(f"{at}: {name} is not in the document")
            elif isinstance(more, dict):
                out += self.errors(item, more, closed, f"{at}/{name}")
        return out


class OpenApi(Story):
    def setUp(self):
        super().setUp()
        webhooks = {"allow_http": True, "allow_private": True, "endpoints_per_merchant": 100}
        self.sim, self.gateway, self.client = self.pair(settings={"webhooks": webhooks})
        answer = request(self.gateway.url, "GET", "/v1/openapi.json")  # without a key
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "application/json"))
        self.document = answer.json()
        self.schema = Schema(self.document)

    # --- asking

    def operations(self):
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield path, method, item[method]

    def fits(self, answer, path, method):
        """The answer is one that the document promises for this operation."""
        responses = self.document["paths"][path][method]["responses"]
        response = self.schema.resolve(responses.get(str(answer.status), responses.get("default", {})))
        self.assertIn("content", response, f"{method} {path} may not answer {answer}")
        kind = answer.headers["content-type"]
        self.assertIn(kind, response["content"], f"{method} {path}: {answer}")
        if answer.status >= 400:
            self.assertEqual(kind, "application/problem+json")
        wrong = self.schema.errors(answer.json(), response["content"][kind]["schema"], closed=True)
        self.assertEqual(wrong, [], f"{method} {path}: {answer}")
        return answer

    def post(self, path, body=None, payment=None, **headers):
        url = path.replace("{id}", payment or "")
        return self.fits(self.client.post(url, body, **headers), path, "post")

    def get(self, path, payment=None, query=""):
        return self.fits(self.client.get(path.replace("{id}", payment or "") + query), path, "get")

    def held(self):
        return self.post("/v1/payments", authorisation(10000)).json()["id"]

    def taken(self):
        return self.post("/v1/payments", sale(1250)).json()["id"]

    def endpoint(self):
        """A webhook endpoint where nobody listens."""
        body = {"url": "http://127.0.0.1:9/hook", "events": ["nothing.such"]}
        return self.post("/v1/webhook_endpoints", body).json()

    def named_by(self, path):
        """Something that {id} of this path may stand for."""
        if path.startswith("/v1/webhook_endpoints/"):
            return self.endpoint()["id"]
        if path.startswith("/v1/events/"):
            return self.client.get("/v1/events?kind=payment.succeeded").json()["data"][0]["id"]
        return self.taken() if path.endswith("refunds") else self.held()

    def example(self, path, value):
        """The example as it can be sent here."""
        if "url" in value:
            return {**value, "url": "http://127.0.0.1:9/hook"}
        return {**value, "endpoint": self.endpoint()["id"]} if "endpoint" in value else value

    def send(self, method, path, body):
        url = path.replace("{id}", self.named_by(path)) if "{id}" in path else path
        headers = self.client.headers(fresh_key())
        return self.fits(request(self.gateway.url, method.upper(), url, body, headers), path, method)

    # --- the document and the sources

    def test_is_openapi_3_1_and_every_reference_leads_somewhere(self):
        self.assertEqual(self.document["openapi"], "3.1.0")
        names, queue = set(), [self.document]
        while queue:
            node = queue.pop()
            if isinstance(node, dict):
                if "$ref" in node:
                    self.schema.resolve(node)
                    names.add(node["$ref"])
                queue += node.values()
            elif isinstance(node, list):
                queue += node
        for kind in ("schemas", "responses", "parameters"):
            for name in self.document["components"][kind]:
                self.assertIn(f"#/components/{kind}/{name}", names, "nobody refers to it")
        ids = [operation["operationId"] for _, _, operation in self.operations()]
        self.assertEqual(len(ids), len(set(ids)))

    def test_paths_and_methods_are_those_of_the_routes_table(self):
        rows = re.findall(r'\{ "([A-Z]+)", "(/v1/[^"]*)", ([A-Z_0]+),\s+run_', source("gateway/api/api.c"))
        self.assertGreater(len(rows), 5)
        self.assertEqual(
            sorted((path, method.lower()) for method, path, _ in rows),
            sorted((path, method) for path, method, _ in self.operations()),
        )
        scopes = {"SCOPE_PAYMENTS_READ": "payments:read", "SCOPE_PAYMENTS_WRITE": "payments:write"}
        scopes |= {"SCOPE_REFUNDS_WRITE": "refunds:write", "SCOPE_WEBHOOKS_WRITE": "webhooks:write"}
        for method, path, scope in rows:
            operation = self.document["paths"][path][method.lower()]
            if scope == "0":
                self.assertEqual(operation["security"], [])
            else:
                self.assertIn(f"`{scopes[scope]}`", operation["description"])

    def test_lists_of_words_are_those_of_the_sources(self):
        words = source("gateway/domain/words.def")
        lists = {
            "PaymentStatus": "PAYMENT_STATUS", "PaymentKind": "PAYMENT_KIND", "CaptureMode": "CAPTURE_MODE",
            "Rail": "RAIL", "Verdict": "VERDICT", "OutcomeResult": "OUTCOME", "Category": "CATEGORY",
            "OperationStatus": "OPERATION_STATUS",
        }  # fmt: skip
        for name, macro in lists.items():
            told = self.document["components"]["schemas"][name]["enum"]
            self.assertEqual(told, re.findall(rf'^{macro}\([A-Z_]+, \d+, "(\w+)"\)', words, re.M), name)
        problems = re.findall(r'^PROBLEM\(\w+, \d+, "(\w+)"', source("gateway/payment/problem.def"), re.M)
        wire = "".join(source(f"gateway/wire/{name}") for name in ("http_guard.c", "http_parse.c", "http_server.c"))
        refusals = re.findall(r'\b[45]\d\d,\s+"(\w+)"', wire)
        told = self.document["components"]["schemas"]["ProblemCode"]["enum"]
        self.assertEqual(sorted(told), sorted(set(problems + refusals)))

    # --- the document and the gateway

    def test_every_path_takes_its_methods_and_no_other(self):
        payment = self.taken()
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if (method, path) == ("get", "/v1/events/stream"):  # has no end; scenario_webhooks reads it
                    continue
                named = payment if "/v1/payments/" in path else self.named_by(path)
                url = path.replace("{id}", named)
                answer = request(self.gateway.url, method.upper(), url, None, self.client.headers())
                if method in item and "/code." in path:  # a card has none
                    self.assertIn("has no code to show", self.problem(answer, 404, "not_found")["detail"])
                elif method in item:
                    self.assertNotIn(answer.status, (404, 405), f"{method} {path}: {answer}")
                else:
                    self.problem(answer, 405, "method_not_allowed")
        self.problem(self.client.get("/v1/nothing"), 404, "not_found")

    def test_example_requests_fit_their_schema_and_are_accepted(self):
        count = 0
        for path, method, operation in self.operations():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            for name, example in content.get("examples", {}).items():
                self.assertEqual(self.schema.errors(example["value"], content["schema"], closed=True), [], name)
                if path.endswith("confirm"):  # a code that holds cannot stand in a document
                    continue
                if path.startswith("/v1/events/"):
                    self.taken()
                answer = self.send(method, path, self.example(path, example["value"]))
                self.assertIn(answer.status, (200, 201, 202), f"{name}: {answer}")
                self.assertNotEqual(answer.json().get("status"), "failed", f"{name}: {answer}")
                count += 1
        self.assertGreaterEqual(count, 6)

    def test_a_member_that_is_not_in_the_document_is_refused(self):
        self.taken()
        for path, method, operation in self.operations():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            if not content:
                continue
            example = self.example(path, next(iter(content["examples"].values()))["value"])
            self.problem(self.send(method, path, {**example, "surprise": 1}), 422, "unknown_field", "/surprise")

    def test_a_parameter_that_is_not_in_the_document_is_refused(self):
        """A misspelt filter that finds everything would be taken for an answer. The table of routes and the document
        name the same parameters."""
        rows = re.findall(r'\{ "([A-Z]+)", "(/v1/[^"]*)", [A-Z_0]+,\s+run_\w+,\s+"([^"]*)"', source("gateway/api/api.c"))
        known = {(method.lower(), path): names.split() for method, path, names in rows}
        for path, method, operation in self.operations():
            parameters = [self.schema.resolve(row) for row in operation.get("parameters", [])]
            named = [row["name"] for row in parameters if row["in"] == "query"]
            self.assertEqual(sorted(named), known.pop((method, path)), f"{method} {path}")
            url = path.replace("{id}", self.named_by(path)) if "{id}" in path else path
            wrong = [(f"surprise={'x' * 80}", "surprise"), ("lim%69t=1", "lim%69t"), ("%3Climit%3E=1", "%3Climit%3E")]
            wrong += [("4111111111111111=1", "411111******1111"), (f"{'x' * 80}=1", f"{'x' * 64}")]
            wrong += [(f"{name}=1&{name}=1", name) for name in named] + [(f"{name}s=1", f"{name}s") for name in named]
            for query, told in wrong:
                answer = request(self.gateway.url, method.upper(), f"{url}?{query}", {}, self.client.headers(fresh_key()))
                self.fits(answer, path, method)
                self.assertIn(f"`{told}`", self.problem(answer, 400, "invalid_parameter")["detail"])
        self.assertEqual(known, {})
        self.assertEqual(self.client.get("/v1/payments?&limit=1&").status, 200)

    def test_members_that_the_document_names_are_known(self):
        """Every member of every request object, sent with a wrong type, is complained about as wrong, never
        as unknown."""
        schemas = self.document["components"]["schemas"]
        places = {
            "PaymentRequest": [], "Party": ["payer"], "Payee": ["payee"], "Device": ["device"],
            "MethodRequest": ["method"], "CardRequest": ["method", "card"],
            "QrRequest": ["method", "qr"], "BankRequest": ["method", "bank"],
            "BankParty": ["method", "bank", "creditor"], "CbdcRequest": ["method", "cbdc"],
            "Wallet": ["method", "cbdc", "payer"],
        }  # fmt: skip
        for name, place in places.items():
            for member in schemas[name]["properties"]:
                body = sale(1250)
                if len(place) > 1:
                    body["method"] = {"type": place[1]}
                    if place[1] == "card":
                        body["method"]["card"] = card()
                target = body
                for step in place:
                    target = target.setdefault(step, {})
                target[member] = 0 if schemas[name]["properties"][member].get("type") == "boolean" else False
                answer = self.post("/v1/payments", body)
                pointer = "/" + "/".join(place + [member])
                told = {error["pointer"]: error["code"] for error in answer.json().get("errors", [])}
                self.assertIn(pointer, told, answer)
                self.assertNotEqual(told[pointer], "unknown_field", answer)

    def test_answers_fit(self):
        party = {"id": "c1", "name": "N", "country": "DE", "kyc_tier": 0, "alias": "a"}
        party |= {"type": "person", "national_id": "L01X00T47", "birth_date": "1955-02-28"}
        everything = sale(
            1250, payer=party, payee={**party, "mcc": "5411", "balance": {"value": 0, "currency": "EUR"}},
            reference="r", description="d", purpose="GDDS", metadata={"a": "b"}, kind="bill",
            device={"id": "d1", "registered": False}, risk="low", initiator="merchant", cash=False,
        )  # fmt: skip
        taken = self.post("/v1/payments", everything).json()
        self.assertEqual(taken["status"], "succeeded")
        self.post("/v1/payments", sale(990, pan=DECLINES))
        self.post("/v1/payments", sale(9010))  # approved for a half
        self.assertEqual(self.post("/v1/payments", sale(1250, region="nowhere")).json()["decision"]["result"], "deny")
        held = self.held()
        self.post("/v1/payments/{id}/capture", {"amount": {"value": 6000, "currency": "EUR"}}, held)
        self.post("/v1/payments/{id}/cancel", {"reference": "c"}, held)
        self.post("/v1/payments/{id}/refunds", {"amount": {"value": 500, "currency": "EUR"}}, held)
        self.post("/v1/payments/{id}/refunds", {"metadata": {"why": "rest"}}, held)
        for path in ("/v1/payments/{id}", "/v1/payments/{id}/refunds", "/v1/payments/{id}/captures"):
            self.get(path, held)
            self.get(path, taken["id"])
        self.assertEqual(len(self.get("/v1/payments/{id}/refunds", held).json()["data"]), 2)
        self.assertEqual(len(self.get("/v1/payments/{id}/captures", held).json()["data"]), 1)
        page = self.get("/v1/payments/{id}/events", held, "?limit=2").json()
        self.assertTrue(page["has_more"])
        self.get("/v1/payments/{id}/events", held, f"?cursor={page['next_cursor']}")
        page = self.get("/v1/payments", None, "?limit=1").json()
        self.get("/v1/payments", None, f"?cursor={page['next_cursor']}&status=succeeded&reference=r")
        self.get("/v1/limits")
        for query in ("", "&amount=1250", "&amount=1250&country=DE&region=default", "&region=nowhere"):
            offers = self.get("/v1/methods", None, f"?currency=EUR{query}").json()["data"]
            self.assertEqual([o["usable"] for o in offers], ["nowhere" not in query])
            self.assertEqual((offers[0]["type"], offers[0]["manual_capture"]), ("card", True))

    def test_answers_about_webhooks_and_events_fit(self):
        self.taken()
        endpoint = self.endpoint()
        path = "/v1/webhook_endpoints/{id}"
        self.post(path + "/test", None, endpoint["id"])
        self.post(path + "/rotate_secret", {}, endpoint["id"])
        listed = self.get(path + "/deliveries", endpoint["id"]).json()["data"]
        until("a try", lambda: listed or self.get(path + "/deliveries", endpoint["id"]).json()["data"])
        self.get(path, endpoint["id"])
        self.get("/v1/webhook_endpoints", None, "?limit=1")
        self.send("delete", path, None)
        page = self.get("/v1/events", None, "?limit=2").json()
        self.get("/v1/events", None, f"?cursor={page['next_cursor']}&kind=payment.*")
        results = set(re.findall(r'(?:return|:|\?) "([a-z_]+)"', source("gateway/outbox/deliver.c"))) - {"gone", "failing"}
        told = self.document["components"]["schemas"]["WebhookDelivery"]["properties"]["result"]["enum"]
        self.assertEqual(sorted(told), sorted(results | {"gone"}))

    def test_confirmations_are_checked_and_a_payment_that_does_not_wait_says_so(self):
        path, taken = "/v1/payments/{id}/confirm", self.taken()
        members = self.document["components"]["schemas"]["Authentication"]["properties"]
        for member in members:
            wrong = {"authentication": {"type": member, member: False}}
            answer = self.post(path, wrong, taken)
            self.problem(answer, 422, "invalid_field", f"/authentication/{member}")
        self.problem(self.post(path, {}, taken), 422, "invalid_field", "/authentication")
        both = {"authentication": {"type": "code", "code": "12345678", "assertion": "a.b.c"}}
        answer = self.post(path, both, taken)
        self.problem(answer, 422, "invalid_field", "/authentication/assertion")
        self.assertNotIn(b"12345678", answer.body)
        right = {"authentication": {"type": "code", "code": "12345678"}}
        self.problem(self.post(path, right, taken), 409, "no_action_required")
        self.problem(self.post(path, right, "pay_0000000000001"), 404, "not_found")

    def test_reasons_of_the_routes_are_those_of_the_sources(self):
        told = self.document["components"]["schemas"]["MethodOffer"]["properties"]["reason"]["enum"]
        words = re.findall(r'\[ROUTE_[A-Z_]+\] = "(\w+)"', source("gateway/route/route.c"))
        self.assertEqual(sorted(told), sorted(words + ["decision"]))

    def test_answers_of_unknown_outcomes_fit(self):
        path = "/v1/payments"
        first = self.post(path, sale(9102), prefer="wait=0")  # booked, and the answer is lost
        self.assertEqual((first.status, first.json()["status"]), (202, "processing"))
        self.client.final(first.json()["id"])
        self.get(path + "/{id}", first.json()["id"])
        self.get(path + "/{id}/events", first.json()["id"])

    def test_problems_fit(self):
        path = "/v1/payments"
        taken = self.taken()
        self.post(path, "{")
        self.post(path, {"amount": {"value": "12", "currency": "eur"}, "method": {"type": "card"}})
        self.post(path, sale(9007199254740993))
        self.post(path, sale(100, "GBP"))
        self.post(path, sale(100), key="two words")
        self.post(path, sale(100), prefer="wait=soon")
        self.post(path + "/{id}/capture", None, taken)
        self.post(path + "/{id}/cancel", None, taken)
        self.post(path + "/{id}/confirm", None, taken)
        self.post(path + "/{id}/refunds", {"amount": {"value": 5000, "currency": "EUR"}}, taken)
        self.post(path + "/{id}/refunds", {"amount": {"value": 50, "currency": "USD"}}, taken)
        self.get(path + "/{id}", "pay_0000000000001")
        self.get(path, None, "?limit=101")
        self.get(path, None, "?status=lost")
        for query in ("", "?currency=eur", "?currency=EUR&amount=0", "?currency=EUR&amount=1.5", "?currency=EUR&country=de"):
            self.assertEqual(self.get("/v1/methods", None, query).status, 400)
        for picture in ("code.svg", "code.png"):
            self.assertEqual(self.get(path + "/{id}/" + picture, taken).status, 404)
            self.assertEqual(self.get(path + "/{id}/" + picture, taken, "?size=65").status, 400)
        none = request(self.gateway.url, "GET", "/v1/limits")
        self.assertEqual(self.fits(none, "/v1/limits", "get").status, 401)
        reader = self.gateway.client("--scopes", "payments:read")
        self.assertEqual(self.fits(reader.post(path, sale(100)), path, "post").status, 403)
        slow = self.gateway.client("--rate", "1")
        answers = [slow.get("/v1/limits") for _ in range(5)]
        self.assertIn(429, [self.fits(answer, "/v1/limits", "get").status for answer in answers])
        self.assertEqual(self.fits(self.client.get("/v1/limits?" + "x" * 20000), "/v1/limits", "get").status // 10, 41)
        large = self.client.post(path, b'{"a": "' + b"x" * 70000 + b'"}')
        self.assertEqual(self.fits(large, path, "post").status, 413)

    def test_published_limits_are_those_in_force(self):
        limits = self.client.get("/v1/limits").json()
        page = self.document["components"]["parameters"]["Limit"]["schema"]
        self.assertEqual(limits["page_max"], page["maximum"])
        self.assertEqual(self.client.get(f"/v1/payments?limit={page['maximum']}").status, 200)
        self.problem(self.client.get(f"/v1/payments?limit={page['maximum'] + 1}"), 400, "invalid_parameter")


class SchemaItself(unittest.TestCase):
    """The checker above must be able to say no."""

    def test_says_no(self):
        schema = Schema({})
        one = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "minimum": 1}}}
        self.assertEqual(schema.errors({"a": 1}, one, True), [])
        for bad in ({}, {"a": 0}, {"a": True}, {"a": "1"}, {"a": 1, "b": 2}, []):
            self.assertNotEqual(schema.errors(bad, one, True), [], bad)
        self.assertEqual(schema.errors({"a": 1, "b": 2}, one, False), [])
        for bad, rule in (
            ("x", {"enum": ["y"]}), ("x", {"const": "y"}), ("x", {"pattern": "^y"}), ("x", {"minLength": 2}),
            (["x"], {"items": {"type": "null"}}), ({"x": 1}, {"additionalProperties": {"type": "string"}}),
            (1, {"exclusiveMinimum": 0}), ({"x": 1}, {"additionalProperties": False}),
        ):  # fmt: skip
            self.assertNotEqual(schema.errors(bad, rule, False), [], rule)


if __name__ == "__main__":
    main()
