declare module 'snappyjs' {
  export function compress(data: Buffer): Buffer;
  /** @throws Error when it is not snappy, or longer than `maxLength` bytes */
  export function uncompress(data: Buffer, maxLength?: number): Buffer;
}
