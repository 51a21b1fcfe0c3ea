"""What is found wrong with a living town."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """Something that is not as it must be. `position`: of the first event it is about, None for the whole."""

    zh: str
    en: str
    position: int | None = None

    def lines(self, service: str) -> Iterator[str]:
        zh = f"第 {self.position} 号事件：" if self.position is not None else ""
        en = f"event {self.position}: " if self.position is not None else ""
        yield f"✗ 疑点 {service} {zh}{self.zh}"
        yield f"  doubt {service}: {en}{self.en}"
