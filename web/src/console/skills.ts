/** Skills are an installation's own codes; those of the trade have words. */
import { dictionary, wordFor } from "@/shared/language";

import { t } from "./words";

const trades = dictionary(
  { pipework: "管道", station: "换热站", welding: "焊接", electric: "电工", gas: "燃气" },
  { pipework: "Pipework", station: "Station", welding: "Welding", electric: "Electrics", gas: "Gas" },
);

export const skillText = (code: string): string => wordFor(trades.value, code);
export const skillsText = (codes: readonly string[]): string => codes.map(skillText).join("、");
export const lacksSkillText = (code: string): string => t.value.lacksSkill(skillText(code));
