import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../../test/support/recorded.js';
import { cost, start } from './measured.js';
import { partSpanMs, SESSION_EVENTS, traffic } from './traffic.js';

const STEP_MS = 5;
const GROUP = 512;

export interface Growth {
  /** What there is a little and a lot of. */
  few: number;
  many: number;
  fewUs: number;
  manyUs: number;
}

/** CPU per event with many active agents and with few; every agent has its sessions in the measured part too. */
export async function growthOverAgents({ few, many, events }: { few: number; many: number; events: number }) {
  const fewUs = await oneCost({ agents: few, events, args: [] });
  return { few, many, fewUs, manyUs: await oneCost({ agents: many, events, args: [] }) };
}

/** CPU per event with many detectors and with few, all of which look at every event of their kind. */
export async function growthOverDetectors({ few, many, events }: { few: number; many: number; events: number }) {
  const us: number[] = [];
  for (const count of [few, many]) {
    const directory = detectorFolder(count);
    us.push(await oneCost({ agents: 100, events, args: ['', directory] }));
    rmSync(directory, { recursive: true, force: true });
  }
  return { few, many, fewUs: us[0] ?? Number.NaN, manyUs: us[1] ?? Number.NaN };
}

async function oneCost({ agents, events, args }: { agents: number; events: number; args: string[] }): Promise<number> {
  const spanMs = partSpanMs({ events, stepMs: STEP_MS });
  const startMs = Date.now() - 3 * spanMs;
  const part = (n: number) =>
    traffic({ part: n, agents, events, groupEvents: GROUP, stepMs: STEP_MS, startMs: startMs + n * spanMs });
  const service = await start('support/under-load.js', args);
  await cost(service, part(0));
  const { totalUs } = await cost(service, part(1));
  await service.close();
  return totalUs;
}

/** Sessions of one part must reach all agents. */
export function eventsFor(agents: number): number {
  return agents * SESSION_EVENTS;
}

/** Copies of the shipped detectors under names of their own. */
function detectorFolder(count: number): string {
  const shipped = join(repositoryRoot, 'detectors');
  const files = readdirSync(shipped).filter((file) => file.endsWith('.yaml'));
  const directory = mkdtempSync(join(tmpdir(), 'parallax-detectors-'));
  for (let i = 0; i < count; i++) {
    const id = (files[i % files.length] ?? '').replace('.yaml', '');
    const copy = i < files.length ? id : `${id}-${Math.floor(i / files.length)}`;
    const text = readFileSync(join(shipped, `${id}.yaml`), 'utf8').replace(`id: ${id}`, `id: ${copy}`);
    writeFileSync(join(directory, `${copy}.yaml`), text);
  }
  return directory;
}
