/** Settings of the account and of the chosen service; the forms are made from the operations. */
import { get, mayChange, remove, useList, useLoad } from "../api.js";
import { html, Icon, route, Skeleton, Trouble, useQuery, useStore } from "../kit.js";
import { secretOf, useDialog } from "../parts/form.js";
import { columns, sidOf, Table, Tabs } from "../parts/list.js";
import { Facts } from "../parts/report.js";
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
	const [dialog, open] = useDialog();
	const title = words.titles[/** @type {"UpdateConfiguration"} */ (id)];
	return html`<section class="card stack">
		<header class="row"><h2>${title}</h2>
			<button class="push" disabled=${!mayChange()} onClick=${() => open({ id, title, values, row: row.data, onDone: row.reload })}><${Icon} name="edit" />Edit</button></header>
		<${Trouble} problem=${row.error} retry=${row.reload} />
		${row.data ? html`<${Facts} facts=${facts(row.data)} />` : html`<${Skeleton} lines=${3} />`}
		${dialog}
	</section>`;
}

/** @param {{tab: string, values: Record<string, string>}} props */
function List({ tab, values }) {
	const { path, key, noun, edits } = LISTS[tab];
	const base = fill(path, values);
	const suffix = tab === "keys" ? ".json" : "";
	const list = useList(base + suffix, key, { PageSize: 50 });
	const [dialog, ask] = useDialog();
	const onDone = (/** @type {any} */ made) => {
		if (made?.secret) ask(secretOf(made));
		list.reload();
	};
	const create = () => ask({ id: `Create${noun}`, title: "New", action: "Create", values, onDone });
	const edit = (/** @type {any} */ row) => ask({ id: `Update${noun}`, title: `Edit ${row.friendly_name ?? row.sid}`, values: { ...values, Sid: row.sid }, row, onDone });
	const drop = (/** @type {any} */ row) => ask({
		title: `Delete ${row.friendly_name || row.sid}`, action: "Delete", isDanger: true, text: words.gone[/** @type {"keys"} */ (tab)],
		act: () => remove(`${base}/${row.sid}${suffix}`).then(list.reload),
	});
	const shown = columns(
		["Name", (row) => row.friendly_name || row.address || "unnamed"],
		["SID", sidOf("sid")],
		["Content", (row) => html`<span class="small soft">${(row.permissions ?? [row.type, row.body ?? row.address].filter(Boolean)).join(", ")}</span>`, "wide"],
		["Actions", (row) => mayChange() && html`${edits && html`<button class="small" onClick=${() => edit(row)}>Edit</button> `}
			<button class="small danger" onClick=${() => drop(row)}>Delete</button>`, "nowrap"],
	);
	return html`<p><button disabled=${!mayChange()} onClick=${create}><${Icon} name="plus" />New</button></p>
		<${Table} label=${words.tabs[/** @type {"keys"} */ (tab)]} columns=${shown} list=${list} none=${words.none} />
		${dialog}`;
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
