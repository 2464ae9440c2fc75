import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // One server for the whole run; `PARLOUR_URL` names one that runs already.
    globalSetup: "parlour-testkit/global-setup",
    // The clock is one for the server: files that move it do not run side by side.
    fileParallelism: false,
    // Time passes on the server's clock; this is for a machine with other load.
    testTimeout: 60_000,
  },
});
