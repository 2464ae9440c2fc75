/** Settings of the account and of the chosen service; the forms are made from the operations. */
import { get, remove, session, useList, useLoad } from "../api.js";
import { html, Icon, route, Skeleton, Trouble, useQuery, useState, useStore } from "../kit.js";
import { Confirm } from "../parts/dialog.js";
import { OperationDialog } from "../parts/operation.js";
import { Facts } from "../parts/report.js";
import { Secret } from "../parts/secret.js";
import { columns, sidOf, Table } from "../parts/table.js";
import { Tabs } from "../parts/tabs.js";
import { settings as words } from "../words.js";

const HIDDEN = new Set(["url", "links", "account_sid", "chat_service_sid", "meta"]);
/** Of each list: its path, key, and the operations; `{service}` and `{account}` are replaced. */
const LISTS = /** @type {Record<string, {path: string, key: string, noun: string, edits?: boolean}>} */ ({
	services: { path: "/v1/Services", key: "services", noun: "Service" },
	addresses: { path: "/v1/Configuration/Addresses", key: "address_configurations", noun: "ConfigurationAddress", edits: true },
	roles: { path: "/v1/Services/{service}/Roles", key: "roles", noun: "ServiceRole", edits: true },
	keys: { path: "/2010-04-01/Accounts/{account}/Keys", key: "keys", noun: "Key" },
	templates: { path: "/parlour/v1/ContentTemplates", key: "content_templates", noun: "ContentTemplate" },
	credentials: { path: "/v1/Credentials", key: "credentials", noun: "Credential", edits: true },
});
const SINGLES = /** @type {Record<string, [string, string][]>} */ ({
	account: [
		["/v1/Configuration", "UpdateConfiguration"],
		["/v1/Configuration/Webhooks", "UpdateConfigurationWebhook"],
		["/parlour/v1/WebhookRetries", "UpdateWebhookRetries"],
	],
	service: [
		["/v1/Services/{service}/Configuration", "UpdateServiceConfiguration"],
		["/v1/Services/{service}/Configuration/Webhooks", "UpdateServiceWebhookConfiguration"],
		["/v1/Services/{service}/Configuration/Notifications", "UpdateServiceNotification"],
	],
});

/** @param {any} value */
const shown = (value) =>
	value === null ? "–" : Array.isArray(value) ? value.join(", ") || "none" : typeof value === "object" ? JSON.stringify(value) : String(value);

/** @param {any} row @returns {[string, any][]} */
const facts = (row) =>
	Object.entries(row).filter(([name]) => !HIDDEN.has(name)).map(([name, value]) => [name.replaceAll("_", " "), shown(value)]);

/** @param {{path: string, id: string, values: Record<string, string>}} props A group of settings. */
function Single({ path, id, values }) {
	const row = useLoad(() => get(path), [path]);
	const [isOpen, open] = useState(false);
	const title = words.titles[/** @type {"UpdateConfiguration"} */ (id)];
	return html`<section class="card stack">
		<header class="row"><h2>${title}</h2>
			<button class="push" disabled=${!session.get()?.may_change} onClick=${() => open(true)}><${Icon} name="edit" />Edit</button></header>
		<${Trouble} problem=${row.error} retry=${row.reload} />
		${row.data ? html`<${Facts} facts=${facts(row.data)} />` : html`<${Skeleton} lines=${3} />`}
		${isOpen && html`<${OperationDialog} id=${id} title=${title} values=${values} row=${row.data} onDone=${row.reload} onClose=${() => open(false)} />`}
	</section>`;
}

/** @param {{tab: string, values: Record<string, string>}} props */
function List({ tab, values }) {
	const { path, key, noun, edits } = LISTS[tab];
	const base = fill(path, values);
	const suffix = tab === "keys" ? ".json" : "";
	const list = useList(base + suffix, key, { PageSize: 50 });
	const [open, setOpen] = useState(/** @type {any} */ (null));
	const close = () => setOpen(null);
	const done = (/** @type {any} */ made) => {
		setOpen(made?.secret ? { secret: made } : null);
		list.reload();
	};
	const mayChange = session.get()?.may_change;
	const shown = columns(
		["Name", (row) => row.friendly_name || row.address || "unnamed"],
		["SID", sidOf("sid")],
		["Content", (row) => html`<span class="small soft">${(row.permissions ?? [row.type, row.body ?? row.address].filter(Boolean)).join(", ")}</span>`, "wide"],
		["Actions", (row) => mayChange && html`${edits && html`<button class="small" onClick=${() => setOpen({ edit: row })}>Edit</button> `}
			<button class="small danger" onClick=${() => setOpen({ gone: row })}>Delete</button>`, "nowrap"],
	);
	const of = (/** @type {any} */ row) => ({ ...values, Sid: row.sid });
	return html`<p><button disabled=${!mayChange} onClick=${() => setOpen({ made: true })}><${Icon} name="plus" />New</button></p>
		<${Table} label=${words.tabs[/** @type {"keys"} */ (tab)]} columns=${shown} list=${list} none=${words.none} />
		${open?.made && html`<${OperationDialog} id="Create${noun}" title="New" action="Create" values=${values} onDone=${done} onClose=${close} />`}
		${open?.edit && html`<${OperationDialog} id="Update${noun}" title="Edit ${open.edit.friendly_name ?? open.edit.sid}" values=${of(open.edit)} row=${open.edit} onDone=${done} onClose=${close} />`}
		${open?.secret && html`<${Secret} secret=${open.secret} onClose=${close} />`}
		${open?.gone && html`<${Confirm} isDanger title="Delete ${open.gone.friendly_name || open.gone.sid}" action="Delete" onClose=${close}
			text=${words.gone[/** @type {"keys"} */ (tab)]} act=${() => remove(`${base}/${open.gone.sid}${suffix}`).then(list.reload)} />`}`;
}

/** @param {string} path @param {Record<string, string>} values */
const fill = (path, values) => path.replace("{service}", values.ChatServiceSid).replace("{account}", values.AccountSid);

export default function Settings() {
	const [tab] = useQuery("tab", "account");
	const at = useStore(route);
	const standard = useLoad(async () => (await get("/v1/Configuration")).default_chat_service_sid, [at.account]);
	const service = at.query.get("service") ?? standard.data;
	const values = { AccountSid: at.account, ChatServiceSid: service };
	return html`<div class="page">
		<header class="head"><h1>Settings</h1></header>
		<${Tabs} label="Settings" tabs=${Object.entries(words.tabs)} />
		<div class="body stack padded" role="tabpanel" id="tab-panel" aria-labelledby="tab-${tab}">
			<${Trouble} problem=${standard.error} retry=${standard.reload} />
			${service && SINGLES[tab]?.map(([path, id]) => html`<${Single} key=${id + service} path=${fill(path, values)} id=${id} values=${values} />`)}
			${service && LISTS[tab] && html`<${List} key=${tab + service} tab=${tab} values=${values} />`}
		</div>
	</div>`;
}
