/** Names of the topics of an install. */
export interface TopicNames {
  /** The log: what all nodes take in, by agent. */
  observations: string;
  /** Changelog of the scoring state of each partition of the log. */
  state: string;
  /** What was decided, in one order for all nodes. */
  commandEvents: string;
  /** What each agent is restricted in now. */
  commands: string;
  /** Each incident as it stands. */
  incidents: string;
  /** Small facts that all nodes share: owners, public keys, epochs. */
  nodes: string;
}

/** @param prefix `cluster.topicPrefix` */
export function topicsOf(prefix: string): TopicNames {
  return {
    observations: `${prefix}.observations`,
    state: `${prefix}.state`,
    commandEvents: `${prefix}.command-events`,
    commands: `${prefix}.commands`,
    incidents: `${prefix}.incidents`,
    nodes: `${prefix}.nodes`,
  };
}
