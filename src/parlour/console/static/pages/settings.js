/** Settings of the account and of the chosen service; the forms are made from the operations. */
import { get, mayChange, remove, useList, useLoad } from "../api.js";
import { html, Icon, route, Trouble, useQuery, useStore } from "../kit.js";
import { secretOf, useDialog } from "../parts/form.js";
import { columns, sidOf, Table, Tabs, timeOf } from "../parts/list.js";
import { Group } from "../parts/report.js";
import { by, settings as words } from "../words.js";

/** Path, key, noun of the operations, and what a row is called. */
const LISTS = by({
	services: ["/v1/Services", "services", "Service", "service"],
	addresses: ["/v1/Configuration/Addresses", "address_configurations", "ConfigurationAddress", "address"],
	roles: ["/v1/Services/{service}/Roles", "roles", "ServiceRole", "role"],
	keys: ["/2010-04-01/Accounts/{account}/Keys", "keys", "Key", "key"],
	templates: ["/parlour/v1/ContentTemplates", "content_templates", "ContentTemplate", "template"],
	credentials: ["/v1/Credentials", "credentials", "Credential", "credential"],
});
const SINGLES = by({
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

/** @param {any} props */
function List({ tab, values }) {
	const [path, key, noun, one] = LISTS[tab];
	const base = fill(path, values);
	const suffix = tab === "keys" ? ".json" : "";
	const list = useList(base + suffix, key, { PageSize: 50 });
	const [dialog, ask] = useDialog();
	const onDone = (/** @type {any} */ made) => {
		if (made?.secret) ask(secretOf(made));
		list.reload();
	};
	// What a role may permit: what another one does.
	const known = { Permission: [...new Set(list.rows.flatMap((row) => row.permissions ?? []))] };
	const create = () => ask({ id: `Create${noun}`, title: `New ${one}`, action: "Create", values, known, onDone });
	const edit = (/** @type {any} */ row) => ask({ id: `Update${noun}`, title: `Edit ${row.friendly_name ?? row.sid}`, values: { ...values, Sid: row.sid }, row, known, onDone });
	const drop = (/** @type {any} */ row) => ask({
		title: `Delete ${row.friendly_name || row.sid}`, action: "Delete", isDanger: true, text: words.gone[tab],
		act: () => remove(`${base}/${row.sid}${suffix}`).then(list.reload),
	});
	const label = words.tabs[tab];
	// Columns that no row has are left out.
	const shown = columns(
		["Name", (row) => row.friendly_name || row.address || "unnamed", "nowrap"],
		["Type", (row) => row.type, "nowrap"],
		["Content", (row) => {
			const text = row.permissions?.join(", ") ?? row.body ?? (row.friendly_name && row.address);
			return text && html`<span class="small soft">${text}</span>`;
		}, "wide"],
		["Made", timeOf("date_created"), "nowrap"],
		["SID", sidOf("sid"), "nowrap"],
		["Actions", (row) => mayChange() && html`${tab !== "services" && html`<button class="small" onClick=${() => edit(row)}>Edit</button> `}
			<button class="small danger" onClick=${() => drop(row)}>Delete</button>`, "actions"],
	).filter(({ cell }) => list.rows.some(cell));
	return html`<header class="row"><h2>${label}</h2>
			<button class="push" disabled=${!mayChange()} onClick=${create}><${Icon} name="plus" />New ${one}</button></header>
		<${Table} label=${label} columns=${shown} list=${list} none=${words.none} />
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
		<div class="body stack padded" role="tabpanel" tabindex="0" id="tab-panel" aria-labelledby="tab-${tab}">
			<${Trouble} of=${standard} />
			${service && SINGLES[tab]?.map((/** @type {string[]} */ [path, id]) => html`<${Group} key=${id + service} title=${words.titles[id]} path=${fill(path, values)} id=${id} values=${values} />`)}
			${service && LISTS[tab] && html`<${List} key=${tab + service} tab=${tab} values=${values} />`}
		</div>
	</div>`;
}
