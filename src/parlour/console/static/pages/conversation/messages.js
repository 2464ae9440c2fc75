/** The messages of a conversation, newest at the bottom, and the field that writes one. */
import { get, mayChange, post, remove, session, useAction, useList, useLoad } from "../../api.js";
import { Badge, Empty, html, Icon, listKeys, onSubmit, onValue, route, Skeleton, Time, Trouble, useKeys, useMemo, useQuery, useState, Whole } from "../../kit.js";
import { Files, useDialog } from "../../parts/form.js";
import { Json, Sid } from "../../parts/values.js";
import { empty } from "../../words.js";
import { channelOf, personOf } from "./participants.js";
import { useThread } from "./thread.js";
import { conversation as words } from "./words.js";

const LEVELS = /** @type {[string, "good" | "bad" | "soft"][]} */ ([
	["failed", "bad"], ["undelivered", "bad"], ["read", "good"], ["delivered", "good"], ["sent", "soft"],
]);
const isInline = (/** @type {string} */ type) => /^(image\/(png|jpe?g|gif|webp)|(audio|video)\/.+)$/.exec(type)?.[0].split("/")[0];
const toneOf = (/** @type {string} */ status) => LEVELS.find(([level]) => level === status)?.[1];

/** @param {any} props The state of the delivery in words. */
function Delivery({ message, people, onClick }) {
	const { delivery } = message;
	if (!delivery) return null;
	const [level, tone] = LEVELS.find(([name]) => delivery[name] !== "none") ?? ["queued", "soft"];
	const others = people.filter((/** @type {any} */ each) => each.messaging_binding && each.sid !== message.participant_sid);
	const who = delivery.total === 1 && others.length === 1 ? personOf(others[0]) : words.recipients(delivery.total);
	return html`<button class="badge small ${tone}" tabindex="-1" onClick=${onClick}>
		${level} for ${delivery[level] === "some" ? "some of " : ""}${who}</button>`;
}

/** @param {{medium: any, service: string}} props Media are shown through a URL that ends after minutes. */
function Medium({ medium, service }) {
	const path = `/v1/Services/${service}/Media/${medium.sid}`;
	const loaded = useLoad(() => get(path), [path]);
	const url = loaded.data?.links.content_direct_temporary;
	const name = medium.filename || medium.sid;
	const kind = isInline(medium.content_type);
	const save = async () => open((await get(path)).links.content_direct_temporary, "_blank", "noopener");
	return html`<figure class="medium">
		${url && kind === "image" && html`<img src=${url} alt=${name} />`}
		${url && (kind === "audio" || kind === "video") && html`<${kind} controls src=${url} aria-label=${name} />`}
		<figcaption class="row small soft"><${Icon} name="file" /><span class="cut">${name}</span> ${medium.content_type}, ${medium.size.toLocaleString("en")} bytes
			<button class="small" onClick=${save}>Download</button></figcaption>
		<${Trouble} problem=${loaded.error} />
	</figure>`;
}

/** Receipts, attributes, and what may be done. @param {any} props */
function Detail({ message, path, people, headers }) {
	const [dialog, ask] = useDialog();
	const own = `${path}/${message.sid}`;
	const receipts = useLoad(async () => (message.delivery ? (await get(`${own}/Receipts`)).delivery_receipts : []), [message]);
	const nameOf = (/** @type {string} */ sid) => {
		const person = people.find((/** @type {any} */ each) => each.sid === sid);
		return person ? `${channelOf(person) ?? ""} ${personOf(person)}` : sid;
	};
	const edit = /** @type {FormSpec} */ ({
		title: `Edit message ${message.index}`,
		fields: [
			{ name: "Body", label: "Text", kind: "area", value: message.body },
			{ name: "Author", value: message.author },
			{ name: "Subject", value: message.subject },
			{ name: "Attributes", kind: "json", value: message.attributes },
		],
		act: (changes) => post(own, changes, { headers }),
	});
	const removal = { title: `Remove message ${message.index}?`, text: words.unsaid, action: "Remove", isDanger: true, act: () => remove(own, { headers }) };
	return html`<div class="card stack">
		${receipts.data?.length > 0 && html`<ul aria-label="Receipts">
			${receipts.data.map((/** @type {any} */ each) => html`<li class="row">${nameOf(each.participant_sid)}
				<${Badge} tone=${toneOf(each.status)}>${each.status}<//>
				${each.error_code > 0 && html`<span>${words.codes[each.error_code] ?? words.otherCode} (${each.error_code})</span>`}
				<span class="small soft"><${Time} at=${each.date_updated} full /></span></li>`)}
		</ul>`}
		${message.delivery && receipts.data?.length === 0 && html`<p class="soft">${words.noReceipts}</p>`}
		${message.attributes !== "{}" && html`<${Json} value=${message.attributes && JSON.parse(message.attributes)} label="Attributes" />`}
		<p class="row"><${Sid} sid=${message.sid} />
			${mayChange() && [edit, removal].map((each) => html`<button class="small ${each === removal && "danger"}"
				onClick=${() => ask(each)}>${each.action ?? "Edit"}</button>`)}</p>
		<${Trouble} problem=${receipts.error} />${dialog}
	</div>`;
}

/** @param {any} props */
function Message({ message, isOpen, isLast, toggle, service, ...rest }) {
	const via = channelOf(rest.people.find((/** @type {any} */ each) => each.sid === message.participant_sid));
	return html`<li class="message" data-sid=${message.sid}>
		<span class="number">${message.index}</span>
		<div>
			<p class="meta">
				<span class="strong">${message.author}</span>
				<span class="small soft"><${Time} at=${message.date_created} />${via && ` via ${via}`}</span>
				<${Delivery} message=${message} people=${rest.people} onClick=${toggle} />
				<button class="quiet small push" data-row=${message.sid} tabindex=${isOpen || isLast ? 0 : -1}
					aria-expanded=${isOpen} aria-label="Message ${message.index}: details" onClick=${toggle}><${Icon} name="more" /></button>
			</p>
			${message.subject && html`<p class="strong">${message.subject}</p>`}
			<p class="text">${message.body ?? (session.get()?.shows_bodies ? "" : words.hidden)}</p>
			${message.media?.map((/** @type {any} */ each) => html`<${Medium} key=${each.sid} medium=${each} service=${service} />`)}
			${isOpen && html`<${Detail} message=${message} ...${rest} />`}
		</div>
	</li>`;
}

/** @param {any} props Send as anybody, with a file, heard by webhooks or not. */
function Composer({ path, service, people, fires, setFires, headers, onSent }) {
	const [author, setAuthor] = useState("");
	const [body, setBody] = useState("");
	const [file, setFile] = useState(/** @type {File | null} */ (null));
	const send = useAction(async () => {
		const type = file?.type || "application/octet-stream";
		const medium = file && (await post(`/v1/Services/${service}/Media`, { Filename: file.name }, { body: file, type }));
		await post(path, { Author: author.trim() || "system", Body: body || null, MediaSid: medium?.sid }, { headers });
		setBody("");
		setFile(null);
		onSent();
	});
	const submit = onSubmit(() => !send.isRunning && (body || file) && send.run());
	const onKeyDown = (/** @type {KeyboardEvent} */ event) => event.key === "Enter" && !event.shiftKey && !event.isComposing && submit(event);
	return html`<form class="composer" onSubmit=${submit}>
		<input class="author" list="authors" aria-label="Author" placeholder="as system" value=${author} onInput=${onValue(setAuthor)} />
		<datalist id="authors">${people.map((/** @type {any} */ each) => html`<option value=${personOf(each)} />`)}</datalist>
		<textarea aria-label="Message" placeholder="Message" rows="1" value=${body} onInput=${onValue(setBody)} onKeyDown=${onKeyDown} />
		<${Files} pick=${(/** @type {any} */ { target }) => { setFile(target.files[0] ?? null); target.value = ""; }}>File<//>
		<button class="primary" disabled=${send.isRunning || !(body || file)}><${Icon} name="send" />Send</button>
		<div class="row small wide">
			<label class="check"><input type="checkbox" role="switch" checked=${fires} onChange=${() => setFires(!fires)} />${fires ? words.fires : words.silent}</label>
			${file && html`<${Badge}>${file.name}<//><button type="button" class="small" onClick=${() => setFile(null)}>Without it</button>`}
		</div>
		<${Trouble} of=${send} />
	</form>`;
}

/** @param {TabProps} props */
export default function Messages({ base, row }) {
	const path = `${base}/Messages`;
	const service = row.chat_service_sid;
	const thread = useThread(path, row.sid);
	const [selected, select] = useQuery("message");
	const [fires, setFires] = useState(true);
	const people = useList(`${base}/Participants`, "participants", { PageSize: 100 }, [row]).rows;
	const headers = fires ? { "X-Twilio-Webhook-Enabled": "true" } : {};
	useKeys(selected ? { Escape: () => select("") } : {});
	const shared = { path, service, people, headers };
	const drawn = useMemo(() => new WeakMap(), [people, fires]);
	const draw = (/** @type {any} */ message, /** @type {number} */ place) => {
		const isOpen = message.sid === selected;
		const isCached = !isOpen && place > 0;
		const toggle = () => select(route.get().query.get("message") === message.sid ? "" : message.sid);
		const shown = (isCached && drawn.get(message)) || html`<${Whole} key=${message.sid} row=${message}><${Message} message=${message} isOpen=${isOpen} isLast=${!place} toggle=${toggle} ...${shared} /><//>`;
		if (isCached) drawn.set(message, shown);
		return shown;
	};
	return html`<div class="talk">
		<div class="scroll" role="log" aria-live="off" aria-label="Messages" ref=${thread.pane} onScroll=${thread.onScroll}>
			<${Trouble} of=${thread} />
			${thread.isLoading && !thread.data && html`<${Skeleton} />`}
			${thread.data && !thread.rows.length && html`<${Empty} title=${empty.messages[0]}>${empty.messages[1]}<//>`}
			<ol class="thread" onKeyDown=${listKeys}>
				${thread.shown.map(draw).reverse()}
			</ol>
		</div>
		${thread.unseen > 0 && html`<button class="pill" onClick=${thread.toEnd}>${thread.unseen} new</button>`}
		<p class="unseen" role="status">${thread.spoken}</p>
		${mayChange() && row.state !== "closed"
			? html`<${Composer} ...${shared} fires=${fires} setFires=${setFires} onSent=${thread.toEnd} />`
			: html`<p class="composer soft">${row.state === "closed" ? words.closed : words.mayNot}</p>`}
	</div>`;
}
