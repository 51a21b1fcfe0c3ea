"""Which language the reader gets: Chinese, unless asked otherwise. The Chinese texts are the message ids."""

from collections.abc import Iterable
from contextvars import ContextVar
from pathlib import Path

from babel.messages.pofile import read_po

LANGUAGES = ("zh", "en")
COOKIE = "minewatch_lang"
HTML_LANG = {"zh": "zh-CN", "en": "en"}

language: ContextVar[str] = ContextVar("language", default="zh")
"""Of the request being answered: one of LANGUAGES."""


def chosen(*wishes: str | None) -> str:
    """The first wish that names a language we have; Chinese without one."""
    return next((w for w in wishes if w in LANGUAGES), "zh")


def says(zh: str, en: str) -> str:
    """Whichever of the two the reader wants."""
    return en if language.get() == "en" else zh


class Catalogue:
    """English for Chinese, from `en/LC_MESSAGES/*.po` below each folder; what is not translated stays Chinese."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._en: dict[str, tuple[str, ...]] = {}
        for folder in folders:
            for path in sorted((folder / "en" / "LC_MESSAGES").glob("*.po")):
                self._read(path)

    def _read(self, path: Path) -> None:
        with path.open("rb") as file:
            for message in read_po(file, locale="en"):
                ids = (message.id,) if isinstance(message.id, str) else tuple(message.id)
                forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))
                if ids[0] and all(forms) and not message.fuzzy:
                    self._en[ids[0]] = forms

    def __contains__(self, text: str) -> bool:
        return text in self._en

    def gettext(self, text: str) -> str:
        return self._en.get(text, (text,))[0] if language.get() == "en" else text

    def ngettext(self, one: str, many: str, number: int) -> str:
        if language.get() != "en":
            return many
        forms = self._en.get(one, (one, many))
        return forms[0] if number == 1 else forms[-1]
