"""Writes measurements into the documentation, between two marks.

python -m bench.docs_pages bench.json growth.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench.processes import ROOT

PAGE = ROOT / "docs" / "reference" / "performance.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
HEAD = (
    "| target | c | per second | p50 µs | p99 µs | cpu µs | beside |\n|---|--:|--:|--:|--:|--:|---|"
)
GOAL_HEAD = "| goal | measured | bound | |\n|---|--:|--:|---|"


def section(record: dict[str, Any]) -> str:
    """Return one run as Markdown: the machine, the table, the facts and the goals."""
    machine = ", ".join(f"{key} {value}" for key, value in record["machine"].items())
    facts = [f"* {name.replace('_', ' ')}: {value:,}" for name, value in record["facts"].items()]
    rows = [HEAD, *(_row(row) for row in record["rows"]), ""] if record["rows"] else []
    return "\n".join(
        [
            f"Measured on: {machine}.",
            "",
            *rows,
            *facts,
            *(f"* {line}" for line in record.get("lines", [])),
            "",
            GOAL_HEAD,
            *(_goal(goal) for goal in record["goals"]),
        ]
    )


def _row(row: dict[str, Any]) -> str:
    ratios = ", ".join(f"{value:.2f} of {name}" for name, value in row["ratios"].items())
    return (
        f"| {row['target']} | {row['connections']} | {row['rate']:,.0f} | {row['p50_us']:,.0f} "
        f"| {row['p99_us']:,.0f} | {row['cpu_us']:,.0f} | {ratios} |"
    )


def _goal(goal: dict[str, Any]) -> str:
    verdict = "met" if goal["is_met"] else "missed"
    return f"| {goal['goal']} | {goal['value']:,.3g} | {goal['bound']:g} | {verdict} |"


def with_figures(page: str, sections: list[str]) -> str:
    """Return the page with these sections between its two marks, otherwise unchanged."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"the page has no {BEGIN}"
    assert end, f"the page has no {END}"
    return "\n\n".join([before + BEGIN, *sections, END + after])


def put(page: str, mark: str, text: str) -> str:
    """Return the page with this text between the marks of a name, otherwise unchanged."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    assert begin in page, f"the page has no {begin}"
    assert end in page, f"the page has no {end}"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return "\n\n".join([before + begin, text, end + after])


def main() -> int:
    """Run the command line: the files written by ``--json``, in the order of the page."""
    parser = argparse.ArgumentParser(description="Write measured figures into the docs.")
    parser.add_argument("results", nargs="+", type=Path)
    options = parser.parse_args()
    sections = [section(json.loads(path.read_text())) for path in options.results]
    PAGE.write_text(with_figures(PAGE.read_text(), sections))
    return 0


if __name__ == "__main__":
    sys.exit(main())
