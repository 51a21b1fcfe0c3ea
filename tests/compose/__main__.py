"""`make compose-test`: docker-compose.yml built, brought up, lived through with kills in between, and taken down."""

import sys
import time
from collections.abc import Callable
from typing import Any

from tests.compose import checks, watching
from tests.compose.containers import BUILDING, Containers, a_project
from tests.compose.daemon import Failed, docker_is_there
from tests.compose.story import Story, eventually


def step(name: str, run: Callable[[], Any]) -> Any:
    """Says what passed and how long it took, in seconds."""
    began = time.monotonic()
    made = run()
    print(f"  {time.monotonic() - began:6.1f}  {name}", flush=True)
    return made


def live_through(containers: Containers) -> None:
    up = ("up", "--build", "--detach")
    step("built and up, migrated, the plan adopted", lambda: containers.compose(*up, seconds=BUILDING))
    story = Story(containers)
    step("every service is ready behind the door", lambda: eventually("readiness", story.ready))
    step("an image holds its own service only", lambda: checks.an_image_holds_its_own_service_only(containers))
    step("containers may do little", lambda: checks.containers_may_do_little(containers))
    step("everybody knows his own secrets only", lambda: checks.everybody_knows_his_own_secrets_only(containers))
    step("pages are shown, measurements are not", story.pages_are_shown_and_measurements_are_not)
    step("a live tip is sent, the office is called, letters arrive", story.a_tip_is_sent)
    hazard = step("cases killed, the tip verified, the hazard listed", story.it_is_verified_while_cases_is_dead)
    step(
        "NATS killed, five tips and an order, the assignment told", lambda: story.it_goes_on_while_nats_is_dead(hazard)
    )
    step("NATS loses its volume while five tips come", story.nats_loses_everything)
    step("the report's figures open their events", story.the_figure_opens_its_events)
    step("wrong receipts are counted by visitor", story.wrong_receipts_are_counted_by_visitor)
    step("nothing is lost", lambda: checks.nothing_is_lost(containers, len(story.tips)))
    step("the logs are signed", lambda: checks.the_logs_are_signed(containers))
    step("the logs tell nothing of anybody", lambda: checks.the_logs_tell_nothing_of_anybody(containers))
    step(
        "docker finds them healthy", lambda: eventually("health", lambda: checks.docker_finds_them_healthy(containers))
    )
    if without := watching.lacks_images(containers):
        print(f"          observability profile not tested: no image ({without})", flush=True)
    else:
        step("Prometheus and Grafana watch them", lambda: watching.they_are_watched(containers))


def main() -> int:
    """0 when all of it passed; 1 with the reason."""
    began = time.monotonic()
    try:
        docker_is_there("compose", "buildx")
        with a_project() as containers:
            try:
                live_through(containers)
            except BaseException:
                print(containers.compose("ps", "--all", may_fail=True), file=sys.stderr)
                print(containers.compose("logs", "--no-color", "--tail", "25", may_fail=True), file=sys.stderr)
                raise
    except Failed as reason:
        print(f"compose-test failed: {reason}", file=sys.stderr)
        return 1
    print(f"  {time.monotonic() - began:6.1f}  all of it, and taken down")
    return 0


if __name__ == "__main__":
    sys.exit(main())
