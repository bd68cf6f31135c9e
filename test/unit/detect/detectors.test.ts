import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { caseSessions, describeCaseResults, runDetectorCases } from '../../../src/detect/cases.js';
import { loadDetectors, parseDetectors } from '../../../src/detect/loader.js';
import { IndexedDetectorRunner } from '../../../src/detect/runner.js';
import { eventVariables, sessionVariables, windowVariables } from '../../../src/detect/vocabulary.js';
import { checkRequestSchema, wireObservationSchema } from '../../../src/model/wire.js';
import { MEASURES } from '../../../src/baseline/measures.js';
import { only } from './detector-text.js';
import { ToyWorld } from './toy-world.js';

const ROOT = join(import.meta.dirname, '..', '..', '..');
/** Detectors that need no more than calls and words; all of them meet the real stages in test/integration. */
const IN_A_TOY_WORLD = [
  'argument-from-untrusted-source',
  'intent-declared-never-attempted',
  'intent-undeclared-attempt',
  'new-target',
  'unusual-tool-for-request',
  'unusual-transition',
];
const set = loadDetectors(join(ROOT, 'detectors'), MEASURES);
const manual = readFileSync(join(ROOT, 'docs', 'detectors.md'), 'utf8');

describe('the detectors that come with Parallax', () => {
  it('are there', () => {
    expect(set.detectors.length).toBeGreaterThanOrEqual(16);
    expect(set.hash).toMatch(/^[0-9a-f]{64}$/);
  });

  describe.each(set.detectors.map(({ definition }) => ({ id: definition.id, definition })))('$id', ({ definition }) => {
    it.runIf(IN_A_TOY_WORLD.includes(definition.id))('does in a toy world what its cases say', async () => {
      const results = await runDetectorCases(definition, async () => new ToyWorld(new IndexedDetectorRunner({ set })));
      expect(describeCaseResults(results)).toBe(`${results.length} of ${results.length} cases passed`);
      expect(results.length).toBeGreaterThanOrEqual(2);
    });

    it('has cases made of records that intake takes in', () => {
      for (const one of definition.cases) {
        const { learning, test } = caseSessions(one);
        for (const { step } of [...(learning[0]?.steps ?? []), ...test]) {
          if ('order' in step) continue;
          const parsed =
            'record' in step ? wireObservationSchema.safeParse(step.record) : checkRequestSchema.safeParse(step.check);
          expect(parsed.error).toBeUndefined();
        }
      }
    });

    it('has a case that stays just outside', () => {
      expect(definition.cases.some(({ name }) => name.startsWith('just outside'))).toBe(true);
    });
  });
});

describe('docs/detectors.md', () => {
  const example = /^```yaml\n# detectors\/([a-z-]+\.yaml)\n([\s\S]*?)^```/m.exec(manual);

  it('has a full example that loads and whose cases pass', async () => {
    const [, file = '', text = ''] = example ?? [];
    const own = parseDetectors([{ file, text }], MEASURES);
    expect(only(own).id).toBe(file.replace('.yaml', ''));
    const results = await runDetectorCases(
      only(own),
      async () => new ToyWorld(new IndexedDetectorRunner({ set: own })),
    );
    expect(describeCaseResults(results)).toBe(`${results.length} of ${results.length} cases passed`);
  });

  it('names every variable with its type', () => {
    const rows = new Map(
      manual
        .split('\n')
        .filter((line) => line.startsWith('| `'))
        .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
        .map(([, name = '', type = '']) => [name, type]),
    );
    const variables = [...eventVariables(new Set(), []), ...windowVariables(new Set()), ...sessionVariables(new Set())];
    for (const { name, type } of variables) expect([name, rows.get(name)]).toEqual([name, type]);
    for (const name of ['measure.<name>', 'samples.<name>', 'metric.<name>']) expect(rows.get(name)).toBe('number');
  });

  it('names every field of the file', () => {
    const [first] = set.detectors;
    for (const field of Object.keys(first?.definition ?? {})) expect(manual).toContain(`\`${field}\``);
  });
});
