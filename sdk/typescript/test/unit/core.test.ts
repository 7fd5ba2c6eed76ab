/** What a client decides: when to dial whom, what to send, and what became of it. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { consume, ping, produce } from "../../src/calls/records.js";
import { CoreScene } from "../support/core-scene.js";
import { generator } from "../support/random.js";

const THREE = "a:1,b:2,c:3";

describe("connecting", () => {
  test("nobody is dialled before there is something to send", () => {
    const scene = new CoreScene();
    assert.deepEqual([scene.dialled, scene.core.wakeAtMs], [undefined, undefined]);
    scene.ask(ping());
    assert.equal(scene.dialled, "a:1");
  });

  test("nothing is sent before the broker welcomed; then all that waits, in order", () => {
    const scene = new CoreScene();
    scene.ask(ping());
    assert.deepEqual(scene.sent(), []);
    scene.ask(produce("t", "k", "v"));
    scene.open();
    assert.deepEqual(
      scene.sent().map((each) => each.command),
      ["PING", "PRODUCE"],
    );
  });

  test("brokers are tried in order, whatever keeps one from welcoming", () => {
    const scene = new CoreScene("a:1,b:2,c:3,d:4,e:5,f:6", { timeoutMs: 60_000, connectTimeoutMs: 5000 });
    const asked = scene.ask(ping());
    scene.lose("connection refused");
    assert.equal(scene.dialled, "b:2");
    scene.connect();
    scene.lose("closed");
    assert.equal(scene.dialled, "c:3");
    scene.advance(5000);
    assert.equal(scene.dialled, "d:4");
    scene.connect();
    scene.advance(5000);
    assert.equal(scene.dialled, "e:5");
    scene.connect();
    scene.receive("HTTP/1.1 400 Bad Request\n");
    assert.equal(scene.dialled, "f:6");
    scene.open();
    scene.answer(scene.sent()[0]);
    assert.deepEqual(scene.finished, [asked]);
    assert.equal(asked.error, undefined);
  });

  test("a round without any broker fails what waits, with every reason; the next call begins the next round", () => {
    const scene = new CoreScene("a:1,b:2");
    const asked = scene.ask(ping());
    scene.lose("connection refused");
    scene.connect();
    scene.receive("V1|0|ERR|SHUTTING_DOWN|later\n");
    assert.equal(asked.error?.code, "NO_BROKER");
    assert.match(asked.error.message, /a:1: connection refused; b:2: SHUTTING_DOWN: later/);
    assert.equal(scene.dialled, undefined);
    scene.ask(ping());
    assert.equal(scene.dialled, "a:1");
  });

  test("nobody is dialled for nobody", () => {
    const scene = new CoreScene("a:1,b:2");
    scene.giveUp(scene.ask(ping()));
    scene.lose("connection refused");
    assert.deepEqual([scene.dialled, scene.finished], [undefined, []]);
  });

  test("a lost connection is replaced when it is needed, the lost broker is tried last", () => {
    const scene = new CoreScene(THREE);
    scene.ask(ping());
    scene.open();
    scene.answer(scene.sent()[0]);
    scene.lose();
    assert.equal(scene.dialled, undefined);
    scene.ask(ping());
    for (const broker of ["b:2", "c:3", "a:1"]) {
      assert.equal(scene.dialled, broker);
      if (broker !== "a:1") scene.lose("refused");
    }
    scene.open();
    assert.equal(scene.sent().length, 1);
  });

  test("an old connection's word is not heeded", () => {
    const scene = new CoreScene("a:1,b:2");
    const asked = scene.ask(ping());
    const old = scene.conversation;
    scene.lose("refused");
    const { conversation } = scene;
    scene.core.connected(old, scene.nowMs);
    scene.core.received(old, Buffer.from("V1|1|OK|pong=true\n"), scene.nowMs);
    scene.core.lost(old, "again", scene.nowMs);
    assert.equal(scene.conversation, conversation);
    assert.equal(asked.exchange.isDone, false);
  });

  test("a connection that was idle for long is not trusted", () => {
    for (const [idleMs, dials] of [
      [299_000, false],
      [301_000, true],
    ] as const) {
      const scene = new CoreScene("a:1", { maxIdleMs: 300_000 });
      scene.ask(ping());
      scene.open();
      scene.answer(scene.sent()[0]);
      const before = scene.conversation;
      scene.advance(idleMs);
      scene.ask(ping());
      assert.equal(scene.conversation !== before, dials);
    }
  });
});

describe("outcomes", () => {
  test("what was sent and lost has an unknown outcome; what was not sent goes to the next broker", () => {
    const scene = new CoreScene(THREE, { maxInFlight: 2 });
    const calls = ["0", "1", "2", "3"].map((value) => scene.ask(produce("t", "k", value)));
    scene.open();
    assert.deepEqual(scene.sentArgs(), ["t k:0 acks=1", "t k:1 acks=1"]);
    scene.lose("reset by peer");
    assert.deepEqual(scene.finished, calls.slice(0, 2));
    for (const call of calls.slice(0, 2)) {
      assert.equal(call.error?.code, "OUTCOME_UNKNOWN");
      assert.equal(call.error.message, "PRODUCE: it may have been executed by a:1: reset by peer");
    }
    assert.equal(scene.dialled, "b:2");
    scene.open();
    assert.deepEqual(scene.sentArgs(), ["t k:2 acks=1", "t k:3 acks=1"]);
  });

  test("garbage ends the connection; what was answered before it keeps its answer", () => {
    const scene = new CoreScene(THREE);
    const [first, second] = [scene.ask(ping()), scene.ask(ping())];
    scene.open();
    scene.receive(`V1|${scene.sent()[0]?.id}|OK|pong=true\nrubbish\n`);
    assert.equal(first.error, undefined);
    assert.equal(second.error?.code, "OUTCOME_UNKNOWN");
    assert.match(second.error.message, /rubbish/);
    assert.equal(scene.dialled, undefined);
  });

  test("an answer comes in any pieces, and a line the broker could not read was the oldest that is no long poll", () => {
    const scene = new CoreScene();
    const poll = scene.ask(consume("t", 0, 0, { waitMs: 1000 }));
    const [first, second] = [scene.ask(ping()), scene.ask(ping())];
    scene.open();
    const requests = scene.sent();
    for (const byte of `V1|${requests[2]?.id}|OK|pong=true\r\n`) scene.receive(byte);
    assert.deepEqual(scene.finished, [second]);
    scene.receive("V1|0|ERR|BAD_REQUEST|frame\n");
    assert.equal(first.error?.code, "BAD_REQUEST");
    scene.receive("V1|0|ERR|BAD_REQUEST|frame\n");
    assert.equal(poll.error?.code, "BAD_REQUEST");
  });

  test("an endless answer ends the connection", () => {
    const scene = new CoreScene("a:1", { maxReplyBytes: 100 });
    const asked = scene.ask(ping());
    scene.open();
    scene.sent();
    scene.receive("V1|2|OK|".padEnd(100, "x"));
    assert.equal(asked.exchange.isDone, false);
    scene.receive("x");
    assert.equal(asked.error?.code, "OUTCOME_UNKNOWN");
    assert.match(asked.error.message, /maxReplyBytes/);
  });

  test("nobody is told what he gave up", () => {
    const scene = new CoreScene("a:1", { maxInFlight: 1 });
    const [first, second, third] = [scene.ask(ping()), scene.ask(ping()), scene.ask(ping())];
    scene.open();
    const [request] = scene.sent();
    for (const asked of [first, second, second]) scene.giveUp(asked);
    scene.answer(request);
    scene.answer(scene.sent()[0]);
    assert.deepEqual(scene.finished, [third]);
  });

  test("closing ends everything: sent is unknown, not sent is not done, asked later is refused", () => {
    const scene = new CoreScene("a:1", { maxInFlight: 1 });
    const [sent, waiting] = [scene.ask(ping()), scene.ask(ping())];
    scene.open();
    scene.sent();
    scene.core.close();
    const late = scene.ask(ping());
    scene.core.close();
    assert.deepEqual(
      scene.finished.map((each) => each.error?.code),
      ["OUTCOME_UNKNOWN", "CLIENT_CLOSED", "CLIENT_CLOSED"],
    );
    assert.deepEqual(scene.finished, [sent, waiting, late]);
    assert.deepEqual([scene.dialled, scene.core.wakeAtMs], [undefined, undefined]);
  });
});

describe("garbage", () => {
  test("whatever comes in whatever pieces, nothing is thrown, and every call has one outcome", () => {
    const replies = [
      "V1|2|OK|pong=true\n",
      "V1|3|OK|messages=0:YQ==,1: hw=1 next=2 log_start=0 keys=0:aw== timestamps=1,2 tombstones=[1]\n",
      "V1|4|ERR|NOT_LEADER|t-0 is led by broker 2, leader=b:9092\n",
      "V1|5|OK|partition=0 offset=7 hw=7\n",
    ];
    for (let seed = 1; seed <= 500; seed += 1) {
      const random = generator(seed);
      const scene = new CoreScene("a:1,b:2");
      for (const call of [ping(), consume("t", 0, 0), ping(), produce("t", "k", "v")]) scene.ask(call);
      scene.open();
      const bytes = Buffer.from(replies.join(""), "latin1");
      for (let count = random(4); count > 0; count -= 1) bytes[random(bytes.length)] = random(256);
      const { conversation } = scene;
      for (let at = 0; at < bytes.length; ) {
        const end = at + 1 + random(60);
        scene.core.received(conversation, bytes.subarray(at, end), scene.nowMs);
        at = end;
      }
      scene.core.close();
      assert.equal(new Set(scene.finished).size, 4, `seed ${seed}`);
      assert.equal(scene.finished.length, 4, `seed ${seed}`);
      for (const { error } of scene.finished) if (error !== undefined) assert.equal(error.name, "FluxError");
    }
  });
});

describe("limits", () => {
  test("so many are in flight, and the others wait in order", () => {
    const scene = new CoreScene("a:1", { maxInFlight: 2 });
    for (const value of ["0", "1", "2", "3"]) scene.ask(produce("t", "k", value));
    scene.open();
    const [first, second] = scene.sent();
    scene.answer(second, "partition=0 offset=1 hw=1");
    assert.deepEqual(scene.sentArgs(), ["t k:2 acks=1"]);
    scene.answer(first, "partition=0 offset=0 hw=1");
    assert.deepEqual(scene.sentArgs(), ["t k:3 acks=1"]);
  });

  test("so many bytes are in flight, and a single request always may be", () => {
    const scene = new CoreScene("a:1", { maxInFlightBytes: 1000 });
    for (const size of [2000, 100, 100, 600]) scene.ask(produce("t", "k", "v".repeat(size)));
    scene.open();
    const [large] = scene.sent();
    assert.equal(large?.args.length, 2000 + "t k: acks=1".length);
    scene.answer(large, "partition=0 offset=0 hw=0");
    assert.equal(scene.sent().length, 2);
  });

  test("past the most that may wait a call is refused, in number and in bytes", () => {
    for (const options of [{ maxWaiting: 2 }, { maxWaitingBytes: 500 }]) {
      const scene = new CoreScene("a:1", options);
      const accepted = [scene.ask(ping()), scene.ask(ping())];
      assert.equal(scene.ask(ping()).error?.code, "THROTTLED");
      assert.deepEqual(
        accepted.map((each) => each.exchange.isDone),
        [false, false],
      );
      scene.open();
      assert.equal(scene.sent().length, 2);
      assert.equal(scene.ask(ping()).exchange.isDone, false);
    }
  });

  test("a request too long for the broker is not sent", () => {
    const scene = new CoreScene();
    const [long, short] = [scene.ask(produce("t", "k", "v".repeat(100))), scene.ask(ping())];
    scene.open(64);
    assert.deepEqual(
      scene.sent().map((each) => each.command),
      ["PING"],
    );
    assert.equal(long.error?.code, "MESSAGE_TOO_LARGE");
    assert.equal(short.exchange.isDone, false);
  });
});

describe("time", () => {
  test("a call that does not leave in time was not done; it says what was in the way", () => {
    const scene = new CoreScene(THREE, { timeoutMs: 3000, connectTimeoutMs: 100_000 });
    const waiting = scene.ask(ping());
    scene.lose("refused");
    scene.advance(2900);
    assert.equal(waiting.exchange.isDone, false);
    scene.advance(200);
    assert.equal(waiting.error?.code, "NOT_SENT");
    assert.match(waiting.error.message, /a:1: refused; b:2: still connecting/);
    const full = new CoreScene("a:1", { timeoutMs: 3000, maxInFlight: 1 });
    const [sent, behind] = [full.ask(ping({ timeoutMs: 10_000 })), full.ask(ping())];
    full.open();
    full.sent();
    full.advance(3100);
    assert.equal(behind.error?.code, "NOT_SENT");
    assert.match(behind.error.message, /1 others were not answered yet/);
    assert.equal(sent.exchange.isDone, false);
  });

  test("a call that is not answered in time has an unknown outcome, and its late answer is dropped", () => {
    const scene = new CoreScene("a:1", { timeoutMs: 10_000 });
    const [slow, other] = [scene.ask(ping({ timeoutMs: 500 })), scene.ask(ping())];
    scene.open();
    const requests = scene.sent();
    scene.advance(600);
    assert.equal(slow.error?.message, "PING: it may have been executed by a:1: no answer came in time");
    for (const request of requests) scene.answer(request);
    assert.deepEqual(scene.finished, [slow, other]);
    assert.equal(other.error, undefined);
  });

  test("a long poll has its wait on top", () => {
    const scene = new CoreScene("a:1", { timeoutMs: 10_000 });
    const page = scene.ask(consume("t", 0, 0, { waitMs: 30_000 }));
    scene.open();
    scene.sent();
    scene.advance(39_900);
    assert.equal(page.exchange.isDone, false);
    scene.advance(200);
    assert.equal(page.error?.code, "OUTCOME_UNKNOWN");
  });

  test("a silent connection is given up, and the next broker is asked", () => {
    const scene = new CoreScene("a:1,b:2", { timeoutMs: 10_000, maxInFlight: 2 });
    const calls = [1000, 30_000, 30_000].map((timeoutMs) => scene.ask(ping({ timeoutMs })));
    scene.open();
    scene.sent();
    scene.advance(9900);
    assert.equal(calls[0]?.error?.code, "OUTCOME_UNKNOWN");
    assert.equal(scene.dialled, "a:1");
    scene.advance(100);
    assert.match(calls[1]?.error?.message ?? "", /nothing was heard for 10.0 s/);
    assert.equal(scene.dialled, "b:2");
    scene.open();
    assert.equal(scene.sent().length, 1);
  });

  test("a broker that is slow but talks is kept", () => {
    const scene = new CoreScene("a:1,b:2", { timeoutMs: 10_000 });
    const [slow, page] = [scene.ask(ping()), scene.ask(consume("t", 0, 0, { waitMs: 5000 }))];
    scene.open();
    const [, poll] = scene.sent();
    scene.advance(5000);
    scene.answer(poll, "messages= hw=-1 next=0 log_start=0 keys= timestamps= tombstones=[]");
    scene.advance(5100);
    assert.deepEqual([slow.exchange.isDone, page.exchange.isDone, scene.dialled], [true, true, "a:1"]);
  });

  test("a thousand calls that time out one after the other do not wake the core a thousand times", () => {
    const scene = new CoreScene("a:1", { connectTimeoutMs: 100_000 });
    for (let number = 0; number < 1000; number += 1) scene.ask(ping({ timeoutMs: 1000 + number / 10 }));
    let wakes = 0;
    for (; scene.finished.length < 1000 && wakes < 1000; wakes += 1) {
      scene.nowMs = scene.core.wakeAtMs as number;
      scene.core.tick(scene.nowMs);
    }
    assert(wakes < 20, String(wakes));
  });
});

describe("moving", () => {
  test("the leader that is named is asked, as soon as nothing is awaited from the other", () => {
    const scene = new CoreScene("a:1,b:2", { maxInFlight: 3 });
    const calls = ["0", "1", "2", "3"].map((value) => scene.ask(produce("t", "k", value)));
    scene.open();
    const [first, second, third] = scene.sent();
    scene.refuse(first, "NOT_LEADER", "t-0 is led by broker 7, leader=x:7; this broker only follows");
    assert.deepEqual([scene.sent(), scene.dialled], [[], "a:1"]);
    scene.refuse(second, "NOT_LEADER", "leader=x:7");
    scene.answer(third, "partition=1 offset=0 hw=0");
    assert.equal(scene.dialled, "x:7");
    scene.open();
    const requests = scene.sent();
    assert.deepEqual(
      requests.map((each) => each.args),
      ["t k:0 acks=1", "t k:1 acks=1", "t k:3 acks=1"],
    );
    for (const request of requests) scene.answer(request, "partition=0 offset=0 hw=0");
    assert.deepEqual(
      calls.map((each) => each.error),
      [undefined, undefined, undefined, undefined],
    );
  });

  test("without a name each broker is asked once, and then the last one's word is the answer", () => {
    for (const code of ["NOT_LEADER", "SHUTTING_DOWN"]) {
      const scene = new CoreScene(THREE);
      const call = scene.ask(ping());
      for (const broker of ["a:1", "b:2", "c:3"]) {
        assert.equal(scene.dialled, broker);
        scene.open();
        scene.refuse(scene.sent()[0], code, `says ${broker}`);
      }
      assert.deepEqual([call.error?.code, call.error?.message], [code, "says c:3"]);
    }
  });

  test("the only broker's refusal is the answer, and so is that of one that names itself", () => {
    for (const message of ["no leader yet", "leader=a:1"]) {
      const scene = new CoreScene("a:1");
      const call = scene.ask(ping());
      scene.open();
      scene.refuse(scene.sent()[0], "NOT_LEADER", message);
      assert.deepEqual([call.error?.code, scene.dialled], ["NOT_LEADER", "a:1"]);
    }
  });

  test("brokers that name each other get an end", () => {
    const scene = new CoreScene("a:1,b:2");
    const call = scene.ask(ping());
    let moves = 0;
    for (; moves < 100; moves += 1) {
      scene.open();
      scene.refuse(scene.sent()[0], "NOT_LEADER", scene.dialled === "a:1" ? "leader=b:2" : "leader=a:1");
      if (call.exchange.isDone) break;
    }
    assert.deepEqual([call.error?.code, moves], ["NOT_LEADER", 5]);
  });

  test("other errors are not taken elsewhere, however retriable", () => {
    const scene = new CoreScene(THREE);
    const call = scene.ask(ping());
    scene.open();
    scene.refuse(scene.sent()[0], "THROTTLED");
    assert.deepEqual([call.error?.code, scene.dialled], ["THROTTLED", "a:1"]);
  });

  test("what was given up, or is too late, is not taken elsewhere", () => {
    const scene = new CoreScene("a:1,b:2");
    const [given, slow] = [scene.ask(ping()), scene.ask(ping({ timeoutMs: 100 }))];
    scene.open();
    const requests = scene.sent();
    scene.giveUp(given);
    scene.advance(200);
    assert.equal(slow.error?.code, "OUTCOME_UNKNOWN");
    for (const request of requests) scene.refuse(request, "NOT_LEADER");
    scene.ask(ping());
    assert.equal(scene.dialled, "a:1");
    assert.equal(scene.sent().length, 1);
  });

  test("what is given up, or lost with the connection, holds nobody back", () => {
    const scene = new CoreScene("a:1,b:2");
    scene.ask(ping());
    const poll = scene.ask(consume("t", 0, 0, { waitMs: 60_000 }));
    scene.open();
    scene.refuse(scene.sent()[0], "NOT_LEADER");
    assert.equal(scene.dialled, "a:1");
    scene.giveUp(poll);
    assert.equal(scene.dialled, "b:2");
    const other = new CoreScene(THREE);
    const [refused, lost] = [other.ask(ping()), other.ask(ping())];
    other.open();
    other.refuse(other.sent()[0], "SHUTTING_DOWN");
    other.lose();
    assert.equal(lost.error?.code, "OUTCOME_UNKNOWN");
    assert.deepEqual([refused.exchange.isDone, other.dialled], [false, "b:2"]);
  });
});
