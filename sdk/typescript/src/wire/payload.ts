import { badRequest } from "../errors.js";
import { asText, type Bytes, fromBytes, percentDecoded, shown } from "./encoding.js";
import { readBigInt, readInteger, readText, splitWords } from "./words.js";

/** What JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object, such as the description of a topic or a group. */
export interface JsonObject {
  readonly [name: string]: Json;
}

/**
 * What a broker answered, as `name=value` fields, read by their names.
 *
 * Fields nobody asks for were appended by a newer broker. Every method throws a {@link FluxError} if the field is missing, or is
 * not of its kind.
 */
export class Payload {
  readonly #payload: Bytes;
  readonly #fields: ReadonlyMap<string, Bytes>;

  /** @internal */
  constructor(payload: Bytes) {
    this.#payload = payload;
    this.#fields = readFields(payload);
  }

  /** All of it, as the bytes that came. */
  get bytes(): Uint8Array {
    return fromBytes(this.#payload);
  }

  /** Whether there is such a field. */
  has(name: string): boolean {
    return this.#fields.has(name);
  }

  /** Any field, as text. */
  text(name: string): string {
    return readText(name, this.raw(name));
  }

  /** A number that JavaScript holds exactly. */
  integer(name: string): number {
    return readInteger(name, this.raw(name));
  }

  /** A number of 64 bits, such as an offset. */
  bigint(name: string): bigint {
    return readBigInt(name, this.raw(name));
  }

  /** `true` or `false`. */
  boolean(name: string): boolean {
    const value = this.raw(name);
    if (value !== "true" && value !== "false") throw badRequest(`${name}: ${shown(value)} is neither true nor false`);
    return value === "true";
  }

  /** `[a b]` as its parts. */
  texts(name: string): string[] {
    return this.#list(name).map((word) => readText(name, word));
  }

  /** `[0 1 2]` as numbers. */
  integers(name: string): number[] {
    return this.#list(name).map((word) => readInteger(name, word));
  }

  /** Percent-encoded text. */
  percentText(name: string): string {
    return asText(percentDecoded(name, this.raw(name)));
  }

  /** A percent-encoded JSON object. */
  jsonObject(name = "json"): JsonObject {
    const value = this.#json(name);
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw this.#notJson(name);
    return value as JsonObject;
  }

  /** A percent-encoded JSON list of objects. */
  jsonObjects(name = "json"): JsonObject[] {
    const value = this.#json(name);
    if (!Array.isArray(value)) throw this.#notJson(name);
    return value as JsonObject[];
  }

  /** The field says just this. @internal */
  mustSay(name: string, expected: string): void {
    if (this.text(name) !== expected) {
      throw badRequest(`${name}: ${shown(this.#payload)} does not say ${expected}; is this a broker that speaks V1?`);
    }
  }

  /** The value as it came, and what does the grammar of a command need more. @internal */
  raw(name: string): Bytes {
    const value = this.#fields.get(name);
    if (value === undefined) {
      throw badRequest(
        `${name}: it is missing in the answer ${shown(this.#payload)}; is this a broker that speaks V1?`,
      );
    }
    return value;
  }

  /** `[a b]` as it came. @internal */
  words(name: string): Bytes[] {
    return this.#list(name);
  }

  #list(name: string): Bytes[] {
    const value = this.raw(name);
    if (value.length < 2 || !value.startsWith("[") || !value.endsWith("]")) {
      throw badRequest(`${name}: ${shown(value)} is no list; it should read [a b c], or [] without entries`);
    }
    return splitWords(value.slice(1, -1));
  }

  #json(name: string): unknown {
    try {
      return JSON.parse(this.percentText(name));
    } catch {
      throw this.#notJson(name);
    }
  }

  #notJson(name: string): Error {
    return badRequest(
      `${name}: ${shown(this.raw(name))} is not what this command answers; is this a broker that speaks V1?`,
    );
  }
}

function readFields(payload: Bytes): Map<string, Bytes> {
  const fields = new Map<string, Bytes>();
  const words = payload.split(" ");
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] as Bytes;
    const equals = word.indexOf("=");
    if (equals < 0) continue; // no field we know; whoever misses one says so
    const name = word.slice(0, equals);
    let value = word.slice(equals + 1);
    if (value.startsWith("[") && !value.endsWith("]")) {
      while (at + 1 < words.length && !value.endsWith("]")) {
        at += 1;
        value += ` ${words[at]}`;
      }
    }
    if (!fields.has(name)) fields.set(name, value); // the first one, as deployed clients find it
  }
  return fields;
}
