"""What began with a word from somebody: by web, hotline, letter box and e-mail; named and anonymous; true, false, not ours."""

from services.simulation.plots import Plot
from services.simulation.verbs_hazards import (
    accepted,
    asks_longer,
    done,
    led,
    ordered,
    refused,
    refused_order,
    rejected,
)
from services.simulation.verbs_tips import (
    added,
    asked,
    call_answered,
    closed,
    corrected_tip,
    forwarded,
    screened,
    tip_in_error,
    told,
    verified,
)


def tip_plots() -> tuple[Plot, ...]:
    """Fresh for every run: a plot keeps what has come of it."""
    return (
        Plot(
            "独兰废弃井口", "dulan", "abandoned_shaft", "unauthorised_reopening", mineral="shallow_coal", modus="hit_and_run",
            steps=(
                told("01-17 20:41", "web", "沟里那个封过的老井口又被扒开了，后半夜有三轮车往外拉煤，天亮前就走。"),
                asked("01-18 07:30", "received"),
                screened("01-18 09:10", "沟内一处已封堵井口疑被扒开，夜间有车辆拉运。"),
                added("01-18 21:05", "今晚又来了两辆车，没挂牌照，从西边土路进的沟。"),
                verified("01-19 10:20", "substantiated", "封堵墙被扒开约一米，井口旁有新煤堆和车辙。"),
                refused_order("01-19 11:00", "sealing"),
                ordered("01-19 11:05", "sealing", "02-02 18:00", text="拆除支护，毛石砂浆重新封堵，断路。"),
                led("01-19 15:00", "deputy_leader 2"),
                done("02-01 16:20", "井口已用毛石砂浆封堵，进沟土路挖断。"),
                accepted("02-02 10:10", "inspector 2", "封堵墙厚度符合要求。"),
                asked("02-03 19:30", "handled", "settled"),
            ),
        ),
        Plot(
            "独兰同一井口再举报", "dulan", "abandoned_shaft", "unauthorised_reopening", mineral="shallow_coal",
            at_place="独兰废弃井口",
            steps=(
                told("01-24 14:10", "hotline", "我家地头往上走有个老煤窑口，有人在往外掏煤。", named=True),
                screened("01-24 14:40", "村外一处老窑口有人掏煤。"),
                verified("01-25 10:30", "substantiated", "与清单上已有隐患为同一井口，封堵尚未完成。"),
            ),
        ),
        Plot(
            "下雁门洗煤厂", "xiayanmen", "coal_plant", "concealed_mining_in_plant",
            mineral="shallow_coal", modus="concealed_mining",
            steps=(
                told("01-17 10:20", "hotline", "洗煤厂说是停产了，可是半夜机器还响，院里的煤越堆越高。", named=True),
                screened("01-17 10:50", "停产洗煤厂夜间仍有机械作业，存煤增加。"),
                verified("01-18 15:00", "substantiated", "厂房内有一处暗井，通风管接至院外。", "inspector 2"),
                ordered("01-18 16:30", "close", "02-07 18:00", to="keeper xiayanmen", text="填实暗井，拆除通风与提升设备。"),
                led("01-18 17:00"),
                asks_longer("02-05 10:00", "02-14 18:00", "设备拆除队伍节前难找。", "keeper xiayanmen"),
                refused("02-05 16:10", "节前必须填实，不予延期。"),
                done("02-13 10:30", "暗井已填实，提升设备已拆除。", "keeper xiayanmen"),
                rejected("02-14 09:40", "井筒仅填三米，未填实。", "inspector 2"),
                led("02-14 11:00", "group_leader", reason="验收不合格，提级包联。"),
                done("02-22 15:00", "重新填实至井底，地面浇筑盖板。", "keeper xiayanmen"),
                accepted("02-24 10:20", "inspector 2", "钻探检查已填实。"),
            ),
        ),
        Plot(
            "长足上来信", "changzushang", "outcrop_coal_point", "unlicensed_digging",
            steps=(
                told("01-22 09:40", "mailbox", "村西坡上有人挖煤，请来查。"),
                screened("01-22 10:00", "村西坡疑有人挖煤。"),
                verified("01-24 11:10", "unsubstantiated", "坡上为村民修整地埂，未见煤层揭露。", "inspector 3"),
                closed("01-24 15:00", "unsubstantiated", "现场核查无采挖痕迹。"),
                asked("01-26 18:10", "closed"),
            ),
        ),
        Plot(
            "邻镇河道采砂", "xiyan", "sand_extraction_point", "unlicensed_digging", mineral="sand",
            steps=(
                told("01-30 08:50", "email", "河道下游有抽砂船，过了桥就能看见，晚上作业。", located=False),
                screened("01-30 09:30", "河道下游夜间有抽砂作业。"),
                verified("01-31 10:00", "out_of_area", "作业点在下游相邻乡镇界内。", "inspector 3"),
                forwarded("01-31 10:40", "next_town"),
                asked("02-01 20:00", "forwarded"),
            ),
        ),
        Plot(
            "没有内容的来电", "zhenchengdi_community", "watch_area", "unlicensed_digging",
            steps=(
                told("02-08 16:20", "hotline", "你们好好查查吧。", located=False),
                screened("02-08 16:40", None),
                asked("02-09 09:00", "closed"),
            ),
        ),
        Plot(
            "阴家沟夜间挖煤", "yinjiagou", "outcrop_coal_point", "unlicensed_digging",
            mineral="shallow_coal", modus="hit_and_run",
            steps=(
                told("02-03 02:17", "web", "现在就有铲车在沟里挖煤，灯都亮着，快来！", live=True),
                call_answered("02-03 02:21", "duty_officer 2"),
                verified("02-03 03:10", "substantiated", "当场查获铲车一台，已责令停工。", "police_officer 2", live=True),
                ordered("02-03 09:20", "stop", "02-06 18:00", text="回填采坑，铲车扣押，沟口设卡。"),
                done("02-05 17:00", "采坑回填完毕，沟口已设水泥墩。"),
                accepted("02-06 09:50", "inspector"),
            ),
        ),
        Plot(
            "西岩夜间采砂", "xiyan", "sand_extraction_point", "unlicensed_digging", mineral="sand_soil", modus="hit_and_run",
            steps=(
                told("03-05 23:40", "web", "河边又来挖沙子了，两台车正在装。", live=True),
                call_answered("03-05 23:56", "inspector 3"),
                verified("03-06 00:45", "substantiated", "现场有新采坑和装载痕迹，车辆已离开。", "inspector 3", live=True),
                ordered("03-06 09:00", "ban", "03-13 18:00", text="平整河滩，封堵便道，夜间留人看守。"),
                done("03-12 16:30", "河滩已平整，便道封堵。"),
                accepted("03-13 10:00", "inspector"),
            ),
        ),
        Plot(
            "佛罗汉养殖场", "foluohan", "land_project", "disguised_mining", mineral="shallow_ore", pretext="livestock_farm",
            steps=(
                told("02-11 19:20", "web", "说是建养殖场，其实是在挖矿。", located=False),
                screened("02-12 09:00", "以建养殖场名义挖矿。"),
                verified("02-12 16:00", "insufficient", "村内有三处在建养殖场，未见开采，位置不明。", "inspector 4"),
                asked("02-13 19:50", "handled", "insufficient"),
                added("02-13 20:00", "就是最里面彩钢棚那家，棚子后面的坑有七八米深。"),
                verified("02-19 10:30", "substantiated", "彩钢棚后有采坑，矿石堆约四十方。", "inspector 4"),
                ordered("02-19 16:00", "stop", "03-05 18:00"),
                done("03-03 11:00", "采坑回填复平，矿石就地封存。"),
                accepted("03-05 10:00", "inspector 4"),
            ),
        ),
        Plot(
            "台盘制砖厂", "taipan", "brick_plant", "building_materials_mining",
            mineral="brick_clay", pretext="building_materials",
            steps=(
                told("02-27 10:05", "hotline", "砖厂后山挖下去一大片，拉的不是土。", said_village="chiniyan"),
                corrected_tip("02-27 14:00", "taipan", "来电人所说砖厂在台盘，登记为赤泥岩有误。"),
                screened("02-27 14:10", "砖厂后山超范围取土，疑采砖瓦粘土以外矿产。"),
                verified("02-28 10:40", "substantiated", "后山取土超出范围，台账与实际不符。", "land_officer"),
                ordered("02-28 15:00", "rectify", "03-14 18:00"),
                done("03-13 15:20", "超范围取土面已停工整平，台账补齐。"),
                accepted("03-14 09:30", "inspector"),
            ),
        ),
        Plot(
            "台盘重复登记", "taipan", "brick_plant", "building_materials_mining", at_place="台盘制砖厂",
            steps=(
                told("02-27 10:12", "hotline", "砖厂后山挖下去一大片，拉的不是土。", by="clerk 2", quiet=True),
                tip_in_error("02-27 10:30", "同一来电被两名工作人员各登记一次。"),
            ),
        ),
        Plot(
            "城家曲关闭矿井", "chengjiaqu", "closed_mine", "unauthorised_reopening", mineral="shallow_coal",
            steps=(
                told("03-07 09:20", "mailbox", "关了的矿上晚上有人看着，白天锁门，里面有绞车声。", named=True),
                screened("03-07 09:45", "关闭矿井内疑有绞车运转。"),
                verified("03-08 11:00", "substantiated", "主井盖板被移开，绞车有新钢绳。", "inspector"),
                ordered("03-08 15:30", "sealing", "03-20 18:00", text="拆除绞车，重新浇筑盖板，断电。"),
                done("03-19 10:30", "绞车拆除，盖板浇筑完毕，已断电。"),
                accepted("03-20 09:40", "inspector 3"),
            ),
        ),
        Plot(
            "上雁门铝矾土", "shangyanmen", "bauxite_area", "unlicensed_digging", mineral="bauxite",
            steps=(
                told("02-20 11:30", "email", "正月里还有人在梁上刨铝矾土，用农用车拉。"),
                screened("02-20 14:00", "梁上有人采挖铝矾土，农用车拉运。"),
                verified("02-21 10:10", "substantiated", "梁上有新鲜采挖面三处，约二十吨未运走。", "land_officer"),
                ordered("02-21 16:00", "penalise", "03-09 18:00", to="land_officer 2"),
                done("03-08 16:00", "采挖面覆土，未运矿石已登记封存。", "land_officer 2"),
                accepted("03-09 10:20", "inspector 2"),
            ),
        ),
        Plot(
            "最后一夜的举报", "shangyanmen", "closed_mine", "unauthorised_reopening",
            steps=(
                told("03-26 23:59", "web", "封了的矿门口今晚停了一辆卡车，不知道干什么。"),
                screened("03-27 09:30", "关闭矿井门口夜间停有卡车。"),
                asked("03-27 10:30", "being_checked"),
            ),
        ),
    )  # fmt: skip
