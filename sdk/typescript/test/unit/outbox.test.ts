/** A producer's records: batches, order per key, retries. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Wanted } from "../../src/agents/agent.js";
import { PRODUCER_DEFAULTS, type ProducerOptions } from "../../src/agents/options.js";
import { Outbox } from "../../src/agents/outbox.js";
import { complete } from "../../src/client/options.js";
import { FluxError, Produced } from "../../src/index.js";
import { tell } from "../support/agent-scene.js";
import { generator } from "../support/random.js";

const APPENDED = new Produced(0, 0n, 1n);
const LATER = new FluxError("THROTTLED", "later");
const NEVER = new FluxError("BAD_REQUEST", "no");
const LOST = new FluxError("OUTCOME_UNKNOWN", "lost");

type Outcome = Produced | FluxError;

/** An outbox, a clock, and what leaves. */
class Scene {
  readonly outbox: Outbox;
  nowMs = 100_000;
  added = 0;
  finished = new Map<number, Outcome>();

  constructor(options: ProducerOptions = {}) {
    this.outbox = new Outbox(complete(options, PRODUCER_DEFAULTS));
  }

  /** Records numbered as they come: their number is their value. */
  add(...keys: (string | null)[]): void {
    for (const key of keys) {
      const number = this.added;
      const note = (outcome: Outcome) => this.finished.set(number, outcome);
      this.outbox.post("t", key, String(number), undefined, this.nowMs, note, note);
      this.added += 1;
    }
  }

  leaving(): Wanted[] {
    return this.outbox.wants(this.nowMs);
  }

  /** One outcome each, or one for all. */
  tell(wanted: Wanted[], ...outcomes: Outcome[]): void {
    for (const [at, one] of wanted.entries()) tell(one, outcomes[outcomes.length > 1 ? at : 0], this.nowMs);
  }

  /** To when the outbox wants to be asked again. */
  advance(): number {
    const whenMs = this.outbox.wakeAtMs;
    assert(whenMs !== undefined, "it wants to be woken");
    const waitedMs = whenMs - this.nowMs;
    this.nowMs = whenMs;
    return waitedMs;
  }
}

function values(wanted: Wanted[]): number[] {
  return wanted.map(({ call }) => Number(/:(\d+) acks/.exec(call.encode())?.[1]));
}

test("without linger a record leaves at once, and what is added meanwhile leaves together, as far as keys allow", () => {
  const scene = new Scene({ maxInFlight: 2 });
  scene.add("a");
  const first = scene.leaving();
  scene.add("a", "b", "a", "c", null);
  assert.deepEqual([values(first), values(scene.leaving()), values(scene.leaving())], [[0], [2, 4, 5], []]);
  scene.tell(first, APPENDED);
  assert.deepEqual(values(scene.leaving()), [1, 3]);
});

test("a batch holds so many, and so many are in flight", () => {
  const scene = new Scene({ batchSize: 2, maxInFlight: 2 });
  scene.add(..."abcdef");
  const leaving = scene.leaving();
  assert.deepEqual(values(leaving), [0, 1, 2, 3]);
  scene.tell(leaving.slice(0, 1), APPENDED);
  assert.deepEqual(scene.leaving(), []);
  scene.tell(leaving.slice(1, 2), APPENDED);
  assert.deepEqual(values(scene.leaving()), [4, 5]);
  assert.deepEqual([...scene.finished.keys()], [0, 1]);
});

test("records linger until the time is over, a batch is full, or somebody flushes", () => {
  const scene = new Scene({ lingerMs: 50, batchSize: 3 });
  scene.add("a");
  assert.deepEqual(scene.leaving(), []);
  assert.equal(scene.advance(), 50);
  scene.add("b");
  assert.deepEqual(values(scene.leaving()), [0, 1]);
  scene.add("c", "d", "e", "f");
  assert.deepEqual(values(scene.leaving()), [2, 3, 4]);
  scene.outbox.flush(() => {});
  assert.deepEqual(values(scene.leaving()), [5]);
  scene.add("g");
  assert.deepEqual(scene.leaving(), []);
});

test("a crowd waiting for one key costs no search without end", () => {
  for (const [crowd, found] of [
    [1000, []],
    [999, [1000]],
  ] as const) {
    const scene = new Scene({ batchSize: 10 });
    scene.add("a");
    scene.leaving();
    scene.add(...Array<string>(crowd).fill("a"), "b");
    assert.deepEqual(values(scene.leaving()), found);
  }
});

test("there is room for so many records and bytes, into an empty one for any", () => {
  const scene = new Scene({ maxBuffered: 2 });
  scene.add("a", "b");
  assert.equal(scene.outbox.hasRoom(0), false);
  assert.throws(() => scene.add("c"), { code: "THROTTLED" });
  scene.tell(scene.leaving(), APPENDED);
  scene.add("c");
  const small = new Scene({ maxBufferedBytes: 2000 });
  assert(small.outbox.hasRoom(10_000));
  small.add("a");
  assert.deepEqual([small.outbox.hasRoom(998), small.outbox.hasRoom(999)], [true, false]);
});

test("what is neither text nor bytes is refused when it is sent, and counts for nothing", () => {
  const scene = new Scene({ maxBuffered: 1 });
  const { outbox } = scene;
  const post = (key: unknown, value: unknown) =>
    outbox.post(
      "t",
      key as string,
      value as string,
      undefined,
      0,
      () => assert.fail(),
      () => assert.fail(),
    );
  for (const wrong of [5, undefined, {}, []]) {
    assert.throws(() => post("k", wrong), { code: "BAD_REQUEST" });
    assert.throws(() => post(wrong, "v"), { code: "BAD_REQUEST" });
  }
  assert(outbox.hasRoom(0));
});

test("a flush ends when all before it is settled, however, and not what came after it", () => {
  const scene = new Scene({ batchSize: 1, maxInFlight: 9 });
  const flushed: string[] = [];
  scene.outbox.flush(() => flushed.push("none"));
  scene.add("a", "b");
  scene.outbox.flush(() => flushed.push("two"));
  scene.add("c");
  scene.outbox.flush(() => flushed.push("three"));
  const leaving = scene.leaving();
  scene.tell(leaving.slice(2), APPENDED);
  scene.tell(leaving.slice(1, 2), APPENDED);
  assert.deepEqual(flushed, ["none"]);
  scene.tell(leaving.slice(0, 1), LOST);
  assert.deepEqual(flushed, ["none", "two", "three"]);
});

test("what was refused for now is sent again after a pause, twice as long each time", () => {
  const scene = new Scene({ maxRetries: 3, retryBackoffMs: 250 });
  scene.add("a");
  const pauses: number[] = [];
  for (let count = 0; count < 3; count += 1) {
    scene.tell(scene.leaving(), LATER);
    assert.deepEqual([scene.leaving(), scene.finished.size], [[], 0]);
    pauses.push(scene.advance());
  }
  assert.deepEqual(pauses, [250, 500, 1000]);
  scene.tell(scene.leaving(), LATER);
  assert.deepEqual([...scene.finished], [[0, LATER]]);
  assert.equal(scene.outbox.wakeAtMs, undefined);
});

test("success makes the next pause a short one again", () => {
  const scene = new Scene({ retryBackoffMs: 250 });
  scene.add("a");
  scene.tell(scene.leaving(), LATER);
  scene.advance();
  scene.tell(scene.leaving(), LATER);
  assert.equal(scene.advance(), 500);
  scene.tell(scene.leaving(), APPENDED);
  scene.add("a");
  scene.tell(scene.leaving(), LATER);
  assert.equal(scene.advance(), 250);
});

test("what may have been appended is not sent again, nor what will never be", () => {
  const scene = new Scene();
  scene.add("a", "b");
  scene.tell(scene.leaving(), LOST, NEVER);
  assert.deepEqual(
    [...scene.finished],
    [
      [1, NEVER],
      [0, LOST],
    ],
  );
  assert.deepEqual(scene.leaving(), []);
});

test("refused records keep their places", () => {
  const scene = new Scene({ batchSize: 2, maxInFlight: 2, retryBackoffMs: 250 });
  scene.add(..."abcdaa");
  const leaving = scene.leaving();
  scene.tell(leaving.slice(2), LATER);
  scene.tell(leaving.slice(0, 2), LATER, APPENDED);
  assert.equal(scene.advance(), 250);
  assert.deepEqual(values(scene.leaving()), [0, 2, 3]);
});

test("a record fails rather than change places with a later one of its key", () => {
  for (const passed of [APPENDED, LOST]) {
    const scene = new Scene();
    scene.add("a", "b", "a", "a", "a");
    scene.tell(scene.leaving(), LATER, LATER, LATER, passed, LATER);
    assert.deepEqual(
      new Map(scene.finished),
      new Map<number, Outcome>([
        [0, LATER],
        [2, LATER],
        [3, passed],
      ]),
    );
    scene.advance();
    assert.deepEqual(values(scene.leaving()), [1, 4]);
  }
});

test("a later one that can never be appended is no hindrance, and records without a key have no order", () => {
  const scene = new Scene();
  scene.add("a", "a");
  scene.tell(scene.leaving(), LATER, NEVER);
  scene.advance();
  assert.deepEqual(values(scene.leaving()), [0]);
  const keyless = new Scene();
  keyless.add(null, null);
  keyless.tell(keyless.leaving(), LATER, APPENDED);
  keyless.advance();
  assert.deepEqual(values(keyless.leaving()), [0]);
});

test("a key's records are appended in order and once, whatever the broker answers, in whatever order", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = generator(seed);
    const scene = new Scene({ batchSize: 1 + random(4), maxInFlight: 3, maxRetries: 2 });
    const keys = Array.from({ length: random(13) }, () => ["a", "b", null][random(3)] as string | null);
    scene.add(...keys);
    const underWay: { when: number; one: Wanted }[] = [];
    const appended: { when: number; number: number }[] = []; // it is appended when it is sent
    for (let step = 0, sent = 0; step < 300; step += 1) {
      for (const one of scene.leaving()) {
        underWay.push({ when: sent, one });
        sent += 1;
      }
      const [picked] = underWay.splice(random(underWay.length), 1);
      if (picked === undefined) {
        if (scene.outbox.wakeAtMs === undefined) break;
        scene.advance();
        continue;
      }
      const outcome = [APPENDED, APPENDED, LATER, NEVER][random(4)] as Outcome;
      if (outcome === APPENDED) appended.push({ when: picked.when, number: values([picked.one])[0] as number });
      scene.tell([picked.one], outcome);
    }
    assert.equal(scene.finished.size, keys.length, `seed ${seed}`);
    const acknowledged = [...scene.finished].filter(([, outcome]) => outcome === APPENDED).map(([number]) => number);
    appended.sort((one, other) => one.when - other.when);
    assert.deepEqual(appended.map((each) => each.number).sort(byNumber), acknowledged.sort(byNumber), `seed ${seed}`);
    for (const key of ["a", "b"]) {
      const numbers = appended.map((each) => each.number).filter((number) => keys[number] === key);
      assert.deepEqual(numbers, [...numbers].sort(byNumber), `seed ${seed}`);
    }
  }
});

function byNumber(one: number, other: number): number {
  return one - other;
}
