/** A secret that was just made: it is shown once. */
import { html } from "../kit.js";
import { accounts as words } from "../words.js";
import { Dialog } from "./dialog.js";
import { Copy, Sid } from "./sid.js";

/** @param {{secret: any, onClose: () => void}} props A secret is shown once. */
export function Secret({ secret, onClose }) {
	return html`<${Dialog} title="Shown once" action="I have it" act=${() => {}} onClose=${onClose}>
		<p>${words.once}</p>
		<dl class="facts"><dt>Name</dt><dd><${Sid} sid=${secret.sid} full /></dd>
			<dt>Secret</dt><dd class="row"><code>${secret.secret ?? secret.auth_token}</code><${Copy} text=${secret.secret ?? secret.auth_token} /></dd></dl>
	<//>`;
}
