"""The reader of HTTP requests, fuzzed: for seconds, for minutes in the gate, and with a fault."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from parlour.vocabulary import limits
from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# The gate is for platforms with atheris, and fails on others.
needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no build for this platform"
)

GATE_SECONDS = 300
SECONDS = 3
MEMORY_MIB_MAX = 512
INPUT_BYTES_MAX = 4096
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
FIXED = b"POST /v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /v1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    b"5;a=b\r\nhello\r\n0\r\nx: y\r\n\r\n"
)
LONG_LINE = CHUNKED.replace(b";a=b", b";" + b"a" * (limits.CHUNK_LINE_BYTES_MAX - 4))
SEEDS = (
    LONG_LINE,
    GET,
    b"\r\n\r\nGET /v1?x=1 HTTP/1.0\r\n\r\n",
    FIXED + GET,
    CHUNKED + GET,
    b"GET http://h/x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
)
WORDS = (
    "GET ", "POST ", " HTTP/1.1", " HTTP/1.0", "\\x0d\\x0a", "\\x0d\\x0a\\x0d\\x0a", "Host: a",
    "Content-Length: 5", "content-length:+5", "Transfer-Encoding: chunked", "identity", "0x5",
    "0\\x0d\\x0a\\x0d\\x0a", "Connection: keep-alive", "Expect: 100-continue", "\\x0b", "\\x00",
)  # fmt: skip


def fuzz(
    folder: Path, seconds: int, seeds: Sequence[bytes], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run the fuzz target for some seconds on the seeds."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        for piece in (2, 255):
            (corpus / f"{number}-{piece}").write_bytes(bytes([piece]) + seed)
    words = folder / "words"
    words.write_text("".join(f'"{word}"\n' for word in WORDS))
    return subprocess.run(
        [
            # A shell in between: the peak memory of a process includes its parent's memory before
            # exec, and this one may be large.
            *("/bin/sh", "-c", '"$@"; exit $?', "sh"),
            sys.executable,
            "-m",
            "tests.fuzz.http_requests",
            *arguments,
            str(corpus),
            f"-dict={words}",
            f"-max_total_time={seconds}",
            f"-max_len={INPUT_BYTES_MAX}",
            f"-rss_limit_mb={MEMORY_MIB_MAX}",
            f"-artifact_prefix={folder}/",
        ],
        cwd=REPOSITORY,
        env={"PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}", "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(SECONDS, marks=[needs_atheris]),
        pytest.param(GATE_SECONDS, marks=[pytest.mark.gate]),
    ],
)
@pytest.mark.timeout(GATE_SECONDS + 60)
def test_no_input_breaks_the_request_reader(tmp_path: Path, seconds: int) -> None:
    done = fuzz(tmp_path, seconds, SEEDS)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "Done " in done.stdout, done.stdout[-4000:]


@needs_atheris
@pytest.mark.parametrize("fault", ["framing", "bounds"])
def test_planted_fault_is_reported(tmp_path: Path, fault: str) -> None:
    """A reader that frames otherwise than h11, or buffers more of a line than its limit."""
    done = fuzz(tmp_path, 60, [CHUNKED + GET, LONG_LINE], f"--planted-fault={fault}")
    assert done.returncode != 0, done.stdout[-4000:]
    assert "Uncaught Python exception" in done.stdout, done.stdout[-4000:]
