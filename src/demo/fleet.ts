import type { AgentClass } from './agent-class.js';
import { analyst } from './classes/analyst.js';
import { coder } from './classes/coder.js';
import { finops } from './classes/finops.js';
import { infra } from './classes/infra.js';
import { support } from './classes/support.js';
import type { Names } from './names.js';
import type { Random } from './random.js';
import type { SessionPlan } from './session-plan.js';

export const CLASSES: readonly AgentClass[] = [support, finops, coder, analyst, infra];

/** One simulated agent. */
export interface Agent {
  id: string;
  kind: AgentClass;
  /** Its part of the world: whom and what it deals with. */
  names: Names;
  /** The kinds of work of its class, as often as this agent gets them. */
  appetite: readonly number[];
  /** Sessions in the time in which an ordinary agent has one. */
  pace: number;
}

/** A busy agent has so many sessions for one of an ordinary one, and so many of each class are busy. */
const BUSY_PACE = 5;
const BUSY_EACH = 2;

const SURNAMES =
  'amber basalt cedar dune elm fern garnet hazel indigo jade kelp larch moss nickel opal pine quartz reed slate teal umber violet walnut yarrow zinc'.split(
    ' ',
  );

/** The fleet of one world: at least forty agents of five classes, each with habits of its own. */
export function makeFleet(names: Names, random: Random): Agent[] {
  return CLASSES.flatMap((kind) => {
    const surnames = random.some(SURNAMES, kind.size);
    return surnames.map((surname, i) => ({
      id: `${kind.name}-${surname}`,
      kind,
      names: {
        ...names,
        customers: random.some(names.customers, 30),
        vendors: random.some(names.vendors, 8),
        products: random.some(names.products, 6),
        services: random.some(names.services, 4),
        repositories: random.some(names.repositories, 3),
        tables: random.some(names.tables, 4),
        regions: random.some(names.regions, 3),
      },
      appetite: kind.works.map(({ weight }) => weight * random.around(1, 0.3)),
      pace: i < BUSY_EACH ? BUSY_PACE : 1,
    }));
  });
}

/** What this agent is asked to do next, and how it will go about it. */
export function nextWork({ kind, names, appetite }: Agent, random: Random): SessionPlan {
  const total = appetite.reduce((sum, weight) => sum + weight, 0);
  let left = random.next() * total;
  for (const [i, work] of kind.works.entries()) {
    left -= appetite[i] ?? 0;
    if (left <= 0) return work.plan({ names, random });
  }
  throw new RangeError(`${kind.name}: has no work`);
}
