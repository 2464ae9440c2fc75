/** Faults: what is armed, presets, and a form with all effects. */
import { post, remove, useAction, useList } from "../../api.js";
import { loadTestState } from "../../app.js";
import { html, Trouble, useTimer } from "../../kit.js";
import { useDialog } from "../../parts/form.js";
import { columns, Table } from "../../parts/list.js";
import { Facts } from "../../parts/report.js";
import { faults as words } from "../../words.js";

const PATH = "/parlour/v1/Faults";
const OWN = new Set(["sid", "account_sid", "target", "scope", "name", "skip", "times", "probability", "matched", "fired", "left", "date_created", "url"]);

/** @param {any} fault Its conditions and effects, as far as they are set. */
const effects = (fault) =>
	Object.entries(fault).filter(([name, value]) => !OWN.has(name) && value !== null && value !== false && value !== 0)
		.map(([name, value]) => `${name.replaceAll("_", " ")} ${value === true ? "" : [value].flat().join(", ")}`.trim()).join(" · ");

export default function Faults() {
	const list = useList(PATH, "faults", { PageSize: 100 });
	useTimer(list.reload, 3000);
	const [dialog, open] = useDialog();
	const changed = () => {
		list.reload();
		void loadTestState();
	};
	const change = useAction((act) => act().then(changed));
	const shown = columns(
		["Target", (row) => html`${row.target} ${row.name && html`<span class="soft">${row.name}</span>`}`],
		["Effect", effects, "wide"],
		["Matched", "matched", "number"],
		["Fired", "fired", "number"],
		["Left", (row) => row.left ?? "until removed", "number"],
		["Remove", (row) => html`<button class="small danger" onClick=${() => change.run(() => remove(`${PATH}/${row.sid}`))}>Remove</button>`, "actions"],
	);
	return html`<div class="card"><${Facts} facts=${[
			["Arm at once", html`<span class="row">${words.presets.map((/** @type {any} */ [label, form]) => html`<button onClick=${() => change.run(() => post(PATH, form))}>${label}</button>`)}</span>`],
			["New fault of", html`<span class="row">${words.targets.map(([Target, label, names]) => html`<button onClick=${() => open({
				id: "CreateFault", title: `New fault: ${label}`, action: "Arm", fixed: { Target }, only: `${names} ${words.common}`.split(" "), onDone: changed,
			})}>${label} …</button>`)}</span>`],
		]} /></div>
		<header class="row"><h2>Armed</h2>
			${list.rows.length > 0 && html`<button class="danger push" onClick=${() => change.run(() => remove(PATH))}>Remove all</button>`}</header>
		<${Trouble} of=${change} />
		<${Table} label="Faults" columns=${shown} list=${list} none=${words.none} />
		${dialog}`;
}
