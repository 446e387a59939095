// The one form of CBOR ("Encoding"). cborg reads and writes; what it takes and the specification does not is refused
// by writing the value again and comparing: there is one encoding of a value, so other bytes are another form.
import { decode, encode } from 'cborg'
import { same } from './bytes.mjs'
import { refuse } from './refusal.mjs'

export const DEPTH_MAX = 12
export const ITEMS_MAX = 8192
const OPTIONS = {
  strict: true,
  useMaps: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: true,
  rejectDuplicateMapKeys: true
}

export const isInt = value => typeof value === 'bigint' || Number.isInteger(value)

function walk (value, depth, count) {
  count.items += 1
  if (depth > DEPTH_MAX) refuse('not-canonical', `nested deeper than ${DEPTH_MAX}`)
  if (count.items > ITEMS_MAX) refuse('not-canonical', `more than ${ITEMS_MAX} items`)
  if (Array.isArray(value)) {
    for (const item of value) walk(item, depth + 1, count)
  } else if (value instanceof Map) {
    for (const [key, item] of value) {
      if (!isInt(key) || key < 0) refuse('not-canonical', 'a map key that is no unsigned integer')
      walk(key, depth + 1, count)
      walk(item, depth + 1, count)
    }
  } else if (typeof value === 'number' && !Number.isInteger(value)) {
    refuse('not-canonical', 'a float')
  }
}

/** Bytes to a value: integers (number where safe, else bigint), Uint8Array, text, arrays, Map, booleans, null. */
export function read (bytes, bytesMax) {
  if (bytes.length > bytesMax) refuse('oversized', `${bytes.length} bytes, at most ${bytesMax}`)
  let value
  try {
    value = decode(bytes, OPTIONS)
  } catch (fault) {
    refuse('not-canonical', fault.message)
  }
  walk(value, 0, { items: 0 })
  if (!same(write(value), bytes)) refuse('not-canonical', 'another form of the same value')
  return value
}

export function write (value) {
  return encode(value)
}
