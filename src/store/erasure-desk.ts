import type { Clock } from '../lib/clock.js';
import { hash53, stableId } from '../lib/hash.js';
import type { ErasedTable, Erasure, ErasureStatus, ErasureSubject } from '../model/erasure.js';
import type { Principal } from '../model/principal.js';
import type { StoreClient } from './client.js';
import { countErasure, erase } from './eraser.js';

export interface ErasureDeskOptions {
  /** Undefined while ClickHouse is not open. */
  client: () => StoreClient | undefined;
  /** Resolves when the log has committed it. */
  record: (erasure: Erasure) => Promise<void>;
  /** Has scoring let go of what it knows of an agent. Resolves when the log has committed that. */
  forget: (order: { tenant: string; agentId: string; by: string; reason: string; time: number }) => Promise<void>;
  /** Waits until all that this process has committed is scored and stored. @returns false where that takes too long */
  settled: () => Promise<boolean>;
  /** Keyed hash of a value in its canonical form, as observations carry it. */
  hashOf: (value: string) => number;
  /** Per-install secret, 32 bit. */
  seed: number;
  clock: Clock;
  notice: (message: string, facts: Record<string, unknown>) => void;
}

/** Erasures whose outcome can be asked for. */
const MAX_REMEMBERED = 100;

/** Has data of an agent or a person erased, and keeps that it was. */
export class ErasureDesk {
  readonly #options: ErasureDeskOptions;
  readonly #known = new Map<string, ErasureStatus>();
  #running: Promise<void> | undefined;
  #count = 0;

  constructor(options: ErasureDeskOptions) {
    this.#options = options;
  }

  /** What would be erased. @throws StoreError */
  async preview(tenant: string, subject: ErasureSubject): Promise<ErasedTable[] | 'away'> {
    const client = this.#options.client();
    return client === undefined ? 'away' : countErasure(client, { tenant, subject, hash: this.#hashOf(subject) });
  }

  /**
   * Begins to erase; it is in the log before anything is touched.
   *
   * @returns how it stands; `busy` while another one runs
   */
  async begin(principal: Principal, subject: ErasureSubject, reason: string): Promise<ErasureStatus | 'away' | 'busy'> {
    const { client, clock } = this.#options;
    const { tenant, id: orderedBy, role } = principal;
    const store = client();
    if (store === undefined) return 'away';
    if (this.#running !== undefined) return 'busy';
    const time = clock.now();
    const id = stableId('erasure', tenant, orderedBy, time, this.#count++);
    const status: ErasureStatus = { id, tenant, state: 'running', tables: [] };
    const order = { id, time, tenant, ...this.#nameOf(subject), orderedBy, role, reason };
    // Taken before the first wait, so that there are never two.
    const recorded = this.#options.record({ ...order, state: 'ordered', tables: '' });
    this.#running = recorded
      .then(() => this.#run(store, { status, order, subject }))
      .catch(() => {})
      .finally(() => (this.#running = undefined));
    await recorded;
    this.#remember(status);
    return status;
  }

  status(tenant: string, id: string): ErasureStatus | undefined {
    const status = this.#known.get(id);
    return status?.tenant === tenant ? status : undefined;
  }

  /** Waits for the one that runs. */
  async stop(): Promise<void> {
    await this.#running;
  }

  async #run(
    client: StoreClient,
    { status, order, subject }: { status: ErasureStatus; order: Order; subject: ErasureSubject },
  ): Promise<void> {
    const { record, forget, settled, clock, notice } = this.#options;
    const { tenant, orderedBy: by, reason } = order;
    try {
      if ('agentId' in subject) await forget({ tenant, agentId: subject.agentId, by, reason, time: clock.now() });
      // What is on its way would come after the deletion.
      if (!(await settled())) throw new Error('not all that is in the log is stored yet; try again when it is');
      status.tables = await erase(client, { tenant, subject, hash: this.#hashOf(subject) });
      await record({ ...order, time: clock.now(), state: 'done', tables: JSON.stringify(status.tables) });
      status.state = 'done';
    } catch (error) {
      status.cause = error instanceof Error ? error.message : String(error);
      status.state = 'failed';
      notice('an erasure failed; order it again', { id: status.id, cause: status.cause });
      await record({ ...order, time: clock.now(), state: 'failed', tables: JSON.stringify(status.tables) });
    }
  }

  #nameOf(subject: ErasureSubject): Pick<Erasure, 'subject' | 'name'> {
    if ('agentId' in subject) return { subject: 'agent', name: subject.agentId };
    const hash = hash53(subject.person.toLowerCase(), this.#options.seed);
    return { subject: 'person', name: `[hash:${hash.toString(16).padStart(14, '0')}]` };
  }

  #hashOf(subject: ErasureSubject): number {
    return 'agentId' in subject ? 0 : this.#options.hashOf(subject.person);
  }

  #remember(status: ErasureStatus): void {
    this.#known.set(status.id, status);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_REMEMBERED && oldest !== undefined) this.#known.delete(oldest);
  }
}

type Order = Omit<Erasure, 'state' | 'tables'>;
