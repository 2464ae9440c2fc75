/** Emulation: limits and habits of the hosted service that can be switched on. */
import { html } from "../../kit.js";
import { Group } from "../../parts/report.js";

export default () => html`<${Group} title="Emulation" path="/parlour/v1/Emulation" id="UpdateEmulation" />`;
