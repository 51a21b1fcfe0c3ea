"""Reports open, fall due and go missing by the calendar, without anybody asking."""

from tests.integration.reporting.desk import DAY, HOUR, REPORTS, Desk


async def test_the_adoption_opens_the_first_report_of_the_town_and_of_every_unit(desk: Desk) -> None:
    lines = await desk.reports()
    assert {line["unit"] for line in lines} == {*desk.town.plan.reporting_units, "town"}
    assert {line["period_no"] for line in lines} == {1}
    assert {line["state"] for line in lines} == {"open"}
    assert {line["scope"] for line in lines if line["unit"] == "town"} == {"town"}


async def test_at_the_cut_off_the_next_period_opens_for_everybody(desk: Desk) -> None:
    await desk.move_to(desk.period(1).cut_off_at)
    second = await desk.reports(period_no=2)
    assert {line["unit"] for line in second} == {*desk.town.plan.reporting_units, "town"}
    assert {line["starts_at"] for line in second} == {line["cut_off_at"] for line in await desk.reports(period_no=1)}


async def test_what_has_not_come_is_due_at_the_hour_and_missing_after_the_grace(desk: Desk) -> None:
    await desk.move_to(desk.period(1).due_at)
    assert {line["state"] for line in await desk.reports(period_no=1, scope="unit")} == {"due"}
    await desk.move_to(desk.period(1).missing_at)
    states = {line["unit"]: line["state"] for line in await desk.reports(period_no=1)}
    assert states.pop("town") == "open"
    assert set(states.values()) == {"missing"}
    published = [name for name, _ in await desk.published()]
    assert (published.count("due"), published.count("missed")) == (15, 15)


async def test_a_service_that_was_down_for_weeks_opens_every_report_in_between(desk: Desk) -> None:
    await desk.move_to(desk.period(4).starts_at + HOUR)
    assert sorted(line["period_no"] for line in await desk.reports(unit="town")) == [1, 2, 3, 4]


async def test_the_chain_ends_with_the_closing_report(desk: Desk) -> None:
    await desk.move_to(desk.period(11).missing_at + DAY)
    town = await desk.reports(unit="town")
    assert [line["period_no"] for line in town] == list(range(11, 0, -1))
    assert [line["closing"] for line in town] == [True, *[False] * 10]
    starts = [line["starts_at"] for line in town[:-1]]
    assert starts == [line["cut_off_at"] for line in town[1:]]
    assert len(await desk.reports(limit=200)) == 11 * 16
    periods = await desk.town.get("/reporting/v1/periods", desk.headers("village_head@dulan"))
    assert [p["no"] for p in periods] == list(range(1, 12))
    assert {p["state"] for p in periods} == {"open"}


async def test_a_due_hour_that_the_office_moves_rings_at_the_new_hour(desk: Desk) -> None:
    period = desk.period(1)
    value = {"at": (period.due_at + HOUR).isoformat()}
    await desk.done("clerk", "dulan", 1, "corrections", field="due_at", value=value, reason="停电")
    await desk.move_to(period.due_at)
    assert (await desk.report("dulan", 1))["state"] == "open"
    await desk.move_to(period.due_at + HOUR)
    assert (await desk.report("dulan", 1))["state"] == "due"


async def test_lists_page_by_cursor_without_losing_or_repeating_a_line(desk: Desk) -> None:
    await desk.move_to(desk.period(2).cut_off_at)
    seen: list[tuple[int, str]] = []
    query: dict[str, object] = {"limit": 7}
    while True:
        page = await desk.town.get(REPORTS, desk.headers("auditor"), **query)
        seen += [(line["period_no"], line["unit"]) for line in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert len(seen) == len(set(seen)) == 48
    assert seen == sorted(seen, key=lambda at: (-at[0], at[1]))
