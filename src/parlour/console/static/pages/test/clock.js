/** The clock: what it says, what is due next, and how it moves. */
import { get, post, useAction, useLoad } from "../../api.js";
import { loadTestState } from "../../app.js";
import { Badge, html, Icon, onSubmit, Time, Trouble, useState } from "../../kit.js";
import { useLive } from "../../live.js";
import { columns, Table, timeOf } from "../../parts/list.js";
import { Facts } from "../../parts/report.js";
import { clock as words } from "../../words.js";

const PATH = "/parlour/v1/Clock";
const STEPS = [["PT1M", "1 min"], ["PT10M", "10 min"], ["PT1H", "1 h"], ["P1D", "1 d"]];
const MODES = [["system", "Real time"], ["frozen", "Freeze"], ["shifted", "Let it run from here"]];

/** @param {any} state @returns {[string, any][]} */
const facts = (state) => [
	["Now", html`<${Time} at=${state.now} full /> <${Badge} tone=${state.mode === "system" ? "soft" : "warn"}>${state.mode}<//>`],
	["Real time", html`<${Time} at=${state.system_now} full />`],
	["Moves", state.status === "ready" ? "no" : html`until <${Time} at=${state.target} full />`],
];

/** @param {{result: any}} props What the last advance did. */
function Result({ result }) {
	if (!result?.fired) return null;
	const fired = result.fired.map((/** @type {any} */ each) => `${each.count} ${words.kinds[/** @type {"timers"} */ (each.what)] ?? each.what}`);
	return html`<p role="status"><span class="good"><${Icon} name="check" /></span>
		${result.settled ? words.settled : words.unsettled} ${fired.length ? `${fired.join(", ")}.` : words.nothing}</p>`;
}

export default function Clock() {
	const state = useLoad(() => get(PATH), []);
	useLive(() => state.reload());
	const [result, show] = useState(/** @type {any} */ (null));
	const move = useAction(async (/** @type {any} */ form, path = `${PATH}/Advance`) => {
		show(await post(path, form));
		state.reload();
		void loadTestState();
	});
	const advance = (/** @type {any} */ form) => move.run(form);
	const submit = onSubmit((form) => {
		const text = form.elements.to.value.trim();
		return advance(/^P/.test(text) ? { By: text } : { To: text });
	});
	const due = state.data?.due ?? [state.data?.next_due].filter(Boolean);
	return html`<${Trouble} problem=${state.error ?? move.problem} />
		${state.data && html`<${Facts} facts=${facts(state.data)} />`}
		<div class="row">${MODES.map(
			([mode, label]) => html`<button aria-pressed=${state.data?.mode === mode} disabled=${move.isRunning} onClick=${() => move.run({ Mode: mode }, PATH)}>${label}</button>`,
		)}</div>
		<form class="row" onSubmit=${submit}>
			<span>Advance by</span>
			${STEPS.map(([By, label]) => html`<button type="button" disabled=${move.isRunning} onClick=${() => advance({ By })}>${label}</button>`)}
			<input name="to" aria-label="Duration or date" placeholder="PT45M or a date" required />
			<button class="primary" disabled=${move.isRunning}>Advance</button>
		</form>
		<${Result} result=${result} />
		<h2>Due next</h2>
		<${Table} label="Due next" rows=${due} keyOf=${(/** @type {any} */ row) => row.what + row.at} none=${words.none}
			columns=${columns(
				["At", timeOf("at", true)],
				["What", (row) => words.kinds[/** @type {"timers"} */ (row.what)] ?? row.what],
				["Go there", (row) => html`<button class="small" onClick=${() => advance({ To: row.at })}>Advance to this</button>`],
			)} />`;
}
