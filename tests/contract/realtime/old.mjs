// Prints the error that SDKs of another protocol show: `node old.mjs`; VERSIONS lists packages.

import { createRequire } from "node:module";
import { print, sleep } from "./checks.mjs";
import { Place, baseUrl } from "./place.mjs";

const require = createRequire(import.meta.url);
const SECONDS_MAX = 15;

// The message of the error that `Client.create()` rejects with or `connectionError` emits.
async function shown(name, token) {
  const { Client } = require(name);
  const uri = `${baseUrl.replace("http", "ws")}/v3/wsconnect`;
  const created = Client.create(token, { logLevel: "silent", Twilsock: { uri }, twilsock: { uri } });
  const failed = created.then(
    (client) => new Promise((resolve) => client.on("connectionError", resolve)),
    (error) => error,
  );
  const late = sleep(SECONDS_MAX * 1000).then(() => ({ message: "nothing" }));
  return (await Promise.race([failed, late])).message;
}

process.on("unhandledRejection", () => {});
const place = await Place.make();
const token = await place.token("alice");
for (const name of process.env.VERSIONS.split(" ")) {
  print({ kind: "shown", name, message: await shown(name, token) });
}
process.exit(0);
