import { defineConfig } from "@playwright/test";

// A browser that is installed already; otherwise that of `npx playwright install chromium`.
const executablePath = process.env.CHROMIUM;

export default defineConfig({
  testDir: "test",
  workers: 1,
  // Time passes on the clocks of the test; these are for a machine with other load.
  timeout: 120_000,
  expect: { timeout: 30_000 },
  reporter: "list",
  use: {
    // Root in a container needs the second option.
    launchOptions: executablePath ? { executablePath, args: ["--no-sandbox"] } : {},
  },
});
