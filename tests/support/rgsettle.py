"""rgsettle - reads what counterparts say was booked (docs/rails/settlement.md), strictly, with code of its own.

    rgsettle.fetch(sim)                     # the bytes of GET /settlement
    rgsettle.card(data), bill(data), camt(data), ledger(data)
                                            # lines as dictionaries; Broken when the record is not whole or not right

Every column, element and member must be there, in the order that the page says.
"""

import csv
import hashlib
import http.client
import io
import json
import re
import urllib.parse
import xml.etree.ElementTree

import rgtest

CARD = (
    "record direction mti processing_code stan transmitted rrn terminal merchant local_date local_time booked_at "
    "approval_code response amount_minor requested_minor currency pan original_mti original_stan original_transmitted"
).split()
BILL = (
    "type trade_type trade_no order_no refund_trade_no refund_no merchant reference state "
    "amount currency fee booked_at note"
).split()
LEDGER = "seq kind id client from to amount currency state lock time".split()
DIGITS = {"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Broken(Exception):
    """Such a record must be refused."""


def need(good, why):
    if not good:
        raise Broken(why)


def fetch(sim, expected=200, **query):
    host = re.sub(r"^https?://", "", sim.control_url).rstrip("/")
    connection = http.client.HTTPConnection(host, timeout=20 * rgtest.SLOW)
    try:
        names = {name.rstrip("_"): value for name, value in query.items()}
        connection.request("GET", "/settlement?" + urllib.parse.urlencode(names))
        answer = connection.getresponse()
        data = answer.read()
    finally:
        connection.close()
    if answer.status != expected:
        raise rgtest.Failure(f"GET /settlement {query}: {answer.status} {data!r}")
    return data


def fault(sim, *faults, seed=1):
    sim.knobs(settlement={"seed": seed, "faults": list(faults)})


def _split(data):
    """Lines before the last one, the last one."""
    need(data.endswith(b"\n"), "it breaks off inside a line")
    lines = data[:-1].split(b"\n")
    return b"".join(line + b"\n" for line in lines[:-1]), lines[-1].decode()


def _table(data, columns, fields):
    """Rows by name, and the numbers of the trailer after the count."""
    body, last = _split(data)
    trailer = last.split(",")
    need(trailer[0] == "TRAILER" and len(trailer) == fields, "there is no trailer")
    need(trailer[-1] == hashlib.sha256(body).hexdigest(), "the hash is another")
    rows = list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))
    need(rows[0] == columns, f"other columns: {rows[0]}")
    need(all(len(row) == len(columns) for row in rows), "a line has more or fewer fields")
    found = [dict(zip(columns, row)) for row in rows[1:]]
    need(int(trailer[1]) == len(found), f"{len(found)} lines, and the trailer says {trailer[1]}")
    need(all(TIME.fullmatch(row["booked_at"]) for row in found), "a time is none")
    return found, [int(number) for number in trailer[2:-1]]


def card(data):
    rows, sums = _table(data, CARD, 5)
    for row in rows:
        row["amount_minor"] = int(row["amount_minor"])
        need(row["amount_minor"] > 0, "an amount that is none")
    found = [sum(r["amount_minor"] for r in rows if r["direction"] == way) for way in "CD"]
    need(sums == found, f"{sums} in the trailer, {found} in the lines")
    return rows


def minor(text, currency):
    digits = DIGITS[currency]
    need(re.fullmatch(r"\d+" + (rf"\.\d{{{digits}}}" if digits else ""), text), f"not an amount in {currency}: {text}")
    return int(text.replace(".", ""))


def bill(data):
    rows, sums = _table(data, BILL, 6)
    for row in rows:
        row["amount_minor"] = minor(row["amount"], row["currency"])
        row["fee_minor"] = minor(row["fee"], row["currency"])
    by_type = [[r for r in rows if r["type"] == kind] for kind in ("PAYMENT", "REFUND")]
    need(sum(map(len, by_type)) == len(rows), "a line of another type")
    fees = [sum(r["fee_minor"] for r in part) for part in by_type]
    found = [sum(r["amount_minor"] for r in part) for part in by_type] + [fees[0] - fees[1]]
    need(sums == found, f"{sums} in the trailer, {found} in the lines")
    return rows


def ledger(data):
    body, last = _split(data)
    summary = json.loads(last)
    need(list(summary) == ["summary", "count", "first", "last", "sum", "sha256"], f"no summary: {last}")
    need(summary["sha256"] == hashlib.sha256(body).hexdigest(), "the hash is another")
    rows = [json.loads(line) for line in body.splitlines()]
    for row in rows:
        need(list(row) == LEDGER, f"other members: {row}")
        need(TIME.fullmatch(row["time"]), "a time is none")
        row["amount_minor"] = int(row["amount"])
    ends = (rows[0]["seq"], rows[-1]["seq"]) if rows else (None, None)
    need((summary["first"], summary["last"]) == ends, f"other ends: {last}")
    sums = (len(rows), sum(r["amount_minor"] for r in rows))
    need((summary["count"], int(summary["sum"])) == sums, f"{last} in the summary, {sums} in the lines")
    return rows


# --- camt -------------------------------------------------------------------------------------------------

# Children in the order of the schema; ? may be absent, * any number. What is not named has text only.
GROUPS = {
    "GrpHdr": "MsgId CreDtTm",
    "Stmt": "Id CreDtTm FrToDt Acct Bal* TxsSummry Ntry*",
    "Ntfctn": "Id CreDtTm FrToDt Acct TxsSummry Ntry*",
    "FrToDt": "FrDtTm ToDtTm",
    "Acct": "Id Ccy Ownr?",
    "Bal": "Tp Amt CdtDbtInd Dt",
    "TxsSummry": "TtlNtries TtlCdtNtries TtlDbtNtries",
    "TtlNtries": "NbOfNtries Sum TtlNetNtry",
    "TtlNetNtry": "Amt CdtDbtInd",
    "TtlCdtNtries": "NbOfNtries Sum",
    "TtlDbtNtries": "NbOfNtries Sum",
    "Ntry": "NtryRef Amt CdtDbtInd Sts BookgDt ValDt AcctSvcrRef BkTxCd NtryDtls",
    "NtryDtls": "TxDtls",
    "TxDtls": "Refs Amt CdtDbtInd RltdPties RmtInf? RtrInf?",
    "Refs": "MsgId? AcctSvcrRef PmtInfId? InstrId? EndToEndId UETR? TxId?",
    "RltdPties": "Dbtr? DbtrAcct? Cdtr? CdtrAcct?",
    "RmtInf": "Ustrd? Strd?",
    "RtrInf": "Rsn",
}


def _check_order(element):
    name = element.tag.rpartition("}")[2]
    if name in GROUPS:
        pattern = "".join(
            f"(?:{word.rstrip('?*')} ){word[-1] if word[-1] in '?*' else ''}" for word in GROUPS[name].split()
        )
        children = "".join(child.tag.rpartition("}")[2] + " " for child in element)
        need(re.fullmatch(pattern, children), f"{name} has {children}")
    for child in element:
        _check_order(child)


def camt(data):
    """Entries, and what stands before them: {"opening", "closing", "from", "to", "message"}; camt.054 has no balances."""
    try:
        root = xml.etree.ElementTree.fromstring(data)
    except xml.etree.ElementTree.ParseError as error:
        raise Broken(f"not XML: {error}") from error
    space = root.tag.rpartition("}")[0] + "}"
    message = space.rpartition(":")[2].rstrip("}")
    kinds = {"camt.053.001.08": ("BkToCstmrStmt", "Stmt"), "camt.054.001.08": ("BkToCstmrDbtCdtNtfctn", "Ntfctn")}
    need(message in kinds, f"another message: {message}")
    top, inner = kinds[message]
    need([child.tag for child in root] == [space + top], "another message in it")
    need([child.tag for child in root[0]] == [space + "GrpHdr", space + inner], "not one report")
    _check_order(root)
    report = root[0][1]

    def at(element, path):
        return element.findtext("/".join(space + step for step in path.split("/")))

    currency = at(report, "Acct/Ccy")

    def signed(element):
        amount = minor(at(element, "Amt"), currency)
        return amount if at(element, "CdtDbtInd") == "CRDT" else -amount

    rows = []
    for entry in report.findall(space + "Ntry"):
        tx = entry.find("/".join(space + step for step in ("NtryDtls", "TxDtls")))
        need(signed(tx) == signed(entry) and at(entry, "Sts/Cd") == "BOOK", "an entry that contradicts itself")
        need(TIME.fullmatch(at(entry, "BookgDt/DtTm")), "a time is none")
        row = {name: at(tx, f"Refs/{name}") for name in ("EndToEndId", "UETR", "TxId", "InstrId", "AcctSvcrRef")}
        row.update(
            ref=at(entry, "NtryRef"), change=signed(entry), time=at(entry, "BookgDt/DtTm"),
            family=at(entry, "BkTxCd/Domn/Fmly/Cd"), sub=at(entry, "BkTxCd/Domn/Fmly/SubFmlyCd"),
            reason=at(tx, "RtrInf/Rsn/Cd"), reference=at(tx, "RmtInf/Strd/CdtrRefInf/Ref"),
        )  # fmt: skip
        need(row["ref"] == row["AcctSvcrRef"] == at(entry, "AcctSvcrRef"), "a booking with two numbers")
        rows.append(row)
    changes = [row["change"] for row in rows]
    credits, debits = [c for c in changes if c > 0], [-c for c in changes if c < 0]
    summary = report.find(space + "TxsSummry")
    for name, part in (("TtlNtries", credits + debits), ("TtlCdtNtries", credits), ("TtlDbtNtries", debits)):
        told = (int(at(summary, f"{name}/NbOfNtries")), minor(at(summary, f"{name}/Sum"), currency))
        need(told == (len(part), sum(part)), f"{name} says {told}, and there are {len(part)} of {sum(part)}")
    need(signed(summary[0].find(space + "TtlNetNtry")) == sum(changes), "another net")
    balances = {at(bal, "Tp/CdOrPrtry/Cd"): signed(bal) for bal in report.findall(space + "Bal")}
    if inner == "Stmt":
        need(set(balances) == {"OPBD", "CLBD"}, f"other balances: {balances}")
        need(balances["OPBD"] + sum(changes) == balances["CLBD"], f"{balances}, and entries of {sum(changes)}")
    return rows, {
        "opening": balances.get("OPBD"), "closing": balances.get("CLBD"), "message": message,
        "from": at(report, "FrToDt/FrDtTm"), "to": at(report, "FrToDt/ToDtTm"),
    }  # fmt: skip
