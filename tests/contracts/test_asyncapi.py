"""The AsyncAPI document says what really travels: every event, its bytes, who publishes it, who follows it, and the wake-ups."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema

from services.cases.main import describe as cases
from services.notify.main import describe as notify
from shared.cli.asyncapi import ENVELOPE, document
from shared.cli.main import commands
from shared.contracts.registry import CONTRACTS
from shared.stream import subject_of

GOLDEN = Path(__file__).parent / "golden"
KEY = re.compile(r"[A-Za-z0-9._-]+")


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return document([cases(), notify()])


def refs(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            else:
                yield from refs(value)
    elif isinstance(part, list):
        for one in part:
            yield from refs(one)


def at(made: dict[str, Any], ref: str) -> Any:
    found: Any = made
    for part in ref.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_it_is_asyncapi_3_and_every_reference_leads_somewhere(made: dict[str, Any]) -> None:
    assert made["asyncapi"] == "3.0.0"
    for ref in refs(made):
        assert at(made, ref) is not None


def test_faststream_reads_it_back(made: dict[str, Any]) -> None:
    ApplicationSchema.model_validate(made)


def test_every_name_is_one_that_asyncapi_allows(made: dict[str, Any]) -> None:
    named = [*made["channels"], *made["operations"], *(n for kind in made["components"].values() for n in kind)]
    assert [name for name in named if not KEY.fullmatch(name)] == []


@pytest.mark.parametrize("type_", sorted(CONTRACTS.types))
def test_every_event_is_a_channel_on_its_subject_with_a_publisher(made: dict[str, Any], type_: str) -> None:
    address = made["channels"][type_]["address"]
    assert address.replace("{jurisdiction}", "140181101") == subject_of("140181101", type_)
    published = made["operations"][f"{type_}.published"]
    assert (published["action"], published["tags"]) == ("send", [{"name": type_.split(".")[0]}])


def test_it_names_those_who_follow_an_event(made: dict[str, Any]) -> None:
    followed = {name for name in made["operations"] if ".followed-by." in name}
    assert "intake.tip.verified.v1.followed-by.cases" in followed
    assert "cases.hazard.became_overdue.v1.followed-by.notify" in followed
    assert "cases.hazard.became_overdue.v1.followed-by.cases" not in followed


def test_the_envelope_has_the_very_attributes_that_are_written(made: dict[str, Any]) -> None:
    envelope = json.loads((GOLDEN / "envelope.bin").read_bytes())
    assert set(envelope) <= set(ENVELOPE["properties"])
    assert set(ENVELOPE["required"]) <= set(envelope)


def test_a_sealed_text_is_ciphertext_and_the_message_says_for_whom(made: dict[str, Any]) -> None:
    tip = made["components"]["schemas"]["TipReceived"]
    assert tip["properties"]["words"]["$ref"] == "#/components/schemas/Sealed"
    assert tip["properties"]["name"]["$ref"] == "#/components/schemas/Sealed"
    sealed = made["components"]["messages"]["intake.tip.received.v1"]["x-sealed"]
    assert sealed == {"words": "office", "name": "custodian", "contact": "custodian"}


def test_the_wake_ups_come_from_the_faststream_application_of_whoever_sends(made: dict[str, Any]) -> None:
    channel = made["channels"]["notify.deliveries"]
    assert channel["address"] == "{jurisdiction}.jobs.notify.delivery"
    assert made["operations"]["notify.deliveries"]["action"] == "receive"
    assert "cases.deliveries" not in made["channels"]


def test_the_command_prints_it_as_yaml_or_json(tmp_path: Path) -> None:
    printed = CliRunner().invoke(commands, ["asyncapi"])
    assert printed.exit_code == 0, printed.output
    out = tmp_path / "asyncapi.json"
    assert CliRunner().invoke(commands, ["asyncapi", "--json", "--output", str(out)]).exit_code == 0
    whole = yaml.safe_load(printed.output)
    assert whole == json.loads(out.read_text("utf-8"))
    assert set(whole["channels"]) == {*CONTRACTS.types, "notify.deliveries"}
    assert "&id" not in printed.output, "a part is repeated, not pointed at"
