// The tables of the specification as data, and the one reader and writer of them.
import { isInt, read, write } from './dialect.mjs'
import { refuse } from './refusal.mjs'
import { checkSubject } from './subjects.mjs'

const TOP = (1n << 63n) - 1n
const bad = why => refuse('bad-shape', why)
const codePoints = text => [...text].length

// a type: what is on the wire -> a value of ours, and back
const plain = check => ({ take: value => { check(value); return value }, give: value => value })

/** Small numbers are Numbers, times and counters (up to 2^63 - 1) BigInts, whatever their size. */
export const uint = (least, most) => plain(v => { if (typeof v !== 'number' || v < least || v > most) bad(`no uint ${least}..${most}`) })
export const uint63 = {
  take: v => { if (!isInt(v) || v < 0 || v > TOP) bad('no uint < 2^63'); return BigInt(v) },
  give: v => v
}
export const bytes = (least, most = least) => plain(v => {
  if (!(v instanceof Uint8Array) || v.length < least || v.length > most) bad(`no bytes ${least}..${most}`)
})
export const text = (least, most) => plain(v => {
  if (typeof v !== 'string' || codePoints(v) < least || codePoints(v) > most) bad(`no text ${least}..${most}`)
})
export const name = (least, most) => plain(v => {
  if (typeof v !== 'string' || v.length < least || v.length > most || !/^[a-z0-9-]*$/.test(v) || v.endsWith('\n')) bad(`no name ${least}..${most}`)
})
export const bool = plain(v => { if (typeof v !== 'boolean') bad('no bool') })
export const map = plain(v => { if (!(v instanceof Map)) bad('no map') })
export const oneOf = (...known) => plain(v => { if (!known.includes(v)) bad(`none of ${known}`) })
export const list = (type, least, most) => ({
  take: v => {
    if (!Array.isArray(v) || v.length < least || v.length > most) bad(`no list of ${least}..${most}`)
    return v.map(type.take)
  },
  give: v => v.map(type.give)
})
export const subject = { take: v => { bytes(0, Infinity).take(v); checkSubject(v); return v }, give: v => v }
export const row = table => ({ take: v => fromMap(table, v), give: v => toMap(table, v) })
export const optional = type => ({ ...type, optional: true })

export const LEVEL = oneOf(0, 1, 2, 3, 4)
const BASIS = oneOf(1, 2, 3)
const TLP = oneOf(0, 1, 2, 3, 4)

export const Claim = { 1: ['type', name(1, 64)], 2: ['id', bytes(32)], 3: ['digest', bytes(32)] }
export const Entry = {
  1: ['author', name(1, 32)], 2: ['key_version', uint(0, 16000000)], 3: ['seq', uint63], 4: ['prev', bytes(32)],
  5: ['issued_ms', uint63], 6: ['kind', uint(0, 255)], 7: ['body', map]
}
export const KeySet = {
  1: ['member', name(1, 32)], 2: ['version', uint(0, 16000000)], 3: ['attestation', bytes(32)],
  4: ['evm', optional(bytes(20))], 5: ['transport', list(text(8, 64), 0, 4)], 6: ['expires_ms', uint63]
}
export const BODIES = {
  1: {
    1: ['epoch', bytes(32)], 2: ['subject', subject], 3: ['threat', uint(0, 255)], 4: ['level', LEVEL],
    5: ['basis', BASIS], 6: ['claims', list(row(Claim), 0, 8)], 7: ['sources', list(text(1, 64), 0, 4)],
    8: ['detector', text(0, 64)], 9: ['incident', text(0, 64)], 10: ['since_ms', uint63], 11: ['expires_ms', uint63],
    12: ['by_person', bool], 13: ['tlp', TLP], 14: ['evm_sig', optional(bytes(65))]
  },
  2: {
    1: ['epoch', bytes(32)], 2: ['subject', subject], 3: ['threat', uint(0, 255)], 4: ['through_ms', uint63],
    5: ['claims', list(row(Claim), 0, 8)]
  },
  3: { 1: ['action_key', bytes(32)], 2: ['phase', text(0, 64)], 3: ['effect', text(0, 1024)] },
  4: { 1: ['subjects', list(subject, 0, 256)] },
  5: { 1: ['epoch', bytes(32)] },
  6: { 1: ['text', text(0, 4096)], 2: ['tlp', TLP] },
  7: { 1: ['sealed', bytes(1, 16384)] },
  8: { 1: ['epoch', bytes(32)], 2: ['round', uint63], 3: ['value', bytes(1, 15360)], 4: ['valid_round', optional(uint63)] },
  9: { 1: ['epoch', bytes(32)], 2: ['round', uint63], 3: ['value_hash', bytes(32)] },
  10: { 1: ['epoch', bytes(32)], 2: ['round', uint63], 3: ['value_hash', bytes(32)] }
}
/** Words by which an epoch's successor is ordered. Of another shape they are carried as they are, and never count. */
export const VOTES = [8, 9, 10]
export const Certificate = {
  1: ['epoch', bytes(32)], 2: ['subject', subject], 3: ['threat', uint(0, 255)], 4: ['level', oneOf(2, 3, 4)],
  5: ['entries', list(bytes(1, 16384), 1, 256)], 6: ['keysets', list(bytes(32, 16384), 0, 256)]
}
export const Head = {
  1: ['author', name(1, 32)], 2: ['key_version', uint63], 3: ['whole', uint63], 4: ['seq', uint63], 5: ['hash', bytes(32)]
}
export const FRAMES = {
  1: ['Hello', { 1: ['network', bytes(32)], 2: ['version', uint(0, 1000)], 3: ['keysets', list(bytes(1, 16384), 0, 256)] }],
  2: ['Entries', { 1: ['raws', list(bytes(1, 16384), 1, 64)] }],
  3: ['Blobs', { 1: ['raws', list(bytes(1, 32768), 1, 64)] }],
  4: ['CertificateFrame', { 1: ['raw', bytes(1, 196608)] }],
  5: ['KeySets', { 1: ['raws', list(bytes(1, 16384), 1, 256)] }],
  6: ['Heads', { 1: ['heads', list(row(Head), 0, 512)], 2: ['shown', list(bytes(32), 0, 256)] }],
  7: ['WantEntries', { 1: ['author', name(1, 32)], 2: ['key_version', uint63], 3: ['from_seq', uint63], 4: ['to_seq', uint63] }],
  8: ['WantBlobs', { 1: ['digests', list(bytes(32), 1, 64)] }],
  9: ['WantCertificates', { 1: ['ids', list(bytes(32), 1, 64)] }],
  10: ['Shown', { 1: ['ids', list(bytes(32), 1, 256)] }],
  16: ['WantEpochs', { 1: ['after', bytes(32)] }],
  17: ['EpochCertificates', { 1: ['raws', list(bytes(1, 196608), 1, 16)] }]
}
const FRAME_NUMBER = Object.fromEntries(Object.entries(FRAMES).map(([number, [word]]) => [word, Number(number)]))

/** A map of the wire to an object; unknown critical keys are refused, unknown optional ones ignored. */
export function fromMap (table, value) {
  if (!(value instanceof Map)) bad('no map')
  for (const key of value.keys()) {
    if (key < 64 && !(key in table)) refuse('unknown-critical', `the key ${key}`)
  }
  const out = {}
  for (const [key, [field, type]] of Object.entries(table)) {
    const item = value.get(Number(key))
    if (item === undefined) {
      if (!type.optional) bad(`${field} is missing`)
    } else {
      out[field] = type.take(item)
    }
  }
  return out
}

export function toMap (table, value) {
  const out = new Map()
  for (const [key, [field, type]] of Object.entries(table)) {
    if (value[field] !== undefined) out.set(Number(key), type.give(value[field]))
  }
  return out
}

export const FRAME_BYTES_MAX = 262144

/** Bytes of a frame to [its name, its fields]. */
export function readFrame (raw) {
  const value = read(raw, FRAME_BYTES_MAX)
  if (!Array.isArray(value) || value.length !== 2 || !isInt(value[0])) bad('no frame')
  const found = FRAMES[String(value[0])]
  if (found === undefined) refuse('unknown-critical', `the frame type ${value[0]}`)
  return [found[0], fromMap(found[1], value[1])]
}

export function writeFrame (word, fields) {
  const number = FRAME_NUMBER[word]
  return write([number, toMap(FRAMES[number][1], fields)])
}
