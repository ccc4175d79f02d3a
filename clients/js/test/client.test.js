import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, beforeEach, test } from "node:test";

import { Client, LeaderboardError, NoAnswer, SubmitQueue, backoffMs } from "../src/index.js";

/** What the server says, in order, and what it was asked. */
let answers = [];
let asked = [];
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    asked.push({ method: request.method, url: request.url, headers: request.headers, body: body && JSON.parse(body) });
    const { status = 200, headers = {}, json, cut } = answers.shift() ?? { status: 500, json: {} };
    if (cut) return request.socket.destroy();
    response.writeHead(status, { "Content-Type": "application/json", ...headers });
    response.end(JSON.stringify(json));
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
after(() => server.close());
const url = `http://127.0.0.1:${server.address().port}`;

/** @type {number[]} */ let waits = [];
const wait = async (ms) => void waits.push(ms);
const LANDED = { status: 201, json: { session_id: 1, results: [] } };
const REFUSED = { status: 422, json: { code: "score_out_of_range", detail: "too much" } };

beforeEach(() => {
  answers = [];
  asked = [];
  waits = [];
});

test("a submit without an answer is sent again with the same key", async () => {
  answers = [{ cut: true }, { status: 503, headers: { "Retry-After": "2" }, json: { code: "overloaded" } }, LANDED];
  const answer = await new Client({ url, apiKey: "k", wait }).submit({ player: "ada", score: 3 });
  assert.deepEqual(answer, LANDED.json);
  assert.equal(asked.length, 3);
  assert.equal(new Set(asked.map((request) => request.headers["idempotency-key"])).size, 1);
  assert.deepEqual(asked[2].body, { player: "ada", score: 3 });
  assert.equal(asked[2].headers.authorization, "Api-Key k");
  assert.ok(waits[1] >= 2000, "as long as the server asked for");
});

test("two submits have two keys", async () => {
  answers = [LANDED, LANDED];
  const client = new Client({ url, wait });
  await client.submit({ score: 1 });
  await client.submit({ score: 1 });
  assert.notEqual(asked[0].headers["idempotency-key"], asked[1].headers["idempotency-key"]);
});

test("a refusal is told at once, with its code", async () => {
  answers = [REFUSED];
  await assert.rejects(new Client({ url, wait }).submit({ score: 1 }), (error) => {
    assert.ok(error instanceof LeaderboardError);
    assert.deepEqual([error.status, error.code, error.message, error.isTemporary], [422, "score_out_of_range", "too much", false]);
    return true;
  });
  assert.equal(asked.length, 1);
});

test("it gives up after the last try", async () => {
  answers = [{ cut: true }, { cut: true }];
  await assert.rejects(new Client({ url, tries: 2, wait }).top("cup"), NoAnswer);
  assert.equal(asked.length, 2);
});

test("names go into the path as they are", async () => {
  answers = [{ json: { rank: 1 } }, { status: 404, json: { code: "not_ranked" } }, { status: 404, json: { code: "leaderboard_not_found" } }];
  const client = new Client({ url, token: async () => "t" });
  await client.rank("cup", "a/b ?#é");
  assert.equal(asked[0].url, "/api/v1/leaderboard/cup/rank/a%2Fb%20%3F%23%C3%A9/");
  assert.equal(asked[0].headers.authorization, "Bearer t");
  assert.equal(await client.around("cup", "cy", { limit: 3, season: undefined }), null);
  assert.equal(asked[1].url, "/api/v1/leaderboard/cup/around/cy/?limit=3");
  await assert.rejects(client.rank("no", "cy"), LeaderboardError);
});

test("waits grow to their bound and are spread from nothing on", () => {
  assert.deepEqual([0, 1, 5, 50].map((attempt) => backoffMs(attempt, 10_000, 1)), [500, 1000, 10_000, 10_000]);
  assert.equal(backoffMs(3, 10_000, 0), 0);
});

class Memory {
  #items = new Map();
  get length() {
    return this.#items.size;
  }
  key(index) {
    return [...this.#items.keys()][index] ?? null;
  }
  getItem(name) {
    return this.#items.get(name) ?? null;
  }
  setItem(name, value) {
    this.#items.set(name, value);
  }
  removeItem(name) {
    this.#items.delete(name);
  }
}

test("what could not be sent waits and goes in order, each with its own key", async () => {
  const storage = new Memory();
  const client = new Client({ url, tries: 1, wait });
  const first = new SubmitQueue({ client, storage });
  answers = [{ cut: true }];
  const keys = [first.add({ score: 1 }), first.add({ score: 2 }), first.add({ score: 3 })];
  await first.flush();
  assert.equal(asked.length, 1);
  asked = [];
  answers = [LANDED, LANDED, LANDED];
  const told = [];
  await new SubmitQueue({ client, storage, onAnswer: (_, submission) => told.push(submission.score) }).flush(); // after a restart
  assert.deepEqual(asked.map((request) => [request.body.score, request.headers["idempotency-key"]]), [1, 2, 3].map((score, i) => [score, keys[i]]));
  assert.deepEqual(told, [1, 2, 3]);
  assert.equal(storage.length, 0);
});

test("a score that is refused leaves the queue and holds up no other", async () => {
  const refused = [];
  answers = [REFUSED, LANDED];
  const queue = new SubmitQueue({
    client: new Client({ url, tries: 1, wait }),
    storage: new Memory(),
    onRefused: (error, submission) => refused.push([error.code, submission.score]),
  });
  queue.add({ score: -1 });
  queue.add({ score: 1 });
  await queue.flush();
  assert.deepEqual(refused, [["score_out_of_range", -1]]);
  assert.deepEqual(queue.waiting, []);
});

test("a full queue says so", () => {
  const queue = new SubmitQueue({ client: { submit: () => new Promise(() => {}) }, storage: new Memory(), limit: 1 });
  queue.add({ score: 1 });
  assert.throws(() => queue.add({ score: 2 }), RangeError);
});

test("who asked too often waits as long as told, and the score counts once", async () => {
  answers = [{ status: 429, headers: { "Retry-After": "9" }, json: { code: "rate_limited" } }, LANDED];
  await new Client({ url, wait }).submit({ score: 1 });
  assert.ok(waits[0] >= 9_000);
  assert.equal(asked[0].headers["idempotency-key"], asked[1].headers["idempotency-key"]);
});

test("what was stored and can't be read is told of, and holds up no other", async () => {
  const storage = new Memory();
  for (const [turn, text] of ['{"score": 1', "null", "7", ""].entries()) storage.setItem(`leaderboard.queue.00000000${turn}-0.k`, text);
  storage.setItem("leaderboard.other", "not the queue's");
  const refused = [];
  const queue = new SubmitQueue({
    client: new Client({ url, tries: 1, wait }),
    storage,
    onRefused: (error, submission) => refused.push([error.name, submission]),
  });
  assert.deepEqual(queue.waiting, []);
  answers = [LANDED];
  queue.add({ score: 2 });
  assert.equal(await queue.flush(), null);
  assert.deepEqual(refused, Array(4).fill(["SyntaxError", null]));
  assert.deepEqual([asked.length, storage.length], [1, 1]);
});

test("a full storage does not keep a score from being sent", async () => {
  class Full extends Memory {
    setItem() {
      throw new DOMException("full", "QuotaExceededError");
    }
  }
  answers = [{ cut: true }, LANDED];
  const queue = new SubmitQueue({ client: new Client({ url, tries: 1, wait }), storage: new Full() });
  const key = queue.add({ score: 5 });
  assert.equal((await queue.flush())?.name, "NoAnswer");
  assert.deepEqual(queue.waiting, [{ key, submission: { score: 5 } }]);
  assert.equal(await queue.flush(), null);
  assert.deepEqual([asked.length, asked[1].headers["idempotency-key"], queue.waiting], [2, key, []]);
});

test("a credential that has ended costs no score", async () => {
  const queue = new SubmitQueue({ client: new Client({ url, token: "t", wait }), storage: null, onRefused: () => assert.fail() });
  answers = [{ status: 401, json: { code: "not_authenticated" } }, LANDED];
  queue.add({ score: 5 });
  assert.equal((await queue.flush())?.code, "not_authenticated");
  assert.equal(await queue.flush(), null);
  assert.equal(asked.length, 2);
});

test("an error of who is told is not taken for the network's, and the queue goes on", async () => {
  const queue = new SubmitQueue({
    client: new Client({ url, tries: 1, wait }),
    storage: null,
    onAnswer: (_, { score }) => {
      if (score === 1) throw new EvalError("theirs");
    },
  });
  answers = [LANDED, LANDED];
  const sending = queue.add({ score: 1 }) && queue.flush();
  queue.add({ score: 2 });
  await assert.rejects(sending, EvalError);
  assert.equal(await queue.flush(), null);
  assert.equal(asked.length, 2);
});
