"""The matrix of the rules as one page of HTML: a drawing per entity, and the same as a table.

Nothing is loaded from elsewhere; it prints, follows light and dark, and says in words what its colours say.
Not here: who owns what (`fsm_core.ownership.matrix`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from textwrap import wrap

from fsm_core.ownership.matrix import Cell, Row, Sheet

LIGHT = ("#cfe2ff", "#d8f0d2", "#ffe3c2", "#ead9ff", "#ffd6de", "#d3f1f4")
DARK = ("#1f3f6e", "#23512b", "#6b431a", "#4a2f73", "#6b2436", "#1c5259")
SHARED = "shared"
FIELD, COLUMN, LINE = 160, 210, 24
"""A telephone shows the fields and one whole phase; the others are pushed into view."""
HEAD_LINE, SUB_LINE = 18, 14
HEAD_LETTERS, SUB_LETTERS, LETTERS = 25, 32, 29
"""Letters that a column has room for: bold, small, and as they are in a cell."""
FIELD_LETTERS = 20


def page(sheets: Sequence[Sheet], title: str) -> str:
    """The whole page."""
    roles = list(
        dict.fromkeys(cell.owner for sheet in sheets for row in sheet.rows for cell in row.cells if cell.owner)
    )
    body = "\n".join(_section(sheet, roles) for sheet in sheets)
    legend = "".join(f'<li><span class="swatch {_css(role, roles)}"></span>{escape(role)}</li>' for role in roles)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{_style(roles)}</style></head>\n<body><h1>{escape(title)}</h1>\n"
        f"<p>A cell names the role that owns the field in that phase of a record's life. A policy in italics settles "
        f"the field without an owner.</p>\n"
        f'<ul class="legend">{legend}<li><span class="swatch {SHARED}"></span>no owner</li></ul>\n'
        f"{body}\n</body></html>\n"
    )


def _section(sheet: Sheet, roles: Sequence[str]) -> str:
    return (
        f'<section><h2 id="{escape(sheet.entity)}">{escape(sheet.entity)}</h2>\n{_drawing(sheet, roles)}\n'
        f'<details><summary>The same as a table</summary><div class="scroll">{_table(sheet)}</div></details></section>'
    )


def _drawing(sheet: Sheet, roles: Sequence[str]) -> str:
    width = FIELD + COLUMN * len(sheet.phases)
    whens = [wrap(phase.when, HEAD_LETTERS) for phase in sheet.phases]
    values = [wrap(phase.values, SUB_LETTERS) if phase.values != phase.when else [] for phase in sheet.phases]
    below = max((len(lines) for lines in whens), default=0) * HEAD_LINE
    head = below + max((len(lines) for lines in values), default=0) * SUB_LINE + 8
    height = head + LINE * len(sheet.rows)
    heads = "".join(
        _lines(FIELD + COLUMN * at + 6, 14, HEAD_LINE, whens[at], "head")
        + _lines(FIELD + COLUMN * at + 6, below + 13, SUB_LINE, values[at], "sub")
        for at in range(len(sheet.phases))
    )
    rows = "".join(_row(row, head + LINE * at, roles) for at, row in enumerate(sheet.rows))
    name = escape(sheet.entity)
    return (
        f'<div class="scroll"><svg role="img" aria-labelledby="t-{name} d-{name}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="t-{name}">Owners of {name}</title>'
        f'<desc id="d-{name}">{len(sheet.rows)} fields down, {len(sheet.phases)} phases across; the table below says '
        f"the same.</desc>{heads}{rows}</svg></div>"
    )


def _row(row: Row, y: int, roles: Sequence[str]) -> str:
    cells = "".join(_cell(cell, FIELD + COLUMN * at, y, roles) for at, cell in enumerate(row.cells))
    return _text(6, y + 16, row.field, "field", FIELD_LETTERS) + cells


def _cell(cell: Cell, x: int, y: int, roles: Sequence[str]) -> str:
    answer = f" / {cell.answer}" if cell.answer else ""
    told = escape(_told(cell))
    return (
        f'<g><title>{told}</title><rect class="{_css(cell.owner, roles)}" x="{x + 2}" y="{y + 2}" '
        f'width="{COLUMN - 4}" height="{LINE - 4}" rx="3"/>'
        f"{_text(x + 8, y + 16, cell.label + answer, 'label' if cell.owner else 'policy')}</g>"
    )


def _told(cell: Cell) -> str:
    if not cell.owner:
        return cell.label
    return f"{cell.owner} ({cell.system}) owns it; an edit elsewhere: {cell.answer}"


def _lines(x: int, y: int, step: int, lines: Sequence[str], css: str) -> str:
    return "".join(_text(x, y + step * at, line, css, SUB_LETTERS) for at, line in enumerate(lines))


def _text(x: int, y: int, text: str, css: str, room: int = LETTERS) -> str:
    shown = text if len(text) <= room else text[: room - 1] + "…"
    more = f"<title>{escape(text)}</title>" if shown != text else ""
    return f'<text class="{css}" x="{x}" y="{y}">{more}{escape(shown)}</text>'


def _table(sheet: Sheet) -> str:
    heads = "".join(f'<th scope="col">{escape(one.when)}<br>{escape(one.values)}</th>' for one in sheet.phases)
    rows = "".join(f'<tr><th scope="row">{escape(row.field)}</th>{_cells(row)}</tr>' for row in sheet.rows)
    return f'<table><thead><tr><th scope="col">field</th>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _cells(row: Row) -> str:
    return "".join(f"<td>{escape(_told(cell))}</td>" for cell in row.cells)


def _css(role: str, roles: Sequence[str]) -> str:
    return f"o{roles.index(role) % len(LIGHT)}" if role else SHARED


def _style(roles: Sequence[str]) -> str:
    def owners(colours: Iterable[str]) -> str:
        return "".join(
            f".o{at}{{fill:{colour};background:{colour}}}" for at, colour in list(enumerate(colours))[: len(roles)]
        )

    return (
        ":root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--line:#8b949e;--shared:#eceff2}"
        "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:var(--ink);background:var(--paper)}"
        "svg text{font:13px system-ui,sans-serif;fill:var(--ink)}svg .head{font-weight:600}svg .sub{font-size:11px}"
        "svg .field{font-weight:600}svg .policy{font-style:italic}rect{stroke:var(--line)}"
        f".{SHARED}{{fill:var(--shared);background:var(--shared)}}"
        ".legend{list-style:none;padding:0;display:flex;gap:1.5rem;flex-wrap:wrap}"
        ".swatch{display:inline-block;width:1em;height:1em;margin-right:.4em;border:1px solid var(--line)}"
        ".scroll{overflow-x:auto}table{border-collapse:collapse}th,td{border:1px solid var(--line);padding:.2em .5em;"
        "text-align:left;vertical-align:top}"
        "@media (max-width:640px){body{margin:.5rem}h1{font-size:1.4rem}}"
        + owners(LIGHT)
        + "@media (prefers-color-scheme:dark){:root{--ink:#f0f3f6;"
        "--paper:#0d1117;--line:#6e7681;--shared:#2d333b}" + owners(DARK) + "}"
        "@media print{:root{--ink:#1b1f24;--paper:#fff;--line:#8b949e;--shared:#eceff2}"
        + owners(LIGHT)
        + "body{margin:0}section{break-inside:avoid}.scroll{overflow:visible}svg{max-width:100%;height:auto}"
        "*{print-color-adjust:exact}}"
    )
