"""What happens to a tip, step by step: told, asked after by receipt, screened, verified, forwarded, closed."""

from typing import Any, Literal

from services.simulation.plots import Plot, Step
from services.simulation.scene import NotAsScripted, Scene
from services.simulation.timetable import when
from services.simulation.words import informant

DESK = "/intake/v1/tips"
PUBLIC = "/intake/v1/public/tips"
SOURCES = {"web": "网上举报", "hotline": "热线举报", "mailbox": "来信举报", "email": "邮件举报"}


def told(
    at: str,
    channel: str,
    words: str,
    *,
    named: bool = False,
    live: bool = False,
    located: bool = True,
    said_village: str | None = None,
    by: str = "clerk",
    quiet: bool = False,
) -> Step:
    """Somebody gives a tip: on the web themselves, else somebody of the office keys it in. `quiet`: no news of it;
    `said_village`: where it is said to be, when that is wrong.
    """

    async def does(scene: Scene, plot: Plot) -> str | None:
        body: dict[str, Any] = {"words": words, "live": live, "anonymous": not named}
        if located:
            village = scene.cast.village(said_village or plot.village)
            body |= {"village": village, "place": plot.spot.moved(20, 15).place()}
        if named:
            body["name"], body["contact"] = informant(scene.chance)
        plot.source = SOURCES[channel]
        if channel == "web":
            answer = await scene.post(None, PUBLIC, body)
        else:
            answer = await scene.post(scene.cast.who(by), DESK, {"channel": channel, **body})
        plot.receipt = answer["receipt"]
        plot.tip = answer.get("id") or await _newest(scene)
        return None if quiet else f"{plot.source}{'（正在发生）' if live else ''}：{plot.title(scene)}"

    return Step(when(at), "举报", does)


async def _newest(scene: Scene) -> str:
    """The tip that the office sees on top; a public answer names only the receipt."""
    page = await scene.get(scene.cast.one("clerk"), DESK, limit=1)
    return str(page["items"][0]["tip"])


def asked(at: str, state: str, detail: str | None = None) -> Step:
    """Whoever holds the receipt asks how far it is. Raises NotAsScripted for another state."""

    async def does(scene: Scene, plot: Plot) -> str:
        answer = await scene.post(None, f"{PUBLIC}/status", {"receipt": plot.receipt}, expect=200)
        if answer["state"] != state or detail not in (None, answer["detail"]):
            raise NotAsScripted(f"{scene.name}: state {answer['state']} ({answer['detail']}), not {state}")
        scene.stage.seen.add(f"status:{answer['detail']}")
        return f"举报人凭回执查询：{answer['message']}"

    return Step(when(at), "查询", does)


def added(at: str, words: str) -> Step:
    """More words by receipt, still without a name."""

    async def does(scene: Scene, plot: Plot) -> str:
        await scene.post(None, f"{PUBLIC}/supplements", {"receipt": plot.receipt, "words": words})
        return "举报人凭回执补充线索"

    return Step(when(at), "补充", does)


def screened(at: str, summary: str | None, by: str = "clerk") -> Step:
    """`summary` None: there is nothing to verify in it."""

    async def does(scene: Scene, plot: Plot) -> str | None:
        body: dict[str, Any] = {"outcome": "to_verify" if summary else "no_content", "summary": summary}
        if summary:
            body["village"] = scene.cast.village(plot.village)
        await scene.post(scene.cast.who(by), f"{DESK}/{plot.tip}/screening", body)
        return None if summary else "举报无可查内容，办结"

    return Step(when(at), "筛查", does)


Result = Literal["substantiated", "unsubstantiated", "insufficient", "out_of_area"]
RESULTS = {"unsubstantiated": "核查不实", "insufficient": "线索不足，等补充", "out_of_area": "不属本镇管辖"}


def verified(at: str, result: Result, summary: str, by: str = "inspector", live: bool = False) -> Step:
    """What was found on the spot."""

    async def does(scene: Scene, plot: Plot) -> str | None:
        body: dict[str, Any] = {"result": result, "summary": summary, "live": live}
        if result == "substantiated":
            body |= plot.kind() | {"village": scene.cast.village(plot.village), "place": plot.spot.place(8)}
        await scene.post(scene.cast.who(by), f"{DESK}/{plot.tip}/verification", body)
        return f"{plot.source} {RESULTS[result]}" if result in RESULTS else None

    return Step(when(at), "核查", does)


def forwarded(at: str, to: str) -> Step:
    async def does(scene: Scene, plot: Plot) -> str:
        await scene.post(scene.cast.one("clerk"), f"{DESK}/{plot.tip}/forward", {"to": to, "reason": "out_of_area"})
        return f"举报转{scene.cast.plan.name('forward_to', to)}办理"

    return Step(when(at), "转办", does)


def closed(at: str, reason: str, note: str) -> Step:
    async def does(scene: Scene, plot: Plot) -> None:
        await scene.post(scene.cast.one("clerk"), f"{DESK}/{plot.tip}/closing", {"reason": reason, "note": note})

    return Step(when(at), "办结", does)


def corrected_tip(at: str, village: str, reason: str) -> Step:
    """The tip stood under the wrong village; from here on the plot's is `village`."""

    async def does(scene: Scene, plot: Plot) -> str:
        value = {"code": scene.cast.village(village)}
        body = {"field": "village", "value": value, "reason": reason}
        await scene.post(scene.cast.one("clerk"), f"{DESK}/{plot.tip}/corrections", body)
        return f"更正举报登记：属{scene.cast.called(village)}"

    return Step(when(at), "更正", does)


def tip_in_error(at: str, reason: str) -> Step:
    async def does(scene: Scene, plot: Plot) -> str:
        await scene.post(scene.cast.one("clerk"), f"{DESK}/{plot.tip}/entered-in-error", {"reason": reason})
        return "一条举报注明误录，原记录保留"

    return Step(when(at), "误录", does)


def call_answered(at: str, by: str) -> Step:
    """Somebody who was called answers the live call."""

    async def does(scene: Scene, plot: Plot) -> str:
        who = scene.cast.who(by)
        asked = {"kind": "live_call_out", "open": "true", "limit": 50}
        page = await scene.get(who, "/notify/v1/messages", **asked)
        if not page["items"]:
            raise NotAsScripted(f"{scene.name}: {who.person} was not called")
        await scene.post(who, f"/notify/v1/messages/{page['items'][0]['message']}/acknowledgement", {})
        return f"{scene.cast.plan.name('post', who.post)}确认收到紧急呼叫"

    return Step(when(at), "应答", does)
