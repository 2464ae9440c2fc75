/** The timers of a conversation: the time left by the server's clock. */
import { mayChange, post, session, useAction } from "../../api.js";
import { loadTestState } from "../../app.js";
import { html, serverNow, Time, Trouble, useState, useTimer } from "../../kit.js";
import { useDialog } from "../../parts/form.js";
import { stateActions } from "../conversation.js";
import { spoken } from "../../parts/report.js";
import { conversation as words } from "./words.js";

const TIMERS = [["inactive", "Becomes inactive"], ["closed", "Is closed"]];
/** @param {TabProps} props */
export default function Timers({ row, base, reload }) {
	const [, draw] = useState(0);
	const [dialog, open] = useDialog();
	useTimer(() => draw((count) => count + 1), 1000);
	// Dates of timers are in whole seconds: a timer is due within that second.
	const advance = useAction(async (/** @type {string} */ at) => {
		await post("/parlour/v1/Clock/Advance", { To: new Date(Date.parse(at) + 1000).toISOString() });
		reload();
		await loadTestState();
	});
	const isOpen = mayChange() && row.state !== "closed";
	const edit = {
		title: "Set timers",
		text: words.durations,
		fields: [{ name: "Timers.Inactive", label: "Inactive after" }, { name: "Timers.Closed", label: "Closed after" }],
		act: (/** @type {any} */ changes) => post(base, changes).then(reload),
	};
	return html`<div class="body scroll stack">
		<div class="cards">
			${TIMERS.map(([name, label]) => {
				const at = row.timers[`date_${name}`];
				return html`<section class="card stack" aria-label=${label}>
					<h3>${label}</h3>
					${at ? html`<p class="number title">in ${spoken((Date.parse(at) - serverNow()) / 1000)}</p><p class="soft"><${Time} at=${at} full /></p>`
						: html`<p class="soft">${words.noTimer}</p>`}
					${at && isOpen && session.get()?.test && html`<p><button disabled=${advance.isRunning}
						onClick=${() => advance.run(at)}>Advance the clock to this timer</button></p>`}
				</section>`;
			})}
		</div>
		<${Trouble} of=${advance} />
		${isOpen ? html`<p class="row">
			<button onClick=${() => open(edit)}>Set timers</button>
			${stateActions(row, base, reload).map((each) => html`<button class=${each.isDanger && "danger"}
				onClick=${() => open(each)}>${each.action} now</button>`)}
		</p>` : row.state === "closed" && html`<p class="soft">${words.closed}</p>`}
		${dialog}
	</div>`;
}
