/** The dialog that creates a conversation. */
import { post } from "../../api.js";
import { go, html, Icon } from "../../kit.js";
import { useDialog } from "../../parts/form.js";
import { inService, toConversation } from "../conversations.js";
import { conversation as words } from "./words.js";

/** @param {{service: string}} props */
export default function NewConversation({ service }) {
	const [dialog, open] = useDialog();
	const onClick = () => open({
		title: "New conversation",
		action: "Create",
		isWhole: true,
		fields: [{ name: "FriendlyName", label: "Name" }, { name: "UniqueName", label: "Unique name", hint: words.unique }],
		act: async ({ FriendlyName, UniqueName }) => {
			const made = await post(inService("Conversations", service), { FriendlyName, UniqueName: UniqueName || null });
			go(toConversation(made.sid));
		},
	});
	return html`<button class="small push" onClick=${onClick}><${Icon} name="plus" />New</button>${dialog}`;
}
