import { loadConfig } from '../../src/config.js';
import { feed } from '../../src/demo/feeder.js';
import { type Happening } from '../../src/demo/rhythm.js';
import { STORIES } from '../../src/demo/stories/stories.js';
import { makeWorld } from '../../src/demo/world.js';
import type { Verdict } from '../../src/model/log-record.js';
import type { SourceTrouble } from '../../src/model/source-trouble.js';
import { SPEAKERS, type Speaker } from '../../src/sources/recorded-session.js';
import { openStore, type Store } from '../../src/store/store.js';
import { StoringReader } from '../../src/store/storing-reader.js';
import { openFedCore, principal, type FedCore } from './fed-core.js';
import { sampleDeadLetter } from './store-sample.js';
import { temporaryDirectory } from './temporary-directory.js';

const TENANT = 'default';
const INSTALL_SEED = 20_261_129;
/** The world that the demo tells of unless another is asked for. */
const WORLD = 1;
const GATEWAY = 'gateway';
const STORED_MS = 60_000;
const CHECK_MS = 20_000;
/** Processing time between two calls, and until a gateway confirms a command, ms. */
const STEP_MS = 40;
const VERDICTS = ['true-positive', 'false-positive', 'benign-expected'] as const;

/** The demo's data in the embedded ClickHouse. */
export interface DemoStore {
  store: Store;
  tenant: string;
  /** From before the first event to after the last effect, epoch ms. */
  fromMs: number;
  toMs: number;
  classOf: (agentId: string) => string;
  close: () => Promise<void>;
}

/**
 * What `parallax demo` makes, without its processes: days of ordinary work, then the stories, whose calls are asked
 * about as a gateway does. The gateway confirms commands at once, but for those of the last story; a person judges three
 * incidents, each otherwise, and decides about two held calls; one record is refused, and an emitter skips numbers.
 */
export async function openDemoStore(): Promise<DemoStore> {
  const directory = temporaryDirectory();
  const { check, detection } = loadConfig(undefined, {});
  const fed = openFedCore(INSTALL_SEED, { mode: 'act', check: { ...check, deadlineMs: CHECK_MS } });
  const { core, clock } = fed;
  const store = await openStore({
    url: 'embedded',
    database: 'parallax',
    username: '',
    password: '',
    dataDir: directory.path,
    observationDays: 10_000,
    payloadDays: 10_000,
    baselineDays: 10_000,
    agentClasses: core.library.classRows(detection.falseAlarmBudget),
  });
  const reader = new StoringReader({ log: core.log, store: core.store, inserter: store.writer, lingerMs: 1 });
  reader.start();
  const world = makeWorld({ seed: WORLD, nowMs: clock.now(), stories: STORIES });
  await activate(fed, 'learning', 'vouched');
  for (const shift of world.history) await tell(fed, shift);
  await core.settled();
  await activate(fed, 'calibrate', '');
  await activate(fed, 'learning', 'on');
  const last = world.acts.length - 1;
  for (const [i, { happenings }] of world.acts.entries()) await play(fed, happenings, { isConfirmed: i < last });
  await judge(fed);
  await decide(fed);
  await core.record({ type: 'dead-letter', value: { ...sampleDeadLetter(1), tenant: TENANT, time: clock.now() } });
  await core.record({ type: 'source-trouble', value: gapOf(clock.now()) });
  await core.settled();
  if (!(await reader.drain({ log: core.log.head, outbox: core.store.outboxHead }, STORED_MS))) {
    throw new Error(`not stored: ${JSON.stringify(reader.status())}`);
  }
  return {
    store,
    tenant: TENANT,
    fromMs: world.history.flat().reduce((least, { timeMs }) => Math.min(least, timeMs), clock.now()),
    toMs: clock.now() + STORED_MS,
    classOf: (agentId) => core.library.classOf(agentId),
    close: async () => {
      await reader.stop();
      await fed.close();
      fed.remove();
      await store.close();
      directory.remove();
    },
  };
}

async function activate({ core, clock }: FedCore, what: 'learning' | 'calibrate', value: string): Promise<void> {
  await core.record({ type: 'activation', value: { time: clock.now(), tenant: TENANT, what, value } });
  await core.settled();
}

/** Every speaker is known by name here, not by a key. */
const KEYS: Readonly<Record<Speaker, string>> = {
  'agent-runtime': 'agent-runtime',
  gateway: GATEWAY,
  governance: 'governance',
  platform: 'platform',
};
const isSpeaker = (key: string): key is Speaker => key in SPEAKERS;

/** Says what happened, as an import does. @throws where a record is refused */
async function tell(fed: FedCore, happenings: readonly Happening[]): Promise<void> {
  const post = async (observations: Parameters<FedCore['observe']>[1], key: string) =>
    isSpeaker(key) ? (await fed.observe(key, observations)).refused : [];
  await feed({ post }, KEYS, happenings);
}

/** Asks about each call, and puts it on record where it passes; a session whose call is refused ends. */
async function play(
  fed: FedCore,
  happenings: readonly Happening[],
  { isConfirmed }: { isConfirmed: boolean },
): Promise<void> {
  const ended = new Set<string>();
  let said: Happening[] = [];
  for (const happening of happenings) {
    if (ended.has(happening.sessionId)) continue;
    if (happening.speaker !== GATEWAY) {
      said.push(happening);
      continue;
    }
    await tell(fed, said.splice(0));
    const { call, effect } = happening;
    const { decision } = await fed.core.checker.check({ ...call, effect }, principal(GATEWAY));
    fed.clock.advance(STEP_MS);
    if (decision === 'allow') await tell(fed, [happening]);
    else ended.add(happening.sessionId);
    if (isConfirmed) await confirm(fed);
  }
  await tell(fed, said);
  await fed.tick(STEP_MS);
  await fed.core.settled();
  if (isConfirmed) await confirm(fed);
}

/** The gateway says that it enforces what it was told to. */
async function confirm({ core, clock }: FedCore): Promise<void> {
  for (const { id, state } of core.commands.list({ tenant: TENANT, limit: 1_000 })) {
    if (state !== 'sent') continue;
    clock.advance(STEP_MS);
    const ack = {
      time: clock.now(),
      tenant: TENANT,
      commandId: id,
      gatewayId: GATEWAY,
      effective: 'enforced' as const,
    };
    await core.record({ type: 'ack', value: ack });
    await core.settled();
  }
}

async function judge({ core, clock }: FedCore): Promise<void> {
  const incidents = core.incidents.list({ tenant: TENANT, status: 'open', limit: 100 });
  const verdicts = incidents
    .filter(({ sessionId }) => sessionId !== undefined)
    .slice(0, VERDICTS.length)
    .map(({ id }, i): Verdict => {
      const verdict = VERDICTS[i % VERDICTS.length] ?? 'true-positive';
      return { time: clock.now(), tenant: TENANT, incidentId: id, verdict, by: 'ann' };
    });
  await core.record(...verdicts.map((value) => ({ type: 'verdict' as const, value })));
  await core.settled();
}

async function decide({ core, clock }: FedCore): Promise<void> {
  const orders = ['approve', 'reject'] as const;
  const held = core.holds.list({ tenant: TENANT, limit: 100 }).filter(({ state }) => state === 'waiting');
  for (const [i, { id }] of held.slice(0, orders.length).entries()) {
    clock.advance(STEP_MS);
    const order = orders[i] ?? 'reject';
    const decision = { time: clock.now(), tenant: TENANT, order, holdId: id, by: 'ann', reason: 'looked at it' };
    await core.record({ type: 'order', value: decision });
  }
  await core.settled();
}

function gapOf(now: number): SourceTrouble {
  return {
    id: 'trouble_1',
    time: now,
    tenant: TENANT,
    principalId: 'platform',
    kind: 'gap',
    since: now,
    count: 3,
    detail: '3 batches are missing',
  };
}
