import type { CountMap } from './count-map.js';

/** Remembers changes to baselines, so that they can be taken back exactly, also where caps would not let them repeat. */
export class Journal {
  readonly #maps: CountMap[] = [];
  readonly #keys: number[] = [];
  readonly #before: number[] = [];
  readonly #undo: (() => void)[] = [];

  count(map: CountMap, key: number, before: number): void {
    this.#maps.push(map);
    this.#keys.push(key);
    this.#before.push(before);
  }

  step(undo: () => void): void {
    this.#undo.push(undo);
  }

  /** Takes everything back, newest first. */
  restore(): void {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) undo();
    for (let i = this.#maps.length - 1; i >= 0; i--) this.#maps[i]?.put(this.#keys[i] ?? 0, this.#before[i] ?? 0);
    this.#maps.length = 0;
    this.#keys.length = 0;
    this.#before.length = 0;
  }
}
