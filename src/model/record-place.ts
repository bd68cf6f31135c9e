/** Where a record lies that did not come with a request, so that it is found again there. */
export interface RecordPlace {
  /** For people: `topic orders, partition 3, offset 17`. */
  name: string;
  /**
   * Goes into the id of a record that has none of its own: equal records at two places are two, and what is read again at
   * one place is known. Left out where the content alone makes the id.
   */
  key?: string;
  /** SHA-256 of its bytes, hex. */
  hash: () => string;
}
