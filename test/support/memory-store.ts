/** A store in memory, as a stage that keeps its state in tables sees it. */
export interface MemoryStore {
  load: (key: string) => Uint8Array | undefined;
  entries: (prefix: string) => Iterable<{ key: string; value: Uint8Array }>;
  /** Writes what a stage drains, as a transaction would. */
  commit: (stage: { drain(puts: { key: string; value: Uint8Array }[], deletes: string[]): void }) => void;
  size: () => number;
}

export function memoryStore(): MemoryStore {
  const held = new Map<string, Uint8Array>();
  return {
    load: (key) => held.get(key),
    *entries(prefix) {
      for (const [key, value] of held) if (key.startsWith(prefix)) yield { key, value };
    },
    commit: (stage) => {
      const puts: { key: string; value: Uint8Array }[] = [];
      const deletes: string[] = [];
      stage.drain(puts, deletes);
      // In this order: reading a put may add to the deletes.
      for (const { key, value } of puts) held.set(key, value.slice());
      for (const key of deletes) held.delete(key);
    },
    size: () => held.size,
  };
}
