/** The webhooks of one conversation, and what was sent about it. */
import { useList } from "../../api.js";
import { Badge, html } from "../../kit.js";
import { useLive, useRefresh } from "../../live.js";
import { Collection } from "../../parts/collection.js";
import { ATTEMPT, toAttempt } from "../../parts/feed.js";
import { columns, Table } from "../../parts/list.js";
import { empty, events } from "../../words.js";
import { conversation as words } from "./words.js";

const SETTLE_MS = 1000;
const EVENTS = events.types.filter((each) => !/User|ConversationAdded/.test(each));

const fields = (/** @type {any} */ row) => [
	...(row ? [] : [{ name: "Target", value: "", options: ["webhook", "trigger", "studio"], hint: words.targets }]),
	{ name: "Configuration.Url", label: "URL", value: row?.configuration.url },
	{ name: "Configuration.Method", label: "Method", value: row?.configuration.method ?? "POST", options: ["POST", "GET"] },
	{ name: "Configuration.FlowSid", label: "Flow SID, of studio", value: row?.configuration.flow_sid },
	{ name: "Configuration.Filters", label: "Events", kind: "many", value: row?.configuration.filters, options: EVENTS },
	{ name: "Configuration.Triggers", label: "Words, of trigger, one a line", kind: "lines", value: row?.configuration.triggers },
];

const COLUMNS = columns(
	["Target", (row) => html`<${Badge}>${row.target}<//>`],
	["URL or flow", ({ configuration: given }) => [given.method, given.url ?? given.flow_sid].join(" "), "wide"],
	["Events or words", ({ configuration: given }) => [given.filters ?? [], given.triggers ?? []].flat().join(", ") || "–"],
);

/** @param {TabProps} props */
export default function Webhooks({ row, base }) {
	const path = `${base}/Webhooks`;
	const list = useList(path, "webhooks");
	const attempts = useList("/parlour/v1/WebhookAttempts", "webhook_attempts", { ConversationSid: row.sid, PageSize: 20 });
	// Attempts follow the events that cause them.
	const touch = useRefresh(async () => {
		await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
		attempts.reload();
	});
	useLive((came) => void ((!came || came.some((each) => each.conversation_sid === row.sid)) && touch([row.sid])));
	return html`<div class="body scroll">
		<${Collection} label="Of this conversation" one="webhook" path=${path} list=${list} columns=${COLUMNS} fields=${fields}
			none=${empty.scoped} nameOf=${(/** @type {any} */ each) => each.configuration.url ?? each.sid} removal=${words.unhooked} />
		<header class="row section"><h3>What was sent</h3></header>
		<${Table} label="Webhook attempts" columns=${ATTEMPT} list=${attempts} hrefOf=${toAttempt}
			none=${empty.attempts} />
	</div>`;
}
