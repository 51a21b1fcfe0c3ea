"""A mailbox that is full on the evening when a letter must be read, and the office that tries again in the morning."""

from collections.abc import Iterator

from services.simulation.outside import MailBox
from services.simulation.scene import NotAsScripted, Scene
from services.simulation.timetable import Entry, when

WHOSE = "deputy-leader-1@example.org"


def mailbox_entries(mail: MailBox) -> Iterator[Entry]:
    """Between the two, the chain of the overdue coal washing plant reaches the deputy leaders."""

    async def fills(_: Scene) -> None:
        mail.full.add(WHOSE)

    async def tries_again(scene: Scene) -> str:
        mail.full.discard(WHOSE)
        clerk = scene.cast.one("clerk")
        dead = (await scene.get(clerk, "/notify/v1/dead-letters"))["items"]
        if not dead:
            raise NotAsScripted(f"{scene.name}: no letter is dead")
        for letter in sorted(dead, key=lambda line: (line["issued_at"], line["kind"], line["recipient"])):
            path = f"/notify/v1/messages/{letter['message']}/retry"
            await scene.post(clerk, path, {"channel": letter["channel"]}, expect=202)
        return f"一位副组长邮箱已满，退信 {len(dead)} 封，办公室重发成功"

    yield Entry(when("02-11 12:00"), "邮箱已满", fills)
    yield Entry(when("02-12 09:05"), "重发退信", tries_again)
