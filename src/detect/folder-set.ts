import type { DetectorFile } from './detector-file.js';
import { DetectorError, parseDetectors, readDetectorFiles, type DetectorSet } from './loader.js';

/** What the folder of the detectors holds, or why it cannot be used. */
export function tryDetectors(
  directory: string,
  measures: Parameters<typeof parseDetectors>[1],
): { set: DetectorSet; files: DetectorFile[] } | DetectorError {
  try {
    const files = readDetectorFiles(directory);
    return { set: parseDetectors(files, measures), files };
  } catch (error) {
    if (error instanceof DetectorError) return error;
    throw error;
  }
}
