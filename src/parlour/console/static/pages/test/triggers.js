/** Triggers: each event of the webhooks at a click, with what it needs. */
import { href, html, Icon, useState } from "../../kit.js";
import { useDialog } from "../../parts/form.js";
import { Json } from "../../parts/values.js";
import { events, triggers as words } from "../../words.js";

export default function Triggers() {
	const [dialog, open] = useDialog();
	const [done, finish] = useState(/** @type {any} */ (null));
	return html`<p class="soft">${words.lead}</p>
		<div class="row">${events.types.map((each) => html`<button onClick=${() => open({ id: "CreateTrigger", title: each, action: "Trigger", fixed: { EventType: each }, onDone: finish })}>${each}</button>`)}</div>
		${done && html`<p role="status" class="row"><span class="good"><${Icon} name="check" /></span>${done.event_type} by ${done.operation}
			${done.sids.conversation_sid && html`<a href=${href("conversations", [done.sids.conversation_sid])}>Conversation</a>`}</p>
			<${Json} value=${done.sids} label="Objects" />`}
		${dialog}`;
}
