"""What people in the town write: seeded texts for patrols, completions and reports. Nobody in them is a real person."""

from random import Random

ROUND_NOTES = (
    "沿线查看，未见新开挖痕迹。",
    "封堵墙完好，周边无车辙。",
    "向住户了解，近期没有外来车辆。",
    "雪后路面无新脚印，井口积雪完整。",
    "与看护人员当面核对，无异常。",
    "重点看了沟口和进山道路，正常。",
    "堆场覆盖完好，未见夜间装车痕迹。",
    "提醒沿线商户发现可疑车辆及时打热线。",
)
SURPRISE_NOTES = (
    "突击检查，未提前通知，现场有人值守。",
    "四不两直，直奔现场，台账与现场一致。",
    "突击抽查用电情况，与停产状态相符。",
    "夜间突查，厂门上锁，未见机械作业。",
)
POLICE_NOTES = ("路口设卡检查运煤车辆，手续齐全。", "夜间巡逻至沟口，未见异常灯光。", "配合安监人员查看，无异常。")
HOLIDAY_NOTES = ("春节期间值守巡查，井口无人活动。", "年初走村巡查，封堵墙完好，鞭炮堆放已劝离。")

REPORT_NOTES = (
    "本周巡查按计划完成，隐患整改正常推进。",
    "本周无新增隐患，已有隐患盯守到人。",
    "加密了夜间巡查，群众反映平稳。",
    "节日期间值守在岗，情况平稳。",
)

SURNAMES = "赵钱孙李周吴郑王冯陈"
GIVEN = ("大山", "小河", "春生", "桂香", "满仓", "爱莲", "根旺", "秀兰")


def pick(chance: Random, texts: tuple[str, ...]) -> str:
    return chance.choice(texts)


def informant(chance: Random) -> tuple[str, str]:
    """(name, telephone) of somebody who does not exist: the number is one digit short of a real one."""
    return chance.choice(SURNAMES) + chance.choice(GIVEN), f"1380351{chance.randrange(1000):03d}"
