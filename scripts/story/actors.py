"""actors.py - everybody in the demo: a gateway with a channel on each rail and a region profile, and the four
counterparts.

The programs are started by tests/support (rgtest.py and its neighbours), on free ports of loopback, in the
folder of a Stage. The counterparts are simulators: each reads and writes its protocol with code of its own
and keeps its own books.
"""

import os
import shutil
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

import rgbank  # pylint: disable=wrong-import-position
import rgrails  # pylint: disable=wrong-import-position
import rgtest  # pylint: disable=wrong-import-position
import rgwallet  # pylint: disable=wrong-import-position

# The region profile of story/region.py, and the key that payers' codes come from (of no value anywhere).
PROFILE = os.path.join(ROOT, "scripts", "story", "shop.yaml")
LISTS = os.path.join(ROOT, "config", "lists", "sample-sanctions.csv")
CODES = {"name": "codes", "kind": "hmac_sha256", "test_value": "de30" * 16}

# A time-out shall not bore anybody, and what is unknown is resolved at once.
CARD = {
    "deadline": "1s",
    "reversal": {"first_delay": "100ms", "retry_every": "1s"},
    "settings": {"merchant_name_location": "Corner shop          Berlin       DE"},
}
# A second way for cards. It costs more, so it is taken only when the first cannot be.
RESERVE = {"name": "card_reserve", "cost": {"basis_points": 30}, "settings": {"terminal_id": "TERM0002"}}

RETRY = {"deadline": "1s", "late_window": "1s", "reversal": {"first_delay": "100ms", "retry_every": "1s"}}


class Actors:
    """The processes, each under the name that the story uses."""

    def __init__(self, stage, reserve=False):
        self.card = stage.simulator()
        self.reserve = stage.simulator() if reserve else None
        self.wallet = rgwallet.start(stage)
        self.bank = rgbank.start(stage, settings={"scheme": "sepa", "delay_ms": 400})
        self.ledger = rgrails.start_ledger(stage)
        others = [
            rgrails.qr_channel(self.wallet, **RETRY),
            rgbank.bank_channel(self.bank, **RETRY),
            rgrails.cbdc_channel(self.ledger, **RETRY),
        ]
        hosts = [self.card] + ([self.reserve] if reserve else [])
        self.gateway = rgtest.Gateway(
            stage, "gateway", hosts, others=others, channel=CARD, channels=[{}, RESERVE][: len(hosts)],
            settings={
                "notify": {"listen": "127.0.0.1:0"},
                "keys": rgbank.keys() + [CODES],
                "authentication": {"code_key": "codes"},
                "lists": [{"name": "sanctions", "format": "csv", "path": "lists/sanctions.csv", "max_age": "3650d"}],
            },
        )  # fmt: skip
        os.mkdir(os.path.join(self.gateway.config, "lists"))
        shutil.copyfile(LISTS, os.path.join(self.gateway.config, "lists", "sanctions.csv"))
        shutil.copyfile(PROFILE, os.path.join(self.gateway.config, "regions", "shop.yaml"))
        self.gateway.start()
        # Payments of printed codes are told to the address that the provider has on file.
        self.wallet.settings(notice_url=self.gateway.ready["notices"] + "wallet")
        self.client = self.gateway.client()

    def simulators(self):
        """{name: process}"""
        everybody = {"card": self.card, "card_reserve": self.reserve, "wallet": self.wallet, "bank": self.bank, "cbdc": self.ledger}
        return {name: process for name, process in everybody.items() if process is not None}

    def ready(self, key):
        """What ready.json says: where everything listens, an API key, and the gateway's pid."""
        return {
            "api": self.gateway.url,
            "ops": self.gateway.ops_url,
            "notices": self.gateway.ready["notices"],
            "key": key,
            "pid": self.gateway.pid,
            "config": self.gateway.config,
            "simulators": {
                name: {"listen": process.listen, "control": process.control_url}
                for name, process in self.simulators().items()
            },
        }  # fmt: skip
