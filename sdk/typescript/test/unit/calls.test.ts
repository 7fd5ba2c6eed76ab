import assert from "node:assert/strict";
import { test } from "node:test";
import type { Call } from "../../src/calls/call.js";
import * as cluster from "../../src/calls/cluster.js";
import * as groups from "../../src/calls/groups.js";
import * as records from "../../src/calls/records.js";
import { FluxClient, Page } from "../../src/index.js";
import { toBytes } from "../../src/wire/encoding.js";
import { camelCase, load } from "../support/vectors.js";

interface Vector {
  readonly call: string;
  readonly args: unknown[];
  readonly options?: Record<string, unknown>;
  readonly request: string | Uint8Array;
  readonly reply?: string | Uint8Array;
  readonly replies: (string | Uint8Array)[];
  readonly result?: Record<string, unknown>;
  readonly records?: [number | bigint, string | null, string | null, number][];
}

const MAKERS = { ...records, ...groups, ...cluster } as unknown as Record<
  string,
  (...args: unknown[]) => Call<unknown>
>;
const VECTORS = load<Record<"readable" | "unsendable" | "unreadable", Vector[]>>("commands.json");
const BAD_REQUEST = { name: "FluxError", code: "BAD_REQUEST" };

/** The call a vector names; its options come behind all arguments the function takes. */
function make({ call, args, options }: Vector): Call<unknown> {
  const name = camelCase(call);
  const maker = MAKERS[name];
  assert(maker !== undefined, `nobody makes ${call}`);
  const entries = Object.entries(options ?? {}).map(([name, value]) => [camelCase(name), value]);
  return maker(...args, ...(options === undefined ? [] : [Object.fromEntries(entries)]));
}

function request(call: Call<unknown>): string {
  return `${call.command} ${call.encode()}`;
}

/** As the data has it: offsets as numbers where they fit. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  return Array.isArray(value) ? value.map(plain) : value;
}

test("every command has its vectors, and a method of its name", () => {
  assert.deepEqual(new Set(VECTORS.readable.map(({ call }) => camelCase(call))), new Set(Object.keys(MAKERS)));
  for (const name of Object.keys(MAKERS)) assert(name in FluxClient.prototype, name);
});

test("requests go out byte for byte", () => {
  for (const vector of VECTORS.readable) assert.equal(request(make(vector)), toBytes(vector.request));
});

test("replies come in field by field", () => {
  for (const vector of VECTORS.readable) {
    if (vector.reply === undefined) continue;
    const answer = make(vector).read(toBytes(vector.reply));
    const result = Object.entries(vector.result ?? {});
    for (const [name, value] of result) {
      // What has one field only is answered as that field.
      const isWhole = result.length === 1 && !(typeof answer === "object" && camelCase(name) in (answer as object));
      const found = isWhole ? answer : (answer as Record<string, unknown>)[camelCase(name)];
      assert.deepEqual(plain(found), value, vector.call);
    }
    if (vector.records !== undefined) {
      assert(answer instanceof Page);
      const found = [...answer].map((each) => [plain(each.offset), each.key, each.value, each.timestampMs]);
      const bytes = (text: string | null) => (text === null ? null : Buffer.from(text));
      const expected = vector.records.map(([at, key, value, time]) => [at, bytes(key), bytes(value), time]);
      assert.deepEqual(found, expected);
    }
  }
});

test("what cannot be sent is refused before it is", () => {
  for (const vector of VECTORS.unsendable) assert.throws(() => request(make(vector)), BAD_REQUEST, vector.call);
});

test("what cannot be read is refused rather than made something of", () => {
  for (const vector of VECTORS.unreadable) {
    for (const reply of vector.replies) {
      assert.throws(() => make(vector).read(toBytes(reply)), BAD_REQUEST, `${vector.call}: ${reply}`);
    }
  }
});

test("numbers that are no longer the ones that were meant are refused", () => {
  for (const offset of [1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, 2n ** 63n]) {
    assert.throws(() => request(records.consume("t", 0, offset)), BAD_REQUEST, String(offset));
  }
  assert(request(records.consume("t", 0, 2n ** 63n - 1n)).startsWith("CONSUME t 0 9223372036854775807 "));
});

test("a group is sent to an offset or to a time", () => {
  assert.equal(request(groups.groupReset("g", "t", { offset: 5n })), "GROUP_RESET g t to=offset:5");
  assert.equal(request(groups.groupReset("g", "t", { time: 1000 })), "GROUP_RESET g t to=time:1000");
});
