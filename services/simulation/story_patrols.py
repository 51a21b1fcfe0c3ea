"""What patrols found, at sites of the register and elsewhere, and what became of it."""

from services.simulation.plots import Plot
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
    not_accepted_by_same,
    ordered,
    rejected,
)
from services.simulation.verbs_tips import call_answered


def patrol_plots() -> tuple[Plot, ...]:
    """Fresh for every run: a plot keeps what has come of it."""
    return (
        Plot(
            "长足上明煤点", "changzushang", "outcrop_coal_point", "unlicensed_digging", mineral="shallow_coal", site=True,
            steps=(
                found("01-23 11:00", "village_head", "露头处有新镐痕，约两米见方。", handling="stopped"),
                ordered("01-23 15:30", "guard", "02-06 18:00", text="覆土掩埋露头，昼夜留人。"),
                done("02-05 16:00", "露头已覆土两米，看守棚搭好。"),
                accepted("02-06 09:20", "inspector 3"),
            ),
        ),
        Plot(
            "上雁门铝矾土点", "shangyanmen", "bauxite_point", "unlicensed_digging", mineral="bauxite", site=True,
            steps=(
                found("01-25 10:50", "land_officer", "采坑边有新装车痕迹。", handling="evidence_kept"),
                ordered("01-25 16:00", "rectify", "02-08 18:00"),
                asks_longer("02-06 09:30", "02-20 18:00", "冻土层厚，回填机械进不了场。"),
                granted("02-07 10:30", "冻土情况属实，同意延期，期间昼夜看守。"),
                done("02-14 15:00", "采坑已回填，车道封闭。"),
                accepted("02-15 10:10", "inspector", "节日值守期间现场验收。"),
            ),
        ),
        Plot(
            "城家曲采砂点", "chengjiaqu", "sand_extraction_point", "unlicensed_digging", mineral="sand", site=True,
            steps=(
                found("01-27 15:40", "police_officer 2", "河滩有抽砂管和发电机。", handling="handed_to_police"),
                ordered("01-27 18:30", "stop", "02-10 18:00", to="police_officer 2"),
                done("02-09 11:00", "抽砂设备已拆走。", "police_officer 2"),
                rejected("02-10 09:30", "河滩采坑未平整，存在隐患。", "inspector 4"),
                done("02-11 16:20", "采坑已平整，立警示牌。", "police_officer 2"),
                accepted("02-12 10:00", "inspector 4"),
            ),
        ),
        Plot(
            "城家曲同一采砂点", "chengjiaqu", "sand_extraction_point", "unlicensed_digging", mineral="sand",
            at_place="城家曲采砂点",
            steps=(found("01-27 15:55", "village_head", "村里巡查也看到抽砂管，民警已在现场。", handling="reported"),),
        ),
        Plot(
            "社区关闭矿井", "zhenchengdi_community", "closed_mine", "unauthorised_reopening", mineral="shallow_coal", site=True,
            steps=(
                found("01-29 16:10", "inspector", "风井防爆门铅封被剪。", handling="guarded"),
                ordered("01-30 10:00", "sealing", "02-12 18:00", to="inspector", text="风井砌筑封墙。"),
                done("02-08 15:30", "风井封墙砌筑完成。", "inspector"),
                not_accepted_by_same("02-08 16:40", "inspector"),
                accepted("02-09 09:30", "inspector 4", "与施工人员不同的人验收。"),
            ),
        ),
        Plot(
            "山头古空井口", "shantou", "ancient_working", "unauthorised_reopening", mineral="shallow_coal", site=True,
            steps=(
                found("02-03 10:40", "inspector 3", "古窑口支护是新木料，窑内有灯。", handling="reported"),
                ordered("02-03 16:00", "sealing", "02-26 18:00"),
                done("02-24 10:00", "窑口毛石封堵，村民义务工六人。", keyed_by="clerk 2"),
                accepted("02-26 11:00", "inspector 2"),
            ),
        ),
        Plot(
            "山头离线巡查", "shantou", "ancient_working", "unauthorised_reopening", mineral="shallow_coal",
            at_place="山头古空井口",
            steps=(
                found("01-29 15:20", "inspector 2", "古窑口有新木料，当时无信号。", handling="reported", synced="02-06 11:45",
                      note="山里没有信号，手机留存，回镇后补传。"),
            ),
        ),
        Plot(
            "八字山机制砂场", "bazishan", "machine_sand_plant", "building_materials_mining",
            mineral="limestone", pretext="building_materials", site=True,
            steps=(
                found("02-02 11:00", "inspector 4", "料场石灰岩来源说不清，后山有新爆破面。", handling="reported"),
                corrected_patrol("02-03 09:00", "inspector 4", "handling", {"code": "evidence_kept"},
                                 "当时已取样固定证据，处置情况填错。", of="八字山机制砂场 1 巡查"),
                ordered("02-02 15:20", "penalise", "02-23 18:00", text="停产，补齐矿石来源台账，后山断路。"),
                done("02-22 14:00", "已停产，来源台账补齐，后山断路。"),
                accepted("02-23 10:30", "inspector"),
            ),
        ),
        Plot(
            "独兰在建工地", "dulan", "construction_site", "disguised_mining",
            mineral="shallow_resources", pretext="land_development", site=True,
            steps=(
                found("02-11 11:05", "village_head", "基坑挖到煤层，旁边堆煤约二十方。", handling="stopped"),
                ordered("02-11 16:00", "stop", "02-18 18:00"),
                corrected("02-12 09:10", "mineral", {"code": "shallow_coal"}, "现场鉴别为浅层煤，登记时选错。"),
                done("02-17 10:00", "堆煤登记封存，基坑按图施工，专人旁站。"),
                accepted("02-18 10:00", "inspector 2"),
            ),
        ),
        Plot(
            "佛罗汉废弃井口", "foluohan", "abandoned_shaft", "unauthorised_reopening", mineral="shallow_coal", site=True,
            steps=(
                found("02-16 11:00", "village_head", "初一巡查，封堵墙上部塌了一角。", handling="guarded"),
                ordered("02-16 14:30", "sealing", "02-22 18:00"),
                done("02-21 16:10", "塌角补砌，外抹砂浆。"),
                accepted("02-22 09:30", "inspector 3"),
            ),
        ),
        Plot(
            "误记的巡查", "yinjiagou", "watch_area", "unlicensed_digging",
            steps=mistaken_patrol("02-22 16:00", "village_head", "02-24 11:00", "把前一天的巡查又记了一遍。"),
        ),
        Plot(
            "独兰井口死灰复燃", "dulan", "abandoned_shaft", "unauthorised_reopening",
            mineral="shallow_coal", modus="hit_and_run", at_place="独兰废弃井口",
            steps=(
                found("03-02 10:50", "village_head", "二月封堵的井口旁又掏出一个小洞。", handling="stopped"),
                ordered("03-02 15:20", "sealing", "03-12 18:00", text="整体浇筑混凝土，装监控。"),
                done("03-09 16:00", "整体浇筑完成，监控接入村委会。"),
                accepted("03-10 10:40", "inspector 3", "验收人与二月不同。"),
            ),
        ),
        Plot(
            "西岩企业厂房", "xiyan", "factory_building", "concealed_mining_in_plant", mineral="limestone", site=True,
            steps=(
                found("03-01 10:40", "inspector", "停用厂房地面有新浇水泥，疑掩盖井口。", handling="reported"),
                ordered("03-01 16:20", "close_monitoring", "03-16 18:00"),
                done("03-15 15:00", "破开检查为化粪池，已复原，接受监控。"),
                accepted("03-16 10:00", "inspector 4"),
            ),
        ),
        Plot(
            "西岩厂房重记", "xiyan", "dwelling", "concealed_mining_in_plant", at_place="西岩企业厂房",
            steps=(
                found("03-01 11:10", "village_head", "厂房地面有新水泥。", handling="reported"),
                hazard_in_error("03-02 09:20", "类别选错，与厂房隐患是同一处。"),
            ),
        ),
        Plot(
            "赤泥岩搅拌站", "chiniyan", "concrete_mixing_plant", "building_materials_mining",
            mineral="sand", pretext="building_materials", modus="concealed_mining", site=True,
            steps=(
                found("03-08 22:50", "police_officer 3", "搅拌站后院正在装运原砂，手续不全。", handling="stopped", live=True),
                call_answered("03-08 22:56", "duty_officer"),
                ordered("03-09 09:00", "rectify", "04-05 18:00", text="停止外购无手续原砂，限期拆除后院料仓。"),
            ),
        ),
        Plot(
            "社区储煤场", "zhenchengdi_community", "coal_plant", "concealed_mining_in_plant", mineral="shallow_coal",
            steps=(
                found("03-20 10:30", "inspector 3", "验收回头看：储煤场新到煤来源不明。", handling="reported"),
                ordered("03-20 15:00", "rectify", "03-25 18:00"),
                done("03-26 10:00", "来源台账补齐，无手续的煤已清走。"),
                accepted("03-26 16:00", "inspector 2", "逾期一天完成。"),
            ),
        ),
    )  # fmt: skip
