import type { Activation } from '../model/log-record.js';
import { publish } from './publish.js';
import type { Turn } from './turn.js';

/** What an operator switches: from its record of the log on, in every replay too. */
export class Activations {
  readonly #turn: Turn;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  apply(activation: Activation): void {
    const { tenant, time, what, value } = activation;
    const { baselines, notice } = this.#turn.parts;
    if (what === 'learning' && (value === 'on' || value === 'frozen' || value === 'vouched'))
      baselines.setLearning(tenant, value);
    if (what === 'detectors') return this.#adoptDetectors(value);
    if (what === 'rollback' || what === 'restore' || what === 'rebuild') return this.#replace(activation);
    if (what === 'forget') return this.#forget(activation);
    if (what === 'class-profile') return this.#adoptProfile(activation);
    if (what !== 'calibrate') return;
    baselines.calibrate(tenant, time);
    notice('thresholds calibrated', { tenant, promise: baselines.promise(tenant) });
    for (const agentId of baselines.agents(tenant)) publish(this.#turn, tenant, agentId, time);
  }

  /** From this record of the log on agents of a class lean on what others of it do in other partitions, too. */
  #adoptProfile(activation: Activation): void {
    const { baselines, notice } = this.#turn.parts;
    const { tenant, agentClass, value: version } = activation;
    try {
      if (!baselines.adoptProfile(activation)) return;
      notice('a class profile was adopted', { tenant, agentClass, version, promise: baselines.promise(tenant) });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      notice('a class profile cannot be read; what is known stays as it is', { tenant, agentClass, version });
    }
  }

  /** From this record of the log on an agent's baseline is another one; what cannot be had changes nothing. */
  #replace(order: Activation): void {
    const { baselines, notice } = this.#turn.parts;
    const rows = baselines.published.replace(order);
    this.#turn.emit(rows.map((row) => ({ type: 'baseline', value: row })));
    const { tenant, agentId, what, value, by, reason } = order;
    const said = rows.length > 0 ? 'a baseline was replaced' : 'a version cannot be had; the baseline stays as it is';
    notice(said, { tenant, agentId, what, version: value, by, reason, ...(rows[0] && { asVersion: rows[0].version }) });
  }

  /** From this record of the log on an agent is one that nothing is known of. */
  #forget({ tenant, agentId = '', by, reason }: Activation): void {
    const { baselines, notice } = this.#turn.parts;
    baselines.forget(tenant, agentId);
    notice('a baseline was forgotten', { tenant, agentId, by, reason });
  }

  /** From this record of the log on another set of detectors is at work; one that is not to be found changes nothing. */
  #adoptDetectors(hash: string): void {
    const { detectors, detectorSet, notice } = this.#turn.parts;
    const set = detectorSet(hash);
    if (set === undefined) return notice('an activated detector set is not stored here; the old set acts on', { hash });
    detectors.adopt(set);
    notice('detectors activated', { hash, detectors: set.detectors.length });
  }
}
