/** Clients: connections now, sitting in as a user, and access tokens. */
import { Later, mayChange, remove, session, useList } from "../api.js";
import { Badge, go, href, html, onSubmit, route, useQuery, useStore, useTimer } from "../kit.js";
import { useDialog } from "../parts/form.js";
import { columns, Table, Tabs, timeOf } from "../parts/list.js";
import { clients as words } from "./clients/words.js";

const PATH = "/parlour/v1/Connections";
const REFRESH_MS = 3000;

/** @param {{mayMake: boolean}} props */
function Connections({ mayMake }) {
	const list = useList(PATH, "connections", { PageSize: 100 });
	const [dialog, ask] = useDialog();
	const end = ({ sid = "", identity = "" }) => ask({
		title: `End the connection of ${identity}`, action: "End", isDanger: true, text: words.end,
		act: () => remove(`${PATH}/${sid}`).then(list.reload),
	});
	useTimer(() => list.reload(), REFRESH_MS);
	const shown = columns(
		["Identity", (row) => html`<a href=${href("clients", [], { identity: row.identity, service: row.chat_service_sid })}>${row.identity}</a>`],
		["Since", timeOf("date"), "nowrap"],
		["SDK", (row) => row.sdk ?? "unknown"],
		["Address", "address"],
		["Token ends", timeOf("token_expires"), "nowrap"],
		["Actions", (row) => html`<button class="small danger" aria-label="End the connection of ${row.identity}"
			disabled=${!mayChange()} onClick=${() => end(row)}>End</button>`],
	);
	const sitIn = onSubmit((form) => go(href("clients", [], { identity: form.elements.identity.value })));
	return html`<form class="row" onSubmit=${sitIn}>
			<input name="identity" aria-label="Identity" placeholder="Identity" required maxlength="256" disabled=${!mayMake} />
			<button class="primary" disabled=${!mayMake}>Sit in</button>
			<span class="soft small">${mayMake ? words.sitIn : words.mayNot}</span>
		</form>
		<${Table} label="Connections" columns=${shown} list=${list}
			none=${words.none} />
		${dialog}`;
}

export default function Clients() {
	const [tab] = useQuery("tab", "connections");
	const identity = useStore(route).query.get("identity");
	const mayMake = Boolean(mayChange() && session.get()?.shows_bodies);
	const name = identity && mayMake ? "sit" : tab === "tokens" ? tab : "";
	const load = (/** @type {string} */ of) => import(`./clients/${of}.js`);
	const shown = name && html`<${Later} key=${identity} load=${load} of=${name} identity=${identity} mayMake=${mayMake} />`;
	if (name === "sit") return shown;
	return html`<div class="page">
		<header class="head"><h1>Clients</h1>${identity && html`<${Badge} tone="warn">${words.mayNot}<//>`}</header>
		<${Tabs} label="Clients" tabs=${[["connections", "Connections"], ["tokens", "Tokens"]]} />
		<div class="body stack padded" role="tabpanel" id="tab-panel" aria-labelledby="tab-${tab}">
			${tab === "tokens" ? shown : html`<${Connections} mayMake=${mayMake} />`}
		</div>
	</div>`;
}
