// Each call of the kit, for the compiler.

import twilio = require("twilio");
import {
  connectParlour,
  globalSetup,
  NotSettled,
  parlourFixtures,
  startParlour,
  type Account,
  type Parlour,
  type Receiver,
} from "parlour-testkit";
import setup from "parlour-testkit/global-setup";

async function useServer(): Promise<void> {
  const parlour: Parlour = await startParlour({ command: "parlour", strict: true, randomSeed: 7 });
  await connectParlour({ url: parlour.url, accountSid: "AC", authToken: "secret" });
  const now: Date = await parlour.clock.freeze("2026-01-05T09:00Z");
  const { fired, steps } = await parlour.clock.advance("PT10M", { timeout: 5_000 });
  await parlour.clock.advance(now.getTime() + steps + fired.length);
  await parlour.clock.system();
  await parlour.snapshot("before");
  await parlour.restore("before");
  await parlour.reset({ seed: "start" });
  await useAccount(await parlour.createAccount({ friendlyName: "Shop" }));
  await parlour.stop();
  // @ts-expect-error - There is no such option.
  await startParlour({ comand: "parlour" });
}

async function useAccount(account: Account): Promise<void> {
  const client: twilio.Twilio = account.client(twilio);
  await client.conversations.v1.conversations.create({ friendlyName: "Order" });
  const uri: string = account.sdkOptions.Twilsock.uri;
  const token: string = await account.token("alice", { ttl: 60 });
  const sids: Record<string, string> = await account.seed({ parlour: 1, note: uri + token });
  const { waitingFor }: NotSettled = await account.settle().then(
    () => Promise.reject(new Error("settled")),
    (error: NotSettled) => error,
  );
  await account.trigger("onMessageAdded", { conversationSid: sids.order, waitingFor });
  const fault = await account.faults.add({ operation: "CreateUser", status: 429, times: 2 });
  const count: number = (await fault.refresh()).fired;
  await account.requests.expect("CreateUser", { times: count, form: { Identity: /^a/ } });
  const phone = account.phones.get("+15550100");
  await phone.send({ to: "+15550999", body: "Hello" });
  const { body } = await phone.waitFor({ body: /tomorrow/ }, { timeout: 500 });
  await useReceiver(await account.webhooks(), body ?? "");
  // @ts-expect-error - A receiver is promised, not there.
  account.webhooks().url;
}

async function useReceiver(receiver: Receiver, body: string): Promise<void> {
  await receiver.configure({ filters: ["onMessageAdded"] });
  const webhook = await receiver.waitFor("onMessageAdded", { Body: body });
  const sid: string = webhook.params.MessageSid;
  receiver.answer({ status: 500, times: 2, delayMs: 10 });
  receiver.amend({ body: sid });
  receiver.reject();
  await receiver.none();
  await receiver.close();
}

export { globalSetup, parlourFixtures, setup, useServer };
