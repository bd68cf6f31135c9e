import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../src/config.js';
import type { Activation } from '../../src/model/log-record.js';
import type { RebuildOrder, RebuildStatus } from '../../src/model/baseline.js';
import type { Scored } from '../../src/pipeline.js';
import { BaselineDesk } from '../../src/scoring/baseline-desk.js';
import type { Store } from '../../src/store/store.js';
import { StoringReader } from '../../src/store/storing-reader.js';
import { openFedCore, type FedCore } from './fed-core.js';
import { firstDifference } from './same-effects.js';
import { readDataDirectory, scoreRecords, type ScoreOptions } from './scored-log.js';
import { sendSessions, spread, timeMoves, type Session } from './session-traffic.js';

const MINUTE_MS = 60_000;
export const DAY_MS = 24 * 60 * MINUTE_MS;
export const FIRST_DAY = Date.parse('2025-01-06T00:00:00Z');

/** A core in a data directory of its own, storing into a ClickHouse that outlives it. */
export class ArchivedCore {
  readonly fed: FedCore;
  readonly desk: BaselineDesk;
  readonly scored: Scored[] = [];
  readonly notices: string[] = [];
  readonly #reader: StoringReader;
  readonly #seed: number;

  constructor(seed: number, store: Store | undefined) {
    this.fed = openFedCore(
      seed,
      {},
      { scored: (result) => void this.scored.push(result), notice: (message) => void this.notices.push(message) },
    );
    this.#seed = seed;
    const { core, clock } = this.fed;
    this.desk = new BaselineDesk({
      hosted: { ...core, partition: 0 },
      observer: { ...core, record: async (...records) => void (await core.record(...records)) },
      config: loadConfig(undefined, {}),
      store: () => store,
      clock,
      notice: () => {},
    });
    const inserter = {
      insert: async (request: Parameters<Store['writer']['insert']>[0]) => store?.writer.insert(request),
    };
    this.#reader = new StoringReader({ log: core.log, store: core.store, inserter, lingerMs: 1 });
    if (store !== undefined) this.#reader.start();
  }

  /** Lets sessions happen one after the other, from a day of the calendar on, and end. */
  async live(sessions: readonly Session[], day: number): Promise<void> {
    await sendSessions(spread(sessions, FIRST_DAY + day * DAY_MS, MINUTE_MS), {
      groupSize: 3,
      inFlight: 1,
      post: async (speaker, batch) => {
        await this.fed.observe(speaker, batch);
      },
    });
    for (const { speaker, observation } of timeMoves(FIRST_DAY + (day + 1) * DAY_MS)) {
      await this.fed.observe(speaker, [observation]);
    }
    await this.fed.tick(1_000);
    await this.fed.core.settled();
  }

  async activate(activation: Pick<Activation, 'what' | 'value'> & Partial<Activation>): Promise<void> {
    const { core, clock } = this.fed;
    await core.record({ type: 'activation', value: { time: clock.now(), tenant: 'default', ...activation } });
    await core.settled();
  }

  /** What is made of a session, as far as it does not count versions. */
  async probe(session: Session, day: number): Promise<object[]> {
    this.scored.length = 0;
    await this.live([session], day);
    return this.scored
      .filter(({ observation }) => observation.sessionId === session.sessionId)
      .map(({ observation, signals, callNats, incident, opened }) => ({
        observation: observation.id,
        signals: signals.map((signal) => ({ ...signal, baselineVersion: 0 })),
        callNats,
        opened,
        incident: incident && [incident.id, incident.riskNats, incident.thresholdNats],
      }));
  }

  /** Waits until everything is in ClickHouse, whole versions too. */
  async stored(): Promise<void> {
    const { core } = this.fed;
    await core.settled();
    if (!(await this.#reader.drain({ log: core.log.head, outbox: core.store.outboxHead }, 30_000))) {
      throw new Error(`not stored: ${JSON.stringify(this.#reader.status())}`);
    }
    await this.desk.catchUp();
  }

  async rebuilt(order: Pick<RebuildOrder, 'agentId'> & Partial<RebuildOrder>): Promise<RebuildStatus> {
    const asked = this.desk.rebuild({ tenant: 'default', by: 'ann', reason: 'to see', ...order });
    if (!asked.ok) throw new Error(asked.message);
    for (;;) {
      const status = this.desk.rebuildStatus('default', order.agentId);
      if (status === undefined) throw new Error('the rebuild is not known');
      if (status.state !== 'running') {
        await this.fed.core.settled();
        return status;
      }
      await sleep(5);
    }
  }

  async close(): Promise<void> {
    await this.#end();
    this.fed.remove();
  }

  /** Closes it and scores its log once more from the beginning. @returns where the effects part; undefined: nowhere */
  async closeAndReplay(options: Omit<ScoreOptions, 'seed'>): Promise<unknown> {
    await this.#end();
    const { records, outbox } = await readDataDirectory(this.fed.dataDir);
    this.fed.remove();
    const again = await scoreRecords(records, { seed: this.#seed, ...options });
    return firstDifference(again.outbox, outbox);
  }

  async #end(): Promise<void> {
    await this.desk.stop();
    await this.#reader.stop();
    await this.fed.close();
  }
}
