import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { repositoryRoot } from './recorded.js';

const serviceSchema = z.looseObject({
  image: z.string(),
  user: z.string().optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  read_only: z.boolean().default(false),
  cap_drop: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
});
const composeSchema = z.looseObject({
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.unknown()),
});
export type ComposeService = z.infer<typeof serviceSchema>;

/** The parts of compose.yaml that tests look at, anchors resolved. */
export function readCompose(): z.infer<typeof composeSchema> {
  return composeSchema.parse(parse(readFileSync(join(repositoryRoot, 'compose.yaml'), 'utf8'), { merge: true }));
}

/** `source:target:mode`. */
export function mountOf(volume: string): { source: string; target: string; isReadOnly: boolean } {
  const [source = '', target = '', mode] = volume.split(':');
  return { source, target, isReadOnly: mode === 'ro' };
}

/** One instruction of a Dockerfile. */
export interface Instruction {
  stage: number;
  name: string;
  /** What follows it, continuation lines joined. */
  rest: string;
}

/** The instructions of the Dockerfile in order; comments are left out. */
export function readDockerfile(): Instruction[] {
  const text = readFileSync(join(repositoryRoot, 'Dockerfile'), 'utf8');
  let stage = -1;
  return text
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
      if (name === 'FROM') stage++;
      return { stage, name, rest };
    });
}

/** Opens and closes every tag, and holds one element. @returns what is wrong, or undefined */
export function xmlFault(text: string): string | undefined {
  const open: string[] = [];
  let roots = 0;
  const bare = text.replace(/<!--(?:(?!--)[\s\S])*-->/g, '');
  if (/<!--|-->/.test(bare)) return 'a comment that is not closed, or holds two hyphens';
  for (const [tag, slash, name = '', selfClosed] of bare.matchAll(/<(\/?)([\w-]+)(?:\s+[\w-]+="[^"<]*")*\s*(\/?)>/g)) {
    if (slash === '/') {
      if (open.pop() !== name) return `${tag} closes nothing`;
    } else {
      if (open.length === 0) roots++;
      if (selfClosed !== '/') open.push(name);
    }
  }
  if (/[<&]/.test(bare.replace(/<\/?[\w-]+(?:\s+[\w-]+="[^"<]*")*\s*\/?>/g, ''))) return 'a stray < or &';
  return open.length > 0 ? `${open.join(', ')} not closed` : roots === 1 ? undefined : `${roots} roots`;
}
