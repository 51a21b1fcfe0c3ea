"""The receipt of a tip: sixteen digits that a person can write on paper, and that nobody else can guess.

The code is never stored. It is an HMAC over the id of the command that received the tip, so a repeated request gets the
same one; what is stored is its digest, an HMAC under another secret, so a copied database opens the state of no tip.
"""

import hashlib
import hmac
import unicodedata
from uuid import UUID

from shared.errors import Refusal

DIGITS = 16
GROUP = 4


class ReceiptMistyped(Refusal):
    """回执号不对，可能抄错了一位。请对照抄写的十六位数字再输一次。
    This is no receipt code; a digit may be wrong. Compare the sixteen digits you wrote down and try again."""


def receipt_code(secret: bytes, command_id: UUID) -> str:
    """Four groups of four digits, for example "4711-0815-2018-0116"; the last is a check digit (Luhn)."""
    number = int.from_bytes(hmac.digest(secret, command_id.bytes, hashlib.sha256), "big")
    payload = f"{number % 10 ** (DIGITS - 1):0{DIGITS - 1}d}"
    return _grouped(payload + _check_digit(payload))


def normalised(typed: str) -> str:
    """The code as `receipt_code` writes it, from what a person typed: any spaces, dashes or full-width digits.

    Raises ReceiptMistyped.
    """
    plain = unicodedata.normalize("NFKC", typed)
    digits = "".join(c for c in plain if not c.isspace() and c not in "-‐‑‒–—―−_.·")
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()) or digits[-1] != _check_digit(digits[:-1]):
        raise ReceiptMistyped()
    return _grouped(digits)


def receipt_digest(secret: bytes, code: str) -> str:
    """64 hex digits; `code` as typed or as written. Raises ReceiptMistyped."""
    return hmac.new(secret, normalised(code).encode(), hashlib.sha256).hexdigest()


def _grouped(digits: str) -> str:
    return "-".join(digits[i : i + GROUP] for i in range(0, DIGITS, GROUP))


def _check_digit(payload: str) -> str:
    total = 0
    for nth, char in enumerate(reversed(payload)):
        digit = int(char) * (2 if nth % 2 == 0 else 1)
        total += digit - 9 if digit > 9 else digit
    return str(-total % 10)
