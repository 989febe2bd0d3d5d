/** What every page does first: the common styles, and the app into its place. */
import "./base.css";

import { type Component, createApp } from "vue";

export function show(app: Component): void {
  createApp(app).mount("#app");
}
