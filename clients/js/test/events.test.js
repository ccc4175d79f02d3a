import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { eventsBetween } from "../src/index.js";

const { events: cases } = JSON.parse(readFileSync(new URL("../../vectors/events.json", import.meta.url), "utf8"));

for (const { name, old, next, events } of cases) {
  test(`what happened: ${name}`, () => {
    const before = structuredClone([old, next]);
    assert.deepEqual(eventsBetween(old, next), events);
    assert.deepEqual([old, next], before, "what was given is not altered");
  });
}
