/** Triggers: each event of the webhooks at a click, with what it needs. */
import { href, html, Icon, useState } from "../../kit.js";
import { useDialog } from "../../parts/form.js";
import { Facts } from "../../parts/report.js";
import { Json } from "../../parts/values.js";
import { events, triggers as words } from "../../words.js";

export default function Triggers() {
	const [dialog, open] = useDialog();
	const [done, finish] = useState(/** @type {any} */ (null));
	const rows = words.nouns.map((noun) => [noun, html`<span class="row">${events.types.filter((each) => each.startsWith(`on${noun}`)).map((each) =>
		html`<button onClick=${() => open({ id: "CreateTrigger", title: each, action: "Trigger", fixed: { EventType: each }, onDone: finish })}>${each}</button>`)}</span>`]);
	return html`<p class="soft">${words.lead}</p>
		<div class="card triggers"><${Facts} facts=${rows} /></div>
		${done && html`<p role="status" class="row"><span class="good"><${Icon} name="check" /></span>${done.event_type} by ${done.operation}
			${done.sids.conversation_sid && html`<a href=${href("conversations", [done.sids.conversation_sid])}>Conversation</a>`}
			<a href=${href("webhooks")}>Webhooks</a></p>
			<${Json} value=${done.sids} label="Objects" />`}
		${dialog}`;
}
