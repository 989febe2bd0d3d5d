/** Who is signed in on this device, by app. A link may carry a token or a one-time code after `#`, which no server logs. */
import { ref, type Ref } from "vue";

import { recall, remember } from "./storage";

export type App = "crew" | "console" | "sla";

export interface SignIn {
  /** The token in use, null while signed out. */
  readonly token: Readonly<Ref<string | null>>;
  /** A one-time code that the page was opened with, to be exchanged for a token. */
  readonly code: string | null;
  /** Whether a demo's start page led here. */
  readonly demo: boolean;
  readonly set: (token: string) => void;
  readonly forget: () => void;
}

/** Read what the link and the device know; what the link carried leaves the address bar and its history. */
export function signIn(app: App): SignIn {
  const key = `qiangdan.${app}.token`;
  const given = new URLSearchParams(location.hash.slice(1));
  const linked = given.get("token");
  const code = given.get("code");
  if (linked !== null || code !== null) history.replaceState(history.state, "", location.pathname + location.search);
  if (linked) remember(key, linked);
  const token = ref(linked || recall(key));
  return {
    token,
    code,
    demo: given.has("demo"),
    set: (fresh) => {
      token.value = fresh;
      remember(key, fresh);
    },
    forget: () => {
      token.value = null;
      remember(key, null);
    },
  };
}
