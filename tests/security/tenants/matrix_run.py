"""The whole matrix in this process: each stage alone, on its own copy of the same twins.

A stage must not see what another one changed. Otherwise its result depends on the stages that ran
before it, and these differ from mutant to mutant.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from parlour.operations.operation import UrlForm
from tests.security.tenants import owner_actions, phone_traffic
from tests.security.tenants.intruder_and_victim import (
    IntruderAndVictim,
    changed,
    rows_of_service,
    sids_of_service,
)
from tests.security.tenants.statement_interceptor import mutated, watched
from tests.security.tenants.targets import (
    SID,
    LocalTarget,
    Rows,
    UnfinishedWorkError,
    rows_of,
    settle,
)
from tests.security.tenants.twin_accounts import PROXY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.security.tenants.matrix import Cell
    from tests.security.tenants.phone_traffic import PhoneCell
    from tests.security.tenants.statement_mutants import Mutant

SETTLE_SECONDS_MAX = 2.0
"""A mutant may cause work that never ends; without one it takes less than 0.1 s."""


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

    cells: list[Cell | Operator | PhoneCell]
    spared: str | None = None
    writes: bool = False
    own_changes: frozenset[str] = frozenset()
    """Tables in which the cells change a row of the account that names the spared service."""
    used: list[set[str]] = field(default_factory=list)
    """The statements that each cell ran, and last the statements of the background work."""


class MatrixRun:
    """Twins in a folder, every attempt on them, and the statements that these run."""

    def __init__(self, folder: Path) -> None:
        """Build the twins: each run of a stage copies them."""
        self._folder = folder
        self._template = folder / "template"
        target = LocalTarget(self._template)
        self.pair = IntruderAndVictim(target)
        self._of_service = {
            each.sid: sids_of_service(target, self.pair.intruder, each.sid)
            for each in self.pair.services
        }
        self._intruder_rows = rows_of(target, self.pair.intruder.sid)
        target.close()
        self.stages = self._stages()
        self._controls: dict[tuple[int, ...], list[str]] = {}

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
            MatrixStage([*phone_traffic.traffic(intruder, hidden)], second, writes=True),
            MatrixStage([*owner_actions.taking(pair.intruder, hidden)], writes=True),
            MatrixStage(
                [*owner_actions.writing(intruder, hidden, UrlForm.SHORT)], second, writes=True
            ),
            MatrixStage(
                [*owner_actions.writing(intruder, hidden, UrlForm.SERVICE)], default, writes=True
            ),
            MatrixStage(
                [*owner_actions.writing(intruder, hidden, UrlForm.ACCOUNT)],
                default,
                writes=True,
                # The account's configuration names its default service.
                own_changes=frozenset({"configuration"}),
            ),
        ]

    def learn(self) -> list[str]:
        """Run all stages without a mutant; return errors, and record each cell's statements."""
        with watched() as used:
            return [wrong for stage in self.stages for wrong in self._run(stage, used)]

    def with_mutant(self, mutant: Mutant) -> list[str]:
        """Return the first errors with one condition removed, in the cells that run the statement.

        These cells were recorded once. Rows are cached and some work runs in the background, so it
        can be another cell the next time: where no error is found, `with_mutant_everywhere`
        decides.
        """
        text = mutant.statement.text
        for number in self.stages_of(mutant):
            stage = chosen = self.stages[number]
            taken = [text in used for used in stage.used]
            if not stage.writes:  # Changes are compared at the end, after the stage as a whole.
                cells = [
                    cell for cell, is_taken in zip(stage.cells, taken, strict=True) if is_taken
                ]
                chosen = replace(stage, cells=cells)
            with mutated(mutant):
                found = self._run(chosen)
            if found:
                assert self._control(chosen) == [], f"{mutant.name}: the cells fail without it"
                return found
        return []

    def with_mutant_everywhere(self, mutant: Mutant) -> list[str]:
        """Return the first errors with one condition removed, in all cells."""
        with mutated(mutant):
            return next(filter(None, map(self._run, self.stages)), [])

    def stages_of(self, mutant: Mutant) -> tuple[int, ...]:
        """Return the numbers of the stages that run the statement."""
        text = mutant.statement.text
        return tuple(
            number
            for number, stage in enumerate(self.stages)
            if any(text in used for used in stage.used)
        )

    @property
    def ran(self) -> set[str]:
        """Return the statements that the matrix runs."""
        return {text for stage in self.stages for used in stage.used for text in used}

    def _control(self, stage: MatrixStage) -> list[str]:
        """Return the errors of the same cells without a mutant."""
        key = tuple(map(id, stage.cells))
        if key not in self._controls:
            self._controls[key] = self._run(stage)
        return self._controls[key]

    def _run(self, stage: MatrixStage, used: set[str] | None = None) -> list[str]:
        data = self._folder / "run"
        shutil.copytree(self._template, data)
        target = LocalTarget(data)
        target.settle_seconds = SETTLE_SECONDS_MAX
        try:
            return self._stage(target, stage, used)
        except UnfinishedWorkError as error:
            return [str(error)]
        finally:
            target.close()
            shutil.rmtree(data)

    def _stage(self, target: LocalTarget, stage: MatrixStage, used: set[str] | None) -> list[str]:
        """Return all errors, or without ``used`` only the errors of the first cell with any."""
        wrong = []
        for cell in stage.cells:
            if used is not None:
                used.clear()
            wrong += cell.run(target)
            if used is not None:
                stage.used.append(set(used))
            elif wrong:
                return wrong
        if not stage.writes:
            return wrong
        settle(target)
        if used is not None:
            stage.used.append(set(used))
        wrong += changed(self.pair.rows, rows_of(target, self.pair.victim.sid))
        rows = rows_of(target, self.pair.intruder.sid)
        wrong += changed(_spared(stage, self._intruder_rows), _spared(stage, rows))
        return wrong + self._crossings(rows)

    def _crossings(self, rows: Rows) -> list[str]:
        """Return rows of one service that name an object of the other one."""
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


def _spared(stage: MatrixStage, rows: Rows) -> Rows:
    """Return the rows that a stage must leave unchanged."""
    if stage.spared is None:
        return {}
    inside = rows_of_service(rows, stage.spared)
    return {table: found for table, found in inside.items() if table not in stage.own_changes}
