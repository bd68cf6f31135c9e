import type { ObserverClient, ServiceTools } from '../sources/port.js';

/** What the demo needs from the rest of the program; the command line hands it over. */
export interface DemoParts extends ServiceTools {
  connect: (url: string) => ObserverClient;
}
