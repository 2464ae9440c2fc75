/** Help: the keys, and how times are shown. */
import { html, prefer, preferences, useStore } from "../kit.js";
import { keys } from "../words.js";
import { Dialog } from "./dialog.js";

/** @param {{onClose: () => void}} props */
export default function Help({ onClose }) {
	const { shortcuts, zone } = useStore(preferences);
	const onCheck = (/** @type {any} */ event) => prefer("shortcuts", event.target.checked ? "" : "off");
	const onZone = (/** @type {any} */ event) => prefer("zone", event.target.checked ? "utc" : "");
	return html`<${Dialog} title="Keys" action="Done" isNote act=${() => {}} onClose=${onClose}>
		<dl class="facts">
			${keys.map(([key, text]) => html`<dt><kbd>${key}</kbd></dt><dd>${text}</dd>`)}
		</dl>
		<div><label class="check"><input type="checkbox" checked=${shortcuts !== "off"} onChange=${onCheck} /> Single letters are keys</label>
		<label class="check"><input type="checkbox" checked=${zone === "utc"} onChange=${onZone} /> Times in UTC</label></div>
	<//>`;
}
