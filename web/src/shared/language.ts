/** The language of the screen: Chinese unless the person chose English, remembered on this device. */
import { computed, type ComputedRef, ref, watchEffect } from "vue";

import { recall, remember } from "./storage";

export type Language = "zh" | "en";

const KEY = "qiangdan.language";

export const language = ref<Language>(recall(KEY) === "en" ? "en" : "zh");

export function setLanguage(chosen: Language): void {
  language.value = chosen;
  remember(KEY, chosen);
}

if (typeof document !== "undefined") {
  watchEffect(() => (document.documentElement.lang = language.value === "zh" ? "zh-CN" : "en"));
}

/** The shape of a dictionary, its texts widened: English must have every entry of the Chinese, with the same arguments. */
export type Same<T> = {
  readonly [Key in keyof T]: T[Key] extends string
    ? string
    : T[Key] extends (...given: infer Given) => string
      ? (...given: Given) => string
      : Same<T[Key]>;
};

/**
 * A typed dictionary in both languages. Entries are texts, functions to text, or groups of those:
 * `const t = dictionary({ hello: (name: string) => `你好,${name}` }, { hello: (name) => `Hello, ${name}` })`.
 * In a template `t.hello("李")`, in a script `t.value.hello("李")`.
 */
export function dictionary<const T extends object>(zh: T, en: Same<T>): ComputedRef<Same<T>> {
  return computed(() => (language.value === "zh" ? (zh as unknown as Same<T>) : en));
}

/** The word for a code of the wire; a code that has none yet is shown as it is. */
export function wordFor(words: Readonly<Record<string, string>>, code: string | null | undefined): string {
  return code == null ? "—" : (words[code] ?? code);
}
