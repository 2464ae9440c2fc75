"""Exim of Debian's packages, unpacked without installing: a relay, and a mail server that bounces.

Exim looks up the user that Debian compiled into it; `libnss-wrapper` shows it one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

from tests.support.polling import eventually
from tests.support.ports import ReservedPort

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PACKAGES = ["exim4-daemon-light", "libidn12", "libnss-wrapper"]
INSTALL_SECONDS_MAX = 120
SECONDS_MAX = 60
# Exim refuses to run as root; any other id will do if the tests do.
OTHER_ID = 12_345
CONFIGURATION = """
exim_path = {folder}/exim.sh
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
exim_user = {user}
exim_group = {user}
primary_hostname = mx.customer.example
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
disable_ipv6 = true
acl_smtp_rcpt = accept
acl_smtp_data = accept
dsn_advertise_hosts = *
tls_advertise_hosts =
message_size_limit = 30M
begin acl
begin routers
parlour:
  driver = manualroute
  domains = example.com
  transport = to_parlour
  route_list = example.com 127.0.0.1
  self = send
mailboxes:
  driver = accept
  domains = customer.example
  local_parts = alice : bob
  transport = mailbox
begin transports
to_parlour:
  driver = smtp
  port = {listener}
mailbox:
  driver = appendfile
  file = {folder}/mail/$local_part_data
  user = {user}
  group = {user}
  return_path_add
begin retry
* * F,1h,1s
"""


class EximMissing(Exception):  # noqa: N818 - named after the condition.
    """Exim's packages cannot be unpacked: the reason."""


def unpack_exim(folder: Path) -> Path:
    """Unpack Exim into a folder, and return it. Raises EximMissing."""
    _run(["apt-get", "download", *PACKAGES], folder)
    for package in sorted(folder.glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(folder / "root")], folder)
    # Without the bit that makes it run as root, and without its libraries.
    (folder / "root/usr/sbin/exim4").chmod(0o755)
    return folder


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(
            command, cwd=folder, check=True, capture_output=True, timeout=INSTALL_SECONDS_MAX
        )
    except (FileNotFoundError, subprocess.SubprocessError) as error:
        raise EximMissing(str(error)) from error


class EximServer:
    """A running Exim; ``mail`` has a file for each mailbox."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    async def wait_mails(self, mailbox: str, text: bytes) -> bytes:
        """Return the content of a mailbox once it has this text."""
        path = self.folder / "mail" / mailbox

        def look() -> bytes:
            return path.read_bytes() if path.exists() else b""

        return await asyncio.to_thread(eventually, look, lambda content: text in content)


@contextlib.asynccontextmanager
async def exim_server(programs: Path, folder: Path, listener: int) -> AsyncIterator[EximServer]:
    """Run Exim, which passes mail to example.com on to the listener."""
    with ReservedPort() as port:
        user = os.getuid() or OTHER_ID
        _write_files(programs, folder, user, {"port": port.number, "listener": listener})
        process = await asyncio.create_subprocess_exec(
            str(folder / "exim.sh"), "-C", str(folder / "exim.conf"), "-bdf", "-q1s",
            start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(SECONDS_MAX):
                while not await _accepts(port.number):
                    assert process.returncode is None, "Exim ended"
            yield EximServer(folder, port.number)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 15)
            await process.wait()


async def _accepts(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    greeting = await reader.readline()
    writer.close()
    return greeting.startswith(b"220")


def _write_files(programs: Path, folder: Path, user: int, ports: dict[str, int]) -> None:
    folder.chmod(0o755)
    root = programs / "root"
    libraries = next(root.rglob("libidn.so.12")).parent
    wrapper = next(root.rglob("libnss_wrapper.so"))
    (folder / "passwd").write_text(
        f"root:x:0:0::/:/bin/sh\nDebian-exim:x:{user}:{user}::/:/bin/sh\nmail:x:8:8::/:/bin/sh\n"
    )
    (folder / "group").write_text(f"root:x:0:\nDebian-exim:x:{user}:\nmail:x:8:\n")
    (folder / "exim.conf").write_text(CONFIGURATION.format(folder=folder, user=user, **ports))
    script = folder / "exim.sh"
    script.write_text(
        f"#!/bin/sh\nexport LD_LIBRARY_PATH={libraries} LD_PRELOAD={wrapper}\n"
        f"export NSS_WRAPPER_PASSWD={folder}/passwd NSS_WRAPPER_GROUP={folder}/group\n"
        f'exec {root}/usr/sbin/exim4 "$@"\n'
    )
    script.chmod(0o755)
    for name in ("spool", "log", "mail"):
        (folder / name).mkdir(exist_ok=True)
        if os.getuid() == 0:
            os.chown(folder / name, user, user)
