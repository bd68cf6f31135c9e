import type { RunningDetector } from './running-detector.js';

/** Detectors of one kind of observation: those for any tool, and for each named tool those that could fire. */
interface Shelf<S> {
  anyTool: RunningDetector<S>[];
  byTool: Map<string, RunningDetector<S>[]>;
}

/**
 * Finds the detectors that could fire by the observation's kind and tool, so that a thousand detectors for a thousand
 * tools cost an event as little as a handful. Candidates come in the order of the set.
 */
export class DetectorIndex<S> {
  readonly detectors: readonly RunningDetector<S>[];
  readonly #shelves = new Map<string, Shelf<S>>();

  constructor(detectors: readonly RunningDetector<S>[]) {
    this.detectors = detectors;
    const kinds = new Set(detectors.flatMap(({ definition }) => definition.observes ?? []));
    for (const kind of kinds) {
      const listening = detectors.filter(({ definition }) => definition.observes?.includes(kind));
      this.#shelves.set(kind, shelve(listening));
    }
  }

  candidates(kind: string, tool: string): readonly RunningDetector<S>[] {
    const shelf = this.#shelves.get(kind);
    if (shelf === undefined) return [];
    return shelf.byTool.get(tool) ?? shelf.anyTool;
  }
}

function shelve<S>(detectors: readonly RunningDetector<S>[]): Shelf<S> {
  const tools = new Set(detectors.flatMap(({ prepared }) => [...(prepared.guards.tools ?? [])]));
  const byTool = new Map<string, RunningDetector<S>[]>();
  for (const tool of tools) {
    byTool.set(
      tool,
      detectors.filter(({ prepared }) => prepared.guards.tools?.has(tool) ?? true),
    );
  }
  return { anyTool: detectors.filter(({ prepared }) => prepared.guards.tools === undefined), byTool };
}
