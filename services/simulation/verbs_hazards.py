"""What happens to a hazard: found by a patrol, ordered (three-fix), extended, completed, rejected, accepted; and by whom."""

from datetime import datetime, timedelta
from typing import Any

from services.simulation.plots import Plot, Step
from services.simulation.routes import track
from services.simulation.scene import Scene
from services.simulation.timetable import when
from shared.decider import Actor

PATROLS, HAZARDS = "/intake/v1/patrols", "/cases/v1/hazards"


def found(
    at: str,
    by: str,
    summary: str,
    *,
    handling: str,
    live: bool = False,
    synced: str | None = None,
    note: str | None = None,
) -> Step:
    """A patrol that ended at `at` found something. `synced`: the phone was offline and sends it only then."""
    ended = when(at)

    async def does(scene: Scene, plot: Plot) -> str:
        who = _walker(scene, plot, by)
        plot.source = "巡查发现"
        finding = plot.kind() | {"place": plot.spot.place(6), "live": live, "summary": summary}
        body = _record(scene, plot, who, ended) | {"findings": [finding], "no_finding": False}
        body |= {"handling": handling, "handling_note": note, "offline": synced is not None}
        await scene.post(who, f"{PATROLS}/{scene.key('patrol')}/record", body)
        late = f"（{ended:%m-%d} 离线巡查，今日补传）" if synced else ""
        return f"巡查发现{late}：{plot.title(scene)} {summary}"

    return Step(when(synced) if synced else ended, "巡查", does)


def _walker(scene: Scene, plot: Plot, by: str) -> Actor:
    """ "village_head" alone is the head of the plot's village."""
    return scene.cast.head(plot.village) if by == "village_head" else scene.cast.who(by)


def _record(scene: Scene, plot: Plot, who: Actor, ended: datetime) -> dict[str, Any]:
    started = ended - timedelta(minutes=40 + scene.chance.randrange(0, 30))
    return {
        "village": scene.cast.village(plot.village),
        "unit": who.unit,
        "patrol_class": "key",
        "started_at": started.isoformat(),
        "ended_at": ended.isoformat(),
        "members": [who.person],
        "gpx": track(scene.chance, plot.village, started, ended, (plot.spot,)),
    }


def mistaken_patrol(at: str, by: str, error_at: str, reason: str) -> tuple[Step, Step]:
    """A patrol keyed in for the wrong village, and its being marked as entered in error."""

    async def keys(scene: Scene, plot: Plot) -> None:
        who = _walker(scene, plot, by)
        body = _record(scene, plot, who, when(at) - timedelta(minutes=15))
        body |= {"no_finding": True, "handling": "none_needed"}
        plot.marks.add(str(scene.key("patrol")))
        await scene.post(who, f"{PATROLS}/{scene.key('patrol')}/record", body)

    async def strikes(scene: Scene, plot: Plot) -> str:
        (patrol,) = plot.marks
        await scene.post(_walker(scene, plot, by), f"{PATROLS}/{patrol}/entered-in-error", {"reason": reason})
        return "一条巡查记录注明误录，原记录保留"

    return Step(when(at), "误录的巡查", keys), Step(when(error_at), "注明误录", strikes)


def corrected_patrol(at: str, by: str, field: str, value: dict[str, Any], reason: str, of: str) -> Step:
    """Corrects the record that the plot's step called `of` made."""

    async def does(scene: Scene, plot: Plot) -> str:
        patrol = scene.stage.scene(of).key("patrol")
        body = {"field": field, "value": value, "reason": reason}
        await scene.post(_walker(scene, plot, by), f"{PATROLS}/{patrol}/corrections", body)
        return "更正巡查记录，原文保留"

    return Step(when(at), "更正", does)


def ordered(
    at: str, measure: str, until: str, *, to: str = "village_head", by: str = "office_director", text: str = ""
) -> Step:
    """The three-fix: measure, person, deadline."""

    async def does(scene: Scene, plot: Plot) -> str:
        hazard = await plot.find_hazard(scene)
        responsible, deadline = _walker(scene, plot, to), when(until)
        body: dict[str, Any] = {"measure": measure, "measure_text": text or None, "deadline_at": deadline.isoformat()}
        body |= {"responsible": responsible.person, "responsible_unit": responsible.unit}
        await scene.post(scene.cast.who(by), f"{HAZARDS}/{hazard}/three-fix", body)
        named = scene.cast.plan.name("measure", measure)
        return f"{plot.source}{plot.title(scene)} → 隐患 {plot.hazard_no:03} → 三落实 {named} 期限 {deadline:%m-%d}"

    return Step(when(at), "三落实", does)


def led(at: str, to: str = "deputy_leader", by: str = "group_leader", reason: str | None = None) -> Step:
    """A leader in charge; `reason` where another was before."""

    async def does(scene: Scene, plot: Plot) -> str:
        hazard = await plot.find_hazard(scene)
        body = {"leader": scene.cast.who(to).person, "reason": reason}
        await scene.post(scene.cast.who(by), f"{HAZARDS}/{hazard}/leader", body)
        post = scene.cast.plan.name("post", to.split()[0])
        return f"隐患 {plot.hazard_no:03} 由{post}包联" + (f"：{reason}" if reason else "")

    return Step(when(at), "领导包联", does)


def refused_order(at: str, measure: str) -> Step:
    """A three-fix without a deadline is refused."""

    async def does(scene: Scene, plot: Plot) -> str:
        hazard, head = await plot.find_hazard(scene), scene.cast.head(plot.village)
        body = {"measure": measure, "responsible": head.person, "responsible_unit": head.unit}
        answer = await scene.post(scene.cast.one("office_director"), f"{HAZARDS}/{hazard}/three-fix", body, expect=409)
        scene.stage.seen.add(f"refused:{_rule(answer)}")
        return "三落实缺时限，系统不受理"

    return Step(when(at), "三落实缺时限", does)


def asks_longer(at: str, wanted: str, reason: str, by: str = "village_head") -> Step:
    async def does(scene: Scene, plot: Plot) -> None:
        body = {"wanted_at": when(wanted).isoformat(), "reason": reason}
        await scene.post(_walker(scene, plot, by), f"{HAZARDS}/{plot.hazard}/extension-requests", body)

    return Step(when(at), "申请延期", does)


def granted(at: str, reason: str, by: str = "office_director") -> Step:
    async def does(scene: Scene, plot: Plot) -> str:
        await scene.post(scene.cast.who(by), f"{HAZARDS}/{plot.hazard}/extension-approval", {"reason": reason})
        return f"隐患 {plot.hazard_no:03} 同意延期"

    return Step(when(at), "同意延期", does)


def refused(at: str, reason: str, by: str = "deputy_leader") -> Step:
    async def does(scene: Scene, plot: Plot) -> str:
        await scene.post(scene.cast.who(by), f"{HAZARDS}/{plot.hazard}/extension-refusal", {"reason": reason})
        return f"隐患 {plot.hazard_no:03} 不同意延期"

    return Step(when(at), "不同意延期", does)


def done(at: str, report: str, by: str = "village_head", keyed_by: str | None = None) -> Step:
    """`keyed_by`: a clerk for whoever has no phone."""

    async def does(scene: Scene, plot: Plot) -> str | None:
        who = _walker(scene, plot, by)
        if keyed_by:
            who = scene.cast.acting(scene.cast.who(keyed_by), who, "no_phone")
        await scene.post(who, f"{HAZARDS}/{plot.hazard}/completion", {"report": report})
        return f"隐患 {plot.hazard_no:03} 由办事员代为报告整改完成" if keyed_by else None

    return Step(when(at), "整改完成", does)


def rejected(at: str, reason: str, by: str = "inspector") -> Step:
    async def does(scene: Scene, plot: Plot) -> str:
        await scene.post(scene.cast.who(by), f"{HAZARDS}/{plot.hazard}/rejection", {"reason": reason})
        return f"隐患 {plot.hazard_no:03} 验收不合格：{reason}"

    return Step(when(at), "验收不合格", does)


def accepted(at: str, by: str = "inspector", note: str | None = None) -> Step:
    async def does(scene: Scene, plot: Plot) -> str:
        await scene.post(scene.cast.who(by), f"{HAZARDS}/{plot.hazard}/acceptance", {"note": note})
        return f"隐患 {plot.hazard_no:03} 验收合格，销号"

    return Step(when(at), "验收", does)


def not_accepted_by_same(at: str, by: str) -> Step:
    """Whoever did the work tries to accept it, and may not."""

    async def does(scene: Scene, plot: Plot) -> str:
        answer = await scene.post(scene.cast.who(by), f"{HAZARDS}/{plot.hazard}/acceptance", {}, expect=409)
        scene.stage.seen.add(f"refused:{_rule(answer)}")
        return f"隐患 {plot.hazard_no:03} 整改人本人验收，系统不受理"

    return Step(when(at), "本人验收被拒", does)


def corrected(at: str, field: str, value: dict[str, Any], reason: str) -> Step:
    async def does(scene: Scene, plot: Plot) -> str:
        hazard = await plot.find_hazard(scene)
        body = {"field": field, "value": value, "reason": reason}
        await scene.post(scene.cast.one("clerk"), f"{HAZARDS}/{hazard}/corrections", body)
        return f"隐患 {plot.hazard_no:03} 更正登记，原文保留"

    return Step(when(at), "更正", does)


def hazard_in_error(at: str, reason: str) -> Step:
    async def does(scene: Scene, plot: Plot) -> str:
        hazard = await plot.find_hazard(scene)
        await scene.post(scene.cast.one("clerk"), f"{HAZARDS}/{hazard}/entered-in-error", {"reason": reason})
        return f"隐患 {plot.hazard_no:03} 注明登记有误，编号不再使用"

    return Step(when(at), "登记有误", does)


def _rule(answer: dict[str, Any]) -> str:
    return str(answer.get("rule") or answer.get("type", "")).rsplit("/", 1)[-1]
