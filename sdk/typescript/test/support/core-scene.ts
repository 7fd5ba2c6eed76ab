import assert from "node:assert/strict";
import type { Call } from "../../src/calls/call.js";
import type { Conversation } from "../../src/client/conversation.js";
import { Core } from "../../src/client/core.js";
import type { AnyExchange, Exchange } from "../../src/client/exchange.js";
import { CLIENT_DEFAULTS, type ClientOptions, complete } from "../../src/client/options.js";
import type { FluxError } from "../../src/index.js";

/** A call that was asked, and what became of it. */
export interface Asked<R> {
  readonly exchange: Exchange<R>;
  value: R | undefined;
  error: FluxError | undefined;
}

/** A request as it left. */
export interface Sent {
  readonly id: string;
  readonly command: string;
  readonly args: string;
}

/** A core, a clock, and a broker that says what the test says: what a client would do, step by step. */
export class CoreScene {
  readonly core: Core;
  nowMs = 1_000_000;
  /** The calls that have an outcome, in the order in which they got it. */
  readonly finished: Asked<unknown>[] = [];

  constructor(brokers = "a:1", options: ClientOptions = {}) {
    this.core = new Core(complete({ ...options, brokers }, CLIENT_DEFAULTS));
  }

  ask<R>(call: Call<R>): Asked<R> {
    const asked: { -readonly [K in keyof Asked<R>]?: Asked<R>[K] } = { value: undefined, error: undefined };
    const done = () => this.finished.push(asked as Asked<unknown>);
    asked.exchange = this.core.ask(
      call,
      this.nowMs,
      (value) => {
        asked.value = value;
        done();
      },
      (error) => {
        asked.error = error;
        done();
      },
    );
    return asked as Asked<R>;
  }

  giveUp(asked: { readonly exchange: AnyExchange }): void {
    this.core.giveUp(asked.exchange, this.nowMs);
  }

  get conversation(): Conversation {
    assert(this.core.conversation !== undefined, "there should be a connection");
    return this.core.conversation;
  }

  /** To whom there should be a connection. */
  get dialled(): string | undefined {
    return this.core.conversation && String(this.core.conversation.address);
  }

  /** The dialled broker accepts; HELLO is on its way. */
  connect(): void {
    this.core.connected(this.conversation, this.nowMs);
  }

  /** It accepts, and welcomes. */
  open(maxLine = 1 << 20): void {
    this.connect();
    const [greeting] = this.sent();
    assert.equal(greeting?.command, "HELLO");
    this.answer(greeting, `server=flux/1 protocol=V1 broker_id=0 max_line=${maxLine} commands=[PING]`);
  }

  /** Requests that left since the last look. */
  sent(): Sent[] {
    const lines = Buffer.from(this.core.takeOutgoing() ?? "")
      .toString("latin1")
      .split("\n");
    assert.equal(lines.pop(), "", "only whole lines are sent");
    return lines.map((line) => {
      const [version, id, command, ...args] = line.split("|");
      assert.equal(version, "V1");
      return { id: id as string, command: command as string, args: args.join("|") };
    });
  }

  /** The arguments of requests that left since the last look. */
  sentArgs(): string[] {
    return this.sent().map((each) => each.args);
  }

  receive(data: string): void {
    this.core.received(this.conversation, Buffer.from(data, "latin1"), this.nowMs);
  }

  answer(request: Sent | undefined, payload = "pong=true"): void {
    this.receive(`V1|${request?.id}|OK|${payload}\n`);
  }

  refuse(request: Sent | undefined, code: string, message = "no"): void {
    this.receive(`V1|${request?.id}|ERR|${code}|${message}\n`);
  }

  lose(reason = "the broker closed the connection"): void {
    this.core.lost(this.conversation, reason, this.nowMs);
  }

  /** Let time pass; the core is woken only when it wants to be. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    for (let wakes = 0; wakes < 1000; wakes += 1) {
      const { wakeAtMs } = this.core;
      if (wakeAtMs === undefined || wakeAtMs > endMs) {
        this.nowMs = endMs;
        return;
      }
      this.nowMs = Math.max(this.nowMs, wakeAtMs);
      this.core.tick(this.nowMs);
    }
    assert.fail("the core wants to be woken over and over");
  }
}
