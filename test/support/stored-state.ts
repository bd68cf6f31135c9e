/** What a part handed over at its checkpoints, as a store would hold it. */
export class StoredState {
  readonly #held = new Map<string, Uint8Array>();

  /** One checkpoint. */
  take(part: { drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void }): void {
    const puts: { key: string; value: Uint8Array }[] = [];
    const deletes: string[] = [];
    part.drain(puts, deletes);
    for (const { key, value } of puts) this.#held.set(key, value);
    for (const key of deletes) this.#held.delete(key);
  }

  readonly load = (key: string): Uint8Array | undefined => this.#held.get(key);

  readonly entries = (prefix: string): { key: string; value: Uint8Array }[] =>
    [...this.#held].filter(([key]) => key.startsWith(prefix)).map(([key, value]) => ({ key, value }));
}
