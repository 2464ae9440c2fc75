// What the tests of the kit share: the kit that the run is about, and the official packages.

import { createRequire } from "node:module";

export const kit = await import(process.env.TESTKIT);
export const COMMAND = process.env.PARLOUR_PROGRAM.split("\n");

const contract = (folder) => createRequire(new URL(`../../contract/${folder}/`, import.meta.url));
export const twilio = contract("node")("twilio");

export function clientSdk() {
  return contract("realtime")("conversations-3.0");
}

// The message of an error, which must come.
export async function messageOf(action) {
  try {
    await action();
  } catch (error) {
    return error.message;
  }
  throw new Error("No error was thrown.");
}
