import assert from "node:assert/strict";
import { test } from "node:test";

import { EventParser } from "../src/sse.js";

const bytes = (text) => new TextEncoder().encode(text);
const event = (data, more) => ({ event: "message", data, id: "", ...more });

/** @param {Uint8Array[]} pieces */
function parsed(...pieces) {
  const parser = new EventParser();
  return pieces.flatMap((piece) => parser.feed(piece));
}

const CASES = [
  ["one event", "data: one\n\n", [event("one")]],
  ["a byte order mark is no part of it", "\uFEFFdata: one\n\n", [event("one")]],
  ["comments and unknown fields are nothing", ": hello\nfoo: bar\n:\ndata: one\nretry: 10\n\n", [event("one")]],
  ["several lines are one text", "data: a\ndata:b\ndata\ndata:  c\n\n", [event("a\nb\n\n c")]],
  ["line ends of every kind", "data: a\r\rdata: b\r\n\r\ndata: c\n\ndata: d\r\n\ndata: e\n\r", ["a", "b", "c", "d", "e"].map((data) => event(data))],
  ["an id stays until there is another", "id: e:1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", [event("a", { id: "e:1" }), event("b", { id: "e:1" }), event("c")]],
  ["an id with a null is none", "id: a\0b\ndata: a\n\n", [event("a")]],
  ["a name is for one event", "event: bye\ndata: a\n\ndata: b\n\n", [event("a", { event: "bye" }), event("b")]],
  ["without data there is no event", "event: bye\nid: 7\n\ndata: a\n\n", [event("a", { id: "7" })]],
  ["what is not ended is not there yet", "data: a\n\ndata: b\n", [event("a")]],
  ["any letters", 'data: {"name":"Zoë 🦊 نورا"}\n\n', [event('{"name":"Zoë 🦊 نورا"}')]],
];

for (const [name, text, expected] of CASES) {
  test(`a stream of events: ${name}`, () => {
    const whole = bytes(text);
    assert.deepEqual(parsed(whole), expected, "at once");
    assert.deepEqual(parsed(...Array.from(whole, (_, i) => whole.subarray(i, i + 1))), expected, "byte by byte");
    for (let cut = 1; cut < whole.length; cut++) {
      assert.deepEqual(parsed(whole.subarray(0, cut), new Uint8Array(), whole.subarray(cut)), expected, `cut at ${cut}`);
    }
  });
}

test("an event without an end is refused, not gathered for ever", () => {
  const parser = new EventParser();
  const piece = bytes(`data: ${"x".repeat(100_000)}\n`);
  assert.throws(() => {
    for (let i = 0; i < 100; i++) parser.feed(piece);
  }, RangeError);
});
