import { BoundedMap } from '../lib/bounded-map.js';
import { stableId } from '../lib/hash.js';
import { StateTable } from '../lib/state-table.js';
import {
  isInForce,
  isOver,
  isUnrestricted,
  type Command,
  type CommandAction,
  type CommandEvent,
  type CommandState,
  type Restriction,
} from '../model/command.js';
import type { Effect } from '../model/effect.js';
import { BlastRadius, type BlastRadiusOptions } from './blast-radius.js';
import { CoolDown } from './cool-down.js';
import { mayFollow } from './lifecycle.js';
import { applyCommand, noRestriction, restrictionOn, type Obstacle, type RestrictedCall } from './restrictions.js';

/** Most proposals and dry runs watched for expiry at once; what restricts somebody is always watched. */
const MAX_ACTIVE = 50_000;
/** Finished commands that are still known. */
const MAX_FINISHED = 10_000;

/** What moved a command: when (processing time, epoch ms), who, and in words. */
export interface Step {
  now: number;
  by: string;
  detail: string;
}

export interface CommandLedgerOptions extends BlastRadiusOptions {
  /** Gateways that guard an agent now: they must confirm what is sent against it. */
  gatewaysOf: (tenant: string, agentId: string, now: number) => string[];
  load: (key: string) => Uint8Array | undefined;
}

/**
 * The commands, and what gateways must enforce because of them. Every change of a command goes through here, so that
 * its event, the agent's restrictions and the count of contained agents can never disagree with it.
 */
export class CommandLedger {
  readonly #commands: StateTable<Command>;
  readonly #restrictions: StateTable<Restriction>;
  /** Newest version of any agent's restrictions, by tenant. */
  readonly #newestVersion: StateTable<number>;
  /** Commands whose life is not over, in order of issue. */
  readonly #active = new Map<string, Command>();
  /** Commands whose life is over, kept for boards and late confirmations; the oldest are forgotten. */
  readonly #finished: BoundedMap<string, true>;
  /** Commands against whole agents whose life is not over, by agent and action: one of a kind at a time is enough. */
  readonly #agentWide = new Map<string, Set<string>>();
  readonly radius: BlastRadius;
  readonly #gatewaysOf: CommandLedgerOptions['gatewaysOf'];
  readonly coolDown = new CoolDown();
  #overflow = 0;
  #restrictionsEvicted = 0;

  constructor(options: CommandLedgerOptions) {
    this.#gatewaysOf = options.gatewaysOf;
    this.radius = new BlastRadius(options);
    const table = { capacity: 10_000, load: options.load };
    this.#commands = new StateTable({ ...table, prefix: 'command/' });
    this.#restrictions = new StateTable({ ...table, prefix: 'restriction/' });
    this.#newestVersion = new StateTable({ ...table, prefix: 'restriction-version/' });
    this.#finished = new BoundedMap(MAX_FINISHED, (key) => this.#commands.delete(key));
  }

  /** Takes up what the store holds, after a restart. */
  restore(commands: Iterable<Command>): void {
    for (const command of [...commands].sort(byIssue)) {
      this.coolDown.note(command);
      if (isOver(command)) {
        this.#finished.set(keyOf(command), true);
        continue;
      }
      this.#active.set(keyOf(command), command);
      this.#noteAgentWide(command);
      this.radius.note(command);
    }
  }

  stats(): { active: number; notWatched: number; forgotten: number; restrictionsEvicted: number } {
    return {
      active: this.#active.size,
      notWatched: this.#overflow,
      forgotten: this.#finished.evicted,
      restrictionsEvicted: this.#restrictionsEvicted,
    };
  }

  get(tenant: string, id: string): Command | undefined {
    return this.#commands.get(`${tenant}/${id}`);
  }

  /**
   * Commands whose life is not over and of which the condition holds, by time of issue and id: the order of issue
   * within one millisecond is not known any more after a restart.
   */
  active(condition: (command: Command) => boolean): Command[] {
    return [...this.#active.values()].filter(condition).sort(byIssue);
  }

  /** Whether a command of this kind against the whole agent is proposed or in force, other than the one named. */
  hasAgentWide(of: { tenant: string; agentId: string; action: CommandAction }, exceptId: string): boolean {
    for (const id of this.#agentWide.get(agentWideKey(of)) ?? []) if (id !== exceptId) return true;
    return false;
  }

  /** What stands in the way of a call of this agent at `now` (epoch ms), if anything. */
  restrictionOn(tenant: string, agentId: string, call: RestrictedCall, now: number): Obstacle | undefined {
    return restrictionOn(this.#restrictions.get(`${tenant}/${agentId}`), call, now);
  }

  /** Takes a command to another state; nothing happens where it may not go there. */
  move(command: Command, state: CommandState, step: Step): Effect[] {
    if (!mayFollow(command.state, state)) return [];
    const moved: Command = state === 'sent' ? this.#firstDelivery(command, step.now) : { ...command, state };
    if (state === 'sent') moved.sentAt ??= step.now;
    if (state === 'undone') moved.liftedAt = step.now;
    return this.record(moved, step);
  }

  #firstDelivery(command: Command, now: number): Command {
    const sent: Command = { ...command, state: 'sent', deliveries: 1, deliveredAt: now };
    const awaits = this.#gatewaysOf(command.tenant, command.agentId, now);
    if (awaits.length > 0) sent.awaits = awaits;
    return sent;
  }

  /** Keeps a command as it is now, and says so. */
  record(command: Command, step: Step): Effect[] {
    const key = keyOf(command);
    this.#commands.set(key, command);
    this.#noteAgentWide(command);
    this.radius.note(command);
    this.coolDown.note(command);
    if (isOver(command)) {
      this.#active.delete(key);
      this.#finished.set(key, true);
    } else if (this.#active.has(key) || isInForce(command) || this.#active.size < MAX_ACTIVE)
      this.#active.set(key, command);
    else this.#overflow++;
    const event: CommandEvent = {
      id: stableId('cev', command.id, command.state, step.by, step.detail, step.now),
      commandId: command.id,
      tenant: command.tenant,
      agentId: command.agentId,
      time: step.now,
      state: command.state,
      by: step.by,
      detail: step.detail,
    };
    const effects: Effect[] = [
      { type: 'command', value: command },
      { type: 'command-event', value: event },
    ];
    const agentKey = `${command.tenant}/${command.agentId}`;
    const before = this.#restrictions.get(agentKey) ?? noRestriction(command.tenant, command.agentId);
    // Not the time alone: several changes of one moment must not give an agent that was forgotten an older version.
    const leastVersion = Math.max(step.now, (this.#newestVersion.get(command.tenant) ?? 0) + 1);
    const after = applyCommand(before, command, leastVersion, (count) => (this.#restrictionsEvicted += count));
    if (after !== before) {
      this.#newestVersion.set(command.tenant, after.version);
      if (isUnrestricted(after)) this.#restrictions.delete(agentKey);
      else this.#restrictions.set(agentKey, after);
      effects.push({ type: 'restriction', value: after });
    }
    return effects;
  }

  drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void {
    this.#commands.drain(puts, deletes);
    this.#restrictions.drain(puts, deletes);
    this.#newestVersion.drain(puts, deletes);
  }

  #noteAgentWide(command: Command): void {
    const { action } = command;
    if (action !== 'downgrade-posture' && action !== 'suspend-agent') return;
    const key = agentWideKey(command);
    const ids = this.#agentWide.get(key) ?? new Set();
    if (isOver(command)) ids.delete(command.id);
    else ids.add(command.id);
    if (ids.size === 0) this.#agentWide.delete(key);
    else this.#agentWide.set(key, ids);
  }
}

/** An action of another kind has an entry of its own, which is never there. */
function agentWideKey({ tenant, agentId, action }: { tenant: string; agentId: string; action: CommandAction }): string {
  return JSON.stringify([tenant, agentId, action]);
}

function byIssue(a: Command, b: Command): number {
  return a.issuedAt - b.issuedAt || (a.id < b.id ? -1 : 1);
}

function keyOf(command: Command): string {
  return `${command.tenant}/${command.id}`;
}
