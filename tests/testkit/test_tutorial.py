"""The tutorial works, step by step, with the installed kit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.testkit.installed_kit import InstalledKit

PAGE = (REPOSITORY / "docs" / "tutorial" / "test-your-program.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks(language: str) -> list[str]:
    return [text for name, text in _BLOCK.findall(PAGE) if name == language]


def test_each_step_gives_the_output_of_the_page(kit: InstalledKit, tmp_path: Path) -> None:
    program, first, *others = _blocks("python")
    after_first, after_all = _blocks("text")
    (tmp_path / "shop.py").write_text(program)
    test_file = tmp_path / "test_shop.py"
    ini = {"python_files": "test_*.py"}

    test_file.write_text(first)
    assert after_first.strip() in kit.run_tests(tmp_path, "-q", ini=ini).output
    test_file.write_text("\n\n".join([first, *others]))
    run = kit.run_tests(tmp_path, "-q", ini=ini)
    assert (run.status, after_all.strip() in run.output) == (0, True), run.output

    test_file.write_text(test_file.read_text().replace("times=0", "times=1"))
    failed = kit.run_tests(tmp_path, "-q", ini=ini)
    assert failed.status == 1
    assert "1 failed, 3 passed" in failed.output
    section = failed.output.partition(" parlour ---")[2]
    for shown in ("clock:", "CreateConversation", "fault"):
        assert shown in section, failed.output


def test_the_tutorial_uses_what_its_commands_install() -> None:
    install, *runs = _blocks("sh")

    assert "pip install ../parlour ../parlour/testkit/python twilio pytest" in install
    assert runs == ["pytest -q\n"] * 2
