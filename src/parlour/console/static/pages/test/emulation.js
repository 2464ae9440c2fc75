/** Emulation: limits and habits of the hosted service that can be switched on. */
import { get, useLoad } from "../../api.js";
import { html, Skeleton, Trouble } from "../../kit.js";
import { useDialog } from "../../parts/form.js";
import { Facts } from "../../parts/report.js";
import { emulation as words } from "../../words.js";

export default function Emulation() {
	const state = useLoad(() => get("/parlour/v1/Emulation"), []);
	const [dialog, open] = useDialog();
	const row = state.data;
	if (!row) return state.error ? html`<${Trouble} problem=${state.error} retry=${state.reload} />` : html`<${Skeleton} />`;
	return html`<${Facts} facts=${words.map(([name, label]) => [label, String(row[name])])} />
		<p><button onClick=${() => open({ id: "UpdateEmulation", title: "Emulation", row, onDone: state.reload })}>Change</button></p>${dialog}`;
}
