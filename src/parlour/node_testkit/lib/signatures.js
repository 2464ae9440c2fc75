// Signatures of webhooks, as the official libraries check them.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";

// The signature of a request to a URL; `form` is null for a GET or a JSON body.
export function signatureOf(authToken, url, form) {
  const names = form ? [...new Set(form.keys())].sort() : [];
  const signed = names.flatMap((name) => {
    const values = [...new Set(form.getAll(name))].sort();
    return values.map((value) => name + value);
  });
  return createHmac("sha1", authToken).update(url + signed.join("")).digest("base64");
}

// Whether a request carries the signature of an account.
export function isGenuine(authToken, url, { form, body, signature }) {
  const expected = new URL(url).searchParams.get("bodySHA256");
  if (expected && createHash("sha256").update(body).digest("hex") !== expected.toLowerCase()) {
    return false;
  }
  const own = Buffer.from(signatureOf(authToken, url, form));
  const given = Buffer.from(signature ?? "");
  return own.length === given.length && timingSafeEqual(own, given);
}
