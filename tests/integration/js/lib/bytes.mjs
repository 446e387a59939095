import { createHash } from 'node:crypto'

export const hex = bytes => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
export const unhex = text => new Uint8Array(Buffer.from(text.replace(/^0x/, ''), 'hex'))
export const sha256 = bytes => new Uint8Array(createHash('sha256').update(bytes).digest())
export const same = (a, b) => a.length === b.length && Buffer.compare(a, b) === 0
export const order = (a, b) => Buffer.compare(a, b)

/** Texts by code point: JavaScript compares UTF-16 units, which differs above U+FFFF; UTF-8 bytes do not. */
export const orderText = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** How arrays of texts, byte strings and such arrays sort: item by item, the shorter first. */
export function orderRow (a, b) {
  if (typeof a === 'string') return orderText(a, b)
  if (a instanceof Uint8Array) return order(a, b)
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const way = orderRow(a[i], b[i])
    if (way !== 0) return way
  }
  return a.length - b.length
}
