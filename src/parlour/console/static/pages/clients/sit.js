/** Sitting in as a user: the conversations and messages that a client of this user gets. */
import { post, useAction } from "../../api.js";
import { Badge, Empty, href, html, Icon, listKeys, onSubmit, onValue, route, Time, Trouble, useEffect, useQuery, useElement, useRef, useState, Whole } from "../../kit.js";
import { Client } from "../../twilsock.js";
import { Frames, FRAMES_MAX } from "./frames.js";
import { clients as words } from "./words.js";

const DRAW_MS = 100;
const TYPING_MS = 4000;
const DOCUMENTS_MAX = 100;
const COMMANDS = "/Client/v2";

/** @param {string} identity A client of this user while the component is shown, and its frames. */
function useClient(identity) {
	const [, draw] = useState(0);
	const [parts] = useState(() => ({ client: /** @type {Client | null} */ (null), frames: /** @type {any[]} */ ([]), mine: "" }));
	const service = route.get().query.get("service") ?? undefined;
	useEffect(() => {
		let drawing = 0;
		let count = 0;
		const redraw = () => {
			drawing ||= setTimeout(() => {
				drawing = 0;
				const sids = Object.keys(parts.client?.objects[parts.mine]?.items ?? {}).slice(0, DOCUMENTS_MAX);
				if (client.state === "open") for (const sid of sids) client.open(`${sid}.channel`).catch(() => {});
				draw((last) => last + 1);
			}, DRAW_MS);
		};
		/** @type {Client} */
		const client = (parts.client = new Client({
			makeToken: async () => (await post("/parlour/v1/Tokens", { Identity: identity, ServiceSid: service })).token,
			onFrame: (frame) => {
				parts.frames = [...parts.frames.slice(1 - FRAMES_MAX), { key: ++count, ...frame }];
				redraw();
			},
			onChange: redraw,
			onOpen: ({ sync_objects: names }) => client.open((parts.mine = names.my_conversations)),
		}));
		return () => client.close("");
	}, [identity, service]);
	return parts;
}

/** @param {SitProps} props */
function Composer({ client, sid, identity }) {
	const [body, setBody] = useState("");
	const typed = useRef(0);
	const send = useAction(async () => {
		await client.request("POST", `${COMMANDS}/Conversations/${sid}/Messages`, { body });
		setBody("");
	});
	const type = onValue((text) => {
		setBody(text);
		if (Date.now() - typed.current < TYPING_MS) return;
		typed.current = Date.now();
		client.request("POST", `${COMMANDS}/Typing`, `ChannelSid=${sid}`).catch(() => {});
	});
	const typing = Object.keys(client.typing[sid] ?? {});
	return html`<form class="composer" onSubmit=${onSubmit(() => send.run())}>
		<p class="small soft wide" role="status">${typing.length ? words.typing(typing) : ""}</p>
		<input class="cut" aria-label="Message as ${identity}" placeholder="Message as ${identity}" value=${body} onInput=${type} />
		<button class="primary" disabled=${!body || send.isRunning || client.state !== "open"}><${Icon} name="send" />Send</button>
		<${Trouble} of=${send} />
	</form>`;
}

/** @param {SitProps} props */
function Thread({ client, sid, identity }) {
	const messages = Object.entries(client.objects[`${sid}.messages`]?.items ?? {}).sort(([one], [other]) => +one - +other);
	const end = useElement();
	const [problem, setProblem] = useState(/** @type {any} */ (null));
	const isOpen = client.state === "open";
	useEffect(() => {
		setProblem(null);
		if (isOpen) for (const part of ["messages", "roster"]) client.open(`${sid}.${part}`).catch(setProblem);
	}, [sid, isOpen]);
	useEffect(() => end.current?.scrollIntoView({ block: "nearest" }), [messages.length]);
	const people = Object.values(client.objects[`${sid}.roster`]?.items ?? {}).map((each) => each.identity ?? each.type);
	return html`<section class="sit-thread" aria-label="Conversation">
		<header class="row"><h2 class="cut">${nameOf(client, sid)}</h2><span class="small soft cut">${people.join(", ")}</span>
			<a class="button only-narrow push" href=${at(identity, "")}>Back</a></header>
		<div class="scroll">
			<${Trouble} problem=${problem} />
			<div class="thread" role="log" aria-label="Messages" tabindex="0">
				${messages.map(([index, each]) => html`<div class="message" key=${index}><span class="number">${index}</span><div>
					<p class="meta"><span class="strong">${each.author}</span><span class="small soft"><${Time} at=${each.timestamp} /></span></p>
					<p class="text">${each.text ?? (each.medias ? "media" : "")}</p></div></div>`)}
			</div><div ref=${end} />
		</div>
		<${Composer} key=${sid} client=${client} sid=${sid} identity=${identity} />
	</section>`;
}

/** @param {string} identity @param {string} sid The address with this conversation. */
const at = (identity, sid) => href("clients", [], { identity, conversation: sid, frames: route.get().query.get("frames") ?? "" });

/** @param {Client} client @param {string} sid */
function nameOf(client, sid) {
	const { friendlyName, uniqueName } = client.objects[`${sid}.channel`]?.data ?? {};
	return friendlyName || uniqueName || sid;
}

/** @param {SitProps} props */
function Item({ client, sid, item, identity, open }) {
	const { state, lastMessage } = client.objects[`${sid}.channel`]?.data ?? {};
	const unread = (lastMessage?.index ?? -1) - (item.lastConsumedMessageIndex ?? -1);
	return html`<li><a data-row=${sid} href=${at(identity, sid)} aria-current=${sid === open ? "true" : undefined}>
		<span class="cut strong">${nameOf(client, sid)}</span><span class="small soft">${unread > 0 ? `${unread} unread` : ""}</span>
		<span class="second small">${state?.current ?? "…"}</span></a></li>`;
}

/** @param {SitProps} props */
function Conversations({ client, mine, identity, open }) {
	const last = (/** @type {string} */ sid) => client.objects[`${sid}.channel`]?.data?.lastMessage?.timestamp ?? "";
	const rows = Object.entries(client.objects[mine]?.items ?? {}).sort(([one], [other]) => last(other).localeCompare(last(one)));
	if (!rows.length && client.objects[mine]?.sid) return html`<${Empty} title=${words.alone[0]}><p>${words.alone[1]}</p><//>`;
	return html`<ul class="items" onKeyDown=${listKeys}>${rows.map(([sid, item]) => html`<${Whole} key=${sid} row=${item}>
		<${Item} client=${client} sid=${sid} item=${item} identity=${identity} open=${open} /><//>`)}</ul>`;
}

const TONES = /** @type {any} */ ({ open: "good", lost: "warn", ended: "bad" });

/** @param {{identity: string}} props */
export default function SitIn({ identity }) {
	const { client, frames, mine } = useClient(identity);
	const [sid] = useQuery("conversation");
	if (!client) return null;
	return html`<div class="split sit ${sid ? "open" : ""}">
		<section class="side" aria-label="Conversations of ${identity}">
			<header class="head"><h1 class="cut"><span class="small soft">Sitting in as</span><br />${identity}</h1>
				<a class="button push" href=${href("clients")}>Leave</a></header>
			<p class="filters small" role="status"><span><${Badge} tone=${TONES[client.state]}>${words.states[client.state]}<//> ${client.reason}</span></p>
			<div class="scroll"><${Conversations} client=${client} mine=${mine} identity=${identity} open=${sid} /></div>
		</section>
		<div class="detail">
			${sid ? html`<${Thread} key=${sid} client=${client} sid=${sid} identity=${identity} />` : html`<${Empty} title="Choose a conversation"><p>${words.choose}</p><//>`}
			<${Frames} frames=${frames} name=${identity} />
		</div>
	</div>`;
}
