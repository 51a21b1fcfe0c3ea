"""`minewatch asyncapi`: everything that travels over NATS, as one AsyncAPI 3.0 document.

Made from what runs: the events from their contracts, who publishes and who follows them from the services' cards, and the
wake-ups of deliveries from the FastStream application itself.
"""

import json
from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import yaml
from faststream.specification import AsyncAPI
from pydantic.json_schema import models_json_schema

from shared.contracts.envelope import MAX_BODY
from shared.contracts.event import Event, SealedBy
from shared.contracts.registry import CONTRACTS
from shared.service import ServiceCard
from shared.settings import SERVICES
from shared.stream import LEAF, LINEAGE, POSITION
from shared.wake_ups import WakeUps

TOWN = "{jurisdiction}"
JURISDICTION = {
    "description": "Division code of the town, for example 140181101; it leads the subject, so that a county sorts."
}
SCHEMAS = "#/components/schemas/"
Document = dict[str, Any]

TEXT: Document = {"type": "string"}
MOMENT: Document = {"type": "string", "format": "date-time"}
UNIQUE: Document = {"type": "string", "format": "uuid"}

ENVELOPE: Document = {
    "type": "object",
    "description": f"One CloudEvent in structured mode, canonical JSON (RFC 8785), at most {MAX_BODY} bytes. Never changed.",
    "required": [
        "specversion", "id", "source", "type", "subject", "time", "recordedat", "actor", "inrole", "causationid",
        "correlationid", "version", "salt", "data",
    ],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": UNIQUE,
        "source": {**TEXT, "description": "/<jurisdiction>/<service>"},
        "type": TEXT,
        "subject": {**TEXT, "description": "The stream: <category>-<id>."},
        "time": {**MOMENT, "description": "When it happened."},
        "recordedat": {**MOMENT, "description": "When it was recorded."},
        "actor": {**TEXT, "description": "Id of a person, client or part of the system, never a name."},
        "inrole": {**TEXT, "description": "<post>@<unit>"},
        "onbehalfof": {**TEXT, "description": "<person>;<ground>"},
        "causationid": UNIQUE,
        "correlationid": TEXT,
        "traceparent": {**TEXT, "description": "W3C trace context of the request it goes back to."},
        "planversion": {**TEXT, "description": "<plan code>@<version>"},
        "version": {"type": "integer", "minimum": 1, "description": "Counts within the stream."},
        "prev": {**TEXT, "description": "Leaf (hex) of the stream's previous event."},
        "salt": {**TEXT, "contentEncoding": "base64"},
        "data": {"type": "object"},
    },
}  # fmt: skip

HEADERS: Document = {
    "type": "object",
    "description": "Where the event stands in its service's log. Believe the body, never a copy of it here.",
    "required": [LINEAGE, LEAF, POSITION],
    "properties": {
        LINEAGE: {**UNIQUE, "description": "Of the log; a restored one begins a new lineage."},
        LEAF: {**TEXT, "description": "SHA-256 of 0x00 and the body, hex."},
        POSITION: {**TEXT, "description": "Counts from 1 without a gap; the stream's sequence is the same number."},
    },
}


def document(cards: Sequence[ServiceCard], events: Iterable[type[Event]] = tuple(CONTRACTS.types.values())) -> Document:
    """The whole document; `cards` of the services that are installed."""
    known = sorted(events, key=lambda event: event.type)
    made: Document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "minewatch 矿巡",
            "version": "1",
            "description": "Every event of the four services, and the wake-ups for deliveries. Each service's log is one stream.",
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {
            "nats": {"host": "nats:4222", "pathname": "", "protocol": "nats", "description": "NATS with JetStream."}
        },
        "channels": {event.type: _channel(event) for event in known},
        "operations": {},
        "components": {"messages": {event.type: _message(event) for event in known}, "schemas": _schemas(known)},
    }
    for event in known:
        publisher = event.type.split(".", 1)[0]
        made["operations"][f"{event.type}.published"] = _operation("send", publisher, event.type)
        for card in cards:
            if event.type in card.consumes().get(publisher, ()):
                name = f"{event.type}.followed-by.{card.name}"
                made["operations"][name] = _operation("receive", card.name, event.type)
    for card in cards:
        if card.outside is not None:
            _add_wake_ups(made, card.name)
    return made


def _channel(event: type[Event]) -> Document:
    return {
        "address": f"{TOWN}.{event.type}",
        "title": event.__name__,
        "parameters": {"jurisdiction": JURISDICTION},
        "messages": {event.type: {"$ref": f"#/components/messages/{event.type}"}},
        "servers": [{"$ref": "#/servers/nats"}],
    }


def _operation(action: str, service: str, type_: str) -> Document:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{type_}"},
        "messages": [{"$ref": f"#/channels/{type_}/messages/{type_}"}],
        "tags": [{"name": service}],
    }


def _message(event: type[Event]) -> Document:
    """`x-sealed`: field -> the audience that holds a key to it; to everybody else it is ciphertext."""
    sealed = {path: marker.audience for path, marker in event.text_fields() if isinstance(marker, SealedBy)}
    own = {"properties": {"type": {"const": event.type}, "data": {"$ref": f"{SCHEMAS}{event.__name__}"}}}
    message: Document = {
        "name": event.type,
        "title": event.__name__,
        "contentType": "application/cloudevents+json",
        "headers": {"$ref": f"{SCHEMAS}LogHeaders"},
        "payload": {"allOf": [{"$ref": f"{SCHEMAS}Envelope"}, own]},
        "tags": [{"name": event.type.split(".", 1)[0]}],
    }
    if event.__doc__ and event.__doc__ != Event.__doc__:
        message["summary"] = " ".join(event.__doc__.split())
    return message | ({"x-sealed": sealed} if sealed else {})


def _schemas(events: Sequence[type[Event]]) -> Document:
    _, generated = models_json_schema([(event, "validation") for event in events], ref_template=SCHEMAS + "{model}")
    return {"Envelope": ENVELOPE, "LogHeaders": HEADERS, **{n: _on_the_wire(s) for n, s in generated["$defs"].items()}}


def _on_the_wire(schema: Any) -> Any:
    """As it stands in the bytes: what is None is left out, and a text that is sealed is always sealed."""
    if isinstance(schema, list):
        return [_on_the_wire(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: _on_the_wire(part) for name, part in schema.items() if (name, part) != ("default", None)}
    ways = [way for way in schema.get("anyOf", ()) if way != {"type": "null"}]
    closed = {"$ref": f"{SCHEMAS}Sealed"}
    if closed in ways:
        ways = [closed]
    if len(ways) == 1:
        del schema["anyOf"]
        return {**schema, **ways[0]}
    return schema | ({"anyOf": ways} if ways else {})


def _add_wake_ups(made: Document, service: str) -> None:
    """What FastStream says of its queue, under names that AsyncAPI allows."""

    async def nobody(_: UUID) -> None:
        """Nothing is heard while a document is made."""

    wake_ups = WakeUps("nats://nats:4222", TOWN, service)
    told = AsyncAPI(wake_ups.broker(nobody), title="", version="1", schema_version="3.0.0").to_specification()
    text = json.dumps(told.to_jsonable()).replace(f"{service}.deliveries:", f"{service}.deliveries.")
    theirs: Document = json.loads(text.replace("deliveries.Message:Payload", "deliveries.Payload"))
    for channel in theirs["channels"].values():
        channel |= {"parameters": {"jurisdiction": JURISDICTION}, "servers": [{"$ref": "#/servers/nats"}]}
    made["channels"] |= theirs["channels"]
    made["operations"] |= theirs["operations"]
    for kind in ("messages", "schemas"):
        made["components"][kind] |= theirs["components"][kind]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON, not YAML")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="write to this file")
def asyncapi(as_json: bool, output: Path | None) -> None:
    """Print the AsyncAPI 3.0 document of the installed services."""
    cards = [found.load()() for name in SERVICES for found in entry_points(group="minewatch.services", name=name)]
    made = json.loads(json.dumps(document(cards)))  # so that YAML repeats a part instead of pointing at it
    text = (
        json.dumps(made, ensure_ascii=False, indent=1)
        if as_json
        else yaml.safe_dump(made, allow_unicode=True, sort_keys=False, width=120)
    )
    if output is None:
        click.echo(text)
    else:
        output.write_text(text.rstrip("\n") + "\n", "utf-8")
