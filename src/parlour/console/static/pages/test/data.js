/** Data: seeds, snapshots, and the reset. */
import { get, post, remove, useAction, useList } from "../../api.js";
import { html, onSubmit, onValue, Trouble, useState } from "../../kit.js";
import { useDialog } from "../../parts/form.js";
import { columns, Table, timeOf } from "../../parts/list.js";
import { size } from "../../parts/report.js";
import { seeds as words } from "../../words.js";

const SEEDS = "/parlour/v1/Seeds";
const SNAPSHOTS = "/parlour/v1/Snapshots";

async function exportSeed() {
	const text = JSON.stringify(await get(SEEDS), null, 2);
	const link = document.createElement("a");
	link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
	link.download = "seed.json";
	link.click();
	URL.revokeObjectURL(link.href);
}

function Seeds() {
	const [text, setText] = useState("");
	const [done, finish] = useState("");
	const load = useAction(async (to, what) => {
		finish("");
		const type = text.trimStart().startsWith("{") ? "application/json" : "application/yaml";
		const { labels, sids } = await post(SEEDS + to, {}, { body: text, type });
		const { length } = labels ?? Object.keys(sids);
		finish(`${what} ${length} object${length === 1 ? "" : "s"}.`);
	});
	const take = async (/** @type {File | undefined} */ file) => file && setText(await file.text());
	const onDrop = (/** @type {DragEvent} */ event) => {
		event.preventDefault();
		void take(event.dataTransfer?.files[0]);
	};
	return html`<form class="card stack" onSubmit=${onSubmit(() => load.run("", "Loaded"))} onDrop=${onDrop} onDragOver=${(/** @type {Event} */ event) => event.preventDefault()}>
		<div class="row"><h2>Seeds</h2><button type="button" class="push" onClick=${exportSeed}>Export this account</button></div>
		<p class="soft">${words.drop}</p>
		<input type="file" aria-label="File of seeds" accept=".yaml,.yml,.json" onChange=${(/** @type {any} */ event) => take(event.target.files[0])} />
		<textarea class="mono" rows="8" aria-label="Seeds" placeholder=${words.example} value=${text} onInput=${onValue((given) => [setText(given), finish("")])} />
		<${Trouble} of=${load} />
		<p class="row"><button class="primary" disabled=${!text || load.isRunning}>Load</button>
			<button type="button" disabled=${!text || load.isRunning} onClick=${() => load.run("/Check", "Valid:")}>Check</button>
			<span role="status" class="good">${done}</span></p>
	</form>`;
}

function Snapshots() {
	const list = useList(SNAPSHOTS, "snapshots", { PageSize: 100 });
	const [dialog, ask] = useDialog();
	const take = () => ask({ id: "CreateSnapshot", title: "Take a snapshot", action: "Take", onDone: list.reload });
	const reset = () => ask({ title: "Reset this account", action: "Reset", isDanger: true, text: words.reset, act: () => post("/parlour/v1/Reset") });
	const restore = ({ name = "" }) => ask({
		title: `Restore ${name}`, action: "Restore", isDanger: true, text: words.restore,
		act: () => post(`${SNAPSHOTS}/${encodeURIComponent(name)}/Restore`),
	});
	const drop = useAction((name) => remove(`${SNAPSHOTS}/${encodeURIComponent(name)}`).then(list.reload));
	const shown = columns(
		["Name", "name"],
		["Scope", "scope"],
		["Made", timeOf("date_created")],
		["Size", (row) => size(row.size_bytes), "number"],
		["Actions", (row) => html`<span class="row"><button class="small" onClick=${() => restore(row)}>Restore</button>
			<button class="small danger" onClick=${() => drop.run(row.name)}>Delete</button></span>`, "actions"],
	);
	return html`<section class="card stack">
		<div class="row"><h2>Snapshots</h2><button class="push" onClick=${take}>Take a snapshot</button></div>
		<${Trouble} of=${drop} />
		<${Table} label="Snapshots" columns=${shown} list=${list} keyOf="name" none=${words.none} />
	</section>
	<section class="card stack">
		<div class="row"><h2>Start over</h2><button class="danger push" onClick=${reset}>Reset</button></div>
		<p class="soft">${words.reset}</p>
		${dialog}
	</section>`;
}

export default () => html`<${Seeds} /><${Snapshots} />`;
