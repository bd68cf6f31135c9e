import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONTENT_LEVELS, type ContentLevel } from '../../src/model/content-level.js';
import { STREAMS, type Observation } from '../../src/model/observation.js';
import type { Principal } from '../../src/model/principal.js';
import type { NormalizeContext, Normalizer } from '../../src/normalize/port.js';

export interface NormalizerSamples {
  /** Records that hold at least one observation each. */
  good: unknown[];
  /** Records that must be refused, with the field that must be named. */
  bad: { record: unknown; field: string }[];
  /** A record with this text somewhere in its content. */
  withContent: (text: string) => unknown;
}

const SECRET = 'sk-live-Abc123Def456Ghi789Jkl012';

/** What every wire format owes, whatever it looks like. */
export function normalizerContract(normalizer: Normalizer, samples: NormalizerSamples): void {
  const context = (change: Partial<Principal> = {}): NormalizeContext => ({
    principal: { id: 'key-1', role: 'ingest', tenant: 'acme', streams: new Set(STREAMS), agents: ['*'], ...change },
    observedAt: 5_000,
    seed: 42,
  });
  const accepted = (record: unknown, c = context()) =>
    normalizer.normalize(record, c).map((result) => {
      if (!result.ok) throw new Error(`refused: ${result.field}: ${result.reason}`);
      return result;
    });

  describe(`normalizer ${normalizer.format}`, () => {
    it('accepts good records and takes emitter and tenant from the key', () => {
      expect(samples.good.length).toBeGreaterThan(0);
      for (const record of samples.good) {
        const results = accepted(record);
        expect(results.length).toBeGreaterThan(0);
        for (const { observation } of results) {
          expect(observation).toMatchObject({
            principalId: 'key-1',
            tenant: 'acme',
            observedAt: 5_000,
            schemaVersion: 1,
          });
          expect(Number.isFinite(observation.time)).toBe(true);
        }
      }
    });

    it('gives the same record the same ids, and another emitter’s record other ids', () => {
      for (const record of samples.good) {
        const ids = accepted(record).map((r) => r.observation.id);
        expect(accepted(structuredClone(record)).map((r) => r.observation.id)).toEqual(ids);
        const others = accepted(record, context({ id: 'key-2' })).map((r) => r.observation.id);
        expect(others.filter((id) => ids.includes(id))).toEqual([]);
      }
    });

    it('names the field and a fix when it refuses', () => {
      for (const { record, field } of samples.bad) {
        const refusals = normalizer.normalize(record, context()).filter((r) => !r.ok);
        expect(refusals.map((r) => r.field)).toEqual([field]);
        for (const { reason } of refusals) {
          expect(reason.length).toBeGreaterThan(10);
          expect(reason).not.toMatch(/invalid input|undefined|\[object/i);
        }
      }
    });

    it('lets no secret into observation or payload', () => {
      const results = accepted(samples.withContent(`the key is ${SECRET} as agreed`));
      expect(JSON.stringify(results)).not.toContain(SECRET);
      expect(results.some((r) => r.payload?.content.includes('[redacted:api-key]'))).toBe(true);
    });

    it('keeps of its words what the key says, and scoring sees the same of all', () => {
      const record = samples.withContent(`meet zebediah, alice@example.org, with ${SECRET}`);
      const at = (content: ContentLevel) => {
        const results = accepted(record, context({ content }));
        return { kept: JSON.stringify(results), results, payloads: results.flatMap((r) => r.payload ?? []) };
      };
      const [off, hashed, redacted, full] = CONTENT_LEVELS.map(at);
      expect(off?.payloads).toEqual([]);
      expect(hashed?.payloads.length).toBeGreaterThan(0);
      for (const hidden of [off, hashed]) {
        expect(hidden?.kept).not.toContain('zebediah');
        expect(hidden?.kept).not.toContain('alice');
      }
      expect(redacted?.payloads[0]?.content).toContain('zebediah, [redacted:email], with [redacted:api-key]');
      expect(full?.payloads[0]?.content).toContain('zebediah, alice@example.org, with [redacted:api-key]');
      // Everything but the texts that people read is the same: ids, hashes, sizes.
      const scored = CONTENT_LEVELS.map((level) => at(level).results.map((r) => hashesOf(r.observation)));
      for (const other of scored.slice(1)) expect(other).toEqual(scored[0]);
    });

    it('hashes under the seed: another install gets other hashes', () => {
      const text = 'send forty-two euros to alice@example.org';
      const hashes = (seed: number) => JSON.stringify(accepted(samples.withContent(text), { ...context(), seed }));
      expect(hashes(1)).not.toBe(hashes(2));
      expect(hashes(1)).toBe(hashes(1));
    });

    it('never throws and stays bounded, whatever it is given', () => {
      const broken = samples.good.map((good) =>
        fc
          .tuple(fc.constant(good), fc.dictionary(fc.string(), fc.anything(), { maxKeys: 3 }))
          .map(([a, b]) => Object.assign({}, a, b)),
      );
      const anything = fc.oneof(fc.anything({ withBigInt: true, withDate: true, withMap: true }), ...broken);
      fc.assert(
        fc.property(anything, (record) => {
          const results = normalizer.normalize(record, context());
          for (const result of results) {
            const size = result.ok
              ? JSON.stringify(result.observation).length
              : result.field.length + result.reason.length;
            expect(size).toBeLessThan(result.ok ? 400_000 : 1_000);
          }
        }),
        { numRuns: 500 },
      );
    });
  });
}

/** The observation without the texts that are for people alone. */
function hashesOf(observation: Observation): unknown {
  const { reason: _, error: __, ...rest } = { reason: '', error: '', ...observation };
  return 'targets' in rest ? { ...rest, targets: rest.targets.map(({ value: ___, ...target }) => target) } : rest;
}
