"""What the holder of a receipt is told: in plain words, how far it is. Never the content, never who works on it."""

from dataclasses import dataclass
from datetime import date, datetime

from services.intake.read_models import receipt_lookup, tip_handling, tip_line
from shared.plan.calendar import town_day
from shared.sql import Tx

WORDS: dict[str, tuple[str, str, str]] = {
    "received": ("received", "已收到。工作人员会尽快查看。", "Received. The office will look at it soon."),
    "live": (
        "received",
        "已收到。您说事情正在发生，已转给值班人员，不用排队。",
        "Received. You said it is going on now: it went straight to the officer on duty.",
    ),
    "to_verify": ("being_checked", "正在核查。", "It is being checked."),
    "out_of_area": (
        "being_checked",
        "不归本镇管，正在转给管这件事的单位。",
        "It is not for this town to handle; it is being passed to whoever is in charge.",
    ),
    "substantiated": ("handled", "情况属实，正在处理。谢谢您。", "It is true and is being dealt with. Thank you."),
    "settled": ("handled", "情况属实，已处理完毕。谢谢您。", "It was true and has been dealt with. Thank you."),
    "unsubstantiated": (
        "handled",
        "已经核查，没有查到。如果您知道更多，可以在这里补充。",
        "It was checked and not confirmed. If you know more, add it here.",
    ),
    "insufficient": (
        "handled",
        "已经核查，线索还不够。请尽量补充地点、时间、车辆等，不必写您是谁。",
        "It was checked; more is needed. Add place, time, vehicles if you can; you need not say who you are.",
    ),
    "forwarded": ("forwarded", "已转交{to}办理。", "Passed on to {to}."),
}
CLOSED: dict[str, tuple[str, str]] = {
    "no_content": ("没有写明可以查的情况", "it held nothing that could be checked"),
    "unsubstantiated": ("核查后没有查到", "it was checked and not confirmed"),
    "insufficient": ("线索不够，无法核查", "it was too little to check"),
    "duplicate": ("同一件事已有人举报，一并办理", "somebody told the same before; both are handled together"),
    "already_known": ("这件事已在处理中", "the matter was being dealt with already"),
    "withdrawn": ("举报人撤回", "it was withdrawn"),
    "entered_in_error": ("登记有误，已作废", "it was registered by mistake"),
}


@dataclass(frozen=True)
class Status:
    """`state`: received | being_checked | handled | forwarded | closed; `detail` says which kind of it."""

    tip: str
    state: str
    detail: str
    zh: str
    en: str
    forwarded_to: str | None
    reason: str | None
    received_on: date
    may_supplement: bool


async def by_digest(tx: Tx, digest: str) -> Status:
    """Raises ReceiptUnknown."""
    tip = await receipt_lookup.tip_of(tx, digest)
    row = await tip_line.one(tx, tip)
    if row["erasure"] in ("approved", "erased"):
        return erased(tip, row["received_at"])
    state = str(row["state"])
    if state == "received" and row["live"]:
        state = "live"
    if state == "substantiated" and await tip_handling.settled(tx, tip):
        state = "settled"
    return told(tip, state, row["received_at"], row["closed_reason"], row["forwarded_to"])


def erased(tip: str, received_at: datetime) -> Status:
    """What is left to say when the informant's data is gone: that the tip was there, and that nothing can be added."""
    return Status(
        tip=tip,
        state="closed",
        detail="erased",
        zh="这条举报已办结，您的个人信息和原话已按规定删除，工作人员也不能再查看。如有新情况，请另行举报。",
        en="This report is finished. What you told about yourself, and your words, were erased by the rules; nobody can read "
        "them any more. If there is something new, please send a new report.",
        forwarded_to=None,
        reason="erased",
        received_on=town_day(received_at),
        may_supplement=False,
    )


def told(tip: str, state: str, received_at: datetime, reason: str | None, to: str | None) -> Status:
    """The words for a state of tip_line; also `live` (received, told to the duty officer) and `settled`.

    "{to}" in them stands for the name of the authority `to`, which only the plan knows.
    """
    if state in ("closed", "void"):
        reason = "entered_in_error" if state == "void" else reason or "duplicate"
        zh, en = CLOSED.get(reason, (reason, reason))
        plain, zh, en = "closed", f"已办结：{zh}。", f"Closed: {en}."
    else:
        reason = None
        plain, zh, en = WORDS[state]
    return Status(
        tip=tip,
        state=plain,
        detail=state,
        zh=zh,
        en=en,
        forwarded_to=to,
        reason=reason,
        received_on=town_day(received_at),
        may_supplement=state != "void",
    )
