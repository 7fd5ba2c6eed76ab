import assert from "node:assert/strict";
import { test } from "node:test";
import { Address, leaderAddress, Rotation } from "../../src/client/addresses.js";
import { Queue } from "../../src/client/queue.js";
import { FluxClient, FluxRuntime } from "../../src/index.js";

test("an address reads back, and a host alone means the usual port", () => {
  for (const text of ["one:1", "127.0.0.1:9092", "[::1]:65535"]) assert.equal(String(Address.parse(` ${text} `)), text);
  assert.equal(String(Address.parse("one")), "one:9092");
  assert.equal(String(Address.parse("[::1]")), "[::1]:9092");
});

test("what is no address is refused, when the client is made", () => {
  for (const text of ["", ":1", "one:", "one:0", "one:65536", "one:x", "::1", "a b:1", "one:1:2"]) {
    assert.throws(() => Address.parse(text), TypeError, text);
  }
  assert.throws(() => new FluxClient({ brokers: [] }), TypeError);
  assert.throws(() => new FluxRuntime({ brokers: "one:1,," }), TypeError);
});

test("a refusal may name the leader", () => {
  for (const [message, leader] of [
    ["t-0 is led by broker 2, leader=two:9093", "two:9093"],
    ["leader=[::1]:1; this broker follows", "[::1]:1"],
    ["leader=two:1.", "two:1"],
    ["leader=two:99999", undefined],
    ["leader=two", undefined],
    ["the leader=two:12x is not known", undefined],
    ["misleader=two:1", undefined],
    ["no leader yet", undefined],
  ] as const) {
    assert.equal(leaderAddress(message)?.toString(), leader, message);
  }
});

test("a round tries each once, the preferred one first and the avoided one last", () => {
  const rotation = new Rotation("a:1,b:2,a:1,c:3");
  const round = () => {
    rotation.begin();
    const tried: string[] = [];
    for (let next = rotation.next(); next !== undefined; next = rotation.next()) tried.push(String(next));
    return tried.join(" ");
  };
  assert.equal(round(), "a:1 b:2 c:3");
  rotation.avoid(Address.parse("a:1"));
  rotation.avoid(Address.parse("unknown:1"));
  assert.equal(round(), "b:2 c:3 a:1");
  rotation.prefer(Address.parse("c:3"));
  rotation.prefer(Address.parse("d:4"));
  assert.equal(round(), "d:4 c:3 b:2 a:1");
  for (let port = 1; port < 1000; port += 1) rotation.prefer(new Address("x", port));
  assert.equal(rotation.size, 100);
});

test("a queue equals an array, however long it gets", () => {
  const queue = new Queue<number>();
  const array: number[] = [];
  for (let number = 0; number < 10_000; number += 1) {
    queue.push(number);
    array.push(number);
    if (number % 3 > 0) assert.equal(queue.shift(), array.shift());
    if (number % 1000 === 0) {
      queue.insert(Math.min(2, array.length), -number);
      array.splice(2, 0, -number);
      assert.deepEqual(queue.toArray(), array);
    }
  }
  assert.deepEqual([queue.length, queue.first], [array.length, array[0]]);
  queue.replace([1]);
  assert.deepEqual([queue.shift(), queue.shift(), queue.length], [1, undefined, 0]);
});
