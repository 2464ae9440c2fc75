import { defineConfig } from "@playwright/test";

// A browser that is installed already; otherwise that of `npx playwright install chromium`.
const executablePath = process.env.CHROMIUM;

export default defineConfig({
  testDir: "test",
  workers: 1,
  reporter: "list",
  use: {
    // Root in a container needs the second option.
    launchOptions: executablePath ? { executablePath, args: ["--no-sandbox"] } : {},
  },
});
