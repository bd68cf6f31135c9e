import { CallRates, type CallRateSettings, type PlainCallRates } from './call-rates.js';
import { CountMap, type PlainCounts } from './count-map.js';
import type { SessionRecord, TargetRecord, UsedTool } from './facts.js';
import type { Journal } from './journal.js';
import { mix, originClass, placesOf, withClass } from './keys.js';
import { DEFAULT_LEARNING, type Learning } from './learning.js';
import { NameBook } from './name-book.js';
import { RequestMemory, type PlainRequest } from './request-memory.js';

export interface BaselineCaps {
  /** Keys of each map of counts. */
  entries: number;
  /** Distinct requests. */
  requests: number;
  callRate?: CallRateSettings;
}

export function agentCaps({ caps, callRate }: Learning): BaselineCaps {
  return { entries: caps.agentCounts, requests: caps.requests, callRate };
}

/** Of what the agents of one class have in common. */
export function peerCaps({ caps, callRate }: Learning): BaselineCaps {
  return { entries: caps.peerCounts, requests: caps.requests, callRate };
}

export const AGENT_CAPS: BaselineCaps = agentCaps(DEFAULT_LEARNING);
export const POOL_CAPS: BaselineCaps = peerCaps(DEFAULT_LEARNING);

const MAX_NAMES = 512;
const MAX_KNOWN_TOOLS = 512;

const COUNTS = [
  'tools',
  'transitions',
  'leaving',
  'origins',
  'sources',
  'values',
  'valuesByKind',
  'distinctByKind',
  'singlesByKind',
  'argWords',
] as const;
type CountName = (typeof COUNTS)[number];

export interface PlainBaseline {
  sessions: number;
  version: number;
  changes: number;
  counts: Record<string, PlainCounts>;
  known: UsedTool[];
  names: ReturnType<NameBook['toPlain']>;
  requests: PlainRequest[];
  /** A list of rates where an earlier version of this program stored it. */
  callRates: PlainCallRates | number[];
}

/** What is normal for one agent, or for a pool of agents. Additive counts of sessions only; nothing is averaged. */
export class AgentBaseline implements Record<CountName, CountMap> {
  sessions = 0;
  /** Publications so far. */
  version = 0;
  /** Rises with everything learned; what was computed from the counts holds for one value of it. */
  changes = 0;
  /** Sessions using the tool. */
  readonly tools: CountMap;
  /** Steps from one tool to the next, and steps out of a tool. */
  readonly transitions: CountMap;
  readonly leaving: CountMap;
  /** Targets by place and by place and origin class. */
  readonly origins: CountMap;
  /** Targets of known source by place, and by place and source tool. */
  readonly sources: CountMap;
  /** Targets by (kind, value), by kind; distinct values by kind, and those of them that were seen once. */
  readonly values: CountMap;
  readonly valuesByKind: CountMap;
  readonly distinctByKind: CountMap;
  readonly singlesByKind: CountMap;
  /** Sessions by argument word. */
  readonly argWords: CountMap;
  readonly known = new Map<number, UsedTool>();
  readonly names: NameBook;
  readonly requests: RequestMemory;
  readonly callRates: CallRates;

  constructor(caps: BaselineCaps, plain?: PlainBaseline) {
    const counts = (name: CountName): CountMap => {
      const held = plain?.counts[name];
      return held === undefined ? new CountMap(caps.entries) : CountMap.fromPlain(held, caps.entries);
    };
    this.tools = counts('tools');
    this.transitions = counts('transitions');
    this.leaving = counts('leaving');
    this.origins = counts('origins');
    this.sources = counts('sources');
    this.values = counts('values');
    this.valuesByKind = counts('valuesByKind');
    this.distinctByKind = counts('distinctByKind');
    // An earlier version of this program did not count them; there can be no more.
    this.singlesByKind = counts(plain?.counts['singlesByKind'] === undefined ? 'distinctByKind' : 'singlesByKind');
    this.argWords = counts('argWords');
    this.names = NameBook.fromPlain(plain?.names ?? [], MAX_NAMES);
    this.requests = RequestMemory.fromPlain(plain?.requests ?? [], caps.requests);
    this.callRates = new CallRates(plain?.callRates, caps.callRate);
    for (const used of plain?.known ?? []) this.known.set(used.tool, used);
    this.sessions = plain?.sessions ?? 0;
    this.version = plain?.version ?? 0;
    this.changes = plain?.changes ?? 0;
  }

  /**
   * Counts a finished session, or with -1 takes it out again.
   *
   * @param journal remembers every change, so that `journal.restore()` brings back the very same state
   */
  learn(record: SessionRecord, by: 1 | -1, journal?: Journal): void {
    const { sessions, changes } = this;
    journal?.step(() => Object.assign(this, { sessions, changes }));
    this.sessions += by;
    this.changes++;
    for (const used of record.tools) this.#learnTool(used, by, journal);
    for (const [from, to] of record.transitions) {
      this.transitions.add(mix(from, to), by, journal);
      this.leaving.add(from, by, journal);
    }
    for (const target of record.targets) this.#learnTarget(target, by, journal);
    for (const word of record.argWords) this.argWords.add(word, by, journal);
    // Nothing reads names while changes are only tried out.
    if (journal === undefined) for (const [hash, name] of record.names) this.names.add(hash, name, by);
    this.requests.learn(record, by, this.changes, journal);
  }

  /** Additions that found a map full. */
  ignored(): number {
    return COUNTS.reduce((sum, name) => sum + this[name].ignored, 0);
  }

  #learnTool(used: UsedTool, by: 1 | -1, journal?: Journal): void {
    this.tools.add(used.tool, by, journal);
    const held = this.known.get(used.tool);
    if (this.tools.get(used.tool) === 0) {
      if (held === undefined) return;
      this.known.delete(used.tool);
      journal?.step(() => this.known.set(used.tool, held));
    } else if (held === undefined && by > 0 && this.known.size < MAX_KNOWN_TOOLS) {
      this.known.set(used.tool, used);
      journal?.step(() => this.known.delete(used.tool));
    }
  }

  #learnTarget(target: TargetRecord, by: 1 | -1, journal?: Journal): void {
    const { kind, source } = target;
    const cls = originClass(target.origin);
    const places = placesOf(target, target);
    for (const place of [places.own, places.general]) {
      this.origins.add(place, by, journal);
      this.origins.add(withClass(place, cls), by, journal);
      if (source === 0) continue;
      this.sources.add(place, by, journal);
      this.sources.add(mix(place, source), by, journal);
    }
    const value = mix(kind, target.value);
    this.valuesByKind.add(kind, by, journal);
    if (!this.values.add(value, by, journal)) return;
    const now = this.values.get(value);
    if (by > 0 ? now === 1 : now === 0) this.distinctByKind.add(kind, by, journal);
    if (now === 1 || now - by === 1) this.singlesByKind.add(kind, now === 1 ? 1 : -1, journal);
  }

  toPlain(): PlainBaseline {
    const { sessions, version, changes } = this;
    return {
      sessions,
      version,
      changes,
      counts: Object.fromEntries(COUNTS.map((name) => [name, this[name].toPlain()])),
      known: [...this.known.values()],
      names: this.names.toPlain(),
      requests: this.requests.toPlain(),
      callRates: this.callRates.toPlain(),
    };
  }
}
