"""Several nodes that serve one PostgreSQL database, alone or behind a balancer."""

from __future__ import annotations

import random
import shutil
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from tests.support.load_balancer import Balancer
from tests.support.polling import eventually
from tests.support.ports import ReservedPort
from tests.support.redis_server import Redis
from tests.support.server import PROGRAM, Server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.support.postgres_server import Postgres

KEY = "parlour.key"
MEDIA = "media"
DOWN_SECONDS = 2.0
BACK_SECONDS_MAX = 15.0


class Cluster:
    """Servers with one account, one key and one media folder, each with a separate data folder."""

    def __init__(
        self,
        postgres: Postgres,
        folder: Path,
        count: int,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        """Prepare the nodes on a new database; ``env`` and ``program`` apply to each.

        A launcher gets the name of its node in ``NODE``; a plain server without it can be forked.
        """
        self.url = postgres.make_database()
        every = dict(env or {}) | {"PARLOUR_DATABASE": self.url}
        self.servers = []
        for number in range(count):
            name = f"node{number}"
            own = {} if program == PROGRAM else {"NODE": name}
            self.servers.append(Server(folder / name, every | own, (), program))
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start the nodes one after the other."""
        first, *others = self.servers
        self._stack.enter_context(first)
        for server in others:
            server.account_sid, server.auth_token = first.account_sid, first.auth_token
            server.data_dir.mkdir(parents=True)
            shutil.copy(first.data_dir / KEY, server.data_dir / KEY)
            (server.data_dir / MEDIA).symlink_to(first.data_dir / MEDIA)
            self._stack.enter_context(server)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all nodes."""
        self._stack.close()


class BalancedCluster:
    """Three nodes with a Redis behind a balancer, with the interface of one `Server`."""

    def __init__(
        self,
        postgres: Postgres,
        folder: Path,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        """Prepare the nodes on a new database; ``env`` and ``program`` apply to each."""
        # The nodes get the balancer's address before it is started.
        self._reserved = ReservedPort()
        self.port = self._reserved.number
        self._redis = Redis()
        own = {"PARLOUR_REDIS": self._redis.url, "PARLOUR_PUBLIC_URL": self.base_url}
        self._nodes = Cluster(postgres, folder, 3, dict(env or {}) | own, program)
        self.servers = self._nodes.servers
        self.balancer = Balancer(self.port)
        self._returning: dict[Server, threading.Timer] = {}
        self._stack = ExitStack()

    @property
    def base_url(self) -> str:
        """The balancer's base URL, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def account_sid(self) -> str:
        """The account shared by the nodes."""
        return self.servers[0].account_sid

    @property
    def auth_token(self) -> str:
        """The account's auth token."""
        return self.servers[0].auth_token

    @property
    def database(self) -> str:
        """The URL of the shared database."""
        return self._nodes.url

    def __enter__(self) -> Self:
        """Start all nodes, and then the balancer."""
        self._stack.enter_context(self._redis)
        self._stack.enter_context(self._nodes)
        self.balancer.start([server.port for server in self.servers])
        self._stack.callback(self.balancer.kill)
        self._stack.callback(self.all_back)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all nodes."""
        self._stack.close()
        self._reserved.close()

    @property
    def up(self) -> list[Server]:
        """Return the nodes that are running."""
        down = [server for server, timer in self._returning.items() if timer.is_alive()]
        return [server for server in self.servers if server not in down]

    def kill(self, server: Server) -> None:
        """SIGKILL one node, and start it again after a delay."""
        assert server in self.up
        server.kill()
        self._returning[server] = threading.Timer(DOWN_SECONDS, server.start)
        self._returning[server].start()

    def kill_some(self) -> None:
        """Kill one node or two, but not the last one that runs."""
        up = eventually(lambda: self.up, lambda found: len(found) > 1, seconds=BACK_SECONDS_MAX)
        for server in random.sample(up, random.randrange(1, len(up))):
            self.kill(server)

    def all_back(self) -> None:
        """Wait until every killed node has been started again."""
        for timer in self._returning.values():
            timer.join()

    def make_account(self) -> tuple[str, str]:
        """Create an account; return its sid and its auth token."""
        return self.servers[0].make_account()

    def make_key(self, account_sid: str) -> tuple[str, str]:
        """Create an API key of an account; return its sid and its secret."""
        return self.servers[0].make_key(account_sid)

    def command(self, *arguments: str) -> str:
        """Return the output of `parlour ARGUMENTS` on one of the nodes."""
        return self.servers[0].command(*arguments)


Installation = Server | BalancedCluster
"""One server or a cluster: clients do not distinguish them."""
