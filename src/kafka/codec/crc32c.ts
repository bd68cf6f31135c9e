/** CRC-32C (Castagnoli) eight bytes at a time ("slicing by 8"): several times faster than byte by byte. */
const TABLE = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte += 1) {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  TABLE[byte] = value;
}
for (let index = 256; index < TABLE.length; index += 1) {
  const before = TABLE[index - 256] ?? 0;
  TABLE[index] = (before >>> 8) ^ (TABLE[before & 0xff] ?? 0);
}

/** @returns an unsigned number of 32 bits */
export function crc32c(bytes: Uint8Array): number {
  // Indexes below are always within the table and the bytes; `| 0` satisfies the checker at no cost.
  const at = (index: number): number => TABLE[index] as number;
  const byte = (index: number): number => bytes[index] as number;
  let crc = -1;
  let index = 0;
  for (; index + 8 <= bytes.length; index += 8) {
    const low = crc ^ (byte(index) | (byte(index + 1) << 8) | (byte(index + 2) << 16) | (byte(index + 3) << 24));
    crc =
      at(1792 + (low & 0xff)) ^
      at(1536 + ((low >>> 8) & 0xff)) ^
      at(1280 + ((low >>> 16) & 0xff)) ^
      at(1024 + (low >>> 24)) ^
      at(768 + byte(index + 4)) ^
      at(512 + byte(index + 5)) ^
      at(256 + byte(index + 6)) ^
      at(byte(index + 7));
  }
  for (; index < bytes.length; index += 1) crc = at((crc ^ byte(index)) & 0xff) ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}
