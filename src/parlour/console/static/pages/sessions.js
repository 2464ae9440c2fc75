/** Sessions: who is signed in to the console; an operator can end each. */
import { mayChange, remove, useAction, useList } from "../api.js";
import { html, Time, Trouble } from "../kit.js";
import { columns, Table, timeOf } from "../parts/list.js";
import { Sid } from "../parts/values.js";
import { who } from "./audit.js";

const PATH = "/parlour/v1/Operator/Sessions";

export default function Sessions() {
	const list = useList(PATH, "sessions", { PageSize: 50 }, undefined, "-");
	const end = useAction(async (sid) => {
		await remove(`${PATH}/${sid}`, { account: "-" });
		list.reload();
	});
	const shown = columns(
		["Who", who],
		["Account", (row) => (row.account_sid ? html`<${Sid} sid=${row.account_sid} />` : "all")],
		["Signed in", timeOf("date_created")],
		["Last used", timeOf("last_used")],
		["Until", (row) => (row.ends ? html`<${Time} at=${row.ends} />` : "with the process")],
		["End", (row) => html`<button class="small danger" disabled=${!mayChange()} onClick=${() => end.run(row.sid)}>End</button>`, "actions"],
	);
	return html`<div class="page">
		<header class="head"><h1>Sessions</h1></header>
		<${Trouble} of=${end} />
		<div class="body"><${Table} label="Sessions" columns=${shown} list=${list} /></div>
	</div>`;
}
