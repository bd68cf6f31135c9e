import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Speaker } from '../../src/sources/recorded-session.js';
import type { Group } from './traffic.js';

export interface Target {
  url: string;
  /** Key of a speaker; empty where none is asked for. */
  keyOf: (speaker: Speaker) => string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

export interface Sent {
  events: number;
  /** From the first request to the last answer, ms. */
  tookMs: number;
}

/**
 * Sends groups in order. The requests of a group go out together; at most `inFlight` groups are under way.
 *
 * @param perSecond events a second; as fast as they are answered when left out
 */
export async function send(
  target: Target,
  groups: readonly Group[],
  { inFlight, perSecond }: { inFlight: number; perSecond?: number },
): Promise<Sent> {
  const start = performance.now();
  let events = 0;
  let at = 0;
  const lane = async (): Promise<void> => {
    for (let group = groups[at++]; group !== undefined; group = groups[at++]) {
      if (perSecond !== undefined) {
        const dueMs = (events * 1000) / perSecond - (performance.now() - start);
        events += group.events;
        if (dueMs > 1) await sleep(dueMs);
      } else events += group.events;
      await Promise.all(
        group.batches.map(async ({ speaker, body, events: expected }) => {
          const answer = await post(`${target.url}/v1/observations`, target.keyOf(speaker), body);
          const { accepted } = JSON.parse(answer) as { accepted?: number };
          if (accepted !== expected) throw new Error(`not all were taken in: ${answer.slice(0, 500)}`);
        }),
      );
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { events, tookMs: performance.now() - start };
}

/** @throws when the answer is an error */
export function post(url: string, key: string, body: Uint8Array, type = 'application/x-ndjson'): Promise<string> {
  return exchange(url, { method: 'POST', headers: headers(key, { 'content-type': type }) }, body);
}

export function get(url: string, key: string): Promise<string> {
  return exchange(url, { method: 'GET', headers: headers(key, {}) });
}

function headers(key: string, more: Record<string, string>): Record<string, string> {
  return key === '' ? more : { ...more, authorization: `Bearer ${key}` };
}

function exchange(
  url: string,
  options: { method: string; headers: Record<string, string> },
  body?: Uint8Array,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const outgoing = request(url, { ...options, agent, headers: { ...options.headers, ...length } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${url}: ${response.statusCode} ${text.slice(0, 500)}`));
      });
      response.on('error', reject);
    });
    outgoing.on('error', (error) => {
      // The other side had just closed an idle connection: nothing of the request was read.
      const wasIdle = outgoing.reusedSocket && 'code' in error && error.code === 'ECONNRESET';
      if (wasIdle) resolve(exchange(url, options, body));
      else reject(error);
    });
    outgoing.end(body);
  });
}
