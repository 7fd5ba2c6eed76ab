/** First in, first out, without moving everything whenever the first leaves, as an array does. */
export class Queue<T> {
  #items: T[];
  #head = 0;

  constructor(items: T[] = []) {
    this.#items = items;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** What {@link shift} would return. */
  get first(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined as T; // let go of it
    this.#head += 1;
    if (this.#head > 1024 && 2 * this.#head > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Put an item where there will be `at` before it. */
  insert(at: number, item: T): void {
    this.#items.splice(this.#head + at, 0, item);
  }

  /** Everything, in order, to begin anew with. */
  replace(items: T[]): void {
    this.#items = items;
    this.#head = 0;
  }

  toArray(): T[] {
    return this.#items.slice(this.#head);
  }
}
