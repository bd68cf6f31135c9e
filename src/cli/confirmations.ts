import { setTimeout as sleep } from 'node:timers/promises';
import { inertText } from '../lib/text/inert-text.js';
import type { Console } from './command.js';
import type { Observer, SeenCommand } from './observer.js';

const POLL_MS = 100;
/** After the first gateway has answered, others get so long to answer too, ms. */
const OTHERS_MS = 500;

/** What a command does to whom: `suspend-agent agent-7`, `freeze-tool send_money of agent-7`. */
export function describeCommand(command: Pick<SeenCommand, 'action' | 'agentId' | 'sessionId' | 'tool' | 'posture'>) {
  const { action, agentId, sessionId, tool, posture } = command;
  const agent = inertText(agentId);
  if (action === 'suspend-agent') return `${action} ${agent}`;
  if (action === 'downgrade-posture') return `${action} ${agent} to ${posture ?? 'approval'}`;
  return `${action} ${inertText((action === 'freeze-tool' ? tool : sessionId) ?? '')} of ${agent}`;
}

export function describeTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

export interface Awaited {
  observer: Observer;
  commandId: string;
  /** What gateways shall confirm. */
  effective: 'enforced' | 'lifted';
  /** Gateways that must confirm; where none is known, the first to do so is enough. */
  gateways: readonly string[];
  /** Longest wait, ms. */
  waitMs: number;
}

/**
 * Waits until gateways have confirmed, and prints what each one says when it says it.
 *
 * @returns the gateways that confirmed, and whether any refused
 */
export async function awaitGateways(
  awaited: Awaited,
  console: Console,
): Promise<{ confirmed: string[]; refused: string[] }> {
  const { observer, commandId, effective, gateways, waitMs } = awaited;
  const said = new Map<string, string>();
  const begun = performance.now();
  let until = begun + waitMs;
  while (performance.now() < until) {
    const command = await observer.command(commandId);
    for (const { gatewayId, effective: now } of command?.acknowledgements ?? []) {
      if (said.get(gatewayId) === now || (now !== effective && now !== 'rejected')) continue;
      said.set(gatewayId, now);
      console.out(`  gateway ${inertText(gatewayId)}: ${now === 'rejected' ? 'REFUSED, it has no room' : now}\n`);
      if (gateways.length === 0) until = Math.min(until, performance.now() + OTHERS_MS);
    }
    if (gateways.length > 0 && gateways.every((id) => said.has(id))) break;
    await sleep(POLL_MS);
  }
  const by = (state: string) => [...said].filter(([, now]) => now === state).map(([id]) => id);
  return { confirmed: by(effective), refused: by('rejected') };
}

/**
 * Waits for a containment to be in force at every gateway that guards the agent, and says how it stands.
 *
 * @returns the exit code
 */
export async function reportContainment(
  awaited: Omit<Awaited, 'effective' | 'gateways'>,
  console: Console,
): Promise<number> {
  const { commandId, waitMs, observer } = awaited;
  const begun = performance.now();
  const gateways = await guardsOf(observer, commandId, waitMs);
  const leftMs = waitMs - (performance.now() - begun);
  const answers = { ...awaited, effective: 'enforced' as const, gateways, waitMs: leftMs };
  const { confirmed } = await awaitGateways(answers, console);
  const missing = gateways.filter((id) => !confirmed.includes(id)).map((id) => inertText(id));
  if (confirmed.length > 0 && missing.length > 0) {
    console.err(
      `not confirmed by ${missing.join(', ')} within ${waitMs / 1_000} s: calls may still pass there. Look again with "parallax containments".\n`,
    );
    return 1;
  }
  if (confirmed.length === 0) {
    console.err(
      `no gateway has confirmed within ${waitMs / 1_000} s, so nothing is known to be in force. The order stands: a gateway gets it when it connects. Look again with "parallax containments".\n`,
    );
    return 1;
  }
  console.out(`in force at ${confirmed.length} gateway${confirmed.length === 1 ? '' : 's'}\n`);
  console.out(`to take it back: parallax lift ${commandId} --reason TEXT\n`);
  return 0;
}

/** Gateways that must confirm a command, as soon as it was sent; none where none is known to guard the agent. */
async function guardsOf(observer: Observer, commandId: string, waitMs: number): Promise<readonly string[]> {
  for (const until = performance.now() + waitMs; performance.now() < until; await sleep(POLL_MS)) {
    const command = await observer.command(commandId);
    if (command !== undefined && !UNSENT.has(command.state)) return command.awaits ?? [];
  }
  return [];
}

const UNSENT: ReadonlySet<SeenCommand['state']> = new Set(['proposed', 'approved']);
