/** Which broker to try next. */

export const DEFAULT_PORT = 9092;

const MOST_KNOWN = 100; // a broker that names ever new leaders must not fill memory

// How a NOT_LEADER message tells where the leader is: no second request is needed to find it.
const LEADER = /\bleader=(\S+:[0-9]{1,5})(?![^\s;,.)])/;

/** Where a broker listens. */
export class Address {
  readonly host: string;
  readonly port: number;

  constructor(host: string, port: number) {
    this.host = host;
    this.port = port;
  }

  /** `host`, `host:port` or `[host]:port`. @throws TypeError it is none of these. */
  static parse(text: string): Address {
    const trimmed = text.trim();
    const found = /^(?:\[([^\]]+)\]|([^:[\]\s]+))(?::([0-9]{1,5}))?$/.exec(trimmed);
    const host = found?.[1] ?? found?.[2];
    const port = Number(found?.[3] ?? DEFAULT_PORT);
    if (host === undefined || port < 1 || port > 65535) {
      throw new TypeError(
        `${JSON.stringify(trimmed)} is no broker's address; write host:port, such as 127.0.0.1:${DEFAULT_PORT}`,
      );
    }
    return new Address(host, port);
  }

  /** As it is written in a bootstrap list. */
  toString(): string {
    return this.host.includes(":") ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`;
  }
}

/** Where the leader is, if a NOT_LEADER message says so as `leader=host:port`. */
export function leaderAddress(message: string): Address | undefined {
  const found = LEADER.exec(message)?.[1];
  try {
    return found === undefined ? undefined : Address.parse(found);
  } catch {
    return undefined;
  }
}

/** The known brokers, tried in rounds: each once, beginning with the most promising one. */
export class Rotation {
  #known: Address[];
  #untried: Address[] = [];

  /** @throws TypeError the list is empty, or cannot be read. */
  constructor(brokers: string | readonly string[]) {
    const texts = typeof brokers === "string" ? brokers.split(",") : brokers;
    const known = new Map(texts.map((text) => Address.parse(text)).map((address) => [String(address), address]));
    this.#known = [...known.values()];
    if (this.#known.length === 0) throw new TypeError("brokers: there are none; name at least one as host:port");
  }

  get size(): number {
    return this.#known.length;
  }

  /** Begin a round. */
  begin(): void {
    this.#untried = [...this.#known];
  }

  /** Whom to try now; undefined at the end of the round. */
  next(): Address | undefined {
    return this.#untried.shift();
  }

  /** Try an address first; it becomes known. */
  prefer(address: Address): void {
    const others = this.#others(address);
    this.#known = [address, ...others.slice(0, MOST_KNOWN - 1)];
  }

  /** Try an address last. */
  avoid(address: Address): void {
    const others = this.#others(address);
    if (others.length < this.#known.length) this.#known = [...others, address];
  }

  #others(address: Address): Address[] {
    return this.#known.filter((each) => String(each) !== String(address));
  }
}
