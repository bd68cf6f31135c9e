/**
 * Remembers which sessions are over, so that none is opened or learned from a second time: a keyed hash and the time
 * before which its windows are final. Bounded; the one that closed longest ago is forgotten first.
 */
export class ClosedSessions {
  readonly #finalBefore = new Map<number, number>();
  /** Kept alive between evictions: a new iterator would have to step over all the holes at the front again. */
  #oldest = this.#finalBefore.keys();

  get size(): number {
    return this.#finalBefore.size;
  }

  /** Epoch ms before which windows of the session are final; undefined where it is not known as closed. */
  get(hash: number): number | undefined {
    return this.#finalBefore.get(hash);
  }

  add(hash: number, finalBefore: number): void {
    this.#finalBefore.delete(hash);
    this.#finalBefore.set(hash, finalBefore);
  }

  delete(hash: number): boolean {
    return this.#finalBefore.delete(hash);
  }

  /** Forgets the oldest and gives its hash back. */
  forgetOldest(): number | undefined {
    let next = this.#oldest.next();
    if (next.done === true) {
      this.#oldest = this.#finalBefore.keys();
      next = this.#oldest.next();
    }
    if (next.done === true) return undefined;
    this.#finalBefore.delete(next.value);
    return next.value;
  }
}
