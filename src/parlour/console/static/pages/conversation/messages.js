/** The messages of a conversation, newest at the bottom, and the field that writes one. */
import { get, post, useAction, useLoad } from "../../api.js";
import { Badge, Empty, html, Icon, Skeleton, Time, Trouble, useEffect, useRef, useState } from "../../kit.js";
import { useLive } from "../../live.js";
import { empty } from "../../words.js";

/** @param {{message: any}} props */
function Message({ message }) {
	return html`<li class="message">
		<span class="number">${message.index}</span>
		<div>
			<p class="meta">
				<span class="strong">${message.author}</span>
				<span class="small soft"><${Time} at=${message.date_created} /></span>
				${message.delivery && html`<${Badge}>${message.delivery.total}<//>`}
			</p>
			<p class="text">${message.body}</p>
		</div>
	</li>`;
}

/** @param {{base: string, onSent: () => void}} props */
function Composer({ base, onSent }) {
	const [author, setAuthor] = useState("");
	const [body, setBody] = useState("");
	const people = useLoad(async () => (await get(`${base}/Participants`)).participants, [base]);
	const send = useAction(async () => {
		await post(`${base}/Messages`, { Author: author || "system", Body: body });
		setBody("");
		onSent();
	});
	const submit = (/** @type {Event} */ event) => {
		event.preventDefault();
		void send.run();
	};
	return html`<form class="composer" onSubmit=${submit}>
		<select aria-label="Author" value=${author} onChange=${(/** @type {any} */ event) => setAuthor(event.target.value)}>
			<option value="">as system</option>
			${(people.data ?? []).map((/** @type {any} */ each) => {
				const name = each.identity ?? each.messaging_binding?.address;
				return html`<option value=${name}>as ${name}</option>`;
			})}
		</select>
		<textarea aria-label="Message" placeholder="Message" value=${body} onInput=${(/** @type {any} */ event) => setBody(event.target.value)} />
		<button class="primary" disabled=${send.isRunning || !body}><${Icon} name="send" />Send</button>
		<${Trouble} problem=${send.problem} />
	</form>`;
}

/** @param {{base: string, conversation: any}} props */
export default function Messages({ base, conversation }) {
	const list = useLoad(async () => (await get(`${base}/Messages`, { Order: "desc", PageSize: 50 })).messages, [base]);
	const end = useRef(/** @type {HTMLElement | null} */ (null));
	useEffect(() => end.current?.scrollIntoView(), [list.data?.length]);
	useLive((events) => {
		if (!events || events.some((each) => each.conversation_sid === conversation.sid)) list.reload();
	});
	const [title, next] = empty.messages;
	return html`<${Trouble} problem=${list.error} retry=${list.reload} />
		${list.isLoading && !list.data && html`<${Skeleton} />`}
		${list.data?.length === 0 && html`<${Empty} title=${title}>${next}<//>`}
		<ol class="thread" role="log" aria-label="Messages">
			${[...(list.data ?? [])].reverse().map((message) => html`<${Message} key=${message.sid} message=${message} />`)}
		</ol>
		<div ref=${end} />
		<${Composer} base=${base} onSent=${list.reload} />`;
}
