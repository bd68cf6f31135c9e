interface Entry {
  name: string;
  sessions: number;
}

/** Names behind hashes, for people; bounded: what comes after it is full stays a number. */
export class NameBook {
  readonly #entries = new Map<number, Entry>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(hash: number): string | undefined {
    return this.#entries.get(hash)?.name;
  }

  hashes(): IterableIterator<number> {
    return this.#entries.keys();
  }

  add(hash: number, name: string, by: 1 | -1): void {
    const entry = this.#entries.get(hash);
    const before = entry?.sessions ?? 0;
    if (before === 0 && (by < 0 || this.#entries.size >= this.#capacity)) return;
    this.#put(hash, name, before + by);
  }

  #put(hash: number, name: string, sessions: number): void {
    if (sessions === 0) this.#entries.delete(hash);
    else this.#entries.set(hash, { name, sessions });
  }

  toPlain(): [number, Entry][] {
    return [...this.#entries].map(([hash, entry]) => [hash, { ...entry }]);
  }

  static fromPlain(plain: readonly [number, Entry][], capacity: number): NameBook {
    const book = new NameBook(capacity);
    for (const [hash, { name, sessions }] of plain) book.#put(hash, name, sessions);
    return book;
  }
}
