/** Accounts: state, traffic and storage; suspend, reopen, close, make, and new keys. */
import { mayChange, post, useList } from "../api.js";
import { Badge, href, html, Icon } from "../kit.js";
import { secretOf, useDialog } from "../parts/form.js";
import { columns, sidOf, Table } from "../parts/list.js";
import { count, size } from "../parts/report.js";
import { by, accounts as words } from "../words.js";

const PATH = "/parlour/v1/Operator/Accounts";
const TONES = by({ active: "good", suspended: "warn", closed: "bad" });
/** The actions of a row: name, for which states, and the state afterwards. */
const ACTIONS = [
	["Suspend", "active", "suspended"],
	["Reopen", "suspended", "active"],
	["Close", "active suspended", "closed"],
	["New key", "active", ""],
];

/** @param {(action: string, state: string, row: any) => void} start */
const columnsOf = (start) => columns(
	["Account", (row) => html`<a href=${href("conversations", [], {}, row.sid)}>${row.friendly_name || "unnamed"}</a>`],
	["SID", sidOf("sid")],
	["State", (row) => html`<${Badge} tone=${TONES[row.status]}>${row.status}<//>`],
	["Requests/min", (row) => row.requests.last_minute, "number"],
	["Conversations", (row) => count(row.conversations), "number"],
	["Media", (row) => size(row.media.bytes), "number"],
	["Webhooks waiting", (row) => count(row.waiting), "number"],
	["Actions", (row) => mayChange() &&
		html`<span class="row">${ACTIONS.filter(([, states]) => states.includes(row.status)).map(
			([name, , state]) => html`<button class="small ${state === "closed" ? "danger" : ""}" onClick=${() => start(name, state, row)}>${name}</button>`,
		)}</span>`, "actions"],
);

export default function Accounts() {
	const list = useList(PATH, "accounts", { PageSize: 50 }, undefined, "-");
	const [dialog, ask] = useDialog();
	const begin = (/** @type {string} */ action, /** @type {string} */ state, /** @type {any} */ row) => ask({
		title: `${action}${row ? ` of ${row.friendly_name || row.sid}` : ""}`, action, isDanger: state === "closed", isWhole: true,
		text: words.asks[action],
		fields: state === "closed" ? [{ name: "typed", label: "SID of the account, to be sure", isRequired: true }]
			: state ? [] : [{ name: "FriendlyName", label: "Name" }],
		async act({ typed, FriendlyName }) {
			if (state === "closed" && typed !== row.sid) throw new Error(words.typed);
			const path = row ? `${PATH}/${row.sid}${state ? "" : "/Keys"}` : PATH;
			const made = await post(path, { Status: state || null, FriendlyName: FriendlyName || null }, { account: "-" });
			if (made.secret || made.auth_token) ask(secretOf(made));
			list.reload();
		},
	});
	return html`<div class="page">
		<header class="head"><h1>Accounts</h1>
			${mayChange() && html`<button class="push" onClick=${() => begin("New account", "", null)}><${Icon} name="plus" />New account</button>`}
		</header><div />
		<div class="body"><${Table} label="Accounts" columns=${columnsOf(begin)} list=${list} /></div>
		${dialog}
	</div>`;
}
