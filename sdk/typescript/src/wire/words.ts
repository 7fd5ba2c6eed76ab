/** One word ↔ one value, and a request's arguments as words: the leaves of the grammar. */

import { badRequest } from "../errors.js";
import { asText, type Bytes, shown, toBytes } from "./encoding.js";

/** What an argument may be. Numbers must be integers, and safe ones; a bigint may be any of 64 bits. */
export type Word = string | number | bigint | boolean;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const TOPIC_NAME = /^[A-Za-z0-9._-]{1,249}$/;

/** @throws FluxError it is not a name that ordinary clients may use for a topic. */
export function checkTopicName(name: string): string {
  if (!TOPIC_NAME.test(name) || name === "." || name === ".." || name.startsWith("__")) {
    throw badRequest(
      `topic: ${shown(toBytes(name))} is not a topic name; use 1 to 249 of A-Z a-z 0-9 . _ - and no leading __`,
    );
  }
  return name;
}

/** A number as a word. @throws FluxError it is no 64-bit integer, or no longer the one that was meant. */
export function writeInteger(field: string, value: number | bigint): Bytes {
  if (typeof value === "bigint" ? value >= INT64_MIN && value <= INT64_MAX : Number.isSafeInteger(value)) {
    return String(value);
  }
  throw badRequest(`${field}: ${value} cannot be sent; use a safe integer, or a bigint of 64 bits`);
}

/** One word of a request. @throws FluxError it would be read as none, or as several. */
export function writeWord(field: string, value: Word): Bytes {
  if (typeof value === "number" || typeof value === "bigint") return writeInteger(field, value);
  const word = toBytes(String(value));
  if (word === "" || /[ \t\r\n]/.test(word)) {
    throw badRequest(`${field}: ${shown(word)} cannot be sent; use one word, without blanks and line ends`);
  }
  return word;
}

/** Words, then options as `name=value` without those that are undefined. @throws FluxError as {@link writeWord}. */
export function writeArguments(
  words: readonly Word[],
  options: Readonly<Record<string, Word | undefined>> = {},
): Bytes {
  const parts = words.map((word) => writeWord("argument", word));
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) parts.push(`${writeWord("option", name)}=${writeWord(name, value)}`);
  }
  return parts.join(" ");
}

/** A word as text. @throws FluxError it is not UTF-8. */
export function readText(field: string, word: Bytes): string {
  const text = asText(word);
  if (toBytes(text) !== word) throw badRequest(`${field}: ${shown(word)} is not UTF-8`);
  return text;
}

/** A word as a 64-bit number. @throws FluxError it is none. */
export function readBigInt(field: string, word: Bytes): bigint {
  if (!/^[+-]?[0-9]+$/.test(word) || word.length > 1000) throw badRequest(`${field}: ${shown(word)} is not an integer`);
  const value = BigInt(word.startsWith("+") ? word.slice(1) : word);
  if (value < INT64_MIN || value > INT64_MAX) throw badRequest(`${field}: ${shown(word)} has more than 64 bits`);
  return value;
}

/** A word as a number that JavaScript holds exactly. @throws FluxError it is none. */
export function readInteger(field: string, word: Bytes): number {
  const value = Number(readBigInt(field, word));
  if (!Number.isSafeInteger(value)) throw badRequest(`${field}: ${shown(word)} is more than a number holds exactly`);
  return value;
}

/** What stands between runs of blanks. */
export function splitWords(text: Bytes): Bytes[] {
  return text.split(/[ \t]+/).filter((word) => word !== "");
}
