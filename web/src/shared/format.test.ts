import { expect, test } from "vitest";

import { addressOf, problemOf } from "./api";
import { pauseMs } from "./backoff";
import { addressText, clockText, distanceText } from "./format";

test("a countdown goes on past zero with a sign", () => {
  expect([245, 3723, 0.4, -0.4, -30].map(clockText)).toEqual(["4:05", "1:02:03", "0:00", "0:00", "-0:30"]);
});

test("distances are as exact as they are useful", () => {
  expect([84, 949, 1234, 14_400].map(distanceText)).toEqual(["80 m", "950 m", "1.2 km", "14 km"]);
});

test("an address is one line, however it was reported", () => {
  expect(addressText({ text: "松江家园3栋" })).toBe("松江家园3栋");
  expect(addressText({ compound: "松江家园", building: 3, more: {} })).toBe("松江家园 3");
  expect(addressText(null)).toBe("");
});

test("pauses double up to a limit and never meet", () => {
  expect([1, 2, 3, 30].map((attempt) => pauseMs(attempt, 1))).toEqual([400, 800, 1600, 10_000]);
  expect(pauseMs(3, 0)).toBe(800);
});

test("an address of the API has its parts escaped and leaves out what was not given", () => {
  expect(addressOf("/orders/{order_id}", { path: { order_id: "a/b" } })).toBe("/api/v1/orders/a%2Fb");
  expect(addressOf("/orders", { query: { state: "held,offered", zone: undefined } })).toBe("/api/v1/orders?state=held%2Coffered");
});

test("a problem is told in the server's words, and an answer that is none by its status", () => {
  expect(problemOf(422, { code: "invalid", detail: "/reason: say why", errors: [{ pointer: "/reason", detail: "say why" }] })).toMatchObject({
    code: "invalid",
    detail: "/reason: say why",
    errors: [{ pointer: "/reason" }],
  });
  expect(problemOf(502, null)).toMatchObject({ code: "http_502", detail: "HTTP 502", isPassing: true });
});
