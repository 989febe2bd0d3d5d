import { expect, it } from "vitest";

import type { EventOut } from "@/api/rest";

import { machineReason } from "./machine-words";
import { essence, type Names, sentences } from "./story";

const names: Names = {
  crew: (id) => ({ c1: "王师傅", c2: "李师傅" })[id ?? ""] ?? "?",
  zone: (id) => id ?? "片区外",
  user: (actor) => (actor === "user:u2" ? "刘调度" : null),
  me: "user:u1",
};
const order = { id: "o", version: 2, state: "claimed", crew: "c1", severity: 4, zone: "z" };
const event = (kind: string, data: object, more: Partial<EventOut> = {}): EventOut => ({
  seq: 1, at: "2026-01-01T08:00:00Z", kind, actor: "system:offers", data: { order, ...data } as EventOut["data"], crew: "c1", ...more,
});
const told = (one: EventOut) => sentences([one], names)[0];

it("tells who heard of an offer and how near they were", () => {
  const said = told(event("order.widened", { offered: { ring: 1, crews: [["c2", 90, 400]] } }));
  expect(said?.text).toBe("扩大到相邻片区，又通知了 1 人");
  expect(said?.heard).toEqual([{ crew: "c2", eta_s: 90 }]);
});

it("tells who won a sealed window, among how many and why", () => {
  const said = told(event("order.claimed", { bids: [["c1", "m", "won"], ["c2", "n", "outbid"]], decision: { reason: "near_tie_score" } }));
  expect([said?.text, ...(said?.more ?? [])]).toEqual(["王师傅 抢到", "2 人出手", "到达相近，他服务分高"]);
});

it.each([
  ["user:u1", "您派给 王师傅"],
  ["user:u2", "刘调度 派给 王师傅"],
  ["user:u9", "调度员派给 王师傅"],
])("names the person behind an override: %s", (actor, text) => {
  const said = told(event("order.assigned", { action: "assign", reason: "他最近", given: { crew: "c1" }, lost: { crew: "c2" } }, { actor }));
  expect(said?.text).toBe(text);
  expect(said?.more).toEqual(["他最近", "李师傅 已被告知收回"]);
});

it("tells an assignment of the machine from a person's", () => {
  expect(told(event("order.assigned", { given: { crew: "c1", reason: "earliest predicted arrival, 240 s" } }))).toMatchObject({
    text: "系统派给 王师傅",
    more: ["预计 4 分钟到，最早"],
  });
});

it("counts why nobody could go, in words", () => {
  expect(told(event("order.stranded", { reason: "off_shift 3, lacks_skill:rope 1" }))?.more).toEqual(["不在班 3, 没有技能：rope 1"]);
});

it.each([
  ["nobody is free: crew c2 could be there in 23 min, after other work (at_capacity 41)", "现在没人有空，李师傅 忙完 23 分钟能到 (手上已满 41)"],
  ["behind the work that it has, there in 7 min", "排在手上的活之后，7 分钟到"],
  ["nearest qualified crew 5 min away: its shift ends before", "nearest qualified crew 5 min away: its shift ends before"],
])("tells the planner's reason with names and in the person's language: %s", (reason, said) => {
  expect(machineReason(reason, names.crew)).toBe(said);
});

it("holds orders for the same where only a clock has moved on", () => {
  const shown = { ...order, location: null, incident: null } as unknown as Parameters<typeof essence>[0];
  expect(essence({ ...shown, version: 9, clocks: {} })).toBe(essence(shown));
  expect(essence({ ...shown, severity: 5 })).not.toBe(essence(shown));
});
