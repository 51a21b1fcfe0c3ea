"""Plants a text in every place of a town where the search looks, so that a place that is silently skipped is noticed."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import nats

from shared.embedded.nats_server import EmbeddedNats
from tests.support.places import DATABASES, FILES, Places

APPENDED = ("run/nats.log", "logs/minewatch.jsonl", "logs/traces.jsonl")
WRITTEN = ("run/planted", "temp/planted", "keys/planted", "plans/planted", "planted", "postgres/cluster/planted")

EVERYWHERE = {*FILES.values(), *(f"tables of {name}" for name in DATABASES), "said", "processes"}
"""Every place but those that `outside` adds."""


@contextmanager
def planted_process(text: str) -> Iterator[int]:
    """A process that names it in its command line, holds it in its environment and in a file without a name; its pid."""
    with tempfile.TemporaryFile() as nameless:
        nameless.write(text.encode())
        nameless.flush()
        sleeping = subprocess.Popen(["sh", "-c", "sleep 60; exit 0", text], stdin=nameless, env={"PLANTED": text})
        try:
            yield sleeping.pid
        finally:
            sleeping.kill()
            sleeping.wait()


async def plant(text: str, places: Places) -> None:
    """In every place but the processes, see planted_process. The town lives."""
    folder = places.town.folder
    for name in (*DATABASES, *await places.copies()):
        async with places.town.database(name) as db:
            await db.execute("CREATE TABLE public.planted (line text)")
            await db.execute("INSERT INTO public.planted VALUES ($1)", text)
            await db.execute(f"DO $$ BEGIN RAISE LOG 'it is {text}'; END $$")
    store = EmbeddedNats(folder / "nats", folder / "run")
    await store.start()  # adopts the one that runs
    connection = await nats.connect(store.url)
    await connection.jetstream().add_stream(name="PLANTED", subjects=["planted"])
    await connection.jetstream().publish("planted", text.encode())
    await connection.close()
    for name in (*APPENDED, *WRITTEN):
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write(f'{{"planted": "{text}"}}\n')
    places.town.said.append(text)
    for folder in places.taken.iterdir():
        (folder / "planted").write_text(text, "utf-8")
    for contents in places.outside.values():
        contents.append(text.encode())
