"""What Prometheus reads is true at the moment of the scrape, whichever process does the work, and of one service alone."""

from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from tests.integration.notify.campaign import Campaign
from tests.integration.operations.refusing import a_refused_reaction
from tests.support.kernel import until

Key = tuple[str, frozenset[tuple[str, str]]]


async def scraped(campaign: Campaign, service: str = "notify") -> dict[Key, float]:
    text = (await campaign.town.http.get(f"/{service}/metrics")).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert {sample.labels["service"] for sample in samples if "service" in sample.labels} == {service}
    return {(s.name, frozenset((k, v) for k, v in s.labels.items() if k != "service")): s.value for s in samples}


def key(name: str, **labels: str) -> Key:
    return f"minewatch_{name}", frozenset(labels.items())


async def test_what_the_database_says_is_measured_when_it_is_asked_for(campaign: Campaign) -> None:
    before = await scraped(campaign)
    assert before[key("database_up")] == before[key("nats_up")] == 1
    assert before[key("parked_events", state="parked")] == 0
    await a_refused_reaction(campaign)
    after = await scraped(campaign)
    head = await campaign.notify.pool.fetchval("SELECT position FROM work.head")
    assert after[key("log_head")] == after[key("stream_last")] == head > before[key("log_head")]
    assert after[key("parked_events", state="parked")] == 1
    assert after[key("pending_events")] == after[key("pending_oldest_seconds")] == 0
    assert after[key("lag_events", follower="reactions", source="cases")] == 0
    assert abs(after[key("clock_skew_seconds")]) < 5
    assert after[key("database_bytes")] > 1_000_000


async def test_a_lag_is_measured_though_the_follower_is_gone(campaign: Campaign) -> None:
    """Its own gauge would stand at 0 for ever."""
    gone = [task for task in campaign.notify._tasks if task.get_name() == "notify projection plan cases"]
    gone[0].cancel()
    appointment = {
        "person": "p-x",
        "post": "keeper",
        "unit": "dulan",
        "village": "140181101207",
        "from_on": "2018-01-22",
    }
    more = {"name": "新任", "channels": ["in_app"]}
    await campaign.town.post("/cases/v1/appointments", appointment | more, campaign.headers("office_director"))

    async def lags() -> bool:
        return (await scraped(campaign))[key("lag_events", follower="projection:plan", source="cases")] == 1

    await until(lags)


async def test_what_waits_for_a_number_has_an_age_by_the_campaigns_clock(campaign: Campaign) -> None:
    gone = [task for task in campaign.notify._tasks if task.get_name() == "notify sequencer"]
    gone[0].cancel()
    await campaign.live_tip(settle=False)

    async def waits() -> bool:
        return (await scraped(campaign))[key("pending_events")] > 0

    await until(waits)
    campaign.town.clock.move_to(campaign.now() + timedelta(seconds=90))
    assert (await scraped(campaign))[key("pending_oldest_seconds")] == 90


async def test_deadlines_that_failed_and_dead_deliveries_are_counted(campaign: Campaign) -> None:
    await campaign.notify.pool.execute(
        "INSERT INTO work.due (timer, subject, due_at, failed) VALUES ('t', 's', clock_timestamp(), 'Struck')"
    )
    seen = await scraped(campaign)
    assert seen[key("timers", state="failed")] == 1
    assert {state: seen[key("delivery_rows", state=state)] for state in ("open", "late", "dead")} == {
        "open": 0,
        "late": 0,
        "dead": 0,
    }


async def test_a_database_that_is_away_is_a_measurement(campaign: Campaign) -> None:
    templates, database = campaign.intake.place.templates, campaign.notify.settings.app_dsn.rsplit("/", 1)[1]
    await templates.run(f'ALTER DATABASE "{database}" CONNECTION LIMIT 0')
    await templates.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    try:

        async def away() -> bool:
            return (await scraped(campaign))[key("database_up")] == 0

        await until(away)
    finally:
        await templates.run(f'ALTER DATABASE "{database}" CONNECTION LIMIT -1')

    async def back() -> bool:
        return (await scraped(campaign))[key("database_up")] == 1

    await until(back)
