"""What the bench says: rows with an aim, a figure and whether it was met; as a table and as JSON."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Aim:
    """`least` or `most` of the row's ratio, or of its figure when the row has no ratio."""

    least: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"

    def met_by(self, figure: float) -> bool:
        return figure >= self.least if self.least is not None else figure <= (self.most or 0.0)


@dataclass(frozen=True)
class Row:
    """`part`: a to i; `figure` in `unit`, the median of `rounds`. `ratio` is the median of the rounds' ratios to the row `of`.

    figure None: not measured, `note` says why.
    """

    part: str
    name: str
    figure: float | None
    unit: str
    rounds: Sequence[float] = ()
    ratio: float | None = None
    of: str | None = None
    aim: Aim | None = None
    note: str = ""
    more: dict[str, float] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """None when there is no aim, or nothing to hold against it."""
        held = self.ratio if self.ratio is not None else self.figure if self.of is None else None
        return self.aim.met_by(held) if self.aim is not None and held is not None else None


def row_of(
    part: str,
    name: str,
    rounds: Sequence[float],
    unit: str,
    against: tuple[str, Sequence[float]] | None = None,
    aim: Aim | None = None,
    note: str = "",
    more: dict[str, float] | None = None,
) -> Row:
    """The median of `rounds`; with `against` (a name and its figures of the same rounds) the median of the ratios as well."""
    if not rounds:
        return Row(part, name, None, unit, of=against[0] if against else None, aim=aim, note=note)
    ratio = median(mine / theirs for mine, theirs in zip(rounds, against[1], strict=True)) if against else None
    of = against[0] if against else None
    return Row(part, name, median(rounds), unit, tuple(rounds), ratio, of, aim, note, more or {})


def table_of(rows: Iterable[Row], title: str) -> Table:
    table = Table(title=title, title_justify="left", expand=False)
    for name in ("", "measured", "figure", "unit", "ratio", "of", "aim", ""):
        table.add_column(name, justify="right" if name in ("figure", "ratio", "aim") else "left")
    part = ""
    for row in rows:
        if part and row.part != part and row.part not in "bc":
            table.add_section()
        figure = "–" if row.figure is None else _short(row.figure)
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        verdict = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}[row.met]
        more = ", ".join(f"{name} {_short(value)}" for name, value in row.more.items())
        said = row.name + (f" [dim]({more})[/]" if more else "") + (f" [dim]{row.note}[/]" if row.note else "")
        aim = str(row.aim or "")
        table.add_row(row.part if row.part != part else "", said, figure, row.unit, ratio, row.of or "", aim, verdict)
        part = row.part
    return table


def as_markdown(rows: Iterable[Row]) -> str:
    """The table of docs/performance.md."""
    lines = ["| | measured | figure | ratio | aim | |", "|---|---|--:|--:|--:|---|"]
    for row in rows:
        figure = "–" if row.figure is None else f"{_short(row.figure)} {row.unit}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} × {row.of}"
        more = "; " + ", ".join(f"{name} {_short(value)}" for name, value in row.more.items()) if row.more else ""
        verdict = {True: "met", False: "**missed**", None: ""}[row.met]
        note = f"; {row.note}" if row.note else ""
        lines.append(f"| {row.part} | {row.name}{more}{note} | {figure} | {ratio} | {row.aim or ''} | {verdict} |")
    return "\n".join(lines) + "\n"


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def show(rows: Sequence[Row], title: str) -> None:
    Console(width=160, highlight=False).print(table_of(rows, title))


def keep(path: Path, rows: Sequence[Row], about: dict[str, str | float]) -> None:
    """Writes {"about", "rows"}; each row as its fields, the aim as text, and `met`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [{**asdict(row), "aim": str(row.aim) if row.aim else None, "met": row.met} for row in rows]
    path.write_text(json.dumps({"about": about, "rows": lines}, ensure_ascii=False, indent=1) + "\n", "utf-8")
