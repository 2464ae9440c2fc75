"""The source of the console: its types, and its lint rules, which report planted violations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.console.node_tools import (
    CONSOLE,
    HERE,
    STATIC,
    LintFinding,
    lint_findings,
    linted_files,
    type_errors,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.embedded

HTML_STRINGS = "console/no-html-strings"
INLINE_CODE = "console/no-inline-code"
NETWORK = "console/no-network"

VIOLATIONS = {
    HTML_STRINGS: (
        'node.innerHTML = "<b>";',
        'node["outerHTML"] = text;',
        'node.insertAdjacentHTML("beforeend", text);',
        "html`<div dangerouslySetInnerHTML=${{ __html: text }} />`;",
        "h('div', { dangerouslySetInnerHTML: { __html: text } });",
        "html`<iframe srcdoc=${text} />`;",
        'new DOMParser().parseFromString(text, "text/html");',
    ),
    INLINE_CODE: (
        'html`<p style="color: red">a</p>`;',
        "html`<p class=${a} style='color: ${b}'>a</p>`;",
        'html`<a onclick="go()">a</a>`;',
        'html`<a\n onClick="go()">a</a>`;',
        "html`<style>p { color: red }</style>`;",
        "html`<script>go()</script>`;",
        'html`<a href="javascript:go()">a</a>`;',
        'node.setAttribute("style", text);',
        'node.setAttribute("onclick", text);',
    ),
    NETWORK: (
        'fetch("/v1/Conversations");',
        'window.fetch("/v1/Conversations");',
        'globalThis["fetch"]("/v1/Conversations");',
        "const request = new XMLHttpRequest();\nrequest.send();",
        'new EventSource("/parlour/v1/Events");',
        'new WebSocket("wss://example.com");',
        'navigator.sendBeacon("/a");',
        "const send = fetch;\nsend();",
    ),
    "max-lines-per-function": ("function f() {\n" + "go();\n" * 50 + "}\nf();",),
    "max-lines": ("go();\n" * 299 + "\n\n\n// a comment",),
    "no-unused-vars": ("const unused = 1;",),
    "no-eval": ("eval(text);",),
}
ALLOWED = (
    "html`<button onClick=${() => go()} class=${a > b}>one = two</button>`;",
    'html`<p>style="a" is a text; <b data-style="x" data-on="y">c</b></p>`;',
    'node.setAttribute("aria-label", text); node.style.setProperty("--width", "1px");',
    "function fetch() { return 1; }\nfetch();\nstore.fetch();",
    "node.textContent = text;",
    "function f() {\n" + "go();\n" * 45 + "// a comment\n\n" * 20 + "}\nf();",
)
PAGES = {
    '<p style="color: red">a</p>': [INLINE_CODE],
    '<body onload="go()">': [INLINE_CODE],
    "<script>go()</script>": [INLINE_CODE],
    '<script type="module" src="{assets}/app.js"></script><p class="style">`a` ${b}</p>': [],
}


def test_types_of_the_console_are_right(vendor: Path) -> None:
    assert vendor.is_dir()

    assert type_errors(CONSOLE / "tsconfig.json") == []


def test_planted_type_errors_are_reported(vendor: Path, tmp_path: Path) -> None:
    (tmp_path / "planted.js").write_text(
        f'import {{ useState }} from "{vendor}/hooks.js";\n'
        "const [count] = useState(1);\n"
        "count.toUpperCase();\n"
        "/** @param {string} text */\nexport const f = (text) => text * 2;\n"
        "export const g = (untyped) => untyped;\n"
    )
    project = tmp_path / "tsconfig.json"
    project.write_text(
        json.dumps(
            {
                "extends": str(CONSOLE / "tsconfig.json"),
                "include": [],
                "files": [str(tmp_path / "planted.js")],
            }
        )
    )

    found = type_errors(project)

    assert [line.split("error ")[1][:6] for line in found] == ["TS2339", "TS2362", "TS7006"]


def test_each_file_of_the_console_follows_the_rules() -> None:
    sources = {
        path.relative_to(STATIC).as_posix()
        for path in STATIC.rglob("*")
        if path.suffix in {".js", ".html"} and "vendor" not in path.parts
    }

    assert lint_findings(STATIC) == []
    assert linted_files(STATIC) == sources


def test_each_rule_reports_a_planted_violation(tmp_path: Path) -> None:
    folder = tmp_path / "static"
    folder.mkdir()
    expected = set()
    for rule, sources in VIOLATIONS.items():
        for number, source in enumerate(sources):
            name = f"{rule.split('/')[-1]}-{number}.js"
            (folder / name).write_text(source)
            expected.add((name, rule))

    found = lint_findings(folder)

    assert {(each.file, each.rule) for each in found} == expected


def test_a_comment_does_not_switch_a_rule_off(tmp_path: Path) -> None:
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "a.js").write_text("// eslint-disable-next-line\neval(text);")

    assert LintFinding("a.js", "no-eval", 2) in lint_findings(folder)


def test_allowed_sources_are_not_reported(tmp_path: Path) -> None:
    folder = tmp_path / "static"
    folder.mkdir()
    for number, source in enumerate(ALLOWED):
        (folder / f"{number}.js").write_text(source)
    for name in ("api.js", "live.js", "twilsock.js"):
        (folder / name).write_text('fetch("/a");')

    assert lint_findings(folder) == []


def test_a_file_elsewhere_with_the_name_of_a_network_file_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "static"
    (folder / "pages").mkdir(parents=True)
    (folder / "pages" / "api.js").write_text('fetch("/a");')

    assert lint_findings(folder) == [LintFinding("api.js", NETWORK, 1)]


def test_pages_are_checked_for_inline_code(tmp_path: Path) -> None:
    folder = tmp_path / "static"
    folder.mkdir()
    for number, source in enumerate(PAGES):
        (folder / f"{number}.html").write_text(f"<!doctype html>\n{source}\n")

    found = [(each.file, each.rule) for each in lint_findings(folder)]

    assert found == [
        (f"{number}.html", rule) for number, rules in enumerate(PAGES.values()) for rule in rules
    ]


def test_types_are_those_of_the_built_versions() -> None:
    def dependencies(folder: Path) -> dict[str, str]:
        named: dict[str, str] = json.loads((folder / "package.json").read_text())["dependencies"]
        return named

    assert dependencies(CONSOLE).items() <= dependencies(HERE).items()
