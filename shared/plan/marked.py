"""YAML in which every value knows its line, and is text until the model says what it is.

That way a division code needs no quotes, 17:00 is no number in base sixty, and `no` is no truth value. A field may stand once
in its mapping; there are no anchors, so that what a reader sees is what holds.
"""

from dataclasses import dataclass, field
from typing import Any

import yaml

from shared.plan.mistakes import Loc, Mistake

_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
NOTHING = ("", "~", "null")


@dataclass
class Marked:
    """`value`: mappings, lists, texts and None; `mistakes`: of the YAML itself."""

    value: Any = None
    lines: dict[Loc, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, at: Loc) -> int:
        """The line, from 1, of the value at `at`, or of the nearest mapping or list around it."""
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at, 1)


def read_marked(text: str) -> Marked:
    """Reads one YAML document; what is wrong with it stands in `mistakes`."""
    marked = Marked()
    try:
        event: Any
        for event in yaml.parse(text, Loader=_Loader):
            if getattr(event, "anchor", None):
                marked.lines[()] = event.start_mark.line + 1
                marked.mistakes.append(ANCHOR)
                return marked
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        marked.lines[()] = mark.line + 1 if mark else 1
        marked.mistakes.append(_unreadable(f"{error.problem or error}"))
        return marked
    except yaml.YAMLError as error:  # a character YAML does not allow
        marked.mistakes.append(_unreadable(str(error).splitlines()[0]))
        return marked
    marked.value = _value(node, (), marked)
    return marked


def _value(node: Any, at: Loc, marked: Marked) -> Any:
    if node is None:
        return None
    marked.lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*at, n), marked) for n, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, at, marked)
    return None if not node.style and node.value in NOTHING else node.value


def _mapping(node: yaml.MappingNode, at: Loc, marked: Marked) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in node.value:
        name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
        here = (*at, name)
        if name in fields:
            first = marked.lines[here]
            marked.lines[here] = key.start_mark.line + 1
            marked.mistakes.append(_twice(here, first))
            continue
        marked.lines[here] = key.start_mark.line + 1
        fields[name] = _value(value, here, marked)
    return fields


ANCHOR = Mistake(
    (),
    "不要使用锚点或引用（& 和 *）。",
    "anchors and aliases (& and *) are not used here.",
    "把内容完整写出来，读的人才看得见。",
    "write the content out, so that readers see it.",
)


def _unreadable(problem: str) -> Mistake:
    return Mistake(
        (),
        f"不是正确的 YAML（{problem}）。",
        f"this is no YAML: {problem}.",
        "检查这一行的缩进、冒号后的空格和引号。",
        "look at the indentation, the space after the colon and the quotes of this line.",
    )


def _twice(at: Loc, first: int) -> Mistake:
    name = at[-1]
    return Mistake(
        at,
        f"{name} 写了两次（第一次在第 {first} 行）。",
        f"{name} stands here twice, first on line {first}.",
        "只保留一处。",
        "keep one of them.",
    )
