// Asks the process that runs this one for what only it can do, and waits until it is done.

import { createInterface } from "node:readline";
import { print } from "./checks.mjs";

const waiting = [];

createInterface({ input: process.stdin }).on("line", () => waiting.shift()?.());

export function ask(what) {
  return new Promise((resume) => {
    waiting.push(resume);
    print({ kind: "ask", for: what });
  });
}
