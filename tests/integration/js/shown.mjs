// Values as the golden files write them, to values of ours and back.
import { hex, unhex } from './lib/bytes.mjs'
import { TYPES } from './lib/claims.mjs'
import { governanceOf, makeEpoch } from './lib/counting.mjs'
import { openKeySet } from './lib/seals.mjs'
import { subjectText } from './lib/subjects.mjs'

/** A value of ours as the golden files write it. */
export function asJson (value, key = '') {
  if (value instanceof Uint8Array) return key === 'subject' || key === 'subjects' ? { text: subjectText(value), raw: hex(value) } : hex(value)
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(one => asJson(one, key))
  if (value instanceof Map) return Object.fromEntries([...value].map(([k, v]) => [String(k), asJson(v)]))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, asJson(v, k)]))
}

const seatOf = one => ({
  ...one,
  governance_key: unhex(one.governance_key),
  since: BigInt(one.since ?? 0),
  seated_ms: BigInt(one.seated_ms ?? 0),
  keyed_ms: BigInt(one.keyed_ms ?? 0),
  proven: one.proven ?? -1
})
const pastOf = one => ({
  ...one, hash: unhex(one.hash), number: BigInt(one.number), activates_ms: BigInt(one.activates_ms), made_of: (one.made_of ?? []).map(unhex)
})
/** An epoch of a golden file; those that are only counted lack what follows from it. */
export const epochOf = one => makeEpoch({
  ...one,
  network: unhex(one.network),
  hash: unhex(one.hash),
  parent: one.parent ? unhex(one.parent) : null,
  number: BigInt(one.number ?? 0),
  activates_ms: BigInt(one.activates_ms ?? 0),
  members: one.members.map(seatOf),
  durations_ms: (one.durations_ms ?? []).map(BigInt),
  made_of: (one.made_of ?? []).map(unhex),
  past: (one.past ?? []).map(pastOf)
})
/** An epoch that followed, as the golden files write it. */
export const shownEpoch = epoch => asJson({
  number: epoch.number,
  hash: epoch.hash,
  parent: epoch.parent,
  activates_ms: epoch.activates_ms,
  members: epoch.members,
  formulas: epoch.formulas,
  lease_ms: epoch.lease_ms,
  sources: epoch.sources,
  durations_ms: epoch.durations_ms,
  past: epoch.past.map(({ made_of: decided, ...one }) => one),
  left: epoch.left
})
export const epochsOf = data => Object.fromEntries(Object.entries(data.epochs).map(([word, one]) => [word, epochOf(one)]))
export const keysetsOf = (raws, epoch) => raws.map(one => openKeySet(unhex(one), epoch.network, governanceOf(epoch)))

/** Inputs and readings have their integers as decimal texts, at any depth. */
const decimals = value => {
  if (Array.isArray(value)) return value.map(decimals)
  if (typeof value === 'string') return /^[0-9]{1,39}$|^[0-9]{41,63}$|^[0-9]{65,78}$/.test(value) ? BigInt(value) : value
  return value
}

/** A claim's inputs, by its type's table. */
export function inputsOf (type, given) {
  const [table] = TYPES[type]
  return Object.fromEntries(Object.values(table).map(([field]) => {
    const value = given[field]
    if (field === 'threat') return [field, Number(value)]
    if (field === 'topics') return [field, value.map(unhex)]
    if (['escrow', 'tx', 'twin', 'recipient', 'address', 'feed', 'data_hash'].includes(field)) return [field, unhex(value)]
    return [field, ['home', 'far', 'chain'].includes(field) ? value : BigInt(value)]
  }))
}

/** What a judge was given to read. */
export function readings (type, told) {
  const out = { log: null }
  for (const [key, value] of Object.entries(told)) {
    if (key === 'burned_to') out[key] = unhex(value)
    else if (key !== 'log') out[key] = decimals(value)
    else if (type === 'evm-log') out[key] = [unhex(value[0]), value[1].map(unhex), unhex(value[2])]
    else out[key] = [unhex(value[0]), BigInt(value[1]), unhex(value[2]), BigInt(value[3])]
  }
  return out
}
