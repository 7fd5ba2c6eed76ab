import assert from "node:assert/strict";
import { test } from "node:test";
import { FluxError, fnv1a, partitionOf } from "../../src/index.js";
import { decode, type Encoding, encode, encodedLength, fromBytes, toBytes } from "../../src/wire/encoding.js";
import { parseReply, requestLine } from "../../src/wire/frame.js";
import { load } from "../support/vectors.js";

type Text = string | Uint8Array;

const BAD_REQUEST = { name: "FluxError", code: "BAD_REQUEST", retriable: false };

test("requests are written byte for byte, and what would be read as something else is refused", () => {
  const frames =
    load<Record<"requests" | "unsendable", { id: Text; command: Text; args: Text; line: Text }[]>>("frames.json");
  for (const each of frames.requests) {
    assert.equal(requestLine(toBytes(each.id), toBytes(each.command), toBytes(each.args)), toBytes(each.line));
  }
  for (const each of frames.unsendable) {
    assert.throws(() => requestLine(toBytes(each.id), toBytes(each.command), toBytes(each.args)), BAD_REQUEST);
  }
});

test("replies are read, and nothing else is", () => {
  const frames = load<{
    replies: { line: Text; id: Text; payload?: Text; code?: string; message?: string }[];
    no_replies: Text[];
  }>("frames.json");
  for (const { line, id, payload, code, message } of frames.replies) {
    const expected =
      payload === undefined
        ? { id: toBytes(id), ok: false, code, message }
        : { id: toBytes(id), ok: true, payload: toBytes(payload) };
    assert.deepEqual(parseReply(toBytes(line)), expected);
  }
  for (const line of frames.no_replies) assert.throws(() => parseReply(toBytes(line)), BAD_REQUEST);
});

test("encodings have one spelling for what is written", () => {
  const { same } = load<{ same: ({ data: Text } & Record<Encoding, Text>)[] }>("encodings.json");
  for (const each of same) {
    const data = toBytes(each.data);
    for (const encoding of ["pct", "b64"] as const) {
      const text = toBytes(each[encoding]);
      assert.equal(encode(encoding, data), text);
      assert.deepEqual(decode(encoding, "value", text), fromBytes(data));
      assert.equal(encodedLength(encoding, data), text.length);
    }
  }
});

test("other spellings are read or refused", () => {
  const vectors = load<{
    also_read: Record<string, { text: Text; data: Text }[]>;
    refused: Record<Encoding, Text[]>;
  }>("encodings.json");
  for (const [encoding, texts] of Object.entries(vectors.also_read)) {
    for (const { text, data } of texts) {
      assert.deepEqual(decode(encoding as Encoding, "value", toBytes(text)), fromBytes(toBytes(data)));
    }
  }
  for (const [encoding, texts] of Object.entries(vectors.refused)) {
    for (const text of texts) {
      assert.throws(() => decode(encoding as Encoding, "value", toBytes(text)), BAD_REQUEST, String(text));
    }
  }
});

test("keys go to the partitions their hashes say", () => {
  for (const each of load<{ key: Text; hash: number; partitions: Record<string, number> }[]>("partitions.json")) {
    assert.equal(fnv1a(each.key), each.hash);
    for (const [count, partition] of Object.entries(each.partitions)) {
      assert.equal(partitionOf(each.key, Number(count)), partition);
    }
  }
  assert.throws(() => partitionOf("k", 0), BAD_REQUEST);
});

test("codes say whether to try again", () => {
  for (const { code, retriable } of load<{ code: string; retriable: boolean }[]>("errors.json")) {
    assert.equal(new FluxError(code, "").retriable, retriable, code);
  }
  const own = { NO_BROKER: true, NOT_SENT: true, OUTCOME_UNKNOWN: false, BAD_REPLY: false, CLIENT_CLOSED: false };
  for (const [code, retriable] of Object.entries(own)) assert.equal(new FluxError(code, "").retriable, retriable);
});
