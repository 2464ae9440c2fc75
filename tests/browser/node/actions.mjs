// Asks the test to act on the server, and waits until it did.

import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin });
process.stdin.unref();

export async function action(name) {
  process.stdin.ref();
  const done = new Promise((resolve) => lines.once("line", resolve));
  console.log(JSON.stringify({ kind: "action", name }));
  await done;
  process.stdin.unref();
}
