/** Calls that are not sent yet. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ping } from "../../src/calls/records.js";
import { Backlog } from "../../src/client/backlog.js";
import { type AnyExchange, Exchange } from "../../src/client/exchange.js";
import { CLIENT_DEFAULTS, type ClientOptions } from "../../src/client/options.js";

function backlog(options: ClientOptions = {}): Backlog {
  return new Backlog({ ...CLIENT_DEFAULTS, ...options } as typeof CLIENT_DEFAULTS);
}

/** An exchange of 200 bytes and its arguments, which are its name. */
function exchange(name: string, deadlineMs = 0): AnyExchange {
  const made = new Exchange(ping(), deadlineMs);
  made.args = name;
  return made;
}

function drain(queue: Backlog): string {
  let names = "";
  for (let next = queue.take(); next !== undefined; next = queue.take()) names += next.args;
  return names;
}

test("what is put back goes before what was never taken, in order", () => {
  const queue = backlog();
  for (const name of "abcd") queue.add(exchange(name));
  const [a, b] = [queue.take(), queue.take()] as AnyExchange[];
  queue.putBack(a as AnyExchange);
  queue.putBack(b as AnyExchange);
  assert.equal(queue.first, a);
  assert.equal(queue.take(), a);
  queue.putBack(exchange("x")); // b was not taken again: x was taken before it
  assert.equal(drain(queue), "xbcd");
});

test("removal keeps the place for what is put back", () => {
  const queue = backlog();
  for (const name of "abcd") queue.add(exchange(name));
  const [a, b] = [queue.take(), queue.take()] as AnyExchange[];
  queue.putBack(a as AnyExchange);
  queue.putBack(b as AnyExchange);
  queue.remove(a as AnyExchange);
  assert.deepEqual(
    queue.removeIf((each) => each.args === "d").map((each) => each.args),
    ["d"],
  );
  queue.putBack(exchange("x"));
  assert.equal(drain(queue), "bxc");
});

test("what leaves, however, makes room, and a single one always finds it", () => {
  for (const leave of [
    (queue: Backlog) => queue.take(),
    (queue: Backlog) => queue.remove(queue.first as AnyExchange),
    (queue: Backlog) => queue.removeIf(() => true),
  ]) {
    const queue = backlog({ maxWaitingBytes: 450 });
    assert(queue.accepts(exchange("x".repeat(1000))));
    queue.add(exchange("a"));
    queue.add(exchange("b"));
    assert.equal(queue.accepts(exchange("c")), false);
    leave(queue);
    assert(queue.accepts(exchange("c")));
    assert.equal(queue.accepts(exchange("c".repeat(251))), queue.length === 0);
  }
});

test("the earliest deadline is known", () => {
  const queue = backlog();
  assert.equal(queue.earliestDeadlineMs(), undefined);
  for (const deadlineMs of [3, 1, 2]) queue.add(exchange("", deadlineMs));
  assert.equal(queue.earliestDeadlineMs(), 1);
});
