import type { AllowanceStatus, Lease, LeasedLimit, PartitionPlace } from '../../src/model/allowance.js';
import type { ResponseCaps } from '../../src/model/response-policy.js';
import { CommandRate } from '../../src/respond/command-rate.js';
import { LeasedCaps } from '../../src/respond/leased-caps.js';

type Logged =
  | { type: 'lease'; lease: Lease }
  | { type: 'use'; now: number; count: number }
  | { type: 'tick'; now: number };

/**
 * The caps of one partition under its log: commands go out while the caps allow it, and after a crash all since the
 * checkpoint is scored again, without saying anything twice.
 */
export class LeasedPartition {
  /** What has left the partition, in order. */
  readonly said: AllowanceStatus[] = [];
  readonly #options: { caps: ResponseCaps; place: PartitionPlace };
  readonly #log: Logged[] = [];
  readonly #stored = new Map<string, Uint8Array>();
  #checkpoint = { records: 0, now: 0 };
  #now = 0;
  #rate: CommandRate;
  #leased: LeasedCaps;

  constructor(options: { caps: ResponseCaps; place: PartitionPlace }) {
    this.#options = options;
    [this.#rate, this.#leased] = this.#open();
  }

  get caps(): ResponseCaps {
    return this.#leased.caps;
  }

  used(limit: LeasedLimit, now: number): number {
    return limit === 'minContainedAgents' ? 0 : this.#rate.inTotal(now);
  }

  append(record: Logged): void {
    this.#log.push(record);
    this.said.push(...this.#score(record));
  }

  checkpoint(): void {
    const puts: { key: string; value: Uint8Array }[] = [];
    this.#rate.drain(puts, []);
    this.#leased.drain(puts, []);
    for (const { key, value } of puts) this.#stored.set(key, value);
    this.#checkpoint = { records: this.#log.length, now: this.#now };
  }

  crash(): void {
    [this.#rate, this.#leased] = this.#open();
    this.#now = this.#checkpoint.now;
    for (const record of this.#log.slice(this.#checkpoint.records)) this.#score(record);
  }

  #open(): [CommandRate, LeasedCaps] {
    const load = (key: string) => this.#stored.get(key);
    const rate = new CommandRate(load);
    const usage = (limit: LeasedLimit, now: number) => (limit === 'minContainedAgents' ? 0 : rate.inTotal(now));
    return [rate, new LeasedCaps({ ...this.#options, usage, load })];
  }

  #score(record: Logged): AllowanceStatus[] {
    if (record.type !== 'lease') this.#now = Math.max(this.#now, record.now);
    const now = this.#now;
    const leased = this.#leased;
    if (record.type === 'use') {
      for (let sent = 0; sent < record.count; sent++) {
        const { commandsPerMinute, totalCommandsPerMinute } = leased.caps;
        const used = this.#rate.inTotal(now);
        if (used >= commandsPerMinute) leased.want('commandsPerMinute', Math.max(1, 2 * commandsPerMinute), now);
        if (used >= totalCommandsPerMinute)
          leased.want('totalCommandsPerMinute', Math.max(1, 2 * totalCommandsPerMinute), now);
        if (used >= commandsPerMinute || used >= totalCommandsPerMinute) break;
        this.#rate.note('default', now);
      }
    }
    const effects = record.type === 'lease' ? leased.onLease(record.lease, now) : leased.tell(now);
    return effects.flatMap((effect) => (effect.type === 'allowance' ? [effect.value] : []));
  }
}
