"""What happens in the town that a release keeps: a fortnight in which nearly every type of event is recorded at least once.

Told with the demo's verbs, by HTTP. A new type of event belongs in here; keep.py prints the types that did not happen.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from services.simulation.outside import MailBox
from services.simulation.plots import Plot, Step
from services.simulation.scene import Scene
from services.simulation.timetable import Entry, when
from services.simulation.verbs_hazards import (
    accepted,
    asks_longer,
    corrected,
    corrected_patrol,
    done,
    found,
    granted,
    hazard_in_error,
    mistaken_patrol,
    ordered,
    refused,
    rejected,
)
from services.simulation.verbs_tips import (
    added,
    call_answered,
    closed,
    corrected_tip,
    forwarded,
    screened,
    tip_in_error,
    told,
    verified,
)

FULL = "inspector-1@example.org"
"""A mailbox that refuses every letter for good."""
INFORMANT = "钱满仓"
FORGOTTEN = "05-18 10:00"
"""Intake's database is later restored to how it was at this hour."""
LAST = "05-21 11:30"


def plots() -> tuple[Plot, ...]:
    """Fresh for every run: a plot keeps what has come of it."""
    return (
        Plot(
            "采石场", "shangping", "quarry", "unlicensed_extraction", mineral="limestone",
            steps=(
                told("05-07 09:00", "web", "后山采石场夜里又放炮了。"),
                added("05-07 10:00", "早上看见两辆车出来。"),
                screened("05-07 11:00", "后山采石场夜间爆破。"),
                verified("05-07 15:00", "substantiated", "有新爆破面。"),
                ordered("05-07 16:00", "stop", "05-10 18:00", text="断电，封路。"),
                done("05-08 10:00", "已断电。"),
                rejected("05-08 15:00", "路没有封。"),
                done("05-09 08:30", "路已封。"),
                accepted("05-09 09:30", "inspector 2", "合格。"),
            ),
        ),
        Plot(
            "采石场巡查", "shangping", "quarry", "unlicensed_extraction", at_place="采石场",
            steps=(found("05-08 09:00", "village_head", "同一处采石场。", handling="reported"),),
        ),
        Plot(
            "采石场复发", "shangping", "quarry", "unlicensed_extraction", at_place="采石场",
            steps=(
                found("05-11 09:00", "inspector", "封堵处被挖开。", handling="stopped"),
                ordered("05-11 10:00", "backfill", "05-13 18:00", to="inspector", text="回填。"),
                asks_longer("05-11 11:00", "05-14 18:00", "机械要后天才到。", by="inspector"),
                granted("05-11 12:00", "同意。"),
                done("05-15 11:00", "已回填。", by="inspector"),
                accepted("05-15 15:00", "inspector 2"),
            ),
        ),
        Plot(
            "河道夜间采砂", "xiaping", "river_sand_point", "unlicensed_extraction", mineral="river_sand",
            steps=(
                told("05-10 02:00", "web", "现在河里有抽砂船！", live=True),
                call_answered("05-10 02:05", "duty_officer"),
                verified("05-10 03:00", "unsubstantiated", "船已离开，没有痕迹。"),
                closed("05-10 09:00", "unsubstantiated", "现场没有痕迹。"),
            ),
        ),
        Plot(
            "河道来电", "xiaping", "river_sand_point", "unlicensed_extraction", mineral="river_sand",
            steps=(
                told("05-10 10:00", "hotline", "河滩上有人装砂。", named=True, said_village="shangping"),
                Step(when("05-10 10:05"), "正在发生", marked_live),
                corrected_tip("05-10 10:30", "xiaping", "河滩在下坪。"),
                screened("05-10 11:00", "河滩有人装砂。"),
                verified("05-10 15:00", "substantiated", "河滩有新坑。"),
                corrected("05-10 15:30", "mineral", {"code": "limestone"}, "登记时选错。"),
                ordered("05-10 16:00", "backfill", "05-25 18:00"),
                asks_longer("05-11 09:00", "05-28 18:00", "涨水。"),
                refused("05-11 10:00", "汛前必须完成。", by="office_director"),
            ),
        ),
        Plot(
            "邻镇", "xiaping", "river_sand_point", "unlicensed_extraction",
            steps=(
                told("05-11 08:00", "web", "下游桥边有人采砂。", located=False),
                screened("05-11 08:30", "下游桥边采砂。"),
                verified("05-11 14:00", "out_of_area", "在邻镇界内。"),
                forwarded("05-11 15:00", "next_town"),
            ),
        ),
        Plot(
            "重复登记", "xiaping", "river_sand_point", "unlicensed_extraction",
            steps=(
                told("05-11 08:40", "hotline", "桥边有人采砂。", located=False, quiet=True),
                tip_in_error("05-11 08:50", "同一来电登记了两次。"),
            ),
        ),
        Plot(
            "举报人", "xiaping", "river_sand_point", "unlicensed_extraction",
            steps=(
                told("05-12 08:00", "hotline", "夜里有人装砂，车从我家门口过。", named=True, located=False, quiet=True),
                Step(when("05-12 08:30"), "查看举报人", identity_opened),
                Step(when("05-12 09:30"), "删除举报人信息", informant_erased),
                Step(when("05-12 10:30"), "删除之后", opened_too_late),
                Step(when("05-12 11:00"), "删除记录中的文字", words_erased),
            ),
        ),
        Plot(
            "废坑", "xiaping", "abandoned_pit", "unlicensed_extraction", site=True,
            steps=(
                found("05-12 09:00", "village_head", "废坑有新车辙。", handling="reported"),
                corrected_patrol("05-12 10:00", "village_head", "handling", {"code": "stopped"}, "填错。", of="废坑 1 巡查"),
                hazard_in_error("05-12 15:00", "车辙是农用车的。"),
            ),
        ),
        Plot(
            "误记的巡查", "xiaping", "abandoned_pit", "unlicensed_extraction",
            steps=mistaken_patrol("05-12 16:00", "village_head", "05-12 17:00", "记了两遍。"),
        ),
        Plot(
            "离线巡查", "shangping", "river_sand_point", "unlicensed_extraction",
            steps=(found("05-08 14:00", "inspector 2", "河边有砂堆。", handling="reported", synced="05-11 16:00"),
                   hazard_in_error("05-11 17:00", "砂堆有手续。")),
        ),
        Plot(
            "主任的隐患", "shangping", "abandoned_pit", "unlicensed_extraction",
            steps=(
                found("05-19 09:00", "village_head", "废坑没有围栏。", handling="reported"),
                ordered("05-19 10:00", "backfill", "05-23 18:00", to="office_director", by="group_leader"),
                Step(when("05-20 09:00"), "组长离任", leader_leaves),
                asks_longer("05-20 10:00", "05-25 18:00", "围栏未到。", by="office_director"),
            ),
        ),
    )  # fmt: skip


async def marked_live(scene: Scene, plot: Plot) -> None:
    await scene.post(scene.cast.one("clerk"), f"/intake/v1/tips/{plot.tip}/live", {})


async def identity_opened(scene: Scene, plot: Plot) -> None:
    """Refused once; approved, tried by somebody else, opened; approved once more, to be opened too late; one left undecided."""
    cast, path = scene.cast, "/intake/v1/disclosures"
    asks = {"tip": plot.tip, "ground": "protection", "grounds": "有人上门打听。"}
    director, leader, custodian = cast.one("office_director"), cast.one("group_leader"), cast.one("custodian")
    first, second, third, _ = [(await scene.post(director, path, asks))["id"] for _ in range(4)]
    await scene.post(leader, f"{path}/{first}/refusal", {"reason": "先派人看护。"})
    await scene.post(leader, f"{path}/{second}/approval", {})
    await scene.post(cast.one("clerk"), f"{path}/{second}/opening", {}, expect=403)
    await scene.post(custodian, f"{path}/{second}/opening", {}, expect=200)
    await scene.post(leader, f"{path}/{third}/approval", {})
    plot.marks.add(third)


async def informant_erased(scene: Scene, plot: Plot) -> None:
    """Held and released; asked for, refused, asked for again, approved."""
    path, custodian, leader = f"/intake/v1/tips/{plot.tip}", scene.cast.one("custodian"), scene.cast.one("group_leader")
    asks = {"ground": "informant_wish", "grounds": "本人来电要求。"}
    await scene.post(leader, f"{path}/hold", {"reason": "案件未结。"})
    await scene.post(leader, f"{path}/release", {"reason": "已结。"})
    await scene.post(custodian, f"{path}/erasure", asks)
    await scene.post(leader, f"{path}/erasure/refusal", {"reason": "请本人书面确认。"})
    await scene.post(custodian, f"{path}/erasure", asks)
    await scene.post(leader, f"{path}/erasure/approval", {})


async def words_erased(scene: Scene, plot: Plot) -> None:
    """What the office wrote about the tip: asked for, refused, asked for again, approved."""
    path, record = "/intake/v1/words-erasures", f"tip-{plot.tip}"
    asks = {"record": record, "ground": "names_informant", "grounds": "登记时写了姓名。"}
    await scene.post(scene.cast.one("custodian"), path, asks)
    await scene.post(scene.cast.one("group_leader"), f"{path}/{record}/refusal", {"reason": "先核对。"})
    await scene.post(scene.cast.one("custodian"), path, asks)
    await scene.post(scene.cast.one("group_leader"), f"{path}/{record}/approval", {})


async def opened_too_late(scene: Scene, plot: Plot) -> None:
    """The identity is erased: the try fails, and says so."""
    [third] = plot.marks
    path = f"/intake/v1/disclosures/{third}/opening"
    await scene.post(scene.cast.one("custodian"), path, {}, expect=410)


async def leader_leaves(scene: Scene, _: Plot) -> None:
    """From here on nobody may decide what the director asks for: that event is parked in notify."""
    body = {"on": "2018-05-19", "reason": "transferred"}
    await scene.post(scene.cast.one("office_director"), "/cases/v1/appointments/u-group_leader/end", body)


def entries(mail: MailBox) -> list[Entry]:
    """The fortnight, without what happens around the restored database and at the very end."""
    told = [entry for plot in plots() for entry in plot.entries()]
    return [*told, *_sites(), *_walks(), *_reports(), *_messages(mail), *_openings()]


def _sites() -> Iterator[Entry]:
    async def registers(scene: Scene) -> None:
        clerk, body = scene.cast.one("clerk"), {"category": "quarry", "village": scene.cast.village("xiaping")}
        site = (await scene.post(clerk, "/cases/v1/sites", {**body, "name": "下坪采石场"}))["id"]
        keeper = {"kind": "departmental", "unit": "enforcement_team", "person": scene.cast.one("inspector").person}
        await scene.post(scene.cast.one("office_director"), f"/cases/v1/sites/{site}/keepers", keeper)
        renamed = {"field": "name", "value": {"text": "下坪老采石场"}, "reason": "名称不全。"}
        await scene.post(clerk, f"/cases/v1/sites/{site}/corrections", renamed)
        twin = (await scene.post(clerk, "/cases/v1/sites", {**body, "name": "下坪采石场二"}))["id"]
        await scene.post(clerk, f"/cases/v1/sites/{twin}/entered-in-error", {"reason": "重复。"})

    yield Entry(when("05-07 12:00"), "登记点位", registers)


def _walks() -> Iterator[Entry]:
    async def plans(scene: Scene) -> None:
        who = scene.cast.one("inspector")
        body = {"patrol": str(scene.key("patrol")), "village": scene.cast.village("xiaping"), "unit": who.unit}
        await scene.post(who, "/intake/v1/patrols", {**body, "patrol_class": "key", "planned_on": "2018-05-08"})
        await scene.post(who, f"/intake/v1/patrols/{scene.key('patrol')}/start", {})

    yield Entry(when("05-08 11:00"), "计划巡查", plans)


def _reports() -> Iterator[Entry]:
    """Period 1: one in time, one sent back, one missed, and a late patrol restates them. Period 2: one moved, one an error."""
    office = "/reporting/v1/reports"

    def path(unit: str, no: int) -> str:
        return f"{office}/yunwuping-2018-{unit}-{no:02d}"

    def does(*asks: tuple[str, str, dict[str, Any]]) -> Callable[[Scene], Awaitable[None]]:
        """Each: who, path, body."""

        async def act(scene: Scene) -> None:
            for who, to, body in asks:
                await scene.post(scene.cast.who(who), to, body)

        return act

    def submits(unit: str, no: int) -> tuple[str, str, dict[str, Any]]:
        return f"designated_reporter {unit}", f"{path(unit, no)}/submission", {"note": "按计划完成。"}

    def accepts(unit: str, no: int) -> tuple[str, str, dict[str, Any]]:
        return "clerk", f"{path(unit, no)}/acceptance", {}

    def files(no: int) -> Callable[[Scene], Awaitable[None]]:
        return does(
            ("clerk", f"{path('town', no)}/compilation", {}), ("office_director", f"{path('town', no)}/filing", {})
        )

    back = ("clerk", f"{path('xiaping', 1)}/return", {"reason": "请核对。"})
    yield Entry(when("05-09 12:30"), "第1期 报送", does(submits("shangping", 1), submits("xiaping", 1)))
    yield Entry(when("05-09 13:00"), "第1期 接收", does(accepts("shangping", 1), back))
    yield Entry(when("05-09 13:30"), "第1期 重报", does(submits("xiaping", 1), accepts("xiaping", 1)))
    yield Entry(when("05-09 18:30"), "第1期 上报", files(1))
    moved = {"field": "due_at", "value": {"at": "2018-05-16T17:00:00+08:00"}, "reason": "停电。"}
    wrong = {"reason": "本期由执法队代报。"}
    yield Entry(
        when("05-16 12:30"),
        "第2期 更正",
        does(
            ("clerk", f"{path('shangping', 2)}/corrections", moved),
            ("clerk", f"{path('xiaping', 2)}/entered-in-error", wrong),
            submits("shangping", 2),
            submits("enforcement_team", 2),
        ),
    )
    yield Entry(when("05-16 13:00"), "第2期 接收", does(accepts("shangping", 2), accepts("enforcement_team", 2)))
    yield Entry(when("05-16 18:30"), "第2期 上报", files(2))
    every = ("shangping", "xiaping", "enforcement_team")
    yield Entry(when("05-21 08:00"), "末期 报送", does(*(submits(u, 3) for u in every)))
    yield Entry(when("05-21 09:00"), "末期 接收", does(*(accepts(u, 3) for u in every)))
    yield Entry(when("05-21 10:30"), "末期 上报", files(3))


def _messages(mail: MailBox) -> Iterator[Entry]:
    async def fills(_: Scene) -> None:
        mail.full.add(FULL)

    async def reads(scene: Scene) -> None:
        """One is answered, one is mended, one is taken back."""
        clerk, messages = scene.cast.one("clerk"), "/notify/v1/messages"
        page = await scene.get(clerk, messages, everybody="true", kind="assignment", limit=50)
        first, second = sorted(page["items"], key=lambda line: line["about_no"])[:2]
        await scene.post(scene.cast.named(first["recipient"]), f"{messages}/{first['message']}/acknowledgement", {})
        mended = {"field": "about_no", "value": {"number": second["about_no"]}, "reason": "核对编号。"}
        await scene.post(clerk, f"{messages}/{second['message']}/corrections", mended)
        await scene.post(clerk, f"{messages}/{second['message']}/entered-in-error", {"reason": "发重了。"})

    yield Entry(when("05-11 09:50"), "邮箱已满", fills)
    yield Entry(when("05-10 17:00"), "阅办", reads)


def _openings() -> Iterator[Entry]:
    async def copies(scene: Scene) -> None:
        """Nothing is fetched: that somebody begins to copy a log is an event by itself."""
        for service in ("intake", "cases", "reporting", "notify"):
            await scene.post(scene.cast.one("auditor"), f"/{service}/v1/log/copies", {"reason": "例行抄录。"})

    yield Entry(when("05-20 15:00"), "抄录日志", copies)


def forgotten(scene: Scene) -> Awaitable[dict[str, Any]]:
    """A tip that everybody receives, and that the restored intake never had."""
    return scene.post(None, "/intake/v1/public/tips", {"words": "这一条后来没有了。"})


def last_letter(scene: Scene) -> Awaitable[dict[str, Any]]:
    """A live tip by INFORMANT calls the duty officer by a letter that finds no mail server."""
    body = {"words": "河滩上正在装车。", "live": True, "village": scene.cast.village("xiaping"), "anonymous": False}
    return scene.post(None, "/intake/v1/public/tips", {**body, "name": INFORMANT, "contact": "1380351000"})


def unnumbered(scene: Scene) -> Awaitable[dict[str, Any]]:
    """A tip taken in the last moment, when no sequencer ran any more."""
    return scene.post(None, "/intake/v1/public/tips", {"words": "停机前的最后一条。"})
