"""`minewatch parked` on a running service: what waits, why, and a person's decision about it."""

from shared.parked import waiting
from shared.reaction import count_parked
from tests.integration.notify.campaign import Campaign
from tests.integration.operations.refusing import WHY, a_refused_reaction, and_one_behind_it
from tests.support.commands import Said, command, environment_of

SUM = "SELECT applied, position FROM work.mark WHERE follower = 'reactions' AND source = 'cases'"


async def asked(campaign: Campaign, *words: str, typed: str = "") -> Said:
    return await command(environment_of(campaign.notify.settings), "parked", *words, typed=typed)


async def adds_up(campaign: Campaign) -> bool:
    counts = await count_parked(campaign.notify.pool)
    row = await campaign.notify.pool.fetchrow(SUM)
    return row is not None and row["applied"] + counts["parked"] + counts["queued"] == row["position"]


async def test_what_is_parked_is_looked_at_retried_and_dismissed_and_the_next_goes_on(campaign: Campaign) -> None:
    assert await asked(campaign, "list", "notify") == Said("nothing is parked\n", 0)
    assert await asked(campaign, "list", "notify", "--dismissed") == Said("nothing was dismissed\n", 0)
    missing = await asked(campaign, "show", "notify", "77")
    assert (missing.code, missing.text) == (2, "minewatch: no event is parked under 77\n")

    refused = await a_refused_reaction(campaign)
    again = await asked(campaign, "retry", "notify")
    assert (again.code, again.text) == (1, f"ask_for_decision {refused.stream}: still refused\n")

    await and_one_behind_it(campaign, refused)
    first, second = await waiting(campaign.notify.pool)
    listed = await asked(campaign, "list", "notify")
    assert listed.code == 0 and listed.text.count(refused.stream) == 2 and "NobodyToTell" in listed.text

    shown = await asked(campaign, "show", "notify", str(first.parked_id))
    assert f"{second.parked_id}: cases {second.position}" in shown.text and "tries     2" in shown.text
    assert '"type": "cases.hazard.extension_requested.v1"' in shown.text
    assert '"reason": "(sealed)"' in shown.text and WHY not in shown.text

    dismissal = ("dismiss", "notify", str(first.parked_id), "--reason", "重复的申请")
    stranger = await asked(campaign, *dismissal, "--as", "p-village_head-dulan", "--yes")
    assert stranger.code == 2 and "no post of the office" in stranger.text
    thought_better = await asked(campaign, *dismissal, "--as", "p-clerk-1", typed="n\n")
    assert thought_better.code == 1 and "never be done" in thought_better.text
    assert len(await waiting(campaign.notify.pool)) == 2

    done = await asked(campaign, *dismissal, "--as", "p-clerk-1", typed="y\n")
    assert done.code == 0 and f"{first.parked_id} dismissed by p-clerk-1" in done.text
    assert f"ask_for_decision {refused.stream}: done" in done.text
    await campaign.town.settled()
    assert await waiting(campaign.notify.pool) == [] and await adds_up(campaign)
    assert len(await campaign.messages(kind="extension_requested")) == 1

    kept = await asked(campaign, "list", "notify", "--dismissed")
    assert "p-clerk-1" in kept.text and "重复的申请" in kept.text
    once_more = await asked(campaign, *dismissal, "--as", "p-clerk-1", "--yes")
    assert once_more.code == 2 and "does not wait any more" in once_more.text


async def test_a_retry_of_one_number_works_off_its_whole_queue(campaign: Campaign) -> None:
    refused = await a_refused_reaction(campaign)
    await and_one_behind_it(campaign, refused)
    _, second = await waiting(campaign.notify.pool)
    done = await asked(campaign, "retry", "notify", str(second.parked_id))
    assert (done.code, done.text) == (0, f"ask_for_decision {refused.stream}: done\n")
    assert await waiting(campaign.notify.pool) == [] and await adds_up(campaign)
