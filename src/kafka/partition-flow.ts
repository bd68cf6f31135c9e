import type { OffsetGap, PoisonBatch, ReceivedRecord } from './port.js';

/** What waits for the handlers of one partition, in the order of the partition. */
export type FlowItem =
  | { kind: 'records'; records: ReceivedRecord[]; bytes: number; highWatermark: number }
  | { kind: 'gap'; gap: OffsetGap }
  | { kind: 'poison'; poison: PoisonBatch };

export interface FlowOptions {
  topic: string;
  partition: number;
  maxQueuedBytes: number;
  handle: (item: FlowItem) => Promise<void>;
  /** Whether handlers may begin now. */
  mayRun: () => boolean;
  /** Told when fetching for the partition should stop or go on. */
  onPause: (isPaused: boolean) => void;
  onError: (error: unknown) => void;
}

/**
 * One owned partition: what was fetched waits here for its handler, which runs by itself, so that a slow partition
 * holds back nothing but itself, and the library's loop, which also beats the heart, never waits.
 */
export class PartitionFlow {
  readonly topic: string;
  readonly partition: number;
  readonly #options: FlowOptions;
  readonly #items: FlowItem[] = [];
  /** Offset that comes next from the broker; undefined until the first record says it. */
  next: number | undefined;
  highWatermark = 0;
  /** Offset that the handler sees next. */
  #handled: number | undefined;
  #queuedBytes = 0;
  #isFull = false;
  #isPausedByUser = false;
  #isLost = false;
  #isRestoring = true;
  #isStopped = false;
  #running: Promise<void> | undefined;

  constructor(options: FlowOptions) {
    this.topic = options.topic;
    this.partition = options.partition;
    this.#options = options;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  get isRestoring(): boolean {
    return this.#isRestoring;
  }

  get isPaused(): boolean {
    return this.#isFull || this.#isPausedByUser || this.#isRestoring || this.#isLost;
  }

  get handledUpTo(): number | undefined {
    return this.#handled;
  }

  /** Reading begins at `offset`; undefined: wherever the broker begins. */
  begin(offset: number | undefined): void {
    this.#isRestoring = false;
    this.#clear();
    this.next = offset;
    this.#handled = offset;
    this.#tellPause();
  }

  seek(offset: number): void {
    this.#clear();
    this.next = offset;
    this.#handled = offset;
  }

  setPaused(isPaused: boolean): void {
    this.#isPausedByUser = isPaused;
    this.#tellPause();
    this.run();
  }

  /** Nothing is fetched until someone says where to go on: see `KafkaGroupHandlers.gap`. */
  setLost(isLost: boolean): void {
    this.#isLost = isLost;
    this.#tellPause();
  }

  /** Offsets before `offset` hold nothing to be seen. */
  skipTo(offset: number): void {
    if (this.next !== undefined && this.next < offset) this.next = offset;
  }

  push(item: FlowItem): void {
    if (this.#isStopped) return;
    this.#items.push(item);
    if (item.kind === 'records') {
      this.#queuedBytes += item.bytes;
      if (!this.#isFull && this.#queuedBytes > this.#options.maxQueuedBytes) {
        this.#isFull = true;
        this.#tellPause();
      }
    }
    this.run();
  }

  /** Hands over what waits, as long as that is allowed. */
  run(): void {
    if (this.#running !== undefined || this.#items.length === 0 || !this.#mayRun()) return;
    this.#running = this.#drain().finally(() => {
      this.#running = undefined;
      // What came in the moment between the last item and here.
      this.run();
    });
  }

  /** No handler begins any more. @returns when the one that runs has ended */
  stop(): Promise<void> {
    this.#isStopped = true;
    this.#clear();
    return this.#running ?? Promise.resolve();
  }

  async #drain(): Promise<void> {
    for (let item = this.#items.shift(); item !== undefined; item = this.#mayRun() ? this.#items.shift() : undefined) {
      if (item.kind === 'records') {
        this.#queuedBytes -= item.bytes;
        if (this.#isFull && this.#queuedBytes < this.#options.maxQueuedBytes / 2) {
          this.#isFull = false;
          this.#tellPause();
        }
      }
      const end = endOf(item);
      try {
        await this.#options.handle(item);
      } catch (error) {
        this.#isStopped = true;
        this.#clear();
        this.#options.onError(error);
        return;
      }
      // A seek meanwhile has its own word on where handling stands.
      if (this.#handled === undefined || end > this.#handled) if (!this.#wasSought(end)) this.#handled = end;
    }
  }

  #wasSought(end: number): boolean {
    return this.next !== undefined && this.next < end;
  }

  #mayRun(): boolean {
    return !this.#isStopped && !this.#isPausedByUser && this.#options.mayRun();
  }

  #clear(): void {
    this.#items.length = 0;
    this.#queuedBytes = 0;
    if (this.#isFull) {
      this.#isFull = false;
      this.#tellPause();
    }
  }

  #tellPause(): void {
    if (!this.#isStopped) this.#options.onPause(this.isPaused);
  }
}

/** The offset behind an item. */
function endOf(item: FlowItem): number {
  if (item.kind === 'gap') return item.gap.found;
  if (item.kind === 'poison') return item.poison.lastOffset + 1;
  return (item.records.at(-1)?.offset ?? -1) + 1;
}
