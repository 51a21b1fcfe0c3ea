"""What of a service's standing needs a person, and by which command it is put right.

Each kind is a heading in docs/operations.md; those that Prometheus sees too are named like its alarms (deploy/observability).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.log_feed import FeedHead
from shared.receiver import FOLLOWER as RECEIVER
from shared.status import Follower, Look, Stream, newest_step
from shared.trail import Trail

NUMBERED_WITHIN = timedelta(seconds=10)
SIGNED_WITHIN, MET_WITHIN = 60.0, 600.0
"""Seconds within which an event is covered by a checkpoint, and by one that meets the policy."""
SKEW_MOST = 5.0
"""Seconds; leases and the limit on future times allow more, but a clock that is off goes on drifting."""


@dataclass(frozen=True)
class Finding:
    """`zh`, `en`: what is wrong, for people; `command`: what a person may run about it, None when no command helps."""

    kind: str
    zh: str
    en: str
    command: str | None = None


@dataclass(frozen=True)
class Status:
    """One service. `database` is None when it cannot be read, `nats` (the server's version) when NATS gave no answer; then a
    finding says so. `hints`: what nobody has to mend, and somebody may want to know."""

    service: str
    minewatch: str
    newest_step: str
    nats: str | None
    database: Look | None
    stream: Stream | None
    trail: Trail | None = None
    followers: tuple[Follower, ...] = ()
    findings: tuple[Finding, ...] = ()
    hints: tuple[Finding, ...] = ()


def away(what: str) -> Finding:
    """`what`: the kind of error, never its text, which may hold an address."""
    return Finding("DatabaseAway", f"数据库无法连接（{what}）。", f"The database does not answer ({what}).")


def older() -> Finding:
    return Finding(
        "SchemaOld",
        "数据库结构比程序旧，须先升级。",
        "The database's schema is older than this program.",
        "minewatch migrate",
    )


def nats_away() -> Finding:
    return Finding("NatsAway", "NATS 无法连接。", "NATS does not answer.")


def of_database(seen: Look, now: datetime, town: str = "") -> Iterable[Finding]:
    """`town`: appended to commands, as ` --data DIR`."""
    name = seen.service
    if seen.step < newest_step():
        yield older()
    if seen.sessions == 0:
        yield Finding("ServiceDown", "没有进程连接到数据库。", "No process of the service runs.", _start(name, town))
    if seen.pending_since is not None and now - seen.pending_since > NUMBERED_WITHIN:
        yield Finding(
            "HeadStandsStill",
            f"有 {seen.pending} 个事件未编号，最早的已等待 {_ago(now, seen.pending_since)}。",
            f"{seen.pending} events wait for a number, the oldest for {_ago(now, seen.pending_since)}.",
            _start(name, town, "sequencer"),
        )
    if seen.parked or seen.queued:  # what is queued behind nothing was left by a dismissal that was cut off
        yield Finding(
            "EventsParked",
            f"{seen.parked} 个事件的处理被拒绝，其后有 {seen.queued} 个事件等候。",
            f"The reaction to {seen.parked} events was refused; {seen.queued} wait behind them.",
            f"minewatch parked list {name}{town}",
        )
    if seen.dead_lately:
        yield Finding(
            "DeliveryDead",
            f"最近七天有 {seen.dead_lately} 条通知未能送达。",
            f"{seen.dead_lately} deliveries were given up in the last seven days: retry them at /{name}/dead-letters.",
        )
    if seen.unsent_late:
        yield Finding(
            "DeliveriesWait",
            f"{seen.unsent_late} 条通知早该发出而未发出。",
            f"{seen.unsent_late} deliveries ought to have been tried by now.",
            _start(name, town, "jobs"),
        )
    if seen.timers_failed:
        yield Finding(
            "TimerFailed",
            f"{seen.timers_failed} 个时限的处理失败。",
            f"{seen.timers_failed} deadlines failed.",
            f"minewatch timers list {name}{town}",
        )
    if seen.timers_late:
        yield Finding(
            "TimerOverdue",
            f"{seen.timers_late} 个时限已到而未处理。",
            f"{seen.timers_late} deadlines have passed and nothing was done about them.",
            _start(name, town, "timers"),
        )
    if abs(seen.skew) > SKEW_MOST:
        yield Finding(
            "ClockSkew",
            f"程序与数据库的时钟相差 {seen.skew:+.1f} 秒。",
            f"The database's clock is {seen.skew:+.1f} s from this program's.",
        )


def of_sources(seen: Look, heads: Mapping[str, FeedHead], town: str = "") -> Iterable[Finding]:
    """A source whose past is not the one that was received."""
    for mark in seen.marks:
        if mark.follower != RECEIVER or mark.source not in heads or mark.lineage is None:
            continue
        head = heads[mark.source]
        shared = head.position if head.lineage == mark.lineage else head.ancestors.get(mark.lineage)
        if shared is None or (mark.position > shared and head.lineage == mark.lineage):
            yield Finding(
                "HistoryDiffers",
                f"{mark.source} 的历史与已接收的不同，多半是数据库被恢复到了较早的状态。",
                f"{mark.source} has another past than what was received from it: it was restored and nobody said so.",
                f"minewatch restore {mark.source} --new-lineage{town}",
            )
        elif mark.position > shared:
            yield Finding(
                "HistoryDiffers",
                f"{mark.source} 被恢复到第 {shared} 个事件，而已接收到第 {mark.position} 个。",
                f"{mark.source} was restored to event {shared}, received were {mark.position}.",
                f"minewatch accept-lineage {seen.service} {mark.source}{town}",
            )


def of_stream(seen: Look, stream: Stream | None, stands_still: bool, town: str = "") -> Iterable[Finding]:
    """`stands_still`: it was as far behind the log, or as absent, some seconds ago."""
    if stream is not None and stream.differs is not None:
        yield Finding(
            "HistoryDiffers",
            f"消息流与本服务的日志不同：{stream.differs}。",
            f"The stream is no copy of the log: {stream.differs}.",
            f"minewatch restore {seen.service} --new-lineage{town}",
        )
    elif stands_still and (stream is None or stream.last < seen.head):
        last = 0 if stream is None else stream.last
        yield Finding(
            "StreamBehind",
            f"消息流止于第 {last} 个事件，日志已到第 {seen.head} 个。",
            f"The stream ends at {last}, the log at {seen.head}, and it does not move.",
            _start(seen.service, town, "relay"),
        )


def of_trail(trail: Trail) -> Iterable[Finding]:
    """Whose signature is missing under the log. That nobody else than the town signs is no trouble, and is said elsewhere."""
    if trail.policy_error is not None:
        yield Finding(
            "PolicyUnread",
            f"策略文件无法读取：{trail.policy_error}",
            f"The policy file cannot be read: {trail.policy_error}",
        )
    if trail.unsigned_for > SIGNED_WITHIN:
        yield Finding(
            "CheckpointBehind",
            f"第 {trail.size + 1} 个事件起的日志已有 {trail.unsigned_for:.0f} 秒未签名。",
            f"The log from event {trail.size + 1} on has waited {trail.unsigned_for:.0f} s to be signed.",
        )
    if trail.quorum is not None and trail.quorum < trail.size and (trail.quorum_age or MET_WITHIN + 1) > MET_WITHIN:
        yield Finding(
            "QuorumNotMet",
            f"日志签名至第 {trail.size} 个事件，达到策略要求的见证签名只到第 {trail.quorum} 个。",
            f"The log is signed up to {trail.size}, by enough witnesses up to {trail.quorum} only: {trail.quorum_missing}",
        )


def of_followers(service: str, standing_still: Iterable[Follower], town: str = "") -> Iterable[Finding]:
    """Those that are behind and did not move."""
    for one in standing_still:
        part = "receiver" if one.follower == RECEIVER else "follower"
        yield Finding(
            "FollowerLags",
            f"{one.follower} 停在 {one.source} 的第 {one.position} 个事件，落后 {one.behind} 个。",
            f"{one.follower} stands still at {one.position} of {one.source}, {one.behind} behind.",
            _start(service, town, part),
        )


def of_parts(stopped: Mapping[str, str]) -> Iterable[Finding]:
    """`stopped`: part -> reason, as the running service itself tells."""
    for part, reason in stopped.items():
        yield Finding("PartStopped", f"{part} 已停止：{reason}", f"{part} has stopped: {reason}")


def _start(service: str, town: str, part: str | None = None) -> str:
    """An embedded town is started whole."""
    if town:
        return f"minewatch up{town}"
    return f"minewatch serve {service}" + (f" --only {part}" if part else "")


def _ago(now: datetime, since: datetime) -> str:
    seconds = int((now - since).total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
