import { parseDetectors } from '../../../src/detect/loader.js';
import type { DetectorDefinition } from '../../../src/detect/detector-schema.js';
import type { DetectorSet } from '../../../src/detect/loader.js';

export const MEASURES = new Set(['requestTool', 'newTarget', 'callRate']);

export interface DetectorText {
  id: string;
  lane?: 'event' | 'window';
  /** Empty leaves the field out. */
  observes?: string;
  when?: string;
  evidence?: string;
  reason?: string;
  extra?: string;
}

/** A detector's file with only what the test cares about spelled out. */
export function detectorText(options: DetectorText): string {
  const evidence = options.evidence ?? '{ nats: 2 }';
  const observes = options.observes ?? '[tool_call]';
  return [
    `id: ${options.id}`,
    'title: A detector',
    'description: For a test.',
    `lane: ${options.lane ?? 'event'}`,
    ...(observes === '' ? [] : [`observes: ${observes}`]),
    `when: ${JSON.stringify(options.when ?? 'true')}`,
    `evidence: ${evidence}`,
    'streams: [action]',
    'severity: low',
    'tags: [ASI02]',
    `reason: ${JSON.stringify(options.reason ?? 'fired on {tool}')}`,
    ...(evidence.includes('measure') ? [] : ['observed: seen', 'expected: not seen']),
    ...(options.extra === undefined ? [] : [options.extra]),
    'cases:',
    '  - { name: it fires, events: [{ call: x }], expect: fires }',
    '  - { name: it is silent, events: [{ prompt: hello }], expect: silent }',
    '',
  ].join('\n');
}

export function setOf(...detectors: DetectorText[]): DetectorSet {
  const files = detectors.map((one) => ({ file: `${one.id}.yaml`, text: detectorText(one) }));
  return parseDetectors(files, MEASURES);
}

/** The definition of a set that holds one. */
export function only(set: DetectorSet): DetectorDefinition {
  const [detector] = set.detectors;
  if (detector === undefined || set.detectors.length !== 1) throw new Error(`${set.detectors.length} detectors, not 1`);
  return detector.definition;
}
