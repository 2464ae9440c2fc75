// The timers of Node.js, which tests with fake timers replace in the global object only.

import { clearTimeout as clear, setTimeout as set } from "node:timers";

const realClear = clear;
const realSet = set;

export function setRealTimeout(action, ms) {
  return realSet(action, ms);
}

export function clearRealTimeout(timer) {
  realClear(timer);
}

export function sleep(ms) {
  return new Promise((resolve) => realSet(resolve, ms));
}

// How long calls wait for what has not arrived: 2 s, or PARLOUR_WAIT_MS on a slow machine.
export function defaultWaitMs() {
  const given = Number(process.env.PARLOUR_WAIT_MS);
  return given > 0 ? given : 2_000;
}

// Monotonic milliseconds; fake timers replace `performance`, but not this.
export function elapsedMs() {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
