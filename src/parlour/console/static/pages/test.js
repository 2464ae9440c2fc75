/** Test: clock, faults, data, emulation and triggers of a server in test mode. */
import { useLoad } from "../api.js";
import { html, Trouble, useQuery } from "../kit.js";
import { Tabs } from "../parts/tabs.js";

const TABS = /** @type {[string, string][]} */ ([
	["clock", "Clock"],
	["faults", "Faults"],
	["data", "Seeds and snapshots"],
	["emulation", "Emulation"],
	["triggers", "Triggers"],
]);

export default function Test() {
	const [tab] = useQuery("tab", "clock");
	const part = useLoad(() => import(`./test/${tab}.js`).then((module) => ({ tab, show: module.default })), [tab]);
	return html`<div class="page">
		<header class="head"><h1>Test</h1></header>
		<${Tabs} label="Functions of test mode" tabs=${TABS} />
		<div class="body stack padded" role="tabpanel" id="tab-panel" aria-labelledby="tab-${tab}">
			<${Trouble} problem=${part.error} />
			${part.data?.tab === tab && html`<${part.data.show} />`}
		</div>
	</div>`;
}
