"""The public gives tips, the office looks into them, the villages walk their patrols."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from tests.faults.acts import DESK, PATROLS, PUBLIC_TIPS, Hand, a_find, act, one_of


@act(10)
async def tells(hand: Hand) -> None:
    """The public, by the web form."""
    kind = a_find(hand)
    body = {"words": "夜里有机器响", "village": kind["village"], "live": hand.chance.random() < 0.08}
    sent = await hand.send("tells", None, PUBLIC_TIPS, body, ("tip.received",))
    if sent.outcome == "acknowledged":
        tip = hand.seen.tip_of(sent)
        hand.seen.tips.append(tip)
        hand.seen.receipts[sent.answer["receipt"]] = tip


@act(6)
async def keys_in(hand: Hand) -> None:
    """A clerk, for somebody on the telephone."""
    body = {"channel": "hotline", "words": "有人在沟口挖煤", "village": a_find(hand)["village"]}
    sent = await hand.send("keys_in", ("clerk", None), DESK, body, ("tip.received",))
    if sent.outcome == "acknowledged":
        hand.seen.tips.append(sent.answer["id"])


@act(2)
async def adds(hand: Hand) -> None:
    """More words by receipt."""
    if hand.seen.receipts:
        receipt = hand.chance.choice(list(hand.seen.receipts))
        body = {"receipt": receipt, "words": "今晚又来了"}
        await hand.send("adds", None, f"{PUBLIC_TIPS}/supplements", body, ("tip.supplemented",))


@act(14)
async def screens(hand: Hand) -> None:
    if (tip := one_of(hand, hand.seen.tips, keep=0.1)) is None:
        return
    sound = hand.chance.random() < 0.85
    body = {"outcome": "to_verify" if sound else "no_content", "summary": "沟口有新坑" if sound else None}
    whole = ("tip.screened",) if sound else ("tip.screened", "tip.closed")
    sent = await hand.send("screens", ("clerk", None), f"{DESK}/{tip}/screening", body, whole)
    if sound and sent.outcome == "acknowledged":
        hand.seen.screened.append(tip)


@act(13)
async def verifies(hand: Hand) -> None:
    if (tip := one_of(hand, hand.seen.screened, keep=0.1)) is None:
        return
    result = hand.chance.choices(("substantiated", "unsubstantiated", "out_of_area"), (8, 1, 1))[0]
    body = {"result": result, "summary": "实地查看", **(a_find(hand) if result == "substantiated" else {})}
    await hand.send("verifies", ("inspector", None), f"{DESK}/{tip}/verification", body, ("tip.verified",))
    hand.seen.verified.append(tip)


@act(2)
async def settles(hand: Hand) -> None:
    """Forwards or closes it, whichever is allowed; a find is not."""
    if (tip := one_of(hand, hand.seen.verified)) is None:
        return
    if hand.chance.random() < 0.5:
        to = hand.terms.codes("forward_to")[0]
        body: dict[str, Any] = {"to": to, "reason": "out_of_area"}
        await hand.send("forwards", ("clerk", None), f"{DESK}/{tip}/forward", body, ("tip.forwarded",))
    else:
        body = {"reason": "unsubstantiated", "note": "查无实据"}
        await hand.send("closes", ("clerk", None), f"{DESK}/{tip}/closing", body, ("tip.closed",))


@act(1)
async def cries(hand: Hand) -> None:
    """It is going on now."""
    if hand.seen.tips:
        tip = hand.chance.choice(hand.seen.tips)
        await hand.send("cries", ("duty_officer", None), f"{DESK}/{tip}/live", {}, ("tip.marked_live",))


@act(12)
async def walks(hand: Hand) -> None:
    """A village's head, with what was found; some of it sent in late, from the first report's week."""
    found = [a_find(hand) for _ in range(hand.chance.choice((0, 1, 1, 2)))]
    village = found[0]["village"] if found else hand.chance.choice(hand.terms.codes("village"))
    unit = hand.terms.unit_of_village(village)
    head, late = hand.who("village_head", unit), hand.chance.random() < 0.15
    ended = hand.terms.periods[0].cut_off_at - timedelta(hours=2) if late else hand.now("intake")
    ended -= timedelta(minutes=hand.chance.randint(15, 60))
    body: dict[str, Any] = {"village": village, "unit": unit, "patrol_class": "key", "members": [head.person]}
    body |= {"started_at": (ended - timedelta(minutes=30)).isoformat(), "ended_at": ended.isoformat()}
    body |= {"gpx": _track(hand), "offline": late, "no_finding": not found, "handling": "reported"}
    body["findings"] = [
        {name: value for name, value in kind.items() if name != "village"}
        | {"summary": "有新挖痕迹", "live": hand.chance.random() < 0.05}
        for kind in found
    ]
    patrol = uuid5(UUID(int=hand.chance.getrandbits(128)), "patrol")
    await hand.send("walks", ("village_head", unit), f"{PATROLS}/{patrol}/record", body, ("patrol.recorded",))


def _track(hand: Hand) -> str:
    points = "".join(
        f'<trkpt lat="{37.94 + nth / 1000:.5f}" lon="{112.03 + hand.chance.random() / 1000:.5f}"></trkpt>'
        for nth in range(3)
    )
    return (
        '<?xml version="1.0"?><gpx version="1.1" creator="drill" xmlns="http://www.topografix.com/GPX/1/1">'
        f"<trk><trkseg>{points}</trkseg></trk></gpx>"
    )
