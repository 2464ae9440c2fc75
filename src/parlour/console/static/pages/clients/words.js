/** The sentences of the page Clients. */
import { by } from "../../words.js";
export const clients = {
	sitIn: "Connects as this user, and shows what their client gets.",
	mayNot: "Your role may not make tokens: it could act as any user.",
	none: ["No client is connected", "Connect one with an access token, or sit in as a user above."],
	end: "Its client may connect again at once.",
	alone: ["No conversations", "Add this user to one: it appears here as in their client."],
	choose: "Its messages are shown as this user gets them.",
	paste: "Paste a token from anywhere",
	states: by({ connecting: "connecting", open: "connected", lost: "not connected", ended: "ended" }),
	typing: (/** @type {string[]} */ who) => `${who.join(", ")} ${who.length > 1 ? "are" : "is"} typing …`,
	checks: by({
		encoding: "Three parts in base64url", header: "Header: algorithm and content type", claims: "Claims are a JSON object", issuer: "Issuer is a key, subject an account", signature_length: "Length of the signature", key: "The key is one of this account", signature: "Signature", dates: "Not expired, not too early, 24 hours at most", grants: "Identity and one chat grant", account: "The account is active", service: "The service exists",
	}),
};
