"""Every error minewatch raises on purpose.

MinewatchError
├── Refusal             a rule forbids the command; one subclass a rule, its docstring is the message
│   └── OccurredInFuture, StreamNotFound, StreamExists, AuditorChangesNothing …
├── NotSignedIn         nobody is known to have sent the request
├── NotPermitted        somebody is known, and may not do this
├── NotFound            no such thing, or none this person may see
├── VersionConflict     the stream moved on since the caller read it
├── IdempotencyMismatch the command id was used before with other content
├── Unreadable          bytes that are no event of any known contract
├── HistoryDiffers      a source's past is not the past that was applied: somebody restored or forged
└── NotReady            a part of the service cannot work yet; try again
    └── KeyServiceAway  what wraps the keys does not answer
"""

import inspect
import re
from itertools import takewhile

_CHINESE = re.compile("[\u4e00-\u9fff]")


class MinewatchError(Exception):
    """Root of the tree above."""


class Refusal(MinewatchError):
    """操作违反规定。
    The command breaks a rule."""

    def __init__(self, **facts: object) -> None:
        """`facts` are codes, numbers and times that explain the refusal; they are shown, so never personal data."""
        super().__init__(self.rule, *(f"{k}={v}" for k, v in facts.items()))
        self.facts = facts

    @property
    def rule(self) -> str:
        return type(self).__name__


class OccurredInFuture(Refusal):
    """发生时间不能晚于当前时间五分钟以上。请核对手机或电脑的时钟。
    The time it happened lies more than five minutes ahead. Check the clock of the phone or computer."""


class StreamNotFound(Refusal):
    """没有这条记录。请核对编号。
    There is no such record. Check the number."""


class StreamExists(Refusal):
    """这条记录已经存在，不能重复建立。
    This record exists already and cannot be made twice."""


class UniqueConflict(Refusal):
    """同一事项刚被他人登记，请刷新后再试。
    Somebody registered the same thing a moment ago. Reload and try again."""


class TooMuchForOneRecord(Refusal):
    """内容太长，或有数字太大，一条记录装不下。请缩短，或分成几条。
    This is too long for one record, or a number in it is too large. Shorten it, or send it in parts."""


class NoPlanInForce(Refusal):
    """实施方案尚未生效，暂不能办理。
    No plan is in force yet, so this cannot be done."""


class AuditorChangesNothing(Refusal):
    """审计岗位只看不改，不能办理任何事项。
    An auditor sees everything and changes nothing."""


class NotSignedIn(MinewatchError):
    """请先登录。
    Sign in first."""


class NotPermitted(MinewatchError):
    """您的岗位无权进行此操作。
    Your post may not do this."""


class NotFound(MinewatchError):
    """没有找到，或您无权查看。
    Not found, or not yours to see."""


class VersionConflict(MinewatchError):
    """这条记录刚被他人更新，请刷新后再试。
    The record was changed a moment ago. Reload and try again."""


class IdempotencyMismatch(MinewatchError):
    """同一操作编号已用于不同的内容。请用新的编号。
    This command id was used before with other content. Use a new one."""


class Unreadable(MinewatchError):
    """Bytes that are no event of any known contract."""


class HistoryDiffers(MinewatchError):
    """The source's past is not the past that was applied here. Nothing goes on until a person has looked."""


class NotReady(MinewatchError):
    """A part of the service cannot work yet."""


class KeyServiceAway(NotReady):
    """密钥服务暂时不可用，请稍后再试；若仍不行，请联系系统管理员。
    The key service cannot be used at the moment. Try again later, or tell whoever runs the system."""


def own_words(error: type[MinewatchError]) -> tuple[str, str] | None:
    """(Chinese, English) of a kind of error: its docstring's first paragraph, Chinese lines before English ones, however many.

    What stands below an empty line is for programmers, as are the error's arguments. None for an error without such words.
    """
    for kind in error.__mro__:
        lines = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].splitlines()
        chinese = list(takewhile(_CHINESE.search, lines))
        if chinese and len(chinese) < len(lines):
            return "".join(chinese), " ".join(lines[len(chinese) :])
    return None
