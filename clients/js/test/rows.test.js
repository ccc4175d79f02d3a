import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { applyDelta, relation, roundUp } from "../src/index.js";

const vectors = JSON.parse(readFileSync(new URL("../../vectors/rows.json", import.meta.url), "utf8"));

for (const { name, old, delta, new: expected } of vectors.deltas) {
  test(`a delta makes the new rows of the old ones: ${name}`, () => {
    const before = structuredClone(old);
    assert.deepEqual(applyDelta(old, delta), expected);
    assert.deepEqual(old, before, "what was given is not altered");
  });
}

test("what a position is to the one held", () => {
  for (const { held, arriving, relation: expected } of vectors.relations) assert.equal(relation(held, arriving), expected);
});

test("a top is rounded up to a watched size", () => {
  for (const { asked, given } of vectors.tops) assert.equal(roundUp(asked), given);
});
