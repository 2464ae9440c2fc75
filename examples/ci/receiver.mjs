// Prints the webhooks that arrive, and accepts them.

import { createServer } from "node:http";

createServer(async (request, response) => {
  const chunks = await request.toArray();
  const form = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
  console.log(JSON.stringify(form));
  response.writeHead(204).end();
}).listen(Number(process.env.PORT ?? 9000), process.env.HOST ?? "0.0.0.0");
