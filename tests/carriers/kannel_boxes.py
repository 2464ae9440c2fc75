"""Kannel of Debian's packages: installed without root, its boxes started, their logs read."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.ports import ReservedPort

WAIT_SECONDS_MAX = 60
INSTALL_SECONDS_MAX = 120
USER = "conv"
PASSWORD = "p&w%+"


class KannelMissing(Exception):  # noqa: N818 - named after the condition.
    """Kannel is not installed, and its packages cannot be unpacked: the reason."""


@dataclass(frozen=True)
class KannelPrograms:
    """The programs, and the environment in which they find their libraries."""

    bearerbox: str
    smsbox: str
    fakesmsc: str
    environment: dict[str, str]


def find_kannel(folder: Path) -> KannelPrograms:
    """Return Kannel as it is installed, else unpacked into a folder. Raises KannelMissing."""
    installed = [shutil.which(name) for name in ("bearerbox", "smsbox")]
    fake = Path("/usr/lib/kannel/test/fakesmsc")
    if installed[0] and installed[1] and fake.exists():
        return KannelPrograms(installed[0], installed[1], str(fake), dict(os.environ))
    _run(["apt-get", "download", "kannel", "kannel-extras", *_libraries()], folder)
    root = folder / "root"
    for package in sorted(folder.glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(root)], folder)
    libraries = sorted({str(each.parent) for each in root.rglob("lib*.so*")})
    return KannelPrograms(
        str(root / "usr/sbin/bearerbox"),
        str(root / "usr/sbin/smsbox"),
        str(root / "usr/lib/kannel/test/fakesmsc"),
        {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)},
    )


def _libraries() -> list[str]:
    """Return the libraries that Kannel depends on, without the C library of the machine."""
    found = _run(["apt-cache", "depends", "kannel"], Path.cwd())
    names = re.findall(r"^  Depends: (lib[a-z0-9.+-]+)$", found, re.MULTILINE)
    return [name for name in names if name != "libc6"]


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS_MAX,
        )
    except FileNotFoundError as error:
        raise KannelMissing(f"{command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        raise KannelMissing(f"{' '.join(command[:3])}: {error.stderr[-500:]}") from error
    return done.stdout


# --- Processes ----------------------------------------------------------------------------


class LoggedProcess:
    """A process whose output is read line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._changed = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())
        self.lines: list[str] = []

    @classmethod
    async def start(cls, *command: str, environment: dict[str, str], folder: Path) -> Self:
        """Start a process; what it writes to both outputs are its lines."""
        pipe, out = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
        return cls(
            await asyncio.create_subprocess_exec(
                *command, env=environment, cwd=folder, stdout=pipe, stderr=out
            )
        )

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            await self._add(line.decode("utf-8", "replace").rstrip("\n"))
        await self._add("(the output ended)")

    async def _add(self, line: str) -> None:
        async with self._changed:
            self.lines.append(line)
            self._changed.notify_all()

    async def wait_for(self, pattern: str, count: int = 1) -> list[re.Match[str]]:
        """Return the first matches of a pattern, one in each line, as soon as there are so many."""

        def found() -> list[re.Match[str]]:
            return [match for line in self.lines if (match := re.search(pattern, line))]

        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX), self._changed:
                await self._changed.wait_for(lambda: len(found()) >= count)
        except TimeoutError:
            raise AssertionError(f"no {pattern!r} in:\n" + "\n".join(self.lines[-40:])) from None
        return found()[:count]

    async def stop(self) -> None:
        """Kill the process, and wait for its end."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reader


_CORE = """
group = core
admin-port = {admin}
admin-password = {password}
admin-interface = 127.0.0.1
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
dlr-storage = internal
sms-resend-freq = 1

{smsc}

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
http-request-retry = 5
http-queue-delay = 1

group = sendsms-user
username = {user}
password = "{password}"
max-messages = 30
concatenation = true

group = sms-service
keyword = default
catch-all = true
max-messages = 0
{forward}
"""
OWN_PORT = "OWN-PORT"
# The port of the fake SMSC is open on all interfaces: Kannel has no option for it.
FAKE_SMSC = f"""group = smsc
smsc = fake
smsc-id = FAKE
port = {OWN_PORT}
connect-allow-ip = 127.0.0.1"""
_SMPP_SMSC = """group = smsc
smsc = smpp
smsc-id = SIM
host = 127.0.0.1
port = {port}
transceiver-mode = true
smsc-username = kannel
smsc-password = {password}
system-type = ""
source-addr-ton = 1
source-addr-npi = 1
dest-addr-ton = 1
dest-addr-npi = 1
msg-id-type = 0x03
reconnect-delay = 1"""


def smpp_smsc(port: int, password: str) -> str:
    """Return the section of an SMSC that Kannel binds to over SMPP."""
    return _SMPP_SMSC.format(port=port, password=password)


_ESCAPES = "id=%I&from=%p&to=%P&charset=%C&coding=%c"


class KannelBoxes:
    """A bearerbox and a smsbox with one SMSC; ``smsc_port`` is where the fake SMSC connects."""

    def __init__(
        self,
        programs: KannelPrograms,
        folder: Path,
        smsc: str,
        inbound_url: str,
        method: str = "post",
    ) -> None:
        """``inbound_url`` ends with a query; ``smsc`` is the section of the SMSC."""
        self._programs = programs
        self._folder = folder
        self._ports = [ReservedPort() for _ in range(4)]
        admin, boxes, sendsms, fake = (port.number for port in self._ports)
        self.sendsms_url = f"http://127.0.0.1:{sendsms}/cgi-bin/sendsms"
        self.smsc_port = fake
        text = "&text=%b" if method == "get" else ""
        self._configuration = _CORE.format(
            admin=admin,
            boxes=boxes,
            sendsms=sendsms,
            user=USER,
            password=PASSWORD,
            smsc=smsc.replace(OWN_PORT, str(fake)),
            forward=f'{method}-url = "{inbound_url}&{_ESCAPES}{text}"',
        )
        self._processes: list[LoggedProcess] = []
        self._phones: LoggedProcess | None = None
        self._connections = 0

    async def __aenter__(self) -> Self:
        path = self._folder / "kannel.conf"
        path.write_text(self._configuration)
        bearerbox = await self._start(self._programs.bearerbox, "-v", "0", str(path))
        await bearerbox.wait_for("Start-up done")
        smsbox = await self._start(self._programs.smsbox, "-v", "0", str(path))
        await smsbox.wait_for("Including port")
        await bearerbox.wait_for("Client connected from")
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            await process.stop()
        for port in self._ports:
            port.close()

    async def connect_phones(self, inbound: str = "") -> LoggedProcess:
        """Return the fake SMSC, connected, which sends an inbound message, if any.

        Kannel serves one at a time, so the one before is stopped.
        """
        if self._phones is not None:
            await self._phones.stop()
        port = ["-H", "127.0.0.1", "-r", str(self.smsc_port), "-i", "0.1"]
        message = ["-m", "1", inbound] if inbound else ["-m", "0", "1 2 text unsent"]
        self._phones = await self._start(self._programs.fakesmsc, *port, *message)
        self._connections += 1
        await self._processes[0].wait_for("Fakesmsc client connected", self._connections)
        return self._phones

    async def _start(self, *command: str) -> LoggedProcess:
        process = await LoggedProcess.start(
            *command, environment=self._programs.environment, folder=self._folder
        )
        self._processes.append(process)
        return process
