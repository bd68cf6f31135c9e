import { join } from 'node:path';
import { DEFAULT_LEARNING, type Learning } from '../../src/baseline/learning.js';
import type { Prior } from '../../src/baseline/prior.js';
import { loadPrior } from '../../src/baseline/prior.js';
import { BaselineRegistry } from '../../src/baseline/registry.js';
import type { RegistryOptions } from '../../src/baseline/port.js';
import type { Observation } from '../../src/model/observation.js';
import { call, prompt, SEED } from './behaviour.js';
import { memoryStore, type MemoryStore } from './memory-store.js';
import { repositoryRoot } from './recorded.js';

export const prior: Prior = loadPrior(join(repositoryRoot, 'baselines', 'prior.json'));

/** Half a minute: tests need not wait. */
const QUARANTINE_DAYS = 30 / (24 * 60 * 60);

export interface Office {
  registry: BaselineRegistry;
  store: MemoryStore;
  options: RegistryOptions;
}

/** @param limits of sizes, and of history (`perAgent`, `perTenant`) */
export function office(
  { perAgent, perTenant, ...limits }: Partial<RegistryOptions['limits'] & Learning['history']> = {},
  store = memoryStore(),
): Office {
  const { history } = DEFAULT_LEARNING;
  const learning = {
    ...DEFAULT_LEARNING,
    history: { perAgent: perAgent ?? history.perAgent, perTenant: perTenant ?? history.perTenant },
    quarantine: { ...DEFAULT_LEARNING.quarantine, days: QUARANTINE_DAYS },
  };
  const options = {
    learning,
    seed: SEED,
    budgets: { standard: 0.01, classes: new Map<string, number>(), of: () => 0.01 },
    prior,
    limits: { maxAgents: 100, maxSessions: 100, ...limits },
    load: store.load,
    entries: store.entries,
  };
  return { registry: new BaselineRegistry(options), store, options };
}

const THINGS = ['rent', 'water', 'heating', 'garden', 'phone', 'school', 'car', 'tax', 'gym', 'books', 'piano', 'boat'];
const PEOPLE = ['anna', 'boris', 'chloe', 'dmitri', 'emma', 'farid', 'greta'];

/** The nth ordinary session: reads a bill and pays whom the user named. */
export function ordinary(n: number, agentId = 'agent-a'): Observation[] {
  const sessionId = `s${n}`;
  const thing = THINGS[n % THINGS.length] ?? '';
  const person = PEOPLE[n % PEOPLE.length] ?? '';
  const at = (i: number, callId?: string) => ({
    agentId,
    sessionId,
    at: n * 1_000 + i,
    ...(callId === undefined ? {} : { callId }),
  });
  return [
    prompt(at(0), `Please look at the ${thing} bill and pay ${person}`),
    call(at(1, 'c1'), { tool: 'read_bill', args: { name: thing } }),
    call(at(2, 'c2'), { tool: 'send_money', effect: 'write', args: { to: person } }),
  ];
}

/** Applies and closes a session. */
export function live(registry: BaselineRegistry, observations: readonly Observation[], learn = true): void {
  for (const observation of observations) registry.apply(observation);
  const [first] = observations;
  if (first !== undefined) registry.closeSession(first, learn ? 'learn' : 'discard');
}
