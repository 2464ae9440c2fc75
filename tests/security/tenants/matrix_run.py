"""The whole matrix in this process, on a copy of the same twins for each run."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from parlour.operations.operation import UrlForm
from tests.security.tenants import owner_actions
from tests.security.tenants.intruder_and_victim import (
    IntruderAndVictim,
    changed,
    rows_of_service,
    sids_of_service,
)
from tests.security.tenants.statement_interceptor import mutated, watched
from tests.security.tenants.targets import SID, LocalTarget, Rows, rows_of, settle
from tests.security.tenants.twin_accounts import PROXY

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.security.tenants.matrix import Cell
    from tests.security.tenants.statement_mutants import Mutant


@dataclass(frozen=True)
class Operator:
    """Changes of one account by the operator."""

    account_sid: str

    def run(self, target: LocalTarget) -> list[str]:
        """Return the errors as text."""
        target.set_numbers(self.account_sid, PROXY)
        numbers = target.list_numbers(self.account_sid)
        target.suspend(self.account_sid)
        return [] if numbers == [PROXY] else [f"numbers of others: {numbers}"]


@dataclass
class MatrixStage:
    """Some cells, and the intruder's service that they must leave unchanged."""

    cells: list[Cell | Operator]
    spared: str | None = None
    writes: bool = False
    used: list[set[str]] = field(default_factory=list)
    """The statements that each cell ran."""


class MatrixRun:
    """Twins in a folder, every attempt on them, and the statements that these run."""

    def __init__(self, folder: Path) -> None:
        """Build the twins, and run everything once without a mutant."""
        self._folder = folder
        self._template = folder / "template"
        target = LocalTarget(self._template)
        self.pair = IntruderAndVictim(target)
        self._of_service = {
            each.sid: sids_of_service(target, self.pair.intruder, each.sid)
            for each in self.pair.services
        }
        target.close()
        self.stages = self._stages()

    def _stages(self) -> list[MatrixStage]:
        pair = self.pair
        intruder, hidden = pair.intruder, pair.hidden
        second, default = intruder.second.sid, intruder.default.sid
        return [
            MatrixStage([*owner_actions.reading(pair.bystander, pair.shown_before, hidden)]),
            MatrixStage([*pair.matrix.positions()]),
            MatrixStage([*pair.matrix.parameters()]),
            MatrixStage([*owner_actions.sending(pair.neighbour, hidden)], writes=True),
            MatrixStage([Operator(pair.neighbour.name)], writes=True),
            MatrixStage([*owner_actions.taking(pair.intruder, hidden)], writes=True),
            MatrixStage(
                [*owner_actions.writing(intruder, hidden, UrlForm.SHORT)], second, writes=True
            ),
            MatrixStage(
                [*owner_actions.writing(intruder, hidden, UrlForm.SERVICE)], default, writes=True
            ),
            MatrixStage(
                [*owner_actions.writing(intruder, hidden, UrlForm.ACCOUNT)], default, writes=True
            ),
        ]

    def learn(self) -> list[str]:
        """Run all cells without a mutant; return errors, and the statements of each cell."""
        with watched() as used:
            return self._run(self.stages, used)

    def with_mutant(self, mutant: Mutant) -> list[str]:
        """Return the errors with one condition removed, in the cells that run the statement.

        These cells were recorded once. Rows are cached and some work runs in the background, so it
        can be another cell the next time: where no error is found, `with_mutant_everywhere`
        decides.
        """
        text = mutant.statement.text
        stages = []
        for stage in self.stages:
            taken = [text in used for used in stage.used]
            if stage.writes and any(taken):
                stages.append(stage)  # As a whole: its changes are compared at the end.
            elif any(taken):
                cells = [
                    cell for cell, is_taken in zip(stage.cells, taken, strict=False) if is_taken
                ]
                stages.append(MatrixStage(cells, stage.spared))
        with mutated(mutant):
            return self._run(stages)

    def with_mutant_everywhere(self, mutant: Mutant) -> list[str]:
        """Return the errors with one condition removed in all cells."""
        with mutated(mutant):
            return self._run(self.stages)

    @property
    def ran(self) -> set[str]:
        """Return the statements that the matrix runs."""
        return {text for stage in self.stages for used in stage.used for text in used}

    def _run(self, stages: Iterable[MatrixStage], used: set[str] | None = None) -> list[str]:
        data = self._folder / "run"
        shutil.copytree(self._template, data)
        target = LocalTarget(data)
        try:
            return [wrong for stage in stages for wrong in self._stage(target, stage, used)]
        finally:
            target.close()
            shutil.rmtree(data)

    def _stage(self, target: LocalTarget, stage: MatrixStage, used: set[str] | None) -> list[str]:
        before = self._spared_rows(target, stage)
        wrong = []
        for cell in stage.cells:
            if used is not None:
                used.clear()
            wrong += cell.run(target)
            if used is not None:
                stage.used.append(set(used))
        if not stage.writes:
            return wrong
        settle(target)
        if used is not None:
            stage.used.append(set(used))
        wrong += changed(before, self._spared_rows(target, stage))
        wrong += changed(self.pair.rows, rows_of(target, self.pair.victim.sid))
        return wrong + self._crossings(target)

    def _spared_rows(self, target: LocalTarget, stage: MatrixStage) -> Rows:
        rows = rows_of(target, self.pair.intruder.sid)
        return rows_of_service(rows, stage.spared) if stage.spared else {}

    def _crossings(self, target: LocalTarget) -> list[str]:
        """Return rows of one service that name an object of the other one."""
        rows = rows_of(target, self.pair.intruder.sid)
        found = []
        for here, foreign in self._foreign():
            for table, inside in rows_of_service(rows, here).items():
                for row in inside:
                    named = {
                        sid for cell in row if isinstance(cell, str) for sid in SID.findall(cell)
                    }
                    found += [f"{sid} in {table}: {row}" for sid in named & foreign]
        return found

    def _foreign(self) -> list[tuple[str, frozenset[str]]]:
        one, other = (each.sid for each in self.pair.services)
        shared = {one, other}
        return [(one, self._of_service[other] - shared), (other, self._of_service[one] - shared)]
