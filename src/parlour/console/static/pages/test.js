/** Test: clock, faults, data, emulation and triggers of a server in test mode. */
import { Later, mayChange } from "../api.js";
import { html, useQuery } from "../kit.js";
import { Tabs } from "../parts/list.js";

const TABS = [["clock", "Clock"], ["faults", "Faults"], ["data", "Data"], ["emulation", "Emulation"], ["triggers", "Triggers"]];

export default function Test() {
	const [tab] = useQuery("tab", "clock");
	return html`<div class="page">
		<header class="head"><h1>Test</h1></header>
		<${Tabs} label="Functions of test mode" tabs=${TABS} />
		<div class="body padded" role="tabpanel" tabindex="0" id="tab-panel" aria-labelledby="tab-${tab}">
			<fieldset class="stack" disabled=${!mayChange()}><${Later} load=${(/** @type {string} */ of) => import(`./test/${of}.js`)} of=${tab} /></fieldset>
		</div>
	</div>`;
}
