"""Messages are answered, weekly reports come in and are taken or sent back."""

from tests.faults.acts import MESSAGES, REPORTS, Hand, act, one_of


@act(6)
async def answers(hand: Hand) -> None:
    """Somebody has read a message; whoever is the first of their post and unit is signed in."""
    mine = [m for m in hand.seen.messages if hand.who(m["post"], m["unit"]).person == m["recipient"]]
    if (line := one_of(hand, mine)) is not None:
        who, path = (line["post"], line["unit"]), f"{MESSAGES}/{line['message']}/acknowledgement"
        await hand.send("answers", who, path, {}, ("message.acknowledged",))


@act(5)
async def reports(hand: Hand) -> None:
    """A unit's reporter, for a week that is over."""
    unit = hand.chance.choice(hand.terms.reporting_units)
    body = {"note": "本周情况"}
    path = f"{_report(hand, unit)}/submission"
    await hand.send("reports", ("designated_reporter", unit), path, body, ("weekly_report.submitted",))


@act(3)
async def reads_report(hand: Hand) -> None:
    """The office takes it or sends it back."""
    path = _report(hand, hand.chance.choice(hand.terms.reporting_units))
    if hand.chance.random() < 0.2:
        await hand.send("takes", ("clerk", None), f"{path}/acceptance", {}, ("weekly_report.accepted",))
    else:
        body = {"reason": "请核对"}
        await hand.send("returns", ("clerk", None), f"{path}/return", body, ("weekly_report.returned",))


@act(1.5)
async def compiles(hand: Hand) -> None:
    """The town's own."""
    path = _report(hand, hand.terms.town_unit)
    if hand.chance.random() < 0.8:
        await hand.send("compiles", ("clerk", None), f"{path}/compilation", {}, ("weekly_report.compiled",))
    else:
        await hand.send("files", ("office_director", None), f"{path}/filing", {}, ("weekly_report.filed",))


def _report(hand: Hand, unit: str) -> str:
    """The last week that is over, or the first."""
    over = [period.no for period in hand.terms.periods if period.cut_off_at <= hand.now("reporting")]
    number = hand.chance.choice((1, max(over, default=1)))
    return f"{REPORTS}/{hand.terms.code}-{unit}-{number:02d}"
