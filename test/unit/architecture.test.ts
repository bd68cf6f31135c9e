import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../support/recorded.js';

const SRC = join(repositoryRoot, 'src');
/** May import everything: they put the stages together. */
const COMPOSERS = new Set([
  'pipeline.ts',
  'core.ts',
  'core-shared.ts',
  'core-scoring.ts',
  'core-doors.ts',
  'core-views.ts',
  'app.ts',
  'app-views.ts',
  'app-figures.ts',
  'app-operations.ts',
  'observer.ts',
  'partition-upkeep.ts',
  'telling.ts',
  'topic-intake.ts',
  'trial.ts',
  'main.ts',
]);
/** So may what stands in these: commands put stages together, and steps of the pipeline bring several of them together. */
const COMPOSING = ['cli/', 'cluster/', 'scoring/'];
/** Folders without domain stages above them. */
const GROUND = new Set(['model', 'lib']);
/** Packages that only one part may use. */
const RESERVED: Record<string, (file: string) => boolean> = {
  rxjs: (file) => file.startsWith('join/') || file === 'pipeline.ts',
  kafkajs: (file) => file.startsWith('kafka/'),
  '@clickhouse/client': (file) => file.startsWith('store/'),
  'prom-client': (file) => file.startsWith('telemetry/'),
  nodemailer: (file) => file.startsWith('notify/'),
  chdb: (file) => file.startsWith('store/'),
  lmdb: (file) => file.startsWith('log/'),
  '@modelcontextprotocol/sdk': (file) => file.startsWith('gateway/mcp/'),
  hono: (file) => ['api/', 'console/', 'gateway/reference/'].some((folder) => file.startsWith(folder)),
  '@hono/node-server': (file) => file.startsWith('api/') || file.startsWith('gateway/reference/'),
};

interface Import {
  file: string;
  target: string;
  typeOnly: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts') || file.endsWith('.tsx'));
const imports = files.flatMap((file) => importsOf(file, readFileSync(join(SRC, file), 'utf8')));

describe('the import rule', () => {
  it('saw the tree', () => {
    expect(files.length).toBeGreaterThan(30);
    expect(imports.length).toBeGreaterThan(files.length);
    expect(imports.some((i) => i.typeOnly)).toBe(true);
  });

  it('lets a stage import only itself, model, lib, and types from another stage’s port', () => {
    expect(imports.map(trespass).filter((reason) => reason !== undefined)).toEqual([]);
  });

  it('keeps rxjs, clickhouse, lmdb, kafkajs and hono where they belong', () => {
    const strays = imports.filter(({ file, target }) => {
      const allowed = RESERVED[packageOf(target)];
      return allowed !== undefined && !allowed(file);
    });
    expect(strays).toEqual([]);
  });

  it('finds a breach when there is one', () => {
    const breaches = importsOf(
      'join/bad.ts',
      `import { open } from '../log/embedded-log.js';\nimport {\n  a,\n} from '../detect/port.js';`,
    );
    expect(breaches.map(trespass).filter((reason) => reason !== undefined)).toHaveLength(2);
  });

  it('has no default exports and no cycles between model and stages', () => {
    const defaults = files.filter((file) => readFileSync(join(SRC, file), 'utf8').includes('export default'));
    expect(defaults).toEqual([]);
  });
});

describe('docs/architecture.md', () => {
  it('names every folder of src, and no other', () => {
    const text = readFileSync(join(repositoryRoot, 'docs', 'architecture.md'), 'utf8');
    const documented = [...text.matchAll(/^\| `src\/([a-z]+)\/` \|/gm)].map((m) => m[1] ?? '').sort();
    const present = [...new Set(files.filter((f) => f.includes('/')).map((f) => f.split('/')[0] ?? ''))].sort();
    expect(documented).toEqual(present);
  });
});

function importsOf(file: string, text: string): Import[] {
  const found: Import[] = [];
  const pattern = /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;
  for (const match of text.matchAll(pattern)) {
    const clause = match[0];
    const names = /\{([^}]*)\}/
      .exec(clause)?.[1]
      ?.split(',')
      .map((n) => n.trim())
      .filter((n) => n !== '');
    const allTyped = names !== undefined && names.length > 0 && names.every((n) => n.startsWith('type '));
    found.push({ file, target: match[2] ?? '', typeOnly: match[1] !== undefined || allTyped });
  }
  return found;
}

/** Why an import is not allowed, or undefined. */
function trespass({ file, target, typeOnly }: Import): string | undefined {
  if (!target.startsWith('.') || COMPOSERS.has(file) || COMPOSING.some((folder) => file.startsWith(folder)))
    return undefined;
  const to = relative(SRC, resolve(SRC, dirname(file), target)).replaceAll('\\', '/');
  const [fromStage = '', toStage = ''] = [file.split('/')[0], to.split('/')[0]];
  if (to.startsWith('..') || fromStage === toStage) return undefined;
  if (GROUND.has(toStage) && !(fromStage === 'lib' && toStage === 'model')) return undefined;
  if (to === 'config.js' && (typeOnly || !GROUND.has(fromStage))) return undefined;
  if (!GROUND.has(fromStage) && to === `${toStage}/port.js` && typeOnly) return undefined;
  return `${file} imports ${typeOnly ? 'types' : 'values'} from ${to}`;
}

function packageOf(target: string): string {
  return target.startsWith('@') ? target.split('/').slice(0, 2).join('/') : (target.split('/')[0] ?? target);
}
