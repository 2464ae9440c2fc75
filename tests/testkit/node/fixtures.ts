// The fixtures of Playwright, for the compiler.

import { expect, test as base } from "@playwright/test";
import { parlourFixtures, type ParlourFixtures, type ParlourWorkerFixtures } from "parlour-testkit";

const test = base.extend<ParlourFixtures & { title: string }, ParlourWorkerFixtures>({
  ...parlourFixtures,
  title: async ({ account }, use) => {
    await use(account.sid);
  },
});

test.use({ parlourOptions: { strict: true } });

test("a page", async ({ account, page, parlour, phones, title }) => {
  await parlour.clock.freeze();
  await page.goto(parlour.url);
  expect((await phones.all()).length).toBe(account.sid.length);
  await expect(page).toHaveTitle(title);
});
