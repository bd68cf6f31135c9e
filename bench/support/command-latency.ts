import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { post, type Target } from './load.js';

/** Prohibited by the shipped inventory: executing it breaks an invariant, and the session is revoked at once. */
const TOOL = 'audit.disable';
/** Decisive events of one measurement. */
const COUNT = 40;
const LONGEST_MS = 10_000;

/** A gateway that hears of commands in one of the ways there are. */
export interface Listener {
  /** Resolves with the time (of `performance.now`) at which the gateway knows that a session is revoked. */
  next(subject: { agentId: string; sessionId: string }): Promise<number>;
  close(): void | Promise<void>;
}

/**
 * Sends decisive events, one after the other, and waits for each one's command at a gateway.
 *
 * @param listen connects the gateway; by default one that reads the stream
 * @returns ms from the event's sending to the command's arrival; Infinity where none came
 */
export async function commandLatencies(
  target: Target,
  tag: string,
  listen: (target: Target) => Promise<Listener> = followStream,
): Promise<number[]> {
  const gateway = await listen(target);
  const latencies: number[] = [];
  for (let n = 0; n < COUNT; n++) {
    const sessionId = `decisive-${tag}-${n}`;
    const agentId = `support-agent-${n}`;
    const body = JSON.stringify({
      stream: 'action',
      kind: 'tool_call',
      time: Date.now(),
      agentId,
      sessionId,
      callId: `${sessionId}-1`,
      tool: TOOL,
      effect: 'auth',
      decision: 'allow',
    });
    const arrival = gateway.next({ agentId, sessionId });
    const sent = performance.now();
    await post(`${target.url}/v1/observations`, target.keyOf('gateway'), Buffer.from(body));
    const arrivedAt = await Promise.race([arrival, sleep(LONGEST_MS, Infinity)]);
    latencies.push(arrivedAt - sent);
    await sleep(150);
  }
  await gateway.close();
  return latencies;
}

async function followStream(target: Target): Promise<Listener> {
  let awaited: { text: string; resolve: (at: number) => void } | undefined;
  let seen = '';
  const headers = { authorization: `Bearer ${target.keyOf('gateway')}` };
  const outgoing = request(`${target.url}/v1/commands/stream`, { headers });
  await new Promise<void>((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      response.setEncoding('utf8');
      response.on('error', () => {});
      response.on('data', (chunk: string) => {
        // An event may come in two chunks.
        seen = (seen + chunk).slice(-65_536);
        const arrivedAt = performance.now();
        if (awaited === undefined || !hasMessageWith(seen, awaited.text)) return;
        awaited.resolve(arrivedAt);
        awaited = undefined;
      });
      resolve();
    });
    outgoing.end();
  });
  return {
    next: ({ sessionId }) =>
      new Promise((resolve) => {
        awaited = { text: `"${sessionId}"`, resolve };
      }),
    close: () => void outgoing.destroy(),
  };
}

/** Whether a signed message in the stream's text, all of it there, says something. */
function hasMessageWith(stream: string, text: string): boolean {
  return [...stream.matchAll(/^data: [^.\n]+\.([^.\n]+)\.[^.\n]+\n/gm)].some(([, payload = '']) =>
    Buffer.from(payload, 'base64url').toString('utf8').includes(text),
  );
}
