"""The extension for JUnit 5 runs: its interfaces are declared here, since no package has them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.client import Api
from tests.support.server import REPOSITORY, Server

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.gate,
    pytest.mark.skipif(shutil.which("javac") is None, reason="there is no Java compiler"),
]

PAGE = (REPOSITORY / "docs" / "how-to" / "test-in-ci.md").read_text("utf-8")
SECONDS_MAX = 120
INTERFACES = {
    "AfterEachCallback": "void afterEach(ExtensionContext context) throws Exception;",
    "ExtensionContext": """
        Store getStore(Namespace namespace);
        final class Namespace {
          public static Namespace create(Object... parts) { return new Namespace(); }
        }
        interface Store {
          <K, V> Object getOrComputeIfAbsent(K key, java.util.function.Function<K, V> creator);
          <V> V remove(Object key, Class<V> type);
        }""",
    "ParameterContext": "java.lang.reflect.Parameter getParameter();",
    "ParameterResolver": """
        boolean supportsParameter(ParameterContext parameter, ExtensionContext context);
        Object resolveParameter(ParameterContext parameter, ExtensionContext context);""",
}
PROGRAM = """
import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.extension.ExtensionContext;

public final class Run {
  static final class Memory implements ExtensionContext.Store {
    private final Map<Object, Object> values = new HashMap<>();
    @SuppressWarnings("unchecked")
    public <K, V> Object getOrComputeIfAbsent(K key, Function<K, V> creator) {
      return values.computeIfAbsent(key, each -> creator.apply((K) each));
    }
    public <V> V remove(Object key, Class<V> type) { return type.cast(values.remove(key)); }
  }

  static void test(ParlourExtension.Account account) {}

  public static void main(String[] arguments) throws Exception {
    var extension = new ParlourExtension();
    var memory = new Memory();
    ExtensionContext context = namespace -> memory;
    var parameter = Run.class.getDeclaredMethod("test", ParlourExtension.Account.class);
    if (!extension.supportsParameter(() -> parameter.getParameters()[0], context)) System.exit(2);
    var account = (ParlourExtension.Account) extension.resolveParameter(null, context);
    account.advance("PT10M");
    account.settle();
    System.out.println(account.sid() + " " + account.authToken());
    System.in.read();
    extension.afterEach(context);
  }
}
"""


def test_extension_gives_a_test_an_account_and_removes_it(tmp_path: Path) -> None:
    (extension,) = (
        text
        for text in re.findall(r"^```java\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
        if "class ParlourExtension" in text
    )
    sources = {"ParlourExtension.java": extension, "Run.java": PROGRAM}
    for name, body in INTERFACES.items():
        package = "package org.junit.jupiter.api.extension;"
        sources[f"{name}.java"] = f"{package}\npublic interface {name} {{ {body} }}\n"
    for name, text in sources.items():
        (tmp_path / name).write_text(text)
    command = ["javac", "-d", "out", *sources]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=SECONDS_MAX)
    with Server(env={"PARLOUR_DATABASE": ""}, args=("--test",)) as server:
        running = subprocess.Popen(
            ["java", "-cp", "out", "Run"],
            cwd=tmp_path,
            env={
                **os.environ,
                "PARLOUR_URL": server.base_url,
                "PARLOUR_ACCOUNT_SID": server.account_sid,
                "PARLOUR_AUTH_TOKEN": server.auth_token,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert running.stdout is not None
        sid, auth_token = running.stdout.readline().split()
        accounts = Api(server.base_url, server.account_sid, server.auth_token, "/parlour/v1")
        assert accounts.get(f"/Accounts/{sid}").expect(200)["sid"] == sid
        assert auth_token

        running.communicate("\n", timeout=SECONDS_MAX)

        assert running.returncode == 0
        accounts.get(f"/Accounts/{sid}").expect(404)
        accounts.close()
