"""The result of a run as a text table and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.goals import Goal
    from bench.interleaving import InterleavedSamples

HEAD = (
    f"{'target':<24}{'c':>4}{'rate/s':>9}{'p50 us':>9}{'p99 us':>9}"
    f"{'cpu us':>8}{'bytes':>8}  ratios"
)


class ReportRow:
    """One line of the table: the medians of one target at one number of connections."""

    def __init__(
        self,
        measured: InterleavedSamples,
        name: str,
        connections: int,
        *,
        compared_with: tuple[str, ...] = (),
    ) -> None:
        """Compute the medians, and the ratios of the rate to the compared targets."""
        self.name = name
        self.connections = connections
        self.rate = measured.median(name, connections, lambda s: s.rate)
        self.p50_us = measured.median(name, connections, lambda s: s.p50_us)
        self.p99_us = measured.median(name, connections, lambda s: s.p99_us)
        self.cpu_us = measured.median(name, connections, lambda s: s.cpu_us)
        self.answer_bytes = measured.median(name, connections, lambda s: s.answer_bytes)
        self.client_share = measured.median(name, connections, lambda s: s.client_share)
        self.ratios = {other: measured.ratio((name, other), connections) for other in compared_with}

    def line(self) -> str:
        """Return the row as text."""
        ratios = ", ".join(f"{value:.2f} of {other}" for other, value in self.ratios.items())
        return (
            f"{self.name:<24}{self.connections:>4}{self.rate:>9.0f}{self.p50_us:>9.0f}"
            f"{self.p99_us:>9.0f}{self.cpu_us:>8.0f}{self.answer_bytes:>8.0f}  {ratios}"
        ).rstrip()

    def record(self) -> dict[str, Any]:
        """Return the row as values."""
        return {
            "target": self.name,
            "connections": self.connections,
            "rate": round(self.rate, 1),
            "p50_us": round(self.p50_us, 1),
            "p99_us": round(self.p99_us, 1),
            "cpu_us": round(self.cpu_us, 1),
            "answer_bytes": round(self.answer_bytes),
            "client_share": round(self.client_share, 2),
            "ratios": {other: round(value, 3) for other, value in self.ratios.items()},
        }


def text(
    machine: dict[str, Any], rows: list[ReportRow], facts: list[str], goals: list[Goal]
) -> str:
    """Return the whole report for a terminal."""
    lines = [", ".join(f"{name} {value}" for name, value in machine.items()), "", HEAD]
    last = None
    for row in rows:
        if last not in (None, row.name):
            lines.append("")
        lines.append(row.line())
        last = row.name
    return "\n".join([*lines, "", *facts, "", *(goal.line() for goal in goals)])


def record_of_lines(machine: dict[str, Any], lines: list[str], goals: list[Goal]) -> dict[str, Any]:
    """Return a report without a table, as values."""
    return record(machine, [], {}, goals) | {"lines": lines}


def record(
    machine: dict[str, Any], rows: list[ReportRow], facts: dict[str, float], goals: list[Goal]
) -> dict[str, Any]:
    """Return the whole report as values."""
    return {
        "machine": machine,
        "rows": [row.record() for row in rows],
        "facts": facts,
        "goals": [
            {"goal": g.text, "value": round(g.value, 4), "bound": g.bound, "is_met": g.is_met}
            for g in goals
        ],
    }
