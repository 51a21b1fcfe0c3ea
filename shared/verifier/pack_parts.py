"""Of whose parts an evidence pack is made: the order in each part is an event of its log, and says so for the whole pack."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.verifier.doubts import Doubt, doubt, refused
from shared.verifier.report import Said as Remark


@dataclass(frozen=True)
class Said:
    """What an order says of its pack. `order`: the same in every part, and in no other pack; empty in an event of before 0.2,
    which says nothing."""

    order: str = ""
    services: frozenset[str] = frozenset()


NOTHING = Said()


def said(data: Mapping[str, Any], position: int) -> Said:
    """By the order's `data`. Raises Refused."""
    match data.get("pack"):
        case None:
            return NOTHING
        case {"order": str(order), "services": [*services]} if order and all(type(each) is str for each in services):
            return Said(order, frozenset(services))
    raise refused("pack_form", position)


def by_order(parts: Mapping[str, Said | None]) -> dict[Said, list[str]]:
    """`parts`: service -> what its order says, None where that could not be read, which is a doubt already."""
    found: dict[Said, list[str]] = {}
    for name, each in sorted(parts.items()):
        if each is not None:
            found.setdefault(each, []).append(name)
    return found


def doubts_of(parts: Mapping[str, Said | None]) -> Iterator[Doubt]:
    """Every part that an order names is there and no other, and all are there by one order."""
    orders = by_order(parts)
    first, *others = [", ".join(names) for names in orders.values()] or [""]
    for other in others:
        yield doubt("part_other", part=first, other=other)
    for each, names in orders.items():
        told = ", ".join(names)
        for missing in sorted(each.services - parts.keys()):
            yield doubt("part_missing", service=missing, told=told)
        for extra in sorted(parts.keys() - each.services) if each != NOTHING else ():
            yield doubt("part_extra", service=extra, told=told)


def remarks_of(parts: Mapping[str, Said | None]) -> Iterator[Remark]:
    orders = by_order(parts)
    if NOTHING in orders:
        yield (
            "本包的调阅记录出自较早的版本，没有写明本包应有哪些服务的部分：整个部分被抽走，无从发现",
            "the orders of this pack were made by an earlier version and do not say whose parts belong to it: were a whole part "
            "left out, it would not show",
        )
    elif len(orders) == 1:
        joined = ", ".join(sorted(next(iter(orders)).services))
        yield (
            f"调阅记录写明本包由这些服务的部分组成：{joined}",
            f"by its orders the pack is made of the parts of {joined}",
        )
