import type { KnownRequest } from './request-memory.js';

/** A word of known requests. */
interface IndexedWord {
  /** The word's place in `#lengths`. */
  place: number;
  /** Places of the requests with the word, in ascending order of the requests' keys. */
  places: number[];
}

const NONE: readonly number[] = [];

/**
 * Known requests by their words. Requests and words have small numbers (places), so that a search adds up in flat
 * arrays: it is asked with every request, and touches most of them.
 */
export class RequestIndex {
  readonly #words = new Map<number, IndexedWord>();
  /** Requests by place; a hole where one has gone. */
  readonly #requests: (KnownRequest | undefined)[] = [];
  /** Their keys by place. */
  #keys = new Uint32Array(64);
  readonly #placeOf = new Map<KnownRequest, number>();
  readonly #free: number[] = [];
  /** Places of each request's words, by the request's place. */
  readonly #wordsOf: Uint32Array[] = [];
  /** Requests that have the word, by its place. */
  #lengths = new Uint32Array(1_024);
  readonly #freeWords: number[] = [];
  #wordPlaces = 0;
  /** What a word of so many requests tells, nats, for the present number of requests; NaN where not worked out yet. */
  #information = new Float64Array(0);
  #informationSize = -1;
  /** Of a search that is under way, by place of the request. */
  #numbers = new Float64Array(64);

  get size(): number {
    return this.#placeOf.size;
  }

  /** Requests with the word, in ascending order of their keys. */
  withWord(word: number): KnownRequest[] {
    return this.#placesWith(word).map((place) => this.#at(place));
  }

  insert(request: KnownRequest): void {
    const place = this.#free.pop() ?? this.#requests.length;
    this.#requests[place] = request;
    if (place >= this.#keys.length) this.#keys = lengthened(this.#keys);
    this.#keys[place] = request.key;
    this.#placeOf.set(request, place);
    this.#wordsOf[place] = Uint32Array.from(request.words, (word) => this.#insertWord(word, request.key, place));
  }

  remove(request: KnownRequest): void {
    const place = this.#placeOf.get(request);
    if (place === undefined) return;
    this.#placeOf.delete(request);
    this.#requests[place] = undefined;
    this.#wordsOf[place] = NO_WORDS;
    this.#free.push(place);
    for (const word of request.words) this.#removeWord(word, place);
  }

  /**
   * Every request that shares at least `minShare` of what the words tell, with its similarity from 0 to 1 (cosine).
   * Words of more than half of all requests find nothing, and would cost the most.
   */
  search(words: Iterable<number>, minShare: number, found: (request: KnownRequest, similarity: number) => void): void {
    const shared = this.#scratch().fill(0, 0, this.#requests.length);
    let mass = 0;
    for (const word of words) {
      const places = this.#placesWith(word);
      const information = this.#informationFor(places.length);
      mass += information;
      if (places.length > 0.5 * this.size + 4) continue;
      for (const place of places) shared[place] = (shared[place] ?? 0) + information;
    }
    for (let place = 0; place < this.#requests.length; place++) {
      const own = shared[place] ?? 0;
      if (own === 0 || own < minShare * mass) continue;
      found(this.#at(place), Math.min(1, own / Math.sqrt(mass * this.#massOf(place) + 1e-9)));
    }
  }

  /**
   * Sum of a value over the requests of each word, every word weighing the same, and the weight that had a value (not
   * NaN). Words of more than half of all requests count for nothing.
   */
  sumByWord(words: Iterable<number>, valueOf: (request: KnownRequest) => number): { sum: number; weight: number } {
    const values = this.#scratch();
    this.#requests.forEach((request, place) => (values[place] = request === undefined ? Number.NaN : valueOf(request)));
    let sum = 0;
    let weight = 0;
    for (const word of words) {
      const places = this.#placesWith(word);
      if (places.length > 0.5 * this.size) continue;
      for (const place of places) {
        const value = values[place] ?? Number.NaN;
        if (Number.isNaN(value)) continue;
        sum += value / places.length;
        weight += 1 / places.length;
      }
    }
    return { sum, weight };
  }

  /** A number for each place, to be filled. */
  #scratch(): Float64Array {
    if (this.#numbers.length < this.#requests.length) this.#numbers = new Float64Array(2 * this.#requests.length);
    return this.#numbers;
  }

  #massOf(place: number): number {
    let mass = 0;
    for (const word of this.#wordsOf[place] ?? NO_WORDS) mass += this.#informationFor(this.#lengths[word] ?? 0);
    return mass;
  }

  /** How much a word of so many requests tells: inverse document frequency over the distinct requests, nats. */
  #informationFor(requests: number): number {
    if (this.#informationSize !== this.size) {
      this.#informationSize = this.size;
      if (this.#information.length <= this.size) this.#information = new Float64Array(2 * this.size + 8);
      this.#information.fill(Number.NaN);
    }
    let nats = this.#information[requests] ?? Number.NaN;
    if (Number.isNaN(nats)) this.#information[requests] = nats = Math.log((this.size + 1) / (requests + 0.5));
    return nats;
  }

  #placesWith(word: number): readonly number[] {
    return this.#words.get(word)?.places ?? NONE;
  }

  #at(place: number): KnownRequest {
    const request = this.#requests[place];
    if (request === undefined) throw new Error('a request is in the index that is not held');
    return request;
  }

  #insertWord(word: number, key: number, place: number): number {
    let held = this.#words.get(word);
    if (held === undefined) {
      held = { place: this.#freeWords.pop() ?? this.#wordPlaces++, places: [] };
      this.#words.set(word, held);
      if (held.place >= this.#lengths.length) this.#lengths = lengthened(this.#lengths);
    }
    const { places } = held;
    places.splice(this.#rankOf(places, key), 0, place);
    this.#lengths[held.place] = places.length;
    return held.place;
  }

  #removeWord(word: number, place: number): void {
    const held = this.#words.get(word);
    if (held === undefined) return;
    held.places.splice(this.#rankOf(held.places, this.#keys[place] ?? 0), 1);
    this.#lengths[held.place] = held.places.length;
    if (held.places.length > 0) return;
    this.#words.delete(word);
    this.#freeWords.push(held.place);
  }

  /** Where a request's key is, or belongs, among the places of a word: they are in ascending order of keys. */
  #rankOf(places: readonly number[], key: number): number {
    let from = 0;
    let to = places.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.#keys[places[middle] ?? 0] ?? 0) < key) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

function lengthened(numbers: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const longer = new Uint32Array(2 * numbers.length);
  longer.set(numbers);
  return longer;
}

const NO_WORDS = new Uint32Array(0);
