/** Faults: what is armed, presets, and a form with all effects. */
import { post, remove, useAction, useList } from "../../api.js";
import { loadTestState } from "../../app.js";
import { html, Trouble } from "../../kit.js";
import { useDialog } from "../../parts/form.js";
import { columns, Table } from "../../parts/list.js";
import { faults as words } from "../../words.js";

const PATH = "/parlour/v1/Faults";
const OWN = new Set(["sid", "account_sid", "target", "scope", "name", "skip", "times", "probability", "matched", "fired", "left", "date_created", "url"]);

/** @param {any} fault Its conditions and effects, as far as they are set. */
const effects = (fault) =>
	Object.entries(fault).filter(([name, value]) => !OWN.has(name) && value !== null && value !== false && value !== 0)
		.map(([name, value]) => `${name.replaceAll("_", " ")} ${value === true ? "" : [value].flat().join(", ")}`.trim()).join(" · ");

export default function Faults() {
	const list = useList(PATH, "faults", { PageSize: 100 });
	const [dialog, open] = useDialog();
	const changed = () => {
		list.reload();
		void loadTestState();
	};
	const arm = useAction(async (/** @type {Record<string, string>} */ form) => {
		await post(PATH, form);
		changed();
	});
	const disarm = useAction(async (/** @type {string} */ sid) => {
		await remove(sid ? `${PATH}/${sid}` : PATH);
		changed();
	});
	const shown = columns(
		["Target", (row) => html`${row.target} ${row.name && html`<span class="soft">${row.name}</span>`}`],
		["Effect", effects, "wide"],
		["Matched", "matched", "number"],
		["Fired", "fired", "number"],
		["Left", (row) => row.left ?? "until removed", "number"],
		["Remove", (row) => html`<button class="small danger" onClick=${() => disarm.run(row.sid)}>Remove</button>`],
	);
	return html`<div class="row">
			${words.presets.map(([label, form]) => html`<button onClick=${() => arm.run(form)}>${label}</button>`)}
			<button class="primary" onClick=${() => open({ id: "CreateFault", title: "New fault", action: "Arm", onDone: changed })}>New fault</button>
			<button class="quiet push" onClick=${list.reload}>Read again</button>
			${list.rows.length > 0 && html`<button class="danger" onClick=${() => disarm.run("")}>Remove all</button>`}
		</div>
		<${Trouble} problem=${arm.problem ?? disarm.problem} />
		<${Table} label="Faults" columns=${shown} list=${list} none=${words.none} />
		${dialog}`;
}
