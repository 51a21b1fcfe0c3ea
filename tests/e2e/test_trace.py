"""One trace from the request to the delivery, through all four services."""

import json
from pathlib import Path
from typing import Any

from tests.support.town import Town, a_town, eventually, well

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
WANTED = {"tip-post", "append", "relay", "receive", "reaction", "delivery"}


def spans_of(file: Path, trace_id: str) -> list[dict[str, Any]]:
    """The exporter writes one JSON object after another, over several lines each."""
    decoder, text, spans = json.JSONDecoder(), file.read_text("utf-8"), []
    at = 0
    while (at := text.find("{", at)) >= 0:
        span, at = decoder.raw_decode(text, at)
        spans.append(span)
    return [span for span in spans if span["context"]["trace_id"].removeprefix("0x") == trace_id]


async def send_live_tip(town: Town) -> None:
    headers = {"Idempotency-Key": "a-live-tip", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    await town.post(
        "/intake/v1/public/tips", {"words": "正在挖，有灯光", "live": True, "village": "140181101207"}, headers
    )


async def test_a_live_tip_is_one_trace_from_the_form_to_the_delivery(folder: Path) -> None:
    async with a_town(folder, "--mail", "smtp://127.0.0.1:9?from=minewatch@example.org") as town:
        await send_live_tip(town)
        await well(town)

        async def names() -> set[str]:
            file = folder / "logs" / "traces.jsonl"
            return {span["name"] for span in spans_of(file, TRACE)} if file.exists() else set()

        async def all_there() -> bool:
            return await names() >= WANTED

        await eventually(all_there)
        spans = spans_of(folder / "logs" / "traces.jsonl", TRACE)
    services = {span["attributes"].get("service") or span["attributes"].get("minewatch.service") for span in spans}
    assert services >= {"intake", "cases", "reporting", "notify"}
    by_name = {span["name"]: span for span in spans}
    assert by_name["tip-post"]["parent_id"] == "0x00f067aa0ba902b7", "the caller's trace goes on"
    assert not any("灯光" in json.dumps(span, ensure_ascii=False) for span in spans)
