// "Sealing": COSE_Sign1 with Ed25519, and who may have sealed what.
import { createPrivateKey, createPublicKey, sign as edSign, verify as edVerify } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { same, sha256, unhex } from './bytes.mjs'
import { read, write } from './dialect.mjs'
import { codeOf, refuse } from './refusal.mjs'
import { BODIES, Entry, KeySet, VOTES, fromMap, toMap } from './tables.mjs'

export const ENTRY_BYTES_MAX = 16384
const PROTECTED = unhex('a10127')
const TAGS = {
  1: 'attestation', 2: 'release', 3: 'action-report', 4: 'manifest', 5: 'heartbeat', 6: 'notice', 7: 'statement',
  8: 'propose', 9: 'prepare', 10: 'commit'
}
export const tagOfKind = kind => `tocsin/1/${TAGS[kind] ?? `kind-${kind}`}`
export const KEYSET_TAG = 'tocsin/1/keyset'

const PKCS8 = unhex('302e020100300506032b657004220420')
const SPKI = unhex('302a300506032b6570032100')
const privateKey = seed => createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
export const publicOf = seed => new Uint8Array(createPublicKey(privateKey(seed)).export({ format: 'der', type: 'spki' }).subarray(12))

const IDENTITY = unhex('01' + '00'.repeat(31))
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n

/** A key is a point of the prime-order group, written in its one form; else `bad-key`. */
export function checkKey (key) {
  let sound = false
  try {
    const point = ed25519.Point.fromBytes(key)
    sound = point.isTorsionFree() && !point.isSmallOrder()
  } catch { }
  if (!sound) refuse('bad-key', 'no point of the prime-order group')
}

function littleEndian (bytes) {
  return BigInt('0x' + Buffer.from(bytes).reverse().toString('hex'))
}

/** libsodium's rules for a key that `checkKey` took: such a key leaves only the identity for an R of small order. */
export function holds (key, message, signature) {
  if (littleEndian(signature.subarray(32)) >= ORDER) return false
  if (same(signature.subarray(0, 32), IDENTITY)) return false
  const spki = createPublicKey({ key: Buffer.concat([SPKI, key]), format: 'der', type: 'spki' })
  return edVerify(null, message, spki, signature)
}

export const signedBytes = (tag, network, payload) =>
  write(['Signature1', PROTECTED, write([tag, network]), payload])

/** [payload, signature] of a sealed byte string; the seal is not looked at. */
export function openEnvelope (sealed, bytesMax = ENTRY_BYTES_MAX) {
  const value = read(sealed, bytesMax)
  const sound = Array.isArray(value) && value.length === 4 && value[0] instanceof Uint8Array && same(value[0], PROTECTED) &&
    value[1] instanceof Map && value[1].size === 0 && value[2] instanceof Uint8Array &&
    value[3] instanceof Uint8Array && value[3].length === 64
  if (!sound) refuse('bad-envelope')
  return [value[2], value[3]]
}

export function seal (seed, tag, network, payload) {
  const signed = signedBytes(tag, network, payload)
  const signature = new Uint8Array(edSign(null, signed, privateKey(seed)))
  return { sealed: write([PROTECTED, new Map(), payload, signature]), hash: sha256(signed), signature }
}

/** An entry as it stands, its seal not yet looked at: {raw, hash, signed, signature, author, ..., body}. */
export function openEntry (raw, network) {
  const [payload, signature] = openEnvelope(raw)
  const entry = fromMap(Entry, read(payload, ENTRY_BYTES_MAX))
  const table = BODIES[entry.kind]
  const whole = table !== undefined && (!VOTES.includes(entry.kind) || codeOf(() => fromMap(table, entry.body)) === null)
  if (whole) entry.body = fromMap(table, entry.body)
  if (entry.kind === 2 && entry.body.through_ms > entry.issued_ms) refuse('bad-shape', 'released before it was issued')
  const signed = signedBytes(tagOfKind(entry.kind), network, payload)
  return { ...entry, raw, signed, signature, hash: sha256(signed) }
}

export function checkSeal (entry, key) {
  if (!holds(key, entry.signed, entry.signature)) refuse('bad-signature')
}

/** `later`: fields of a later version, for the entry and for its body, [key, value] each. */
export function sealEntry (seed, network, entry, later = { entry: [], body: [] }) {
  const table = BODIES[entry.kind]
  const body = table === undefined || entry.body instanceof Map ? new Map(entry.body) : toMap(table, entry.body)
  for (const [key, value] of later.body) body.set(key, value)
  const fields = toMap(Entry, { ...entry, body })
  for (const [key, value] of later.entry) fields.set(key, value)
  return seal(seed, tagOfKind(entry.kind), network, write(fields))
}

/** A KeySet whose member's governance key is `governanceOf(member)` (null: no member). */
export function openKeySet (raw, network, governanceOf) {
  const [payload, signature] = openEnvelope(raw)
  const keyset = fromMap(KeySet, read(payload, ENTRY_BYTES_MAX))
  const governance = governanceOf(keyset.member)
  if (governance === null) refuse('unknown-author', keyset.member)
  const signed = signedBytes(KEYSET_TAG, network, payload)
  if (!holds(governance, signed, signature)) refuse('bad-signature', `the KeySet of ${keyset.member}`)
  checkKey(keyset.attestation)
  return { ...keyset, raw, hash: sha256(signed) }
}

export const sealKeySet = (seed, network, keyset) => seal(seed, KEYSET_TAG, network, write(toMap(KeySet, keyset)))
