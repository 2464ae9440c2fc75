// The rules of the console. Three of them are its own: see "plugin" below.
//
//     tests/console/node/node_modules/.bin/eslint --config console/eslint.config.js \
//       src/parlour/console/static

const HTML_STRINGS = new Set([
	"innerHTML",
	"outerHTML",
	"insertAdjacentHTML",
	"dangerouslySetInnerHTML",
	"setHTMLUnsafe",
	"createContextualFragment",
	"srcdoc",
	"DOMParser",
]);
const NETWORK = new Set(["fetch", "XMLHttpRequest", "EventSource", "WebSocket", "sendBeacon"]);
const NETWORK_FILES = /\/static\/(?:api|live|twilsock)\.js$/;
const GLOBALS = new Set(["window", "globalThis", "self", "navigator"]);

// A tag of a template, in which each expression is the character \0.
const TAG = /<([a-z][\w-]*)((?:"[^"]*"|'[^']*'|[^<>"'])*)>/gi;
const INLINE = /[\s"'](style|on[a-z]+)\s*=\s*[^\s\0>]/i;

/** The text of a template literal; each expression is one character. */
const textOf = (literal) =>
	literal.quasis.map((each) => each.value.raw).join("\0");

/** The name of a property, as a name or as a text. */
const nameOf = (node) =>
	node.type === "Identifier" ? node.name : node.type === "Literal" ? node.value : undefined;

const noHtmlStrings = {
	meta: { messages: { found: "{{name}} makes HTML of a string: make elements instead." } },
	create(context) {
		const check = (node, name) => {
			if (HTML_STRINGS.has(name)) context.report({ node, messageId: "found", data: { name } });
		};
		return {
			Identifier: (node) => check(node, node.name),
			Literal: (node) => check(node, node.value),
			TemplateLiteral(node) {
				for (const name of HTML_STRINGS) if (textOf(node).includes(name)) check(node, name);
			},
		};
	},
};

const noInlineCode = {
	meta: { messages: { found: "{{what}} in a page is refused by its Content-Security-Policy." } },
	create(context) {
		const report = (node, what) =>
			context.report({ node, messageId: "found", data: { what } });
		return {
			TemplateLiteral(node) {
				const text = textOf(node);
				for (const [, tag, attributes] of text.matchAll(TAG)) {
					const inline = INLINE.exec(attributes);
					if (inline) report(node, `The attribute ${inline[1]}="..."`);
					if (tag === "style") report(node, "<style>");
					if (tag === "script" && !/\ssrc=/.test(attributes)) report(node, "<script>");
				}
				if (/=\s*["']?\s*javascript:/i.test(text)) report(node, "javascript:");
			},
			CallExpression(node) {
				const name = node.callee.property && nameOf(node.callee.property);
				const attribute = node.arguments[0] && nameOf(node.arguments[0]);
				const isInline = /^(?:style|on[a-z]+)$/i.test(attribute);
				if (name === "setAttribute" && isInline) report(node, `The attribute ${attribute}`);
			},
		};
	},
};

const noNetwork = {
	meta: { messages: { found: "{{name}} outside api.js, live.js and twilsock.js." } },
	create(context) {
		if (NETWORK_FILES.test(context.filename.replaceAll("\\", "/"))) return {};
		const check = (node, name) => {
			if (NETWORK.has(name)) context.report({ node, messageId: "found", data: { name } });
		};
		return {
			"Program:exit"(node) {
				// A name that the file does not declare is the browser's.
				for (const { identifier } of context.sourceCode.getScope(node).through)
					check(identifier, identifier.name);
			},
			MemberExpression(node) {
				if (GLOBALS.has(node.object.name)) check(node, nameOf(node.property));
			},
		};
	},
};

const plugin = {
	rules: {
		"no-html-strings": noHtmlStrings,
		"no-inline-code": noInlineCode,
		"no-network": noNetwork,
	},
	processors: {
		// A page is checked as one template; the characters that would end it are replaced.
		page: {
			preprocess: (text) => [
				{ text: `html\`${text.replace(/[`$\\]/g, "_")}\`;\n`, filename: "page.js" },
			],
			postprocess: (messages) => messages.flat(),
		},
	},
};

export default [
	{ ignores: ["**/vendor/**", "**/node_modules/**"] },
	{ files: ["**/*.html"], plugins: { console: plugin }, processor: "console/page" },
	{
		files: ["**/*.js"],
		plugins: { console: plugin },
		// The limits hold without exceptions.
		linterOptions: { noInlineConfig: true },
		rules: {
			"console/no-html-strings": "error",
			"console/no-inline-code": "error",
			"console/no-network": "error",
			"max-lines": ["error", 300],
			"max-lines-per-function": ["error", { max: 50, skipBlankLines: true, skipComments: true }],
			eqeqeq: ["error", "always", { null: "ignore" }],
			"no-eval": "error",
			"no-implied-eval": "error",
			"no-new-func": "error",
			"no-script-url": "error",
			"no-unused-vars": "error",
			"no-var": "error",
			"prefer-const": "error",
		},
	},
];
