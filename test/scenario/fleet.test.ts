import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig, type Config } from '../../src/config.js';
import type { RawRecord } from '../../src/log/port.js';
import { firstDifference } from '../support/same-effects.js';
import type { OutboxEntry } from '../../src/model/effect.js';
import type { Command } from '../../src/model/command.js';
import type { Incident } from '../../src/model/incident.js';
import { openTrial, TRIAL_TENANT, type Trial } from '../../src/trial.js';
import { agentName, FLEET_CLASSES, fleetSession, type FleetClass, type FleetSession } from '../support/fleet-world.js';
import { scoreRecords } from '../support/scored-log.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const START = Date.parse('2026-01-05T08:00:00Z');
const AGENTS = 10;
const SEED = 20_260_105;
const EVIL = 'drop@evil.example';

const defaults = loadConfig(undefined, {});
const CONFIG: Config = { ...defaults, mode: 'act' };

/** A fleet of thirty agents in three classes that is known, and what became of it since. */
class Fleet {
  readonly #trial: Trial;
  readonly outbox: OutboxEntry[] = [];
  #day = 0;

  private constructor(config: Config) {
    this.#trial = openTrial({ config, startMs: START, committed: (entries) => this.outbox.push(...entries) });
  }

  static async learned(config: Config = CONFIG): Promise<Fleet> {
    const fleet = new Fleet(config);
    await fleet.#trial.activate('learning', 'vouched');
    for (let n = 0; n < 24; n++) {
      const startMs = START + n * 20 * MINUTE_MS;
      const agents = FLEET_CLASSES.flatMap((agentClass) => range(AGENTS).map((agent) => ({ agentClass, agent })));
      await Promise.all(agents.map((one) => fleet.#feed({ ...one, n: n + one.agent, startMs })));
    }
    await fleet.nextDay();
    await fleet.#trial.activate('calibrate', '');
    await fleet.#trial.activate('learning', 'on');
    return fleet;
  }

  get today(): number {
    return START + this.#day * DAY_MS;
  }

  /** One session of one agent, at a minute of today. */
  async session(change: Omit<FleetSession, 'startMs'> & { minute: number }): Promise<void> {
    const { minute, ...session } = change;
    await this.#feed({ ...session, startMs: this.today + minute * MINUTE_MS });
    await this.#trial.core.settled();
  }

  async nextDay(): Promise<void> {
    await this.#trial.endSessions();
    this.#day++;
  }

  async judge(incidentId: string, verdict: 'benign-expected' | 'true-positive'): Promise<void> {
    const { core } = this.#trial;
    await core.record({
      type: 'verdict',
      value: { time: this.today, tenant: TRIAL_TENANT, incidentId, verdict, by: 'anna' },
    });
    await core.settled();
  }

  incidents(filter: (incident: Incident) => boolean = () => true): Incident[] {
    return this.#trial.core.incidents.list({ tenant: TRIAL_TENANT, limit: 1_000 }).filter(filter);
  }

  shifts(): Incident[] {
    return this.incidents(({ fleet }) => fleet !== undefined && fleet.nature !== 'blast-radius');
  }

  single(status?: Incident['status']): Incident[] {
    return this.incidents((one) => one.fleet === undefined && (status === undefined || one.status === status));
  }

  commands(state: Command['state']): Command[] {
    return this.#trial.core.commands.list({ tenant: TRIAL_TENANT, limit: 1_000 }).filter((one) => one.state === state);
  }

  learnedSessions(): number {
    return this.#trial.core.scoring.counters.sessionsLearned;
  }

  status() {
    return { ...this.#trial.core.peers.stats(), ...this.#trial.core.blastNotices.stats() };
  }

  /** The log, copied: what is read lies in pages of the environment. */
  records(): RawRecord[] {
    const { log } = this.#trial.core;
    const records: RawRecord[] = [];
    while (log.tail + records.length <= log.head) {
      for (const { type, data } of log.read(log.tail + records.length, 1_000)) {
        records.push({ type, data: Uint8Array.from(data) });
      }
    }
    return records;
  }

  close(): Promise<void> {
    return this.#trial.close();
  }

  async #feed(session: FleetSession): Promise<void> {
    // All at once: they share commits, and the log keeps their order.
    const reports = fleetSession(session).said.map(({ observation }) => this.#trial.feed([observation]));
    const refused = (await Promise.all(reports)).flatMap((report) => report.refused);
    if (refused.length > 0) throw new Error(JSON.stringify(refused));
  }
}

describe('a fleet', () => {
  let fleet: Fleet | undefined;

  afterEach(async () => {
    await fleet?.close();
    fleet = undefined;
  });

  const known = async () => (fleet = await Fleet.learned());

  /** A new prompt template: agents of a class begin to end their work with a note, one after the other. */
  const release = async (world: Fleet, agentClass: FleetClass, agents: number) => {
    for (const agent of range(agents)) {
      await world.session({ agentClass, agent, n: agent + 3, minute: agent, released: true });
    }
  };

  it('takes a release for one change: one incident, few commands, the others pass, one verdict', async () => {
    const world = await known();
    await release(world, 'support', AGENTS);
    const [shift, ...more] = world.shifts();
    expect(more).toEqual([]);
    expect(shift?.title).toBe(
      '10 of 10 support agents began to call audit_note within 9 minutes; nothing in their targets or sources is new',
    );
    expect(shift?.fleet).toMatchObject({ nature: 'release', agents: 10 });
    // Those before the shift was one; all of them gathered by it.
    const early = world.single('open');
    expect(early.map(({ agentId }) => agentId).sort()).toEqual(range(3).map((n) => agentName('support', n)));
    expect(early.every(({ gatheredBy }) => gatheredBy === shift?.id)).toBe(true);
    expect(shift?.fleet?.incidentIds).toHaveLength(3);
    expect(world.commands('sent').length).toBeLessThanOrEqual(3);

    await world.judge(shift?.id ?? '', 'benign-expected');
    expect(world.incidents(({ status }) => status !== 'closed')).toEqual([]);
    expect(world.commands('sent')).toEqual([]);
    const before = world.learnedSessions();
    await world.nextDay();
    await release(world, 'support', AGENTS);
    await world.nextDay();
    expect(world.incidents(({ status }) => status !== 'closed')).toEqual([]);
    expect(world.learnedSessions()).toBeGreaterThanOrEqual(before + AGENTS);
  }, 120_000);

  it('sees a campaign: each is contained up to the cap, then people are asked', async () => {
    const world = await known();
    for (const agent of range(AGENTS)) {
      await world.session({ agentClass: 'support', agent, n: agent + 3, minute: agent, hijackedTo: EVIL });
    }
    const [campaign, ...more] = world.shifts();
    expect(more).toEqual([]);
    expect(campaign).toMatchObject({ severity: 'critical', fleet: { nature: 'campaign', agents: 10 } });
    expect(campaign?.title).toContain(`campaign: 10 of 10 support agents acted on ${EVIL}`);
    expect(world.single('open')).toHaveLength(AGENTS);
    expect(world.commands('sent')).toHaveLength(3);
    const waiting = world.commands('proposed');
    expect(waiting).toHaveLength(AGENTS - 3);
    expect(waiting.every(({ waitsFor }) => waitsFor === 'cap')).toBe(true);
    const notices = world.incidents((one) => one.fleet?.nature === 'blast-radius');
    expect(notices.map(({ title }) => title)).toEqual([
      'blast-radius cap: 3 of 30 agents are contained already; 7 commands wait for a person',
    ]);
    expect(world.status()).toMatchObject({ commandsCapped: 7 });
  }, 120_000);

  it('does not let a hijack hide in a release', async () => {
    const world = await known();
    await release(world, 'support', 8);
    await world.session({ agentClass: 'support', agent: 9, n: 4, minute: 12, released: true, hijackedTo: EVIL });
    const own = world.single('open').filter(({ agentId }) => agentId === agentName('support', 9));
    expect(own).toHaveLength(1);
    expect(own[0]?.gatheredBy).toBeUndefined();
  }, 120_000);

  it('leaves one hijacked agent to itself', async () => {
    const world = await known();
    await world.session({ agentClass: 'support', agent: 4, n: 5, minute: 1, hijackedTo: EVIL });
    expect(world.shifts()).toEqual([]);
    expect(world.single('open')).toHaveLength(1);
    expect(world.commands('sent')).toMatchObject([{ agentId: agentName('support', 4), action: 'revoke-session' }]);
  }, 120_000);

  it('does not mix classes', async () => {
    const world = await known();
    await release(world, 'support', 3);
    await release(world, 'coding', 3);
    expect(world.shifts()).toEqual([]);
    expect(world.single('open')).toHaveLength(6);
  }, 120_000);

  it('scores the same after restarts', async () => {
    const world = await known();
    await release(world, 'support', 6);
    await world.judge(world.shifts()[0]?.id ?? '', 'benign-expected');
    for (const agent of range(6)) {
      await world.session({ agentClass: 'coding', agent, n: agent + 3, minute: agent, hijackedTo: EVIL });
    }
    await world.nextDay();
    const records = world.records();
    const straight = await scoreRecords(records, { seed: SEED, config: CONFIG });
    const scored = await scoreRecords(records, {
      seed: SEED,
      config: CONFIG,
      sliceRecords: 37,
      restartsAt: [records.length - 160, records.length - 110, records.length - 50],
    });
    expect(scored.restarts).toBe(3);
    expect(firstDifference(scored.outbox, straight.outbox)).toBeUndefined();
    const natures = straight.outbox.flatMap(({ effect }) =>
      effect.type === 'incident' ? [effect.value.fleet?.nature] : [],
    );
    expect(new Set(natures)).toEqual(new Set([undefined, 'release', 'campaign', 'blast-radius']));
  }, 240_000);
});

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
