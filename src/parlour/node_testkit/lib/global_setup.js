// One server for a whole run of Vitest or Jest, which its workers reach by PARLOUR_*.

import { startParlour } from "./parlour.js";

let started = null;

// Does nothing if PARLOUR_URL names a server already. Vitest calls what is returned at the end;
// Jest ends with the process, and the server with it, or calls globalTeardown.
export async function globalSetup() {
  if (process.env.PARLOUR_URL) return undefined;
  started = await startParlour();
  Object.assign(process.env, started.env);
  return globalTeardown;
}

export async function globalTeardown() {
  if (!started) return;
  for (const name of Object.keys(started.env)) delete process.env[name];
  const server = started;
  started = null;
  await server.stop();
}
