"""The demo keeps what it promises: the whole campaign, counted and compared, the same for the same seed."""

from typing import Any

FRIDAYS = [
    "2018-01-19", "2018-01-26", "2018-02-02", "2018-02-09", "2018-02-16",
    "2018-02-23", "2018-03-02", "2018-03-09", "2018-03-16", "2018-03-23",
]  # fmt: skip


def test_it_ends_well_and_says_so(demo: tuple[int, dict[str, Any], str]) -> None:
    code, _, said = demo
    assert code == 0, said[-3000:]
    assert "该发生的都发生了" in said and "✗" not in said


def test_the_summary_has_exactly_what_was_promised(demo: tuple[int, dict[str, Any], str]) -> None:
    _, told, _ = demo
    assert list(told) == [
        "days", "fridays", "reports_filed", "events", "published", "consumed", "checksums", "parked", "restated", "seconds",
    ]  # fmt: skip
    assert (told["days"], told["fridays"], told["reports_filed"], told["parked"]) == (70, FRIDAYS, 11, 0)
    assert told["restated"] >= 2


def test_every_event_was_published_and_received_once_in_order(demo: tuple[int, dict[str, Any], str]) -> None:
    _, told, _ = demo
    assert told["published"] == sum(told["events"].values())
    assert set(told["consumed"]) == set(told["checksums"]) == set(told["events"])
    for service, sources in told["consumed"].items():
        for source, upto in sources.items():
            pair = told["checksums"][service][source]
            assert upto == told["events"][source], (service, source)
            assert pair["publisher"] == pair["consumer"] and len(pair["consumer"]) == 64, (service, source)


def test_it_takes_less_than_two_minutes(demo: tuple[int, dict[str, Any], str], demo_waited: float) -> None:
    """Not counting how long it could have gone on and had no processor, because other tests had them."""
    assert demo[1]["seconds"] - demo_waited < 120


def test_it_tells_news_and_the_weeks(demo: tuple[int, dict[str, Any], str]) -> None:
    said = demo[2]
    assert "独兰村 巡查发现" in said and "→ 隐患 002 → 三落实" in said
    assert "全镇第5期周报上报（正月初一）" in said and "全镇总结报告上报" in said
    weeks = said[said.index("逐周") :].splitlines()
    assert [line.split()[0] for line in weeks if line.split()[:1] and line.split()[0].isdigit()][:11] == [
        str(no) for no in range(1, 12)
    ]
