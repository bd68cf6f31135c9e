import type { OtlpSpan } from '../otlp/model.js';
import { readOpenInference } from './open-inference.js';
import type { Said } from './said.js';
import { readSemanticConventions } from './semantic-conventions.js';
import { readVercelAi } from './vercel-ai.js';

/** The most particular first: the others' attributes often stand beside its own. */
const CONVENTIONS = [readVercelAi, readOpenInference, readSemanticConventions];

/** What a span says about an agent's work; undefined where it is about something else. */
export function readSpan(span: OtlpSpan): Said | undefined {
  for (const read of CONVENTIONS) {
    const said = read(span);
    if (said !== undefined) return said;
  }
  return undefined;
}
