/** The clock: what it says, what is due next, and how it moves. */
import { get, post, useAction, useLoad } from "../../api.js";
import { loadTestState } from "../../app.js";
import { Badge, html, Icon, onSubmit, Time, Trouble, useState, useTimer } from "../../kit.js";
import { columns, Table, timeOf } from "../../parts/list.js";
import { clock as words } from "../../words.js";

const PATH = "/parlour/v1/Clock";
const STEPS = [["PT1M", "1 min"], ["PT10M", "10 min"], ["PT1H", "1 h"], ["P1D", "1 d"]];

/** @param {any} props */
const Now = ({ state: { mode, now, system_now: real, status, target } }) => html`<div>
	<p class="row"><span class="title"><${Time} at=${now} full /></span><${Badge} tone=${mode === "system" ? "soft" : "warn"}>${mode === "system" ? "real time" : mode}<//></p>
	${mode !== "system" && html`<p class="soft">Real time: <${Time} at=${real} full /></p>`}
	${status !== "ready" && html`<p>On its way to <${Time} at=${target} full /></p>`}
</div>`;

/** @param {any} props What the last advance did. */
function Result({ result }) {
	if (!result?.fired) return null;
	const fired = result.fired.map((/** @type {any} */ each) => `${each.count} ${words.kinds[each.what] ?? each.what}`);
	return html`<p role="status"><span class="good"><${Icon} name="check" /></span>
		${result.settled ? words.settled : words.unsettled} ${fired.length ? `${fired.join(", ")}.` : words.nothing}</p>`;
}

export default function Clock() {
	const state = useLoad(() => get(PATH), []);
	useTimer(state.reload, 1000);
	const [result, show] = useState(null);
	const move = useAction(async (form, path = `${PATH}/Advance`) => {
		show(await post(path, form));
		state.reload();
		void loadTestState();
	});
	const submit = onSubmit((form) => {
		const text = form.elements.to.value.trim();
		return move.run(/^P/.test(text) ? { By: text } : { To: text });
	});
	const due = state.data?.due ?? [state.data?.next_due].filter(Boolean);
	return html`<${Trouble} problem=${state.error ?? move.problem} />
		<section class="card stack">
			${state.data && html`<${Now} state=${state.data} />`}
			<div class="row">${words.modes.map(
				([mode, label]) => html`<button aria-pressed=${state.data?.mode === mode} disabled=${move.isRunning} onClick=${() => move.run({ Mode: mode }, PATH)}>${label}</button>`,
			)}</div>
		</section>
		<form class="card row" onSubmit=${submit}>
			<h2>Advance</h2>
			${STEPS.map(([By, label]) => html`<button type="button" disabled=${move.isRunning} onClick=${() => move.run({ By })}>${label}</button>`)}
			<input name="to" aria-label="Duration or date" placeholder="PT45M or a date" required />
			<button class="primary" disabled=${move.isRunning}>Advance</button>
		</form>
		<${Result} result=${result} />
		<h2>Due next</h2>
		<${Table} label="Due next" rows=${due} keyOf=${(/** @type {any} */ row) => row.what + row.at} none=${words.none}
			columns=${columns(
				["At", timeOf("at", true), "nowrap"],
				["What", (row) => words.kinds[row.what] ?? row.what.replaceAll("_", " ")],
				["Go there", (row) => html`<button class="small" onClick=${() => move.run({ To: row.at })}>Advance to this</button>`, "actions"],
			)} />`;
}
