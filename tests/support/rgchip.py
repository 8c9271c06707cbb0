"""rgchip - what a chip card and a PIN pad would say: cryptograms and PIN blocks under the published test
keys of the card host simulator. Triple DES is openssl's.

    emv(pan, amount=1250, atc=1)        DE55 as hex text, with a valid ARQC (cryptogram version 10)
    pin_block("1234", pan)              DE52 as hex text, ISO 9564 format 0
"""

import subprocess

IMK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")  # issuer master key of the simulator
PIN_KEY = bytes.fromhex("11" * 8 + "22" * 8)


def _openssl(cipher, key24, data, iv=None):
    command = ["openssl", "enc", f"-{cipher}", "-e", "-nopad", "-nosalt", "-K", key24.hex()]
    command += ["-iv", iv.hex()] if iv else []
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def tdes(key, block):
    """One block under a two-key triple DES key of 16 bytes."""
    return _openssl("des-ede3", key + key[:8], block)


def retail_mac(key, data):
    """ISO/IEC 9797-1 algorithm 3, padding with zeros."""
    data += bytes(-len(data) % 8)
    chain = bytes(8)
    if len(data) > 8:  # three times the same key is single DES
        chain = _openssl("des-ede3-cbc", key[:8] * 3, data[:-8], bytes(8))[-8:]
    return tdes(key, bytes(a ^ b for a, b in zip(chain, data[-8:])))


def odd_parity(key):
    return bytes(b & 0xFE | (bin(b >> 1).count("1") + 1) % 2 for b in key)


def master_key(pan, psn=0):
    """EMV book 2, A1.4.1, option A."""
    y = bytes.fromhex(f"{pan}{psn:02d}"[-16:].rjust(16, "0"))
    return odd_parity(tdes(IMK, y) + tdes(IMK, bytes(b ^ 0xFF for b in y)))


def tlv(tag, value):
    return f"{tag}{len(value) // 2:02X}{value}"


def emv(pan, amount=1250, atc=1, currency=978, country=276, psn=0, number="52BF4585"):
    parts = [
        ("9F02", f"{amount:012d}"), ("9F03", "0" * 12), ("9F1A", f"{country:04d}"), ("95", "0000048000"),
        ("5F2A", f"{currency:04d}"), ("9A", "260601"), ("9C", "00"), ("9F37", number), ("82", "5800"),
        ("9F36", f"{atc:04X}"),
    ]  # fmt: skip
    verification = "03A4A002"
    data = bytes.fromhex("".join(value for _, value in parts) + verification)
    arqc = retail_mac(master_key(pan, psn), data).hex().upper()
    parts += [("9F27", "80"), ("9F10", "06010A" + verification), ("9F26", arqc)]
    return "".join(tlv(tag, value) for tag, value in parts)


def pin_block(pin, pan):
    clear = bytes.fromhex(f"0{len(pin)}{pin}".ljust(16, "F"))
    mask = bytes.fromhex("0000" + pan[-13:-1])
    return tdes(PIN_KEY, bytes(a ^ b for a, b in zip(clear, mask))).hex().upper()
