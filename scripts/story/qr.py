"""qr.py - the QR steps of the demo: codes that are shown, taken back, left alone, scanned."""

import os
import struct
import time
import zlib

import rgwallet
from rgrails import qr_sale, qr_scan

from story.teller import amount, money


def png_rows(data):
    """Rows of a grey picture of one bit a pixel, as lists of 0 (dark) and 1: enough for /code.png?size=1."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, packed, width, height, depth = 8, b"", 0, 0, 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        content = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", content[:10])
            assert (depth, colour) == (1, 0), "one bit, grey"
        elif kind == b"IDAT":
            packed += content
        at += 12 + size
    raw, stride, rows = zlib.decompress(packed), (width + 7) // 8, []
    before = bytes(stride)
    for y in range(height):
        line = raw[y * (stride + 1):(y + 1) * (stride + 1)]
        assert line[0] in (0, 2), "not filtered, or by the row above"
        before = bytes((b + (a if line[0] == 2 else 0)) % 256 for a, b in zip(before, line[1:]))
        rows.append([before[x // 8] >> (7 - x % 8) & 1 for x in range(width)])
    return rows


def picture(rows):
    """Two rows of pixels in a line of text, light pixels drawn: terminals are mostly dark."""
    rows = rows + [[1] * len(rows[0])] * (len(rows) % 2)
    return ["".join(" ▀▄█"[top + 2 * bottom] for top, bottom in zip(*pair)) for pair in zip(rows[::2], rows[1::2])]


def show(t, payment):
    """The code as the API draws it; a phone's camera reads it off the screen."""
    action = payment["next_action"]
    t.line("code", action["payload"])
    for line in picture(png_rows(t.client.get(action["png"] + "?size=1").body)):
        t.line("", line)
    folder = t.actors.gateway.stage.folder
    for kind in ("svg", "png"):
        with open(os.path.join(folder, "code." + kind), "wb") as file:
            file.write(t.client.get(action[kind]).body)
    t.line("", f"(also code.svg and code.png in {os.path.basename(os.path.dirname(folder))}/{os.path.basename(folder)}/)")


def scan(t, payment, **how):
    [result] = t.sims["wallet"].scan(code=payment["next_action"]["payload"], **how)
    said = result["state"] + (f": {result['reason']}" if "reason" in result else "")
    t.line("phone", f"scans the code, {said}")
    return result["state"]


def shown(t, value, what="a code to be shown", **qr):
    answer = t.post("/v1/payments", qr_sale(value, **qr), f"{money(value)}, {what}")
    payment = t.told(answer)
    t.expect("202 requires_action", (answer.status, payment["status"]) == (202, "requires_action"))
    return payment


def nobody_comes(t):
    t.step("A code that is good for ten seconds")
    payment = shown(t, 1400, "a code for 10 s", expires_in=10)
    t.line("", "nobody scans it; the last step but one looks at it again")
    t.books("wallet")
    t.done("waits for a phone")
    return payment


def paid(t):
    t.step("A code is shown, and a phone pays it")
    payment = shown(t, 1250)
    show(t, payment)
    t.expect("paid", scan(t, payment) == "paid")
    now = t.stands(payment["id"], settled=True)
    t.expect("succeeded", (now["status"], now["captured"]) == ("succeeded", 1250))
    t.quiet("wallet")
    t.books("wallet", ("paid", "paid", 1250))
    answer = t.post(f"/v1/payments/{payment['id']}/refunds", amount(250), money(250))
    t.told(answer)
    t.expect("201 succeeded", (answer.status, answer.json().get("status")) == (201, "succeeded"))
    t.books("wallet", ("refund", "done", 250))
    t.done("12.50 taken, 2.50 given back")


def taken_back(t):
    t.step("The merchant takes a code back; a phone comes too late")
    payment = shown(t, 1300)
    answer = t.post(f"/v1/payments/{payment['id']}/cancel", {}, "")
    now = t.told(answer)
    t.expect("200 canceled", (answer.status, now["status"]) == (200, "canceled"))
    t.expect("refused", scan(t, payment) == "refused")
    t.books("wallet")
    t.done("canceled, the phone was refused")


def somebody_elses(t):
    t.step("The shop pays a code that somebody else shows")
    code = rgwallet.make_code("bill77", "7.50", name="Paper and pens")
    t.line("code", code)
    answer = t.post("/v1/payments", qr_scan(750, code), f"{money(750)}, the code as it was scanned")
    payment = t.told(answer)
    told = (payment.get("outcome") or {}).get("rail") or {}
    t.line("", f"it says: {told.get('merchant_name')}, {told.get('merchant_city')}, {told.get('merchant_country')}")
    t.expect("201 succeeded", (answer.status, payment["status"]) == (201, "succeeded"))
    t.books("wallet", ("payment", "paid", 750))
    t.done("7.50 paid")


def lost_answer(t):
    t.step("The provider's answer is lost")
    provider = t.sims["wallet"]
    provider.fault("drop_after_booking", path="/v1/payments", next=1)
    began = time.monotonic()
    answer = t.post("/v1/payments", qr_scan(850, rgwallet.make_code("bill78", "8.50")), f"{money(850)}, and the answer gets lost")
    provider.calm()
    payment = t.told(answer)
    now = t.stands(payment["id"], settled=True)
    t.line("", f"after {time.monotonic() - began:.1f} s; its timeline:")
    t.timeline(payment["id"])
    t.expect("succeeded", now["status"] == "succeeded")
    t.books("wallet", ("payment", "paid", 850))
    t.done("8.50 paid once: asked, and found")


def nobody_came(t, payment):
    t.step("The code that was good for ten seconds")
    t.line("", "waiting for its end")
    now = t.stands(payment["id"], settled=True)
    t.expect("failed, expired", (now["status"], now["outcome"].get("code")) == ("failed", "expired"))
    t.expect("refused", scan(t, payment) == "refused")
    t.quiet("wallet")
    t.books("wallet")
    t.done("expired, nobody can pay it any more")


def tell(t):
    t.chapter("QR: codes, and a wallet provider over HTTP",
              "The answer is 202 and a code to show. A person pays it later; the provider's signed notice",
              "settles the payment.")  # fmt: skip
    alone = nobody_comes(t)
    paid(t)
    taken_back(t)
    somebody_elses(t)
    lost_answer(t)
    return alone
