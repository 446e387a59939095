// What governance keys seal, and what a round of ordering decides ("Deciding" in governance/README.md).
import { order, orderRow, sha256 } from './bytes.mjs'
import { read, write } from './dialect.mjs'
import { refuse } from './refusal.mjs'
import { holds, openEnvelope, seal, signedBytes } from './seals.mjs'
import { bytes, fromMap, list, map, name, oneOf, optional, row, text, toMap, uint, uint63 } from './tables.mjs'

export const STATEMENT_BYTES_MAX = 15360
const VALUE_BYTES_MAX = 15360
const CONSENT_TAG = 'tocsin/1/consent'

const Source = { 1: ['id', text(1, 64)], 2: ['operator', text(1, 64)], 3: ['scope', text(1, 64)] }
const Consent = { 1: ['key', bytes(32)], 2: ['signature', bytes(64)] }
const Suspect = { 1: ['member', name(1, 32)], 2: ['key_version', uint(0, 16000000)] }
const member = { 1: ['member', name(1, 32)] }
const formula = optional(text(1, 64))
const duration = optional(uint63)

/** What a proposal changes, by its kind. */
export const CHANGES = {
  1: { ...member, 2: ['group', name(1, 32)], 3: ['key', bytes(32)] },
  2: member,
  3: { 1: ['members', list(name(1, 32), 1, 16)], 2: ['group', name(1, 32)] },
  4: { ...member, 2: ['key', bytes(32)] },
  5: {
    1: ['guard', formula], 2: ['isolate', formula], 3: ['halt', formula], 4: ['lease_guard_ms', duration],
    5: ['lease_isolate_ms', duration], 6: ['lease_halt_ms', duration], 7: ['change_delay_ms', duration],
    8: ['loosen_delay_ms', duration], 9: ['seat_term_ms', duration], 10: ['silence_ms', duration]
  },
  6: { 1: ['rows', list(row(Source), 0, 64)], 2: ['gone', list(text(1, 64), 0, 64)] },
  7: member,
  8: member
}
export const KIND = { ADMIT: 1, REMOVE: 2, REGROUP: 3, REKEY: 4, PARAMETERS: 5, SOURCES: 6, SUSPEND: 7, REINSTATE: 8 }

export const Proposal = {
  1: ['type', oneOf(1)], 2: ['parent', bytes(32)], 3: ['author', name(1, 32)], 4: ['opened_ms', uint63], 5: ['closes_ms', uint63],
  6: ['kind', oneOf(1, 2, 3, 4, 5, 6, 7, 8)], 7: ['change', map], 8: ['note', text(0, 1024)], 9: ['consents', list(row(Consent), 0, 2)]
}
export const Ballot = {
  1: ['type', oneOf(2)], 2: ['proposal', bytes(32)], 3: ['member', name(1, 32)], 4: ['ballot_no', uint(0, 15)], 5: ['vote', oneOf(0, 1)],
  6: ['cast_ms', uint63], 7: ['conflict', text(0, 128)]
}
const Value = {
  1: ['parent', bytes(32)], 2: ['number', uint63], 3: ['proposals', list(bytes(32), 0, 64)], 4: ['proofs', list(row(Suspect), 0, 85)],
  5: ['activates_ms', uint63]
}
const TABLES = { proposal: Proposal, ballot: Ballot }
const TYPES = { proposal: 1, ballot: 2 }
export const statementTag = word => `tocsin/1/${word}`

/** Which statement a kind 7 carries: 'keyset', 'proposal', 'ballot', or refused. */
export function statementKind (sealed) {
  const payload = read(openEnvelope(sealed)[0], STATEMENT_BYTES_MAX)
  const type = payload instanceof Map ? payload.get(1) : undefined
  if (typeof type === 'string') return 'keyset'
  return Object.keys(TYPES).find(word => TYPES[word] === type) ?? refuse('bad-shape', 'no statement of a kind that is known here')
}

/** A 'proposal' or a 'ballot', its seal not yet looked at: {hash, signed, signature, payload, said: its fields}. */
export function openStatement (word, raw, network) {
  const [payload, signature] = openEnvelope(raw, STATEMENT_BYTES_MAX)
  const fields = read(payload, STATEMENT_BYTES_MAX)
  if (!(fields instanceof Map) || fields.get(1) !== TYPES[word]) refuse('bad-shape', `no ${word}`)
  const { type, ...said } = fromMap(TABLES[word], fields)
  if (word === 'proposal') said.change = fromMap(CHANGES[said.kind], said.change)
  const signed = signedBytes(statementTag(word), network, payload)
  return { raw, payload, signed, signature, hash: sha256(signed), said }
}

export function checkStatement (statement, key) {
  if (!holds(key, statement.signed, statement.signature)) refuse('bad-signature', 'a statement')
}

export function statementPayload (word, said) {
  const fields = word === 'proposal' ? { ...said, change: toMap(CHANGES[said.kind], said.change) } : said
  return write(toMap(TABLES[word], { type: TYPES[word], ...fields }))
}

export const sealStatement = (seed, network, word, said) => seal(seed, statementTag(word), network, statementPayload(word, said))

/** What a consent signs: the fields of the change's table, bound to the parent. */
export const consentPayload = (parent, kind, change) =>
  write(new Map([[1, parent], [2, kind], [3, toMap(CHANGES[kind], change)]]))

export const consentHolds = (network, { parent, kind, change }, { key, signature }) =>
  holds(key, signedBytes(CONSENT_TAG, network, consentPayload(parent, kind, change)), signature)

const rising = (rows, compare) => rows.every((one, at) => at === 0 || compare(rows[at - 1], one) < 0)
const orderSuspect = (a, b) => orderRow([a.member], [b.member]) || a.key_version - b.key_version

/** The bytes of a value to {parent, number, proposals, proofs, activates_ms, hash}. */
export function openValue (raw) {
  const fields = read(raw, VALUE_BYTES_MAX)
  const value = fromMap(Value, fields)
  if (fields.get(4).some(one => one.size > Object.keys(Suspect).length)) refuse('bad-shape', 'an optional field within a proof')
  if (!rising(value.proposals, order) || !rising(value.proofs, orderSuspect)) refuse('bad-shape', 'proposals and proofs are sorted, none twice')
  if (value.proposals.length + value.proofs.length === 0) refuse('bad-shape', 'a value that changes nothing')
  return { ...value, hash: sha256(write(['tocsin/1/value', raw])) }
}

/** The hash of the epoch that a value makes: it binds the whole past. */
export const hashOfEpoch = (network, { number, parent, hash }) => sha256(write(['tocsin/1/epoch', network, number, parent, hash]))
