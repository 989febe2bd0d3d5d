/** The planner's reasons, which it writes into the log in English, as sentences for a person. Pure: names come in. */
import { dictionary } from "@/shared/language";

import { durationText } from "./durations";
import { lacksSkillText } from "./skills";
import { t } from "./words";

const says = dictionary(
  {
    earliest: (time: string) => `预计 ${time}到，最早`,
    worthMost: (time: string) => `路程 ${time}，这段时间最值`,
    behind: (time: string) => `排在手上的活之后，${time}到`,
    sooner: (time: string, than: string) => `${time}到，比 ${than} 早`,
    busy: (crew: string, time: string) => `现在没人有空，${crew} 忙完 ${time}能到`,
    none: "没有人员",
  },
  {
    earliest: (time) => `there in ${time}, the earliest`,
    worthMost: (time) => `${time} away, worth most for the time`,
    behind: (time) => `behind the work in hand, there in ${time}`,
    sooner: (time, than) => `there in ${time}, sooner than ${than}`,
    busy: (crew, time) => `nobody is free; ${crew} could be there in ${time}, after other work`,
    none: "there are no crews",
  },
);

type Crew = (id: string) => string;
const minutes = (n: string) => durationText(Number(n) * 60);

const SENTENCES: readonly [RegExp, (found: string[], crew: Crew) => string][] = [
  [/^earliest predicted arrival, (\d+) s/, ([, s]) => says.value.earliest(durationText(Number(s)))],
  [/^worth most for the time, (\d+) s away/, ([, s]) => says.value.worthMost(durationText(Number(s)))],
  [/^behind the work that it has, there in (\d+) min/, ([, n]) => says.value.behind(minutes(n!))],
  [/^there in (\d+) min, sooner than crew (\S+)/, ([, n, id], crew) => says.value.sooner(minutes(n!), crew(id!))],
  [/^nobody is free: crew (\S+) could be there in (\d+) min, after other work/, ([, id, n], crew) => says.value.busy(crew(id!), minutes(n!))],
  [/^the city has no crews/, () => says.value.none],
];

/** A reason of the machine, with crews by name and codes as words; what is not known is told as it stands. */
export function machineReason(reason: unknown, crew: Crew): string {
  if (typeof reason !== "string") return "";
  let text = reason;
  for (const [pattern, say] of SENTENCES) {
    const found = pattern.exec(reason);
    if (found) text = say([...found], crew) + reason.slice(found[0].length);
  }
  return text.replace(/([a-z_]+(?::[^\s,()]+)?) (\d+)(?=[,)]|$)/g, (whole, code: string, n: string) => {
    const word = reasonNotText(code);
    return word === code ? whole : `${word} ${n}`;
  });
}

/** Why a crew cannot take an order, as a word. */
export function reasonNotText(code: string): string {
  if (code.startsWith("lacks_skill:")) return lacksSkillText(code.slice("lacks_skill:".length));
  return (t.value.reasonNot as Record<string, string>)[code] ?? code;
}
