import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { COMMAND, kit } from "./kit.mjs";

test("a server ends with its program, even when that is killed", async () => {
  const program = `
    const { startParlour } = await import(process.env.TESTKIT);
    const parlour = await startParlour({ command: process.env.PARLOUR_PROGRAM.split("\\n") });
    console.log(parlour.url);
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program]);
  const url = (await new Promise((resolve) => child.stdout.once("data", resolve))).toString().trim();
  child.kill("SIGKILL");
  await eventually(async () => {
    await assert.rejects(fetch(`${url}/healthz`));
  });
});

test("a program that does not stop the server still ends", async () => {
  const program = `
    const { startParlour } = await import(process.env.TESTKIT);
    const parlour = await startParlour({ command: process.env.PARLOUR_PROGRAM.split("\\n") });
    await parlour.account.webhooks();
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program]);
  assert.equal(await new Promise((resolve) => child.once("exit", resolve)), 0);
});

test("one server serves a whole run of Vitest or Jest", async () => {
  process.env.PARLOUR_COMMAND = COMMAND.join(" ");
  delete process.env.PARLOUR_URL;
  const teardown = await kit.globalSetup();
  assert.equal(await kit.globalSetup(), undefined, "PARLOUR_URL names a server already");
  const { url } = await kit.connectParlour();
  assert.equal(url, process.env.PARLOUR_URL);
  await teardown();
  assert.equal(process.env.PARLOUR_URL, undefined);
  await assert.rejects(fetch(`${url}/healthz`));
});

async function eventually(check, ms = 10_000) {
  for (const end = Date.now() + ms; ; ) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
