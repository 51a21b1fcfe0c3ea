"""What people type into the public forms, and which field a refusal speaks of. Pure; nothing here is kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.intake.tip import NamedTipNeedsName, TipNeedsWords
from shared.web.language import says
from shared.web.problems import words_of

MOST = {"where": 500, "words": 4000, "name": 100, "contact": 200}
"""Characters."""
FIELD_OF = {
    "TipNeedsWords": "words",
    "UnknownVillage": "village",
    "NamedTipNeedsName": "name",
    "ReceiptMistyped": "receipt",
    "ReceiptUnknown": "receipt",
    "TooManyTries": "receipt",
    "IdempotencyMismatch": "words",
}
"""Name of the error -> the field to look at; any other speaks of the words."""


@dataclass(frozen=True)
class Typed:
    """A filled-in tip form, as it is shown again when something is wrong with it."""

    where: str = ""
    words: str = ""
    village: str = ""
    live: bool = False
    anonymous: bool = True
    name: str = ""
    contact: str = ""

    @staticmethod
    def of(form: Mapping[str, Any]) -> "Typed":
        """From the posted fields; a box that is not ticked is not sent."""
        texts = {field: str(form.get(field) or "").strip() for field in (*MOST, "village")}
        return Typed(**texts, live="live" in form, anonymous="anonymous" in form)

    def complaints(self) -> dict[str, str]:
        """field -> what is wrong with it, all at once; a rule would speak of the first alone."""
        wrong = {field: longer_than(most) for field, most in MOST.items() if len(getattr(self, field)) > most}
        if not self.words:
            wrong["words"] = says(*words_of(TipNeedsWords()))
        if not self.anonymous and not self.name and not self.contact:
            wrong["name"] = says(*words_of(NamedTipNeedsName()))
        return wrong

    def facts(self) -> dict[str, Any]:
        """The arguments of reception.receive.

        A name typed before "anonymous" was ticked again lies in a field that is no longer shown: it is dropped unseen.
        """
        words = f"地点：{self.where}\n{self.words}" if self.where and self.words else self.words
        named = {} if self.anonymous else {"name": self.name, "contact": self.contact}
        return {
            "words": words,
            "village": self.village,
            "live": self.live,
            "anonymous": self.anonymous,
            **named,
        }


def longer_than(most: int) -> str:
    return says(f"太长，最多 {most} 个字。", f"Too long; at most {most} characters.")
