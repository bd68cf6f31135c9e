/**
 * One entry of a checkpoint whose bytes are made when they are first asked for. A checkpoint of thousands of entries is
 * so spread over many turns of the event loop, and still shows one moment: whoever is about to change such an entry asks
 * for it first.
 */
export class LatePut<V = Uint8Array> {
  #make: (() => { key: string; value: V }) | undefined;
  #made: { key: string; value: V } | undefined;

  /** @param make called once; nothing that it reads may change before it is */
  constructor(make: () => { key: string; value: V }) {
    this.#make = make;
  }

  get key(): string {
    return this.#entry().key;
  }

  get value(): V {
    return this.#entry().value;
  }

  /** Makes it now, where that was not done yet. */
  fix(): void {
    const make = this.#make;
    this.#make = undefined;
    if (make !== undefined) this.#made = make();
  }

  #entry(): { key: string; value: V } {
    this.fix();
    if (this.#made === undefined) throw new Error('an entry of a checkpoint was asked for while it was being made');
    return this.#made;
  }
}
