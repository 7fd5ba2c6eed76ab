/** A broker that does what a real one never would, as the test says. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

export type Script = (caller: Caller) => Promise<void> | void;

/** A request, from the broker's side. */
export interface Request {
  readonly id: string;
  readonly command: string;
  readonly args: string;
}

/** The client hung up. */
class HungUp extends Error {}

/** One connection, from the broker's side. */
export class Caller {
  readonly #socket: Socket;
  #begun = "";
  #lines: string[] = [];
  #isOver = false;
  #changed: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket.setEncoding("latin1");
    socket.on("data", (data: string) => {
      const lines = (this.#begun + data).split("\n");
      this.#begun = lines.pop() as string;
      this.#lines.push(...lines);
      this.#changed?.();
    });
    socket.on("error", () => {}); // "close" follows
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      this.#isOver = true;
      this.#changed?.();
    });
  }

  /** The next one. */
  async request(): Promise<Request> {
    while (this.#lines.length === 0) {
      if (this.#isOver) throw new HungUp();
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    const [, id, command, ...args] = (this.#lines.shift() as string).split("|");
    return { id: id as string, command: command as string, args: args.join("|") };
  }

  /** Answer HELLO, which must come first. */
  async welcome(): Promise<void> {
    const { id, command } = await this.request();
    assert.equal(command, "HELLO");
    this.answer(id, "server=scripted/1 protocol=V1 broker_id=0 max_line=1048576 commands=[]");
  }

  /** OK. */
  answer(id: string, payload: string): void {
    this.say(`V1|${id}|OK|${payload}\n`);
  }

  /** ERR. */
  refuse(id: string, code: string, message: string): void {
    this.say(`V1|${id}|ERR|${code}|${message}\n`);
  }

  /** Anything at all. */
  say(data: string): void {
    this.#socket.write(data, "latin1");
  }

  /** Read on, and say nothing. */
  async untilItHangsUp(): Promise<void> {
    if (!this.#isOver) await new Promise((resolve) => this.#socket.once("close", resolve)); // once() would mind an error
  }

  /** End it as a broker does that is killed. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** End it. */
  close(): void {
    this.#socket.end();
  }
}

/** Plays the scripts it is given, one a connection, in order, and then hangs up. A connection there is no script for is a failure. */
export class ScriptedBroker {
  readonly #server: Server;
  readonly #scripts: Script[];
  readonly #failures: unknown[] = [];
  readonly #playing: Promise<void>[] = [];

  constructor(scripts: Script[]) {
    this.#scripts = [...scripts];
    this.#server = createServer((socket) => this.#playing.push(this.#play(new Caller(socket))));
  }

  static async start(...scripts: Script[]): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker(scripts);
    broker.#server.listen(0, "127.0.0.1");
    await once(broker.#server, "listening");
    return broker;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  /** All scripts are played, none has failed, and nobody is connected any more. */
  async finish(): Promise<void> {
    await Promise.all(this.#playing);
    await new Promise((resolve) => this.#server.close(resolve));
    assert.deepEqual([this.#failures, this.#scripts.length], [[], 0]);
  }

  async #play(caller: Caller): Promise<void> {
    const script = this.#scripts.shift();
    try {
      assert(script !== undefined, "there is no script for this connection");
      await script(caller);
    } catch (error) {
      if (!(error instanceof HungUp)) this.#failures.push(error);
    } finally {
      caller.close();
    }
  }
}
