// Requests actions of the parent process, such as a kill of the server.

import { createInterface } from "node:readline";
import { print } from "./checks.mjs";

const waiting = [];

createInterface({ input: process.stdin }).on("line", () => waiting.shift()?.());

// Resolves when the parent process has completed the action.
export function requestAction(name) {
  return new Promise((resume) => {
    waiting.push(resume);
    print({ kind: "action", name });
  });
}
