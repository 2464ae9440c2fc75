// The version of this package, which belongs to one version of the server.

import { readFileSync } from "node:fs";
import { ParlourError } from "./errors.js";

const PACKAGE = new URL("../package.json", import.meta.url);
const FIX = "`parlour testkit node DIR` writes the package that belongs to a server.";

export const VERSION = JSON.parse(readFileSync(PACKAGE, "utf8")).version;

// Throws for a server of another major version; warns for another minor version.
export function compareVersions(server, own = VERSION, warn = warnOnce) {
  const [ownMajor, ownMinor] = own.split(".");
  const [major, minor] = server.split(".");
  const text = `The server has version ${server}, this test kit ${own}. ${FIX}`;
  if (major !== ownMajor) throw new ParlourError(text);
  if (minor !== ownMinor) warn(text);
}

const warned = new Set();

function warnOnce(text) {
  if (warned.has(text)) return;
  warned.add(text);
  process.emitWarning(text, "ParlourWarning");
}
