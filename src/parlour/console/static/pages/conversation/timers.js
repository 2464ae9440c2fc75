/** The timers of a conversation: the time left by the server's clock. */
import { call, mayChange, post, session, useAction, useLoad } from "../../api.js";
import { loadTestState } from "../../app.js";
import { html, Time, Trouble, useEffect, useState, useTimer } from "../../kit.js";
import { useDialog } from "../../parts/form.js";
import { stateActions } from "../conversation.js";
import { conversation as words } from "./words.js";

const TIMERS = [["inactive", "Becomes inactive"], ["closed", "Is closed"]];
const UNITS = /** @type {[number, string][]} */ ([[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]);

/** @param {number} ms The two largest units. */
function spoken(ms) {
	let rest = Math.max(0, Math.round(ms / 1000));
	const parts = UNITS.map(([size, unit]) => {
		const count = Math.floor(rest / size);
		rest %= size;
		return count ? `${count} ${unit}` : "";
	});
	return parts.filter(Boolean).slice(0, 2).join(" ");
}

/** The server's time in milliseconds, each second, and how to ask for it again. */
function useServerTime() {
	const [, draw] = useState(0);
	const clock = useLoad(async () => {
		const { data, headers } = await call("GET", session.get()?.test ? "/parlour/v1/Clock" : "/parlour/v1/Server");
		const now = Date.parse(data.now ?? headers.get("date") ?? "") || Date.now();
		return { now, ahead: now - Date.now(), isFrozen: data.mode === "frozen" };
	}, []);
	useTimer(() => draw((count) => count + 1), 1000);
	const { now = 0, ahead = 0, isFrozen } = clock.data ?? {};
	return { now: isFrozen ? now : Date.now() + ahead, ask: clock.reload };
}

/** @param {{row: any, base: string, reload: () => void}} props */
export default function Timers({ row, base, reload }) {
	const { now, ask } = useServerTime();
	const [dialog, open] = useDialog();
	useEffect(ask, [row]);
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
					${at ? html`<p><span class="number strong large">in ${spoken(Date.parse(at) - now) || "0 s"}</span> <span class="soft">at <${Time} at=${at} full /></span></p>`
						: html`<p class="soft">${words.noTimer}</p>`}
					${at && isOpen && session.get()?.test && html`<p><button disabled=${advance.isRunning}
						onClick=${() => advance.run(at)}>Advance the clock to this timer</button></p>`}
				</section>`;
			})}
		</div>
		<${Trouble} problem=${advance.problem} />
		${isOpen ? html`<p class="row">
			<button onClick=${() => open(edit)}>Set timers</button>
			${stateActions(row, base, reload).map((each) => html`<button class=${each.isDanger && "danger"}
				onClick=${() => open(each)}>${each.action} now</button>`)}
		</p>` : row.state === "closed" && html`<p class="soft">${words.closed}</p>`}
		${dialog}
	</div>`;
}
