/** Load again what events have changed, one request at a time, so that no answer overtakes another. */
import { useEffect, useRef, useState } from "../kit.js";

const RETRY_MS = 2000;

/**
 * What changes during a load is part of the next one; a load that fails is tried again.
 * @param {(sids: string[]) => Promise<unknown>} load
 */
export function useRefresh(load) {
	const latest = useRef(load);
	latest.current = load;
	const [touch] = useState(() => {
		const changed = /** @type {Set<string>} */ (new Set());
		let isLoading = false;
		const isGone = { current: false };
		const run = async (/** @type {string[]} */ sids) => {
			for (const each of sids) changed.add(each);
			if (isLoading) return;
			isLoading = true;
			while (changed.size && !isGone.current) {
				const part = [...changed];
				changed.clear();
				try {
					await latest.current(part);
				} catch {
					for (const each of part) changed.add(each);
					await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
				}
			}
			isLoading = false;
		};
		return Object.assign(run, { isGone });
	});
	useEffect(() => () => void (touch.isGone.current = true), []);
	return touch;
}
