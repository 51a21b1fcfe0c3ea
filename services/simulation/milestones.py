"""What must have happened in the seventy days, each found in the logs, or in what the people of the demo saw happen."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

from services.simulation.logs import Fact, Logs
from services.simulation.timetable import when
from shared.plan.calendar import days_of, town_day
from shared.plan.terms import PlanTerms

Check = Callable[[Logs, PlanTerms, set[str]], bool]

MINUTE = timedelta(minutes=1)
HAZARD, REPORT, MESSAGE = "cases.hazard", "reporting.weekly_report", "notify.message"
WAY_THROUGH = ("listed", "three_fix_ordered", "completed", "accepted", "closed_out")


def missing(logs: Logs, plan: PlanTerms, seen: set[str]) -> list[str]:
    """Names of the milestones that were not reached."""
    return [name for name, check in MILESTONES.items() if not check(logs, plan, seen)]


def _every_channel(logs: Logs, plan: PlanTerms, _: set[str]) -> bool:
    return {fact.data["channel"] for fact in logs.all("intake.tip.received")} == set(plan.codes("channel"))


def _followed_by_receipt(logs: Logs, _: PlanTerms, seen: set[str]) -> bool:
    anonymous = logs.all("intake.tip.received", anonymous=True)
    added = any(logs.after(tip, "intake.tip.supplemented") for tip in anonymous)
    return added and {"status:received", "status:settled", "status:insufficient", "status:forwarded"} <= seen


def _live(acknowledged: bool) -> Check:
    """A call within a minute; answered by the one called, or passed up the chain."""

    def check(logs: Logs, _: PlanTerms, __: set[str]) -> bool:
        return any(_called_in_time(logs, tip, acknowledged) for tip in logs.all("intake.tip.received", live=True))

    return check


def _called_in_time(logs: Logs, tip: Fact, acknowledged: bool) -> bool:
    calls = logs.all(f"{MESSAGE}.issued", kind="live_call_out", about=tip.stream, step=0)
    if not calls or any(call.recorded_at - tip.recorded_at > MINUTE for call in calls):
        return False
    passed_up = any(logs.after(call, f"{MESSAGE}.escalated") for call in calls)
    return passed_up != acknowledged and any(logs.after(call, f"{MESSAGE}.acknowledged") for call in calls)


def _at_night(logs: Logs, *_: object) -> bool:
    return any(tip.occurred_at.hour < 5 for tip in logs.all("intake.tip.received", live=True))


def _two_about_one(logs: Logs, *_: object) -> bool:
    kinds = {fact.data["source"]["kind"] for fact in logs.all(f"{HAZARD}.finding_attached")}
    return {"tip", "patrol"} <= kinds


def _tip(**facts: object) -> Check:
    return lambda logs, _, __: bool(logs.all("intake.tip.verified", **facts))


def _some(kind: str, **facts: object) -> Check:
    return lambda logs, _, __: bool(logs.all(kind, **facts))


def _forwarded(logs: Logs, *_: object) -> bool:
    out = logs.all("intake.tip.verified", result="out_of_area")
    return any(logs.after(tip, "intake.tip.forwarded") for tip in out)


def _every_village_patrols(logs: Logs, plan: PlanTerms, _: set[str]) -> bool:
    """With a route, at least once a week."""
    patrols = [p for p in logs.all("intake.patrol.recorded") if p.data["route"]["points"] > 1]
    for unit in (village.unit for village in plan.plan.villages):
        days = sorted({town_day(p.occurred_at) for p in patrols if p.data["unit"] == unit})
        ends = [plan.plan.starts_on, *days, plan.plan.ends_on]
        if any(later - earlier > timedelta(days=7) for earlier, later in pairwise(ends)):
            return False
    return {"police_station", "safety_office"} <= {p.data["unit"] for p in patrols}


def _surprise_every_day(logs: Logs, plan: PlanTerms, _: set[str]) -> bool:
    """Planned as a surprise, and walked on the day."""
    surprises = logs.all("intake.patrol.planned", reason="surprise")
    walked = {town_day(done.occurred_at) for p in surprises for done in logs.after(p, "intake.patrol.recorded")}
    return set(days_of(plan.plan.starts_on, plan.plan.ends_on)) <= walked


def _offline(logs: Logs, plan: PlanTerms, _: set[str]) -> bool:
    late = [
        p
        for p in logs.all("intake.patrol.recorded", offline=True)
        if (plan.phase_at(p.occurred_at), plan.phase_at(p.recorded_at)) == ("screening", "rectification_drive")
    ]
    restated = {fact.data["period_no"] for fact in logs.all(f"{REPORT}.restated", unit=plan.town_unit)}
    return any((period := plan.period_at(p.occurred_at)) and period.no in restated for p in late)


def _six_categories(logs: Logs, *_: object) -> bool:
    """Through every step, each of another kind."""
    whole = [h for h in logs.all(f"{HAZARD}.listed") if all(_went(logs, h, step) for step in WAY_THROUGH)]
    return len({h.data["category"] for h in whole}) >= 6


def _went(logs: Logs, hazard: Fact, step: str) -> bool:
    return any(fact.type == f"{HAZARD}.{step}.v1" for fact in logs.by_stream[hazard.stream])


def _rejected_first(logs: Logs, *_: object) -> bool:
    return any(logs.after(fact, f"{HAZARD}.closed_out") for fact in logs.all(f"{HAZARD}.rejected"))


def _up_the_chain(logs: Logs, plan: PlanTerms, _: set[str]) -> bool:
    """Some overdue hazard was told to every rung of the ladder."""
    rungs = [rung for rung in plan.ladder if rung != "handler"]
    for hazard in logs.all(f"{HAZARD}.became_overdue"):
        posts = [m.data["post"] for m in logs.all(f"{MESSAGE}.issued", kind="escalation", about=hazard.stream)]
        if list(dict.fromkeys(posts)) == rungs:
            return True
    return False


def _on_behalf(logs: Logs, *_: object) -> bool:
    kinds = {fact.type for fact in logs if fact.in_role.startswith("clerk") and fact.on_behalf_of}
    return {"intake.patrol.recorded.v1", f"{HAZARD}.completed.v1"} <= kinds


def _recurred(logs: Logs, *_: object) -> bool:
    again = {fact.data.get("recurrence_of"): fact.stream for fact in logs.all(f"{HAZARD}.listed")}
    return any(again.get(fact.stream) == fact.data["hazard"] for fact in logs.all(f"{HAZARD}.recurred"))


def _report_trouble(logs: Logs, *_: object) -> bool:
    """One came late, one never, one after it was missed, one was sent back and came again."""
    missed = logs.all(f"{REPORT}.missed")
    never = {fact.stream for fact in missed if not logs.after(fact, f"{REPORT}.submitted")}
    after = {fact.stream for fact in missed if logs.after(fact, f"{REPORT}.submitted", late=True)}
    late = {fact.stream for fact in logs.all(f"{REPORT}.submitted", late=True)} - after
    again = [fact for fact in logs.all(f"{REPORT}.returned") if logs.after(fact, f"{REPORT}.accepted")]
    return bool(never and after and late and again)


def _new_year(logs: Logs, plan: PlanTerms, _: set[str]) -> bool:
    """On 16 February every unit reported, on the day, and in time."""
    period = next(p for p in plan.periods if town_day(p.due_at) == when("02-16 00:00").date())
    told = logs.all(f"{REPORT}.submitted", period_no=period.no, late=False)
    units = {fact.data["unit"] for fact in told if town_day(fact.recorded_at) == town_day(period.due_at)}
    return set(plan.reporting_units) <= units


def _straddles(logs: Logs, plan: PlanTerms, _: set[str]) -> bool:
    """A report about days of two phases was filed."""
    both = [p.no for p in plan.periods if plan.phase_at(p.starts_at) != plan.phase_at(p.cut_off_at - MINUTE)]
    return any(logs.all(f"{REPORT}.filed", period_no=no) for no in both)


def _closing_filed(logs: Logs, plan: PlanTerms, _: set[str]) -> bool:
    last = plan.periods[-1]
    return any(fact.recorded_at <= last.due_at for fact in logs.all(f"{REPORT}.filed", period_no=last.no))


def _phases(logs: Logs, plan: PlanTerms, _: set[str]) -> bool:
    begun = [fact.data["phase"] for fact in logs.all("cases.campaign.phase_started")]
    return begun == list(plan.codes("phase")) and bool(logs.all("cases.campaign.ended"))


def _answered(logs: Logs, *_: object) -> bool:
    """Three messages of four, at least."""
    issued = len(logs.all(f"{MESSAGE}.issued"))
    return issued > 0 and len(logs.all(f"{MESSAGE}.acknowledged")) * 4 >= issued * 3


def _went_out(logs: Logs, *_: object) -> bool:
    ways = {fact.data["channel"] for fact in logs.all(f"{MESSAGE}.attempt_succeeded")}
    return {"email", "webhook"} <= ways


def _dead_and_sent(logs: Logs, *_: object) -> bool:
    """A letter that was given up goes out after all."""
    return any(logs.after(fact, f"{MESSAGE}.attempt_succeeded") for fact in logs.all(f"{MESSAGE}.dead_lettered"))


def _seen(*names: str) -> Check:
    return lambda _, __, seen: set(names) <= seen


MILESTONES: dict[str, Check] = {
    "举报渠道齐全": _every_channel,
    "匿名举报凭回执跟踪": _followed_by_receipt,
    "夜间正在发生的举报": _at_night,
    "一分钟内呼叫值班人员并应答": _live(acknowledged=True),
    "紧急呼叫无人应答而升级": _live(acknowledged=False),
    "同一处所的两条线索合到一个隐患": _two_about_one,
    "不实举报": _tip(result="unsubstantiated"),
    "线索不足后查实": _tip(result="insufficient"),
    "不属本镇而转出": _forwarded,
    "没有内容的举报": _some("intake.tip.screened", outcome="no_content"),
    "各村、安监、民警都有带轨迹的巡查": _every_village_patrols,
    "突击检查天天有": _surprise_every_day,
    "二阶段离线巡查三阶段补传并重述周报": _offline,
    "六类以上点位走完全程": _six_categories,
    "不合格后再验收": _rejected_first,
    "逾期逐级升级到组长": _up_the_chain,
    "领导包联": _some(f"{HAZARD}.leader_assigned"),
    "同意延期": _some(f"{HAZARD}.extended"),
    "不同意延期": _some(f"{HAZARD}.extension_refused"),
    "三落实缺时限被拒": _seen("refused:ThreeFixNeedsDeadline"),
    "本人验收被拒": _seen("refused:AcceptanceBySamePerson"),
    "更正举报": _some("intake.tip.corrected"),
    "更正巡查": _some("intake.patrol.corrected"),
    "更正隐患": _some(f"{HAZARD}.corrected"),
    "误录的举报": _some("intake.tip.entered_in_error"),
    "误录的巡查": _some("intake.patrol.entered_in_error"),
    "登记有误的隐患": _some(f"{HAZARD}.entered_in_error"),
    "代村负责人办理": _on_behalf,
    "死灰复燃": _recurred,
    "迟报、缺报、退回": _report_trouble,
    "正月初一的周报": _new_year,
    "周报跨阶段": _straddles,
    "总结报告": _closing_filed,
    "四个阶段": _phases,
    "多数人确认收到": _answered,
    "邮件和回调都送出": _went_out,
    "退信重发": _dead_and_sent,
}
