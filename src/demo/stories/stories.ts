import type { Story } from '../story.js';
import { drift } from './drift.js';
import { granted, ungranted } from './grants.js';
import { hijack } from './hijack.js';
import { release } from './release.js';
import { retryLoop } from './retry-loop.js';
import { silence } from './silence.js';

/** The stories in the order in which they are told. */
export const STORIES: readonly Story[] = [hijack, drift, retryLoop, granted, ungranted, silence, release];
