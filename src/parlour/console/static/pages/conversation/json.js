/** The REST object of a conversation, and the call that gets it. */
import { world } from "../../app.js";
import { html, route, useStore } from "../../kit.js";
import { Copy, Json } from "../../parts/values.js";

/** @param {TabProps} props */
export default function ConversationJson({ row, base }) {
	const curl = `curl -u "${route.get().account}:$AUTH_TOKEN" "${useStore(world).server.url ?? location.origin}${base}"`;
	return html`<div class="body scroll">
		<${Json} value=${row} label="Conversation"><${Copy} text=${curl}>Copy curl<//><//>
	</div>`;
}
