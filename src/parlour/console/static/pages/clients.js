/** Clients: connections now, sitting in as a user, and access tokens. */
import { remove, session, useList, useLoad } from "../api.js";
import { Badge, Empty, go, href, html, route, Time, Trouble, useEffect, useQuery, useState, useStore } from "../kit.js";
import { Confirm } from "../parts/dialog.js";
import { Table } from "../parts/table.js";
import { Tabs } from "../parts/tabs.js";
import { clients as words } from "./clients/words.js";

const PATH = "/parlour/v1/Connections";
const REFRESH_MS = 3000;

/** @param {{mayMake: boolean}} props */
function Connections({ mayMake }) {
	const list = useList(PATH, "connections", { PageSize: 100 });
	const [gone, setGone] = useState(/** @type {any} */ (null));
	useEffect(() => {
		const timer = setInterval(() => document.hidden || list.reload(), REFRESH_MS);
		return () => clearInterval(timer);
	}, []);
	const columns = /** @type {import("../parts/table.js").Column[]} */ ([
		{ label: "Identity", cell: (row) => html`<a href=${href("clients", [], { identity: row.identity, service: row.chat_service_sid })}>${row.identity}</a>` },
		{ label: "Since", kind: "nowrap", cell: (row) => html`<${Time} at=${row.date} />` },
		{ label: "SDK", cell: (row) => row.sdk ?? "unknown" },
		{ label: "Address", cell: (row) => row.address },
		{ label: "Token ends", kind: "nowrap", cell: (row) => html`<${Time} at=${row.token_expires} />` },
		{ label: "Actions", cell: (row) => html`<button class="small danger" aria-label="End the connection of ${row.identity}"
			disabled=${!session.get()?.may_change} onClick=${() => setGone(row)}>End</button>` },
	]);
	const sitIn = (/** @type {any} */ event) => {
		event.preventDefault();
		go(href("clients", [], { identity: event.currentTarget.elements.identity.value }));
	};
	return html`<form class="row" onSubmit=${sitIn}>
			<input name="identity" aria-label="Identity" placeholder="Identity" required maxlength="256" disabled=${!mayMake} />
			<button class="primary" disabled=${!mayMake}>Sit in</button>
			<span class="soft small">${mayMake ? words.sitIn : words.mayNot}</span>
		</form>
		<${Table} label="Connections" columns=${columns} rows=${list.rows} list=${list}
			none=${html`<${Empty} title=${words.none[0]}><p>${words.none[1]}</p><//>`} />
		${gone && html`<${Confirm} isDanger title="End the connection of ${gone.identity}" action="End" text=${words.end}
			act=${() => remove(`${PATH}/${gone.sid}`).then(list.reload)} onClose=${() => setGone(null)} />`}`;
}

export default function Clients() {
	const [tab] = useQuery("tab", "connections");
	const identity = useStore(route).query.get("identity");
	const mayMake = Boolean(session.get()?.may_change && session.get()?.shows_bodies);
	const name = identity && mayMake ? "sit" : tab === "tokens" ? tab : "";
	const part = useLoad(async () => name && { name, show: (await import(`./clients/${name}.js`)).default }, [name]);
	const shown = part.data && part.data.name === name && html`<${part.data.show} key=${identity} identity=${identity} mayMake=${mayMake} />`;
	if (name === "sit") return shown || html`<${Trouble} problem=${part.error} />`;
	return html`<div class="page">
		<header class="head"><h1>Clients</h1>${identity && html`<${Badge} tone="warn">${words.mayNot}<//>`}</header>
		<${Tabs} label="Clients" tabs=${[["connections", "Connections"], ["tokens", "Tokens"]]} />
		<div class="body stack padded" role="tabpanel" id="tab-panel" aria-labelledby="tab-${tab}">
			<${Trouble} problem=${part.error} />
			${tab === "tokens" ? shown : html`<${Connections} mayMake=${mayMake} />`}
		</div>
	</div>`;
}
