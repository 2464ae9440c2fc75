// Fixtures for Playwright: `const test = base.extend(parlourFixtures)`.

import { connectParlour, startParlour } from "./parlour.js";

// A server for each worker, unless PARLOUR_URL names one; an account for each test.
export const parlourFixtures = {
  parlourOptions: [{}, { option: true, scope: "worker" }],

  parlour: [
    async ({ parlourOptions }, use) => {
      const isShared = Boolean(process.env.PARLOUR_URL);
      const parlour = isShared ? await connectParlour() : await startParlour(parlourOptions);
      await use(parlour);
      await parlour.stop();
    },
    { scope: "worker" },
  ],

  account: async ({ parlour }, use) => {
    const account = await parlour.createAccount();
    await use(account);
    await account.remove();
    if (!parlour.clock.isChanged) return;
    // The clock goes back only without data. On a server of others, theirs must stay.
    if (parlour.isOwn) await parlour.reset();
    await parlour.clock.system();
  },

  phones: async ({ account }, use) => {
    await use(account.phones);
  },
};
