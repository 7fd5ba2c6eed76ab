/** A consumer's decisions: memberships, partitions, positions, commits. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CONSUMER_DEFAULTS, type ConsumerSettings } from "../../src/agents/options.js";
import { type Event, Subscription } from "../../src/agents/subscription.js";
import { complete } from "../../src/client/options.js";
import { FluxError, Message, NextOffset, OffsetFound, Page } from "../../src/index.js";
import { AgentScene } from "../support/agent-scene.js";

const OVER = new FluxError("GENERATION_MISMATCH", "over");
const GONE = new FluxError("NO_BROKER", "gone");
const JOIN = "JOIN g t m assignor=round_robin session_ms=10000";

function joined(generation: number, ...partitions: number[]) {
  return { generation, partitions };
}

function located(offset: number, committed = true): NextOffset {
  return new NextOffset(BigInt(offset), committed);
}

/** Messages whose values are their offsets. */
function page(partition: number, ...offsets: number[]): Page {
  const messages = offsets.map(
    (offset) =>
      new Message("t", partition, {
        offset: BigInt(offset),
        key: null,
        value: Buffer.from(String(offset)),
        timestampMs: 0,
      }),
  );
  const end = BigInt((offsets.at(-1) ?? -1) + 1);
  return new Page(messages, end, end, 0n);
}

/** A subscription of the member m of the group g to t. Heartbeats do not get in the way, unless they are looked for. */
class Scene extends AgentScene {
  readonly subscription: Subscription;
  readonly told: Event[] = [];

  constructor(options: ConsumerSettings = {}) {
    const settings = complete({ prefetch: 1, commitIntervalMs: 0, ...options }, CONSUMER_DEFAULTS);
    const subscription = new Subscription("g", "m", settings);
    super(subscription);
    this.subscription = subscription;
    subscription.add(["t", "t"]);
  }

  /** Joined with partition 0, located at an offset, with messages at hand. */
  static reading(offsets: readonly number[], options?: ConsumerSettings): Scene {
    const scene = new Scene(options);
    scene.tell("JOIN", joined(2, 0));
    scene.tell("OFFSET g t 0", located(offsets[0] ?? 0));
    scene.tell("CONSUME t 0", page(0, ...offsets));
    return scene;
  }

  /** The offset of the next message, after noting what there is to be told; undefined if there is none. */
  take(): number | undefined {
    for (;;) {
      const item = this.subscription.next(this.nowMs);
      if (item === undefined) return undefined;
      if (item.kind === "message") return item.message.offsetNumber;
      this.told.push(item);
    }
  }

  /** Take one, and handle it. */
  handle(): number | undefined {
    const taken = this.take();
    this.subscription.handled();
    return taken;
  }

  /** What is under way, without CONSUMEs and HEARTBEATs. */
  others(): string[] {
    return this.calls().filter((call) => !/^(CONSUME|HEARTBEAT)/.test(call));
  }

  kinds(): string[] {
    this.take();
    return this.told.map((event) => event.kind);
  }
}

describe("membership", () => {
  test("it joins, gives signs of life, and joins again at once when its generation is over", () => {
    const scene = new Scene({ heartbeatIntervalMs: 2000, autoOffsetReset: "earliest" });
    assert.deepEqual(scene.calls(), [JOIN]);
    scene.tell("JOIN", joined(2));
    assert.deepEqual([scene.calls(), scene.advance()], [[], 2000]);
    assert.deepEqual(scene.calls(), ["HEARTBEAT g t m 2"]);
    scene.tell("HEARTBEAT", undefined);
    assert.equal(scene.advance(), 2000);
    scene.tell("HEARTBEAT", OVER);
    assert.deepEqual(scene.calls(), [JOIN]);
  });

  test("what fails is tried again later and later, and told", () => {
    const scene = new Scene({ retryBackoffMs: 250, maxRetryBackoffMs: 1000 });
    const pauses = [0, 1, 2, 3].map(() => {
      scene.tell("JOIN", GONE);
      return scene.advance();
    });
    assert.deepEqual(pauses, [250, 500, 1000, 1000]);
    assert.deepEqual(scene.kinds(), Array(4).fill("survived"));
  });

  test("nothing is handed out once the session may be over", () => {
    const scene = Scene.reading([0, 1], { sessionTimeoutMs: 10_000 });
    assert.equal(scene.take(), 0);
    scene.nowMs += 10_000;
    assert.equal(scene.take(), undefined);
    scene.tell("HEARTBEAT", undefined);
    assert.equal(scene.take(), 1);
  });

  test("without autoRejoin a generation that is over is the end", () => {
    const scene = Scene.reading([0, 1], { autoRejoin: false });
    scene.handle();
    scene.tell("COMMIT", OVER);
    assert.equal(scene.subscription.failure, OVER);
    assert.deepEqual([scene.subscription.wants(scene.nowMs), scene.subscription.wakeAtMs], [[], undefined]);
  });

  test("what no repetition would mend is the end, and so is a missing offset if the options say so", () => {
    for (const code of ["BAD_REQUEST", "UNAUTHORIZED", "UNKNOWN_TOPIC", "CLIENT_CLOSED"]) {
      const scene = new Scene();
      const error = new FluxError(code, "no");
      scene.tell("JOIN", error);
      assert.equal(scene.subscription.failure, error);
      assert(scene.subscription.hasNews(scene.nowMs));
    }
    const strict = new Scene({ autoOffsetReset: "error" });
    strict.tell("JOIN", joined(2, 0));
    strict.tell("OFFSET", located(0, false));
    assert.equal(strict.subscription.failure?.code, "OFFSET_OUT_OF_RANGE");
  });
});

describe("reading", () => {
  test("it goes on where the group stopped, page by page, and reads ahead so far", () => {
    const scene = new Scene({ prefetch: 2, pollIntervalMs: 500 });
    scene.tell("JOIN", joined(2, 0));
    scene.tell("OFFSET g t 0", located(5));
    assert.deepEqual(scene.calls(), [
      "CONSUME t 0 5 max_bytes=1048576 wait_ms=500 enc=b64 order=any fields=keys,timestamps,tombstones",
    ]);
    scene.tell("CONSUME", page(0, 5, 7));
    assert.deepEqual([scene.calls(), scene.subscription.position("t", 0)], [[], 5n]);
    assert.deepEqual([scene.take(), scene.take(), scene.take()], [5, 7, undefined]);
    assert.match(scene.calls()[0] ?? "", /^CONSUME t 0 8 /);
  });

  test("nothing committed, or nothing there any more, begins where the options say", () => {
    for (const [reset, request] of [
      ["earliest", /^CONSUME t 0 3 /],
      ["latest", /^OFFSETS t 0 at=latest$/],
    ] as const) {
      const scene = new Scene({ autoOffsetReset: reset });
      scene.tell("JOIN", joined(2, 0));
      scene.tell("OFFSET", located(3, false));
      assert.match(scene.calls()[0] ?? "", request);
    }
    const scene = new Scene({ autoOffsetReset: "earliest" });
    scene.tell("JOIN", joined(2, 0));
    scene.tell("OFFSET", located(3));
    scene.tell("CONSUME", new FluxError("OFFSET_OUT_OF_RANGE", "gone"));
    assert.deepEqual(scene.calls(), ["OFFSETS t 0 at=earliest"]);
    scene.tell("OFFSETS", new OffsetFound(8n, -1));
    assert.match(scene.calls()[0] ?? "", /^CONSUME t 0 8 /);
    assert.deepEqual(scene.kinds(), ["assigned", "survived"]);
  });

  test("what fails is read again, later and later, and soon again once it went well", () => {
    const scene = Scene.reading([0], { retryBackoffMs: 250 });
    scene.take();
    for (const pauseMs of [250, 500]) {
      scene.tell("CONSUME t 0 1", GONE);
      assert.deepEqual([scene.calls(), scene.advance()], [[], pauseMs]);
    }
    scene.tell("CONSUME t 0 1", page(0, 1));
    scene.take();
    scene.tell("CONSUME t 0 2", GONE);
    assert.deepEqual([scene.calls(), scene.advance()], [[], 250]);
  });

  test("partitions take turns", () => {
    const scene = new Scene();
    scene.tell("JOIN", joined(2, 0, 1));
    for (const partition of [0, 1]) {
      scene.tell(`OFFSET g t ${partition}`, located(0));
      scene.tell(`CONSUME t ${partition}`, page(partition, 10 * partition, 10 * partition + 1));
    }
    assert.deepEqual([scene.take(), scene.take(), scene.take(), scene.take()], [0, 10, 1, 11]);
  });

  test("after a seek nothing from before it counts, neither what was handed out nor what is under way", () => {
    const scene = Scene.reading([0, 1], { prefetch: 5 });
    scene.calls(); // the next page is under way
    assert.equal(scene.take(), 0);
    scene.subscription.seek("t", 0, 7n);
    scene.subscription.handled();
    scene.tell("CONSUME t 0 2", page(0, 2));
    assert.deepEqual([scene.take(), scene.others()], [undefined, []]);
    scene.tell("CONSUME t 0 7", page(0, 7));
    assert.equal(scene.handle(), 7);
    assert.deepEqual(scene.others(), ["COMMIT g t m 2 0 8"]);
  });

  test("a paused partition hands out nothing, and reads nothing", () => {
    const scene = Scene.reading([0, 1]);
    scene.subscription.pause("t", 0);
    assert.deepEqual([scene.take(), scene.calls()], [undefined, []]);
    scene.subscription.resume("t", 0);
    assert.equal(scene.take(), 0);
    assert.throws(() => scene.subscription.pause("t", 1), { code: "BAD_REQUEST" });
  });
});

describe("committing", () => {
  test("what is handled is committed, one call at a time, and never more", () => {
    const scene = Scene.reading([0, 1, 2]);
    assert.equal(scene.take(), 0);
    assert.deepEqual(scene.others(), []);
    scene.subscription.handled();
    assert.deepEqual(scene.others(), ["COMMIT g t m 2 0 1"]);
    scene.handle();
    scene.handle();
    assert.deepEqual(scene.others(), ["COMMIT g t m 2 0 1"]);
    scene.tell("COMMIT", undefined);
    assert.deepEqual(scene.others(), ["COMMIT g t m 2 0 3"]);
  });

  test("so often at most, and again when it failed", () => {
    const scene = Scene.reading([0, 1, 2, 3], { commitIntervalMs: 100, retryBackoffMs: 250 });
    scene.handle();
    scene.tell("COMMIT", undefined);
    scene.handle();
    assert.deepEqual([scene.others(), scene.advance()], [[], 100]);
    scene.tell("COMMIT", GONE);
    assert.deepEqual([scene.others(), scene.advance()], [[], 250]);
    assert.deepEqual(scene.others(), ["COMMIT g t m 2 0 2"]);
  });

  test("where nobody moved the group after a rebalance it goes on with what is at hand", () => {
    for (const found of [1, 2]) {
      const scene = Scene.reading([0, 1, 2]);
      scene.handle();
      scene.tell("COMMIT", undefined);
      scene.handle();
      scene.tell("COMMIT", OVER); // it may have been executed by an earlier attempt: either offset is our doing
      scene.tell("JOIN", joined(3, 0));
      assert.equal(scene.take(), undefined);
      scene.tell("OFFSET", located(found));
      assert.equal(scene.take(), 2);
      assert.deepEqual(scene.others(), ["COMMIT g t m 3 0 2"]);
    }
  });

  test("where somebody moved the group it follows", () => {
    const scene = Scene.reading([0, 1, 2]);
    scene.handle();
    scene.tell("COMMIT", OVER);
    scene.tell("JOIN", joined(3, 0));
    scene.tell("OFFSET", located(9));
    assert.deepEqual([scene.take(), scene.others()], [undefined, []]);
    assert.match(scene.calls().join(), /CONSUME t 0 9 /);
  });

  test("a message whose partition is gone is not committed, and both are told", () => {
    const scene = Scene.reading([0, 1]);
    assert.equal(scene.take(), 0);
    scene.nowMs += 2000;
    scene.tell("HEARTBEAT", OVER);
    scene.tell("JOIN", joined(3, 1));
    scene.subscription.handled();
    assert.deepEqual(scene.others(), ["OFFSET g t 1"]);
    assert.deepEqual(scene.kinds(), ["assigned", "revoked", "assigned"]);
    assert.deepEqual(scene.subscription.assignment, [{ topic: "t", partition: 1 }]);
  });

  test("by hand: told when it is durable, however many rebalances that takes, or that it cannot be any more", () => {
    const scene = Scene.reading([0, 1, 2], { autoCommit: false });
    const outcomes: string[] = [];
    const commit = (offset: number) => {
      const [message] = page(0, offset);
      scene.subscription.commit(
        message as Message,
        () => outcomes.push(`${offset} durable`),
        (error) => outcomes.push(`${offset} ${error.code}`),
      );
    };
    scene.handle();
    assert.deepEqual(scene.others(), []);
    commit(0);
    scene.tell("COMMIT g t m 2 0 1", OVER);
    scene.tell("JOIN", joined(3, 0));
    scene.tell("OFFSET", located(0));
    assert.deepEqual(outcomes, []);
    scene.tell("COMMIT g t m 3 0 1", undefined);
    commit(0);
    assert.deepEqual(outcomes, ["0 durable", "0 durable"]);
    commit(1);
    scene.others();
    commit(2);
    scene.tell("COMMIT g t m 3 0 2", undefined);
    assert.deepEqual(outcomes.slice(2), ["1 durable"]);
    scene.tell("COMMIT g t m 3 0 3", OVER);
    scene.tell("JOIN", joined(4));
    assert.deepEqual(outcomes.slice(3), ["2 GENERATION_MISMATCH"]);
    commit(2);
    assert.deepEqual(outcomes.slice(4), ["2 GENERATION_MISMATCH"]);
  });

  test("by hand: a commit under way when its partition goes is told too", () => {
    const scene = Scene.reading([0, 1], { autoCommit: false });
    const outcomes: string[] = [];
    const [message] = page(0, 0);
    scene.subscription.commit(
      message as Message,
      () => outcomes.push("durable"),
      (error) => outcomes.push(error.code),
    );
    scene.nowMs += 2000;
    scene.calls();
    scene.tell("HEARTBEAT", OVER);
    scene.tell("JOIN", joined(3));
    assert.deepEqual(outcomes, []);
    scene.tell("COMMIT", OVER);
    assert.deepEqual(outcomes, ["GENERATION_MISMATCH"]);
  });
});

describe("closing", () => {
  test("what is handled is committed, and then it leaves", () => {
    const scene = Scene.reading([0, 1], { commitIntervalMs: 60_000 });
    scene.handle();
    scene.tell("COMMIT", undefined);
    scene.handle();
    scene.subscription.close(scene.nowMs + 1000);
    assert.deepEqual(scene.others(), ["COMMIT g t m 2 0 2"]);
    scene.tell("COMMIT", undefined);
    assert.deepEqual(scene.others(), ["LEAVE g t m 2"]);
    assert.equal(scene.subscription.isOver(scene.nowMs), false);
    scene.tell("LEAVE", undefined);
    assert(scene.subscription.isOver(scene.nowMs));
  });

  test("it takes no longer than it may, and one that never joined is over at once", () => {
    const scene = Scene.reading([0]);
    scene.handle();
    scene.subscription.close(scene.nowMs + 1000);
    scene.others();
    assert.equal(scene.advance(), 1000);
    assert(scene.subscription.isOver(scene.nowMs));
    const fresh = new Scene();
    fresh.subscription.close(fresh.nowMs + 1000);
    assert.deepEqual(fresh.calls(), []);
    assert(fresh.subscription.isOver(fresh.nowMs));
  });
});
