"""What every published fact looks like, and how its fields say who may read them.

A field of text is one of three things, and a test refuses a contract with any other:

    Code            an entry of a code list, open to all
    Id              an identifier, open to all, never a name
    sealed(...)     free text, or anything that identifies a person; readable only to one audience, with a key
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, StringConstraints

Audience = Literal["all", "office", "police", "custodian"]


@dataclass(frozen=True)
class Clear:
    """Marks text that stays readable: kind is "code" or "id"."""

    kind: str


@dataclass(frozen=True)
class SealedBy:
    """Marks text that is encrypted. `by`: "stream", or the sibling field whose value names the person it is about."""

    audience: Audience
    by: str


class Sealed(BaseModel):
    """Encrypted text as it stands in the bytes: key id, nonce, ciphertext and key commitment, base64url without padding."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    k: str
    n: str
    c: str
    m: str


Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.:+-]{0,79}$"), Clear("code")]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,127}$"), Clear("id")]
E7 = int
"""Degrees times ten million, WGS-84."""


def sealed(audience: Audience, by: str = "stream") -> Any:
    """The annotation of a sealed text field: plain text until the store seals it, `Sealed` after."""
    return Annotated[str | Sealed, SealedBy(audience, by)]


OfficeText = Annotated[str | Sealed, SealedBy("office", "stream")]
"""Free text that the campaign office and its services may read."""


def text_of(value: str | Sealed | None) -> str | None:
    """The text, or None when it is absent, not for this reader, or erased."""
    return value if isinstance(value, str) else None


class Part(BaseModel):
    """A structure inside an event."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Event(BaseModel):
    """One fact. Subclasses set `type` to `<service>.<aggregate>.<past participle>.v<n>`.

    `keeps_files`: a file that its data names by `sha256` is kept beside the record.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    keeps_files: ClassVar[bool] = True

    @classmethod
    def text_fields(cls) -> Iterator[tuple[str, Any]]:
        """(field name, marker or None) of every field that may hold text, nested parts included."""
        yield from _text_fields(cls, "")


def _text_fields(model: type[BaseModel], path: str) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        markers = [m for m in field.metadata if isinstance(m, Clear | SealedBy)]
        yield from _annotation(field.annotation, markers, f"{path}{name}")


def _annotation(annotation: Any, markers: list[Any], path: str) -> Iterator[tuple[str, Any]]:
    if get_origin(annotation) is Annotated:
        inner, *extra = get_args(annotation)
        yield from _annotation(inner, markers + [m for m in extra if isinstance(m, Clear | SealedBy)], path)
    elif markers:
        yield path, markers[0]
    elif annotation is str:
        yield path, None
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _text_fields(annotation, f"{path}.")
    elif get_origin(annotation) is not Literal:
        for inner in get_args(annotation):
            yield from _annotation(inner, [], path)
