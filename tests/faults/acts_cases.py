"""Hazards are put under order, worked on, judged and sent back; sites get their keepers."""

from datetime import timedelta
from typing import Any

from tests.faults.acts import HAZARDS, SITES, Hand, a_find, act, one_of


@act(14)
async def orders(hand: Hand) -> None:
    """The three-fix, with a deadline that soon falls due; now and then an inspector is responsible, who has mail."""
    if (line := _hazard(hand, "listed")) is None:
        return
    head = hand.who("village_head", hand.terms.unit_of_village(line["village"]))
    to = hand.who("inspector") if hand.chance.random() < 0.3 else head
    deadline = hand.now("cases") + timedelta(seconds=hand.chance.uniform(1.5, 20))
    body = {"measure": "sealing", "responsible": to.person, "responsible_unit": to.unit}
    body["deadline_at"] = deadline.isoformat()
    await _to(hand, "orders", "office_director", line, "three-fix", body, ("hazard.three_fix_ordered",))


@act(3)
async def puts_in_charge(hand: Hand) -> None:
    """A deputy leader; nothing happens where it is that one already."""
    if (line := one_of(hand, [line for line in hand.seen.hazards if line["state"] == "listed"], keep=1)) is None:
        return
    body = {"leader": hand.who("deputy_leader").person}
    await _to(hand, "puts_in_charge", "office_director", line, "leader", body, ("hazard.leader_assigned",), ())


@act(3)
async def asks_longer(hand: Hand) -> None:
    if (line := _hazard(hand, "three_fix_ordered")) is None:
        return
    unit = hand.terms.unit_of_village(line["village"])
    wanted = hand.now("cases") + timedelta(seconds=hand.chance.uniform(30, 60))
    body = {"wanted_at": wanted.isoformat(), "reason": "下雪路滑"}
    path = f"{HAZARDS}/{line['hazard']}/extension-requests"
    await hand.send("asks_longer", ("village_head", unit), path, body, ("hazard.extension_requested",))


@act(3)
async def decides(hand: Hand) -> None:
    if (line := _hazard(hand, "three_fix_ordered")) is None:
        return
    yes = hand.chance.random() < 0.6
    path, fact = ("extension-approval", "extended") if yes else ("extension-refusal", "extension_refused")
    await _to(hand, "decides", "deputy_leader", line, path, {"reason": "按实际"}, (f"hazard.{fact}",))


@act(10)
async def completes(hand: Hand) -> None:
    if (line := _hazard(hand, "three_fix_ordered")) is None:
        return
    unit = hand.terms.unit_of_village(line["village"])
    path, done = f"{HAZARDS}/{line['hazard']}/completion", ("hazard.completed",)
    late = ("hazard.became_overdue", *done)
    await hand.send("completes", ("village_head", unit), path, {"report": "已封堵"}, done, late)


@act(9)
async def judges(hand: Hand) -> None:
    """Agrees with the work, or does not."""
    if (line := _hazard(hand, "completed")) is None:
        return
    if hand.chance.random() < 0.75:
        whole = ("hazard.accepted", "hazard.closed_out")
        await _to(hand, "accepts", "office_director", line, "acceptance", {"note": "已现场查看"}, whole)
    else:
        late = ("hazard.rejected", "hazard.became_overdue")
        await _to(hand, "rejects", "inspector", line, "rejection", {"reason": "封堵不严"}, ("hazard.rejected",), late)


@act(1)
async def corrects(hand: Hand) -> None:
    if (line := one_of(hand, hand.seen.hazards, keep=1)) is None:
        return
    body = {"field": "mineral", "value": {"code": "sand"}, "reason": "登记有误"}
    await _to(hand, "corrects", "clerk", line, "corrections", body, ("hazard.corrected",))


@act(1)
async def registers(hand: Hand) -> None:
    """A site and, later, who keeps watch over it."""
    if hand.seen.sites and hand.chance.random() < 0.5:
        site = hand.chance.choice(hand.seen.sites)
        body: dict[str, Any] = {"kind": "departmental", "unit": "safety_office"}
        await hand.send("keeps", ("clerk", None), f"{SITES}/{site}/keepers", body, ("site.keeper_assigned",))
        return
    kind = a_find(hand)
    body = {"category": kind["category"], "village": kind["village"], "name": f"点位{hand.chance.randrange(10**6)}"}
    sent = await hand.send("registers", ("clerk", None), SITES, body)
    if sent.outcome == "acknowledged":
        hand.seen.sites.append(sent.answer["id"])


def _hazard(hand: Hand, state: str) -> dict[str, Any] | None:
    """One that stood so when it was looked at; as a rule nobody else takes it until the next look."""
    found = [line for line in hand.seen.hazards if line["state"] == state]
    line: dict[str, Any] | None = one_of(hand, found, keep=1)
    if line is not None and hand.chance.random() < 0.9:
        hand.seen.hazards = [other for other in hand.seen.hazards if other is not line]
    return line


async def _to(
    hand: Hand, what: str, post: str, line: dict[str, Any], path: str, body: dict[str, Any], *whole: tuple[str, ...]
) -> None:
    await hand.send(what, (post, None), f"{HAZARDS}/{line['hazard']}/{path}", body, *whole)
