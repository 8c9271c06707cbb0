"""region.py - the steps of the demo that a region profile decides: scripts/story/shop.yaml, which the gateway has as
config/regions/shop.yaml.

Card numbers in here are test numbers that card schemes publish for sandboxes; none belongs to a person. The name on
the list is invented (config/lists/sample-sanctions.csv).
"""

import json
import os

from rgtest import sale

from story.actors import PROFILE
from story.teller import money

LIKE_A_LISTED_ONE = "Aldrik Morvane Testovsky"


def request(value, name="Ann Ames"):
    return sale(value, region="shop", payer={"id": "customer-1", "name": name, "country": "DE"})


def why(t, body):
    for reason in body["decision"]["reasons"]:
        t.line("because", f"{reason['rule']}: {reason['text']}")


def over_a_limit(t):
    t.step("A payment over the limit of its region")
    answer = t.post("/v1/payments", request(50001), f"{money(50001)}, region shop")
    body = t.told(answer)
    t.expect("201 failed, denied by limit.largest", (answer.status, body["status"], body["decision"]["result"],
             [row["rule"] for row in body["decision"]["reasons"] if row["result"] == "deny"])
             == (201, "failed", "deny", ["limit.largest"]))  # fmt: skip
    t.books("card")
    t.done("denied, with the reason; nothing was sent")


def explained(t):
    t.step("The same request, explained on the command line")
    path = os.path.join(t.actors.gateway.place, "request.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(request(50001), file)
    t.line("operator", "railgate explain request.json")
    _, out, _ = t.actors.gateway.cli("explain", path)
    for line in out.splitlines():
        t.plain(line)
    t.expect("deny by limit.largest", "decision  deny" in out and "limit.largest" in out)
    t.books("card")
    t.done("every rule that was looked at, and nothing recorded")


def the_payer_confirms(t):
    t.step("A payment that the payer must confirm")
    answer = t.post("/v1/payments", request(8000), f"{money(8000)}, region shop")
    body = t.told(answer)
    why(t, body)
    t.expect("202 requires_action, authenticate", (answer.status, body["status"], body["next_action"]["type"])
             == (202, "requires_action", "authenticate"))  # fmt: skip
    t.books("card")
    path = f"/v1/payments/{body['id']}/confirm"
    code = t.actors.gateway.cli("authenticator", body["id"])[1].strip()
    wrong = f"{(int(code[0]) + 5) % 10}{code[1:]}"
    answer = t.post(path, {"authentication": {"type": "code", "code": wrong}}, f"code {wrong}: one digit is wrong")
    t.told(answer)
    t.expect("refused", answer.status == 422)
    t.line("payer", f"reads {code} from the authenticator (railgate authenticator {body['id']})")
    answer = t.post(path, {"authentication": {"type": "code", "code": code}}, f"code {code}")
    body = t.told(answer)
    t.expect("200 succeeded", (answer.status, body["status"], body["captured"]) == (200, "succeeded", 8000))
    t.books("card", ("sale", "booked", 8000))
    t.done("80.00 taken after the payer's code")


def a_person_looks(t):
    t.step("A payer whose name is like one on a sanctions list")
    answer = t.post("/v1/payments", request(2000, LIKE_A_LISTED_ONE), f"{money(2000)} from {LIKE_A_LISTED_ONE}, region shop")
    body = t.told(answer)
    why(t, body)
    t.expect("202 processing, under review", (answer.status, body["status"], body["outcome"]["code"])
             == (202, "processing", "under_review"))  # fmt: skip
    t.books("card")
    t.line("operator", f"railgate review approve {body['id']} --by Eve --why 'lives elsewhere'")
    t.actors.gateway.cli("review", "approve", body["id"], "--by", "Eve", "--why", "lives elsewhere")
    payment = t.stands(body["id"], settled=True)
    t.expect("succeeded", (payment["status"], payment["captured"]) == ("succeeded", 2000))
    t.timeline(body["id"])
    t.books("card", ("sale", "booked", 2000))
    t.done("20.00 taken after a person's yes")


def tell(t):
    t.chapter("The rules of a region", "The gateway has this file as config/regions/shop.yaml:")
    with open(PROFILE, encoding="utf-8") as file:
        for line in file:
            t.plain(line.rstrip())
    over_a_limit(t)
    explained(t)
    the_payer_confirms(t)
    a_person_looks(t)
